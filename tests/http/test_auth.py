"""Tokens: made at the first start, required even on loopback, limited by scopes, reloaded on
SIGHUP, refused when other users can read the file.
"""
import itertools
import os
import re
import signal
import stat
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import Stream, ok, problem, request, wait_until


def test_a_token_is_made_beside_the_database(server):
    path = server.directory / "token"
    status = os.lstat(path)
    assert stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600
    assert len(server.token) >= 32
    token = server.token
    server.restart()
    assert server.token == token
    ok(server.client().sessions())


def test_the_token_of_one_server_is_not_that_of_another(start):
    assert start().token != start().token


@pytest.mark.parametrize("path", ["/v1/events?sessionKey=main", "/v1/sessions", "/v1/stats"])
def test_a_token_is_needed(server, path):
    reply = server.client(token=None).call("GET", path)
    problem(reply, 401, "unauthorized")
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x", "Bearer {short}", "Bearer {upper}", "Bearer {token} {token}", "Token {token}"])
def test_a_wrong_token_is_refused_and_does_nothing(server, value):
    token = server.token
    value = value.format(token=token, short=token[:-1], upper=token.swapcase())
    reply = server.client(token=None).call("POST", "/v1/events", {"text": "x", "sessionKey": MAIN}, headers={"Authorization": value})
    problem(reply, 401, "unauthorized")
    assert server.client().texts(MAIN) == []


def test_the_scheme_is_case_insensitive(server):
    assert server.client(token=None).call("GET", "/v1/stats", headers={"Authorization": "bearer " + server.token}).status == 200


def test_a_token_in_the_url_is_no_token(server):
    assert server.client(token=None).call("GET", f"/v1/stats?token={server.token}").status in (400, 401)


def test_two_authorizations_are_refused(server):
    raw = server.raw()
    raw.send(f"GET /v1/stats HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\nAuthorization: Bearer wrong\r\n\r\n".encode())
    assert raw.answer().status in (400, 401)


def test_an_unknown_path_without_a_token_is_unauthorized(server):
    assert server.client(token=None).call("GET", "/v1/nothing").status in (401, 404)


TOKENS = """# who may do what
producer-token-0123456789abcdef produce
consumer-token-0123456789abcdef consume
reader-token-0123456789abcdef00 read

admin-token-0123456789abcdef000 admin
both-token-0123456789abcdef0000 produce,consume
all-token-0123456789abcdef00000
"""


@pytest.fixture
def tokens(make):
    """A server with a token file of its own; makes clients by the name of their token."""
    server = make()
    path = server.directory / "tokens"
    path.write_text(TOKENS)
    path.chmod(0o600)
    server.flags += ["--token-file", path]
    server.start()
    words = {line.split("-")[0]: line.split()[0] for line in TOKENS.splitlines() if "-token-" in line}
    return lambda word: server.client(token=words[word])


CALLS = {
    "produce": lambda api: api.enqueue("x", MAIN, allowDuplicate=True),
    "consume": lambda api: api.drain(MAIN),
    "read": lambda api: api.peek(MAIN),
    "sessions": lambda api: api.sessions(),
    "route": lambda api: api.route(MAIN),
    "stats": lambda api: api.call("GET", "/v1/stats"),
    "take": lambda api: api.consume(MAIN, ["1"]),
    "admin": lambda api: api.purge(MAIN),
}


@pytest.mark.parametrize("word, allowed", [
    ("producer", {"produce", "route"}),
    ("consumer", {"consume", "take"}),
    ("reader", {"read", "sessions", "route", "stats"}),
    ("all", set(CALLS)),
])
def test_a_scope_allows_its_calls(tokens, word, allowed):
    for call in allowed - {"route"}:
        assert CALLS[call](tokens(word)).status in (200, 201), (word, call)


@pytest.mark.parametrize("word, refused", [
    ("producer", {"consume", "take", "admin", "sessions"}),
    ("consumer", {"produce", "admin"}),
    ("reader", {"produce", "consume", "take", "admin"}),
    ("both", {"admin"}),
])
def test_a_scope_allows_nothing_else(tokens, word, refused):
    for call in refused:
        problem(CALLS[call](tokens(word)), 403, "forbidden")


def test_several_scopes_add_up(tokens):
    ok(tokens("both").enqueue("x", MAIN), 201)
    assert len(ok(tokens("both").drain(MAIN))["events"]) == 1


def test_a_producer_may_withdraw_its_event(tokens):
    """A producer may withdraw an event whose id it was given."""
    event = ok(tokens("producer").enqueue("x", MAIN), 201)["event"]
    assert tokens("producer").withdraw(event["id"]).status == 200


def test_the_token_file_is_read_again_on_sighup(server):
    old = server.token
    path = server.directory / "token"
    path.write_text("another-token-0123456789abcdef0\n")
    server.signal(signal.SIGHUP)
    wait_until(lambda: server.client().call("GET", "/v1/stats").status == 200, "the new token to count")
    problem(server.client(token=old).call("GET", "/v1/stats"), 401, "unauthorized")


def test_a_bad_token_file_on_sighup_keeps_the_old_tokens(server):
    old, path = server.token, server.directory / "token"
    path.chmod(0o644)
    seen = len(server.log)
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: r.get("level") in ("warn", "warning", "error"), "the complaint", seen)
    assert server.client(token=old).call("GET", "/v1/stats").status == 200


@pytest.mark.parametrize("damage", ["readable by all", "readable by the group", "a symlink", "a directory", "a blank line", "someone else's", "only comments", "unknown scope", "too short"])
def test_a_token_file_that_others_could_read_is_refused(make, damage):
    server = make()
    path = server.directory / "token"
    path.write_text("some-token-0123456789abcdef0123\n")
    path.chmod(0o600)
    if damage == "readable by all":
        path.chmod(0o604)
    elif damage == "readable by the group":
        path.chmod(0o640)
    elif damage == "a symlink":
        path.rename(server.directory / "real")
        path.symlink_to(server.directory / "real")
    elif damage == "a directory":
        path.unlink()
        path.mkdir(mode=0o700)
    elif damage == "a blank line":
        path.write_text("\n")
    elif damage == "someone else's":
        if os.getuid() != 0:
            pytest.skip("only root can give a file away")
        os.chown(path, 65534, 65534)
    elif damage == "only comments":
        path.write_text("# nothing\n\n")
    elif damage == "unknown scope":
        path.write_text("some-token-0123456789abcdef0123 everything\n")
    elif damage == "too short":
        path.write_text("x\n")
    done = server.run()
    assert done.returncode == 78, done
    assert "token" in done.stderr and "some-token" not in done.stderr


def test_a_token_file_that_is_given_must_exist(make):
    done = make("--token-file", "nowhere").run()
    assert done.returncode == 78, done


def test_tokens_are_never_logged(start):
    server = start("--log-level", "debug")
    server.client().sessions()
    server.client(token="wrong-token-0123456789").sessions()
    token = server.token
    server.signal(signal.SIGHUP)
    server.stop()
    assert not [r for r in server.log if token in str(r) or "wrong-token" in str(r)]


def test_without_auth_no_token_is_needed_or_made(start):
    server = start("--no-auth")
    ok(server.client(token=None).enqueue("x", MAIN), 201)
    assert not (server.directory / "token").exists()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_no_auth_is_refused_where_others_can_reach_it(make, address):
    done = make("--no-auth", "--listen", address).run()
    assert done.returncode in (2, 78), done
    assert "no-auth" in done.stderr


def test_a_listener_beyond_loopback_without_tls_is_refused(make):
    done = make("--listen", "0.0.0.0:0").run()
    assert done.returncode in (2, 78), done


# Many wrong tokens.

ROUTES = re.findall(r'HTTP_(\w+), +(?:"([^"]+)"|HOOK_PATH), +SCOPE_(?!NONE)',
    (Path(os.environ["SOURCES"]) / "server/calls/routes.c").read_text())
WRONG = "wrong-token-0123456789abcdef"


def ask(raw, method, path, token):
    """The answer's status and whether it says when to try again."""
    raw.send(request(method, path.replace("{id}", "1") or "/hooks/wake", token, b"{}" if method == "POST" else None))
    answer = raw.answer()
    return answer.status, "retry-after" in answer.headers


def test_on_every_route_an_address_with_many_wrong_tokens_must_wait(server):
    assert len(ROUTES) > 15
    for n, (method, path) in enumerate(ROUTES):
        raw, other = (server.raw(source=f"127.0.{n}.{last}") for last in (2, 3))
        assert [ask(raw, method, path, f"{WRONG}{k}") for k in range(25)] == [(401, False)] * 20 + [(429, True)] * 5, path
        assert ask(other, method, path, WRONG) == (401, False), path
    assert server.client().stats()["http"]["tokensThrottled"] == 5 * len(ROUTES)


def test_a_right_token_never_waits(server):
    """Whatever else its address sends meanwhile."""
    for method, path in ROUTES:
        if path in ("/v1/wait", "/v1/stream"):  # their answers take time
            continue
        guessing, raw = server.raw(), server.raw()
        for k in range(25):
            ask(guessing, method, path, f"{WRONG}{k}")
        status, waits = ask(raw, method, path, server.token)
        assert status not in (401, 403, 429) and not waits, path
        if path:
            assert ask(guessing, method, path, WRONG) == (429, True), "and its use does not help who guesses"


def test_wrong_tokens_count_together_whatever_they_are_for(server):
    raw = server.raw()
    others = [route for route in ROUTES if route[1]]
    assert [ask(raw, *others[k % len(others)], f"{WRONG}{k}")[0] for k in range(21)] == [401] * 20 + [429]


def test_a_call_without_a_token_is_no_guess(server):
    raw = server.raw()
    assert {ask(raw, "GET", "/v1/stats", None) for _ in range(30)} == {(401, False)}


# Tokens that are taken away.

GOING, STAYING = "going-token-0123456789abcdef", "staying-token-0123456789abcdef"
WAIT = "/v1/wait?sessionKey=agent:waiting:main"


class UnderWay:
    """A stream, a wait, and two posts that still arrive, all with one token."""

    def __init__(self, server, token):
        self.stream = Stream(type("", (), {"port": server.port, "token": token, "tls": None}))
        self.wait, self.post, self.hook = server.raw(), server.raw(), server.raw()
        self.wait.send(request("GET", WAIT, token))
        for raw, path in (self.post, "/v1/events"), (self.hook, "/hooks/wake"):
            raw.send(request("POST", path, token, {"text": "x", "sessionKey": MAIN})[:-1])

    def finish(self):
        """The statuses of the wait and the posts."""
        for raw in self.post, self.hook:
            raw.send(b"}")
        return [raw.answer().status for raw in (self.wait, self.post, self.hook)]


@pytest.fixture
def under_way(make):
    """A server, and what is under way with two tokens."""
    server = make()
    path = server.directory / "token"
    path.write_text(f"{GOING}\n{STAYING}\n")
    path.chmod(0o600)
    server.start()
    going, staying = UnderWay(server, GOING), UnderWay(server, STAYING)
    api = server.client(token=STAYING)
    looks = itertools.count(1)
    wait_until(lambda: api.stats()["http"]["requests"] - next(looks) == 8, "all to be under way")
    return server, api, going, staying


def reload(server, tokens):
    seen = len(server.log)
    (server.directory / "token").write_text(tokens)
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: "reloaded" in r["msg"], "the reload", seen)


@pytest.mark.parametrize("left, status", [("", 401), (f"{GOING} admin\n", 403)])
def test_what_a_token_has_begun_ends_with_it(under_way, left, status):
    server, api, going, staying = under_way
    reload(server, f"{STAYING}\n{left}")
    assert going.stream.wake() is None
    assert going.wait.answer().status == status
    going.wait.send(request("GET", WAIT, GOING))
    assert going.finish() == [status] * 3 and api.texts(MAIN) == []
    assert api.stats()["http"]["tokensRevoked"] == 4
    assert api.stats()["http"]["streams"] == 1 and api.stats()["waiters"] == 1
    ok(api.enqueue("y", "agent:waiting:main"), 201)
    assert staying.stream.wake()["sessionKey"] == "agent:waiting:main"
    assert staying.finish() == [200, 201, 200]


@pytest.mark.parametrize("tokens", [f"{STAYING}\n{GOING}\n", "short\n", "", f"{STAYING} consume,read,produce\n{GOING} produce,consume,read\n"])
def test_what_a_token_has_begun_goes_on_while_the_token_is_good(under_way, tokens):
    """Also when the file has become wrong, so that the old tokens stay."""
    server, api, going, staying = under_way
    reload(server, tokens)
    ok(api.enqueue("y", "agent:waiting:main"), 201)
    for each in going, staying:
        assert each.stream.wake()["sessionKey"] == "agent:waiting:main"
        assert each.finish() == [200, 201 if each is going else 200, 200]
