"""What the log tells of requests: who, what, status and duration of each at debug, and at warn the
refusals that an operator may have to do something about.
"""
import http.client
import socket

import pytest

from policies import MAIN
from sevqd import ok, problem, wait_until

SECRET = "secret-token-0123456789abcdef"
TOLD_A_SECOND = 5


def refused(server):
    return [r for r in server.log if r["msg"] == "refused"]


def peer(client):
    return "%s:%d" % client.conn.sock.getsockname()


def test_an_answer_is_told_at_debug(make):
    server = make("--log-level", "debug")
    token = server.directory / "token"
    token.write_text(f"{SECRET} name=ops.bot\n")
    token.chmod(0o600)
    api = server.start().client(token=SECRET)
    event = ok(api.enqueue("a secret text", "agent:main:secret:1"), 201)["event"]
    ok(api.withdraw(event["id"]))
    posted, removed = (server.wait_for_log(lambda r: r.get("method") == method) for method in ("POST", "DELETE"))
    assert removed.pop("durationUs") < 10e6 and removed.pop("bytes") > 100 and removed.pop("ts")
    assert removed == {"level": "debug", "msg": "answered", "method": "DELETE", "path": "/v1/events/{id}", "status": 200,
        "token": "ops.bot", "peer": peer(api)}
    assert posted["status"] == 201 and posted["path"] == "/v1/events"
    assert "secret" not in str(server.log)


def test_a_wait_lasts_as_long_as_it_waited(start):
    server = start("--log-level", "debug")
    ok(server.client().wait(MAIN, timeoutMs=300))
    assert server.wait_for_log(lambda r: r.get("path") == "/v1/wait")["durationUs"] >= 300_000


def test_a_client_of_a_unix_socket_is_told_as_one(make):
    server = make("--log-level", "debug")
    path = server.directory / "s"
    server.flags += ["--listen", f"unix:{path}"]
    server.start()
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request("GET", "/livez")
    connection.getresponse().read()
    connection.close()
    assert server.wait_for_log(lambda r: r.get("path") == "/livez")["peer"] == "unix"


def bad_token(server):
    return server.client(token="wrong-token-0123456789abcdef").sessions()


def other_site(server):
    return server.client().call("POST", "/v1/drain", {"sessionKey": MAIN}, headers={"Sec-Fetch-Site": "cross-site"})


def full_session(server):
    return [server.client().enqueue(text, MAIN) for text in "ab"][-1]


# What is refused, and what the record has beside the peer.
REFUSALS = {
    "401": ((), bad_token, {"method": "GET", "path": "/v1/sessions", "status": 401, "code": "unauthorized", "detail": "the token is not known here"}),
    "403": ((), other_site, {"method": "POST", "status": 403, "code": "forbidden", "detail": "a page of another site may not change anything here"}),
    "429": (("--max-pending", 1), full_session, {"method": "POST", "path": "/v1/events", "status": 429, "code": "queue-full",
        "detail": "the session is full; --max-pending is 1"}),
    "507": (("--db-min-free-bytes", 1 << 60), full_session, {"method": "POST", "path": "/v1/events", "status": 507, "code": "storage-full",
        "detail": "there is no room for events: --db-min-free-bytes is reached"}),
}


@pytest.mark.parametrize("flags, ask, record", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_told_at_warn_with_the_limits_name(start, flags, ask, record):
    server = start(*flags)
    assert ask(server).status == record["status"]
    told = server.wait_for_log(lambda r: r["msg"] == "refused")
    assert told.pop("ts") and told.pop("peer").startswith("127.0.0.1:")
    assert told == {"level": "warn", "msg": "refused", **record}


def test_other_failures_are_not_told_at_warn(start):
    server = start()
    api = server.client()
    problem(api.find("1"), 404, "not-found")
    problem(api.drain(MAIN, limit=0), 400, "invalid-field")
    bad_token(server)
    server.wait_for_log(lambda r: r["msg"] == "refused")
    assert [r["status"] for r in refused(server)] == [401]


def test_of_many_refusals_a_few_a_second_are_told_and_the_others_are_counted(start):
    server, asked = start("--max-pending", 1), 300
    api = server.client()
    ok(api.enqueue("first", MAIN), 201)
    for n in range(asked):
        problem(api.enqueue(str(n), MAIN), 429, "queue-full")
    more = lambda: [r for r in server.log if "more requests were refused" in r["msg"]]
    wait_until(lambda: len(refused(server)) + sum(r["count"] for r in more()) == asked, "all of them to be told")
    assert len(refused(server)) <= TOLD_A_SECOND * (len(more()) + 1) and all(r["level"] == "warn" for r in more())

