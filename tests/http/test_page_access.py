"""How a page gets its token: a code that works once and soon, and a token that may do no more than
the one that the code was made with, and for no longer.
"""
import signal
import time

import pytest

from policies import MAIN
from sevqd import Stream, ok, problem, wait_until

BOSS, OPS, READER, PRODUCER = ("boss-token-0123456789abcdef", "ops-token-0123456789abcdef", "reader-token-0123456789abcdef", "producer-token-0123456789abcdef")
LINES = {BOSS: "name=boss", OPS: "name=ops.bot agent=ops", READER: "read", PRODUCER: "produce"}
ALL = ["produce", "consume", "read", "admin"]
MINUTE, HALF_DAY = 60_000, 12 * 3_600_000


def write_tokens(server, lines):
    path = server.directory / "token"
    path.write_text("".join(f"{token} {rest}\n" for token, rest in lines.items()))
    path.chmod(0o600)


def reload(server):
    since = len(server.log)
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: r["msg"] == "reloaded", since=since)


@pytest.fixture
def server(make):
    server = make(policy={"agents": {"list": [{"id": "main"}, {"id": "ops"}]}})
    write_tokens(server, LINES)
    return server.start()


def ask_code(server, token=BOSS, **fields):
    return server.client(token=token).call("POST", "/v1/page-codes", fields)


def code(server, token=BOSS, **fields):
    return ok(ask_code(server, token, **fields))["code"]


def trade(server, code, **options):
    return server.client(token=None).call("POST", "/v1/page-sessions", {"code": code}, **options)


def session(server, token=BOSS, **fields):
    return ok(trade(server, code(server, token, **fields)))["token"]


def whoami(server, token):
    return server.client(token=token).call("GET", "/v1/whoami")


def test_a_code_becomes_a_token_that_reads(server):
    made = ok(ask_code(server))
    assert len(made["code"]) == 32 and made["scopes"] == ["read"]
    traded = ok(trade(server, made["code"]))
    assert len(traded["token"]) == 64 and traded["scopes"] == ["read"]
    assert ok(whoami(server, traded["token"])) == {"name": "boss", "scopes": ["read"], "agents": None}
    page = server.client(token=traded["token"])
    assert page.texts(MAIN) == []
    problem(page.enqueue("x", MAIN), 403, "forbidden")
    problem(page.purge(MAIN), 403, "forbidden")


def test_a_code_is_good_for_a_minute_and_a_token_for_half_a_day(server):
    before = time.time() * 1000
    made = ok(ask_code(server))
    traded = ok(trade(server, made["code"]))
    after = time.time() * 1000
    assert before + MINUTE - 1 <= made["expiresAt"] <= after + MINUTE + 1
    assert before + HALF_DAY - 1 <= traded["expiresAt"] <= after + HALF_DAY + 1


def test_a_code_works_once(server):
    once = code(server)
    assert ok(trade(server, once))["token"]
    problem(trade(server, once), 401, "unauthorized")


@pytest.mark.parametrize("wrong", ["", "0" * 32, "x" * 100_000, BOSS, "\u202e"])
def test_a_wrong_code_is_refused(server, wrong):
    right = code(server)
    problem(trade(server, wrong), 401, "unauthorized")
    problem(trade(server, right + " "), 401, "unauthorized")
    assert ok(trade(server, right))["token"], "and uses nothing up"


def test_a_code_is_no_token_and_a_token_no_code(server):
    problem(whoami(server, code(server)), 401, "unauthorized")
    problem(trade(server, session(server)), 401, "unauthorized")


def test_wrong_codes_are_slowed_down_like_wrong_tokens(server):
    right, nobody = code(server), server.client(token=None)
    attempt = lambda n: nobody.call("POST", "/v1/page-sessions", {"code": f"{n:032x}"})
    for n in range(10):
        problem(attempt(n), 401, "unauthorized")
        problem(whoami(server, f"wrong-token-0123456789-{n}"), 401, "unauthorized")
    reply = attempt(99)
    problem(reply, 429, "queue-full")
    assert 0 < int(reply.headers["retry-after"]) <= 60
    assert ok(trade(server, right))["token"], "a right one never waits"
    assert server.client(token=BOSS).stats()["http"]["tokensThrottled"] == 1


def test_more_scopes_are_had_by_naming_them(server):
    assert ok(whoami(server, session(server, scope="read,admin")))["scopes"] == ["read", "admin"]
    assert ok(whoami(server, session(server, scope="produce, consume,read,admin")))["scopes"] == ALL


def test_nobody_passes_on_what_they_do_not_have(server):
    made = ok(ask_code(server, READER, scope="produce,consume,read,admin"))
    assert made["scopes"] == ["read"]
    assert ok(whoami(server, ok(trade(server, made["code"]))["token"]))["scopes"] == ["read"]
    problem(ask_code(server, READER, scope="admin"), 403, "forbidden")
    problem(ask_code(server, PRODUCER), 403, "forbidden")
    problem(ask_code(server, PRODUCER, scope="produce"), 403, "forbidden")


@pytest.mark.parametrize("scope", ["", "write", "read,,admin", "any", "READ"])
def test_a_scope_must_be_known(server, scope):
    problem(ask_code(server, scope=scope), 400, "invalid-field")


def test_a_page_is_for_the_agents_of_its_maker(server):
    token = session(server, OPS, scope="read,produce")
    assert ok(whoami(server, token)) == {"name": "ops.bot", "scopes": ["produce", "read"], "agents": ["ops"]}
    page = server.client(token=token)
    ok(page.enqueue("x", "agent:ops:main"), 201)
    problem(page.peek(MAIN), 403, "forbidden")
    problem(page.call("GET", "/v1/stats"), 403, "forbidden")


def test_a_page_lets_no_other_page_in(server):
    """It could live for ever otherwise, one half day after the other."""
    problem(ask_code(server, session(server)), 403, "forbidden")


def test_so_many_codes_may_wait(server):
    for _ in range(64):
        waiting = code(server)
    reply = ask_code(server)
    problem(reply, 429, "queue-full")
    assert 50 < int(reply.headers["retry-after"]) <= 60
    http = server.client(token=BOSS).stats()["http"]
    assert (http["pageCodes"], http["pageCodesRefused"], http["pageSessions"]) == (64, 1, 0)
    ok(trade(server, waiting))
    assert code(server)


def test_one_page_too_many_ends_the_oldest(server):
    first, second = session(server), session(server)
    stream, other = Stream(server, token=first), Stream(server, token=second)
    client = server.client(token=first)
    ok(client.call("GET", "/v1/whoami"))
    for _ in range(62):
        last = session(server)
    assert ok(client.call("GET", "/v1/whoami"))
    newest = session(server)
    assert stream.wake() is None, "it is told nothing any more"
    problem(client.call("GET", "/v1/whoami"), 401, "unauthorized")
    for token in (second, last, newest):
        ok(whoami(server, token))
    ok(server.client(token=BOSS).enqueue("x", MAIN), 201)
    assert other.wake()["sessionKey"] == MAIN
    http = server.client(token=BOSS).stats()["http"]
    assert (http["pageSessions"], http["pageSessionsEnded"]) == (64, 1)


def test_it_ends_when_its_maker_is_revoked(server):
    kept, revoked = session(server, READER), session(server, OPS)
    waiting, stream = code(server, OPS), Stream(server, "?agentId=ops", token=revoked)
    write_tokens(server, {token: rest for token, rest in LINES.items() if token != OPS})
    reload(server)
    assert stream.wake() is None
    problem(whoami(server, revoked), 401, "unauthorized")
    problem(trade(server, waiting), 401, "unauthorized")
    ok(whoami(server, kept))
    write_tokens(server, LINES)
    reload(server)
    ok(whoami(server, OPS))
    problem(whoami(server, revoked), 401, "unauthorized")


def test_it_loses_what_its_maker_loses(server):
    token = session(server, BOSS, scope="read,admin")
    write_tokens(server, {**LINES, BOSS: "read,produce name=boss agent=ops"})
    reload(server)
    assert ok(whoami(server, token)) == {"name": "boss", "scopes": ["read"], "agents": ["ops"]}


def test_a_code_whose_maker_has_lost_its_scopes_lets_nobody_in(server):
    waiting = code(server, BOSS, scope="admin")
    write_tokens(server, {**LINES, BOSS: "read name=boss"})
    reload(server)
    problem(trade(server, waiting), 401, "unauthorized")
    assert server.client(token=READER).stats()["http"]["pageSessions"] == 0


def test_it_ends_with_its_maker(make):
    server, soon = make(), int(time.time()) + 3
    write_tokens(server, {BOSS: "expires=" + time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(soon))})
    server.start()
    made = ok(ask_code(server))
    traded = ok(trade(server, made["code"]))
    assert traded["expiresAt"] == soon * 1000
    stream, waiting = Stream(server, token=traded["token"]), code(server)
    assert stream.wake() is None
    assert time.time() >= soon
    problem(whoami(server, traded["token"]), 401, "unauthorized")
    problem(trade(server, waiting), 401, "unauthorized")


def test_it_ends_with_the_server(server):
    token = session(server)
    server.restart()
    problem(whoami(server, token), 401, "unauthorized")


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}])
def test_a_page_of_another_site_trades_nothing(server, headers):
    once = code(server)
    problem(trade(server, once, headers=headers), 403, "forbidden")
    assert ok(trade(server, once))["token"]


def test_codes_and_tokens_are_kept_nowhere(server):
    server.stop()
    server.flags += ["--log-level", "debug"]
    server.start()
    made = code(server)
    answer = trade(server, made)
    assert answer.headers["cache-control"] == "no-store"
    server.stop()
    assert any(record.get("path") == "/v1/page-sessions" for record in server.log)
    written = b"".join(path.read_bytes() for path in server.directory.rglob("*") if path.is_file())
    for secret in (made, ok(answer)["token"]):
        assert secret.encode() not in written and not any(secret in str(record) for record in server.log)


def test_without_tokens_there_is_nothing_to_trade(start):
    server = start("--no-auth")
    nothing = {"scopes": ALL, "expiresAt": None}
    assert ok(ask_code(server, None)) == {"code": None, **nothing}
    assert ok(trade(server, "x")) == {"token": None, **nothing}


def test_without_a_page_there_are_no_codes(make):
    server = make("--no-page").start()
    assert "--no-page" in problem(ask_code(server, server.token), 404, "not-found")["detail"]
    assert "--no-page" in problem(trade(server, "x"), 404, "not-found")["detail"]
