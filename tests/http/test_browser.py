"""Web pages in a browser on this machine must not reach the queue, although it is on loopback."""
import pytest

from policies import MAIN
from sevqd import ok, problem, request

POST = {"text": "x", "sessionKey": MAIN}


def ask(server, method, path, host, body=None, headers=()):
    raw = server.raw()
    raw.send(request(method, path, server.token, body, headers, host=host.format(port=server.port)))
    return raw.answer()


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LocalHost:{port}"])
def test_our_own_names_are_accepted(server, host):
    assert ask(server, "GET", "/v1/stats", host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "localhost.evil.example:{port}", "127.0.0.1.nip.io:{port}", "192.168.0.1:{port}", "127.0.0.2:{port}", "0.0.0.0:{port}", "localhost.:{port}"])
def test_another_host_is_misdirected(server, host):
    problem(ask(server, "POST", "/v1/events", host, POST), 421, "misdirected")
    problem(ask(server, "GET", "/v1/stats", host), 421, "misdirected")
    assert server.client().texts(MAIN) == []


@pytest.mark.parametrize("site, accepted", [("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("", False), ("Same-Origin, none", False)])
def test_a_cross_site_request_is_refused_by_sec_fetch_site(server, site, accepted):
    reply = ask(server, "POST", "/v1/events", "127.0.0.1:{port}", POST, [("Sec-Fetch-Site", site)])
    if accepted:
        ok(reply, 201)
    else:
        problem(reply, 403, "forbidden")
    assert server.client().texts(MAIN) == (["x"] if accepted else [])


@pytest.mark.parametrize("origin, accepted", [("http://127.0.0.1:{port}", True), ("http://localhost:{port}", True), ("http://[::1]:{port}", True), ("http://evil.example", False), ("null", False),
    ("http://127.0.0.1:1", False), ("http://127.0.0.1", False), ("https://127.0.0.1:{port}", False), ("http://127.0.0.1:{port}.evil.example", False), ("http://evil.example/http://127.0.0.1:{port}", False), ("", False)])
def test_an_origin_must_be_ours(server, origin, accepted):
    reply = ask(server, "POST", "/v1/events", "127.0.0.1:{port}", POST, [("Origin", origin.format(port=server.port))])
    if accepted:
        ok(reply, 201)
    else:
        problem(reply, 403, "forbidden")
    assert server.client().texts(MAIN) == (["x"] if accepted else [])


@pytest.mark.parametrize("method, path", [("DELETE", "/v1/events?sessionKey=main"), ("POST", "/v1/drain"), ("POST", "/v1/consume")])
def test_every_change_is_guarded(server, method, path):
    body = {"sessionKey": MAIN, **({"ids": []} if path.endswith("consume") else {})} if method == "POST" else None
    problem(ask(server, method, path, "127.0.0.1:{port}", body, [("Origin", "http://evil.example")]), 403, "forbidden")
    problem(ask(server, method, path, "127.0.0.1:{port}", body, [("Sec-Fetch-Site", "cross-site")]), 403, "forbidden")


def test_a_form_cannot_post(server):
    reply = server.client().call("POST", "/v1/events", '{"text":"x","sessionKey":"main"}', kind="text/plain")
    problem(reply, 415, "unsupported-media-type")


def test_a_get_changes_nothing(api):
    ok(api.enqueue("x", MAIN), 201)
    for path in ("/v1/events?sessionKey=main", "/v1/sessions", "/v1/stats", "/livez", "/readyz", "/version"):
        api.call("GET", path)
    problem(api.call("GET", "/v1/drain?sessionKey=main"), 405, "method-not-allowed")
    assert api.texts(MAIN) == ["x"]


def test_no_cookie_is_set(api):
    assert "set-cookie" not in api.peek(MAIN).headers
