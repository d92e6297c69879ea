"""Who may do what: every route of the server's table, with tokens of every scope, for agents and
for none, valid, expired, revoked and wrong, and without a token.

Each route has a row here that says what it is about. A route without a row fails.
"""
import hashlib
import itertools
import os
import re
import signal
import time
from pathlib import Path

import pytest

from sevqd import Stream, ok, problem, wait_until
from shell import FAILED, NOTHING, USAGE, Shell

SOURCES = Path(os.environ["SOURCES"])
HOOK = re.search(r'#define HOOK_PATH "([^"]+)"', (SOURCES / "server/calls/hooks.h").read_text()).group(1)
TABLE = {(method, HOOK if path == "HOOK_PATH" else path.strip('"')): scope.lower()
    for method, path, scope in re.findall(r'\{ HTTP_(\w+), +("[^"]+"|HOOK_PATH), +SCOPE_(\w+)', (SOURCES / "server/calls/routes.c").read_text())}

SCOPES = ["produce", "consume", "read", "admin"]
KEY = "agent:ops:main"  # of what every call is about
AGENTS = [None, "ops", "other", "other,ops"]


def event(admin):
    return {"id": ok(admin.enqueue("x", KEY, allowDuplicate=True), 201)["event"]["id"]}


def lease(admin):
    event(admin)
    return {"lease": ok(admin.lease(KEY, limit=1))["leaseId"]}


def idle(admin):
    wait_until(lambda: (ok(admin.call("GET", "/v1/backups"))["backup"] or {}).get("state") != "running")
    return {}


def code(admin):
    return {"code": ok(admin.call("POST", "/v1/page-codes", {}))["code"]}


def nothing(_):
    return {}


NUMBERS = itertools.count()

# What a call is about: one queue by its key (a foreign one is forbidden), one thing by its id (a
# foreign one is not found), a list (a foreign thing is left out), the whole server (forbidden), or
# the token itself. MINDS: it needs no token, and refuses a wrong one.
KEYED, NAMED, LISTED, WHOLE, OWN, OPEN, MINDS = "keyed", "named", "listed", "whole", "own", "open", "minds"

ROWS = {
    ("POST", "/v1/events"): (KEYED, nothing, lambda api: api.enqueue("x", KEY, allowDuplicate=True)),
    ("GET", "/v1/events"): (KEYED, event, lambda api, id: api.peek(KEY)),
    ("DELETE", "/v1/events"): (KEYED, event, lambda api, id: api.purge(KEY)),
    ("GET", "/v1/events/{id}"): (NAMED, event, lambda api, id: api.find(id)),
    ("DELETE", "/v1/events/{id}"): (NAMED, event, lambda api, id: api.withdraw(id)),
    ("POST", "/v1/drain"): (KEYED, event, lambda api, id: api.drain(KEY)),
    ("POST", "/v1/consume"): (KEYED, event, lambda api, id: api.consume(KEY, [id])),
    ("POST", "/v1/leases"): (KEYED, event, lambda api, id: api.lease(KEY)),
    ("GET", "/v1/leases"): (KEYED, nothing, lambda api: api.call("GET", "/v1/leases", query={"queueKey": KEY})),
    ("GET", "/v1/leases/{id}"): (NAMED, lease, lambda api, lease: api.call("GET", f"/v1/leases/{lease}")),
    ("POST", "/v1/leases/{id}/ack"): (NAMED, lease, lambda api, lease: api.ack(lease)),
    ("POST", "/v1/leases/{id}/nack"): (NAMED, lease, lambda api, lease: api.nack(lease)),
    ("POST", "/v1/leases/{id}/extend"): (NAMED, lease, lambda api, lease: api.extend(lease)),
    ("POST", "/v1/leases/release"): (LISTED, nothing, lambda api: api.call("POST", "/v1/leases/release", {"consumer": "c"})),
    ("GET", "/v1/wait"): (KEYED, event, lambda api, id: api.wait(KEY, timeoutMs=0)),
    ("GET", "/v1/stream"): (KEYED, nothing, lambda api: api.call("HEAD", "/v1/stream", query={"sessionKey": KEY})),
    ("GET", "/v1/history"): (KEYED, nothing, lambda api: api.history(sessionKey=KEY)),
    ("GET", "/v1/dead-letters"): (KEYED, nothing, lambda api: api.dead_letters(sessionKey=KEY)),
    ("DELETE", "/v1/dead-letters"): (KEYED, nothing, lambda api: api.discard(sessionKey=KEY, confirm=True)),
    ("POST", "/v1/dead-letters/requeue"): (KEYED, nothing, lambda api: api.requeue(sessionKey=KEY)),
    ("POST", HOOK): (KEYED, nothing, lambda api: api.call("POST", HOOK, {"text": "x", "agentId": "ops"})),
    ("GET", "/v1/sessions"): (KEYED, nothing, lambda api: api.sessions(sessionKey=KEY)),
    ("GET", "/v1/consumers"): (LISTED, nothing, lambda api: api.call("GET", "/v1/consumers")),
    ("POST", "/v1/route"): (KEYED, nothing, lambda api: api.route(KEY)),
    ("GET", "/v1/policy"): (WHOLE, nothing, lambda api: api.call("GET", "/v1/policy")),
    ("POST", "/v1/policy/reload"): (WHOLE, nothing, lambda api: api.call("POST", "/v1/policy/reload", {"dryRun": True})),
    ("POST", "/v1/rekey"): (WHOLE, nothing, lambda api: api.call("POST", "/v1/rekey", {"dryRun": True})),
    ("POST", "/v1/backups"): (WHOLE, idle, lambda api: api.call("POST", "/v1/backups", {"name": f"b{next(NUMBERS)}"})),
    ("GET", "/v1/backups"): (WHOLE, nothing, lambda api: api.call("GET", "/v1/backups")),
    ("POST", "/v1/page-codes"): (LISTED, nothing, lambda api: api.call("POST", "/v1/page-codes", {})),
    ("POST", "/v1/page-sessions"): (OPEN, code, lambda api, code: api.call("POST", "/v1/page-sessions", {"code": code})),
    ("GET", "/v1/whoami"): (OWN, nothing, lambda api: api.call("GET", "/v1/whoami")),
    ("GET", "/v1/stats"): (WHOLE, nothing, lambda api: api.call("GET", "/v1/stats")),
    ("GET", "/metrics"): (WHOLE, nothing, lambda api: api.call("GET", "/metrics")),
    ("GET", "/livez"): (OPEN, nothing, lambda api: api.call("GET", "/livez")),
    ("GET", "/readyz"): (OPEN, nothing, lambda api: api.call("GET", "/readyz")),
    ("GET", "/healthz"): (MINDS, nothing, lambda api: api.call("GET", "/healthz")),
    ("GET", "/openapi.json"): (OPEN, nothing, lambda api: api.call("GET", "/openapi.json")),
    ("GET", "/"): (OPEN, nothing, lambda api: api.call("GET", "/")),
    ("GET", "/ui/{id}"): (OPEN, nothing, lambda api: api.call("GET", "/ui/app.js")),
    ("GET", "/version"): (OPEN, nothing, lambda api: api.call("GET", "/version")),
}


def test_every_route_has_a_row():
    assert set(ROWS) == set(TABLE) and len(TABLE) > 20


def words_of(scope, agents, state):
    return f"token-{scope}-{(agents or 'all').replace(',', '.')}-{state}-0123456789"


STATES = ["valid", "expired", "revoked", "wrong"]


def lines(*states):
    yield "operator-token-0123456789abcdef"
    for scope, agents, state in itertools.product([*SCOPES, "every"], AGENTS, states):
        token = words_of(scope, agents, state)
        if scope in ("produce", "admin"):  # some stand there as digests
            token = "sha256:" + hashlib.sha256(token.encode()).hexdigest()
        yield " ".join([token, *([scope] if scope != "every" else []), *([f"agent={agents}"] if agents else []),
            "expires=" + ("2020-01-01" if state == "expired" else "2999-12-31T23:59:59Z")])


def write_tokens(server, text, name="token"):
    path = server.directory / name
    path.write_text(text)
    path.chmod(0o600)


@pytest.fixture
def guarded(make):
    server = make(policy={"agents": {"list": [{"id": "main"}, {"id": "ops"}, {"id": "other"}]}, "hooks": {"enabled": True}})
    server.flags += ["--backup-dir", server.directory]
    write_tokens(server, "\n".join(lines("valid", "expired", "revoked")) + "\n")
    server.start()
    revoked = server.client(token=words_of("every", None, "revoked"))
    ok(revoked.call("GET", "/v1/whoami"))
    write_tokens(server, "\n".join(lines("valid", "expired")) + "\n")
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: r["msg"] == "reloaded", "the tokens to be read")
    return server


def expected(about, scope_needed, scope, agents, state):
    if about == OPEN or (about == MINDS and state == "none"):
        return {200}
    if state != "valid":
        return {401}
    if about in (OWN, MINDS):
        return {200}
    if scope not in (scope_needed, "every"):
        return {403}
    if agents == "other":
        return {KEYED: {403}, NAMED: {404}, LISTED: {200}, WHOLE: {403}}[about]
    if agents is not None and about == WHOLE:
        return {403}
    return {200, 201, 202}


def allowed(server, route):
    """What each token gets that is not as it should be."""
    about, prepare, call = ROWS[route]
    addresses = itertools.count(1)
    operator = server.client(token="operator-token-0123456789abcdef")
    rows = [*itertools.product([*SCOPES, "every"], AGENTS, STATES), (None, None, "none")]
    for scope, agents, state in rows:
        client = server.client(token=words_of(scope, agents, state) if state != "none" else None)
        # too many bad tokens from one address would be answered with 429
        client.conn.source_address = (f"127.1.1.{next(addresses)}", 0)
        right = expected(about, TABLE[route], scope, agents, state)
        reply = call(client, **prepare(operator))
        if reply.status not in right:
            yield scope, agents, state, right, reply
        client.close()
    operator.close()


@pytest.mark.parametrize("route", sorted(ROWS), ids=" ".join)
def test_a_token_allows_what_its_line_says(guarded, route):
    assert not list(allowed(guarded, route))


# What lists, streams and calls by id show to the token of an agent.

OPS = "ops-token-0123456789abcdef"
ALL = "all-token-0123456789abcdef"
FOREIGN = "agent:other:main"


@pytest.fixture
def two(make):
    """A server, a client for all agents and one for "ops" alone."""
    server = make("--max-attempts", "1", policy={"agents": {"list": [{"id": "main"}, {"id": "ops"}, {"id": "other"}]}})
    write_tokens(server, f"{ALL} name=boss\n{OPS} name=ops.bot agent=Ops\n")
    server.start()
    return server, server.client(token=ALL), server.client(token=OPS)


def test_a_token_is_told_what_it_is_good_for(two):
    _, boss, ops = two
    whoami = lambda api: ok(api.call("GET", "/v1/whoami"))
    assert whoami(boss) == {"name": "boss", "scopes": ["produce", "consume", "read", "admin"], "agents": None}
    assert whoami(ops) == {"name": "ops.bot", "scopes": ["produce", "consume", "read", "admin"], "agents": ["ops"]}


def test_its_scopes_and_agents_are_those_of_its_line(guarded):
    for scope, agents in itertools.product(SCOPES, AGENTS):
        told = ok(guarded.client(token=words_of(scope, agents, "valid")).call("GET", "/v1/whoami"))
        assert told["name"] is None and told["scopes"] == [scope]
        assert told["agents"] == (agents and agents.split(",")), agents


def test_lists_show_only_queues_of_the_token(two):
    server, boss, ops = two
    for key in (KEY, FOREIGN, "agent:ops:x", "agent:opsy:main"):
        ok(boss.enqueue("x", key), 201)
    assert [s["sessionKey"] for s in ok(ops.sessions())["sessions"]] == [KEY, "agent:ops:x"]
    assert ok(ops.sessions())["total"] == 2
    for key in (KEY, FOREIGN):
        ok(boss.nack(ok(boss.lease(key))["leaseId"], delayMs=0, countAttempt=False))
        ok(boss.lease(key, leaseMs=60000, consumer="c"))
    assert [lease["sessionKey"] for lease in ok(ops.call("GET", "/v1/leases"))["leases"]] == [KEY]
    for lease in ok(boss.call("GET", "/v1/leases"))["leases"]:
        ok(boss.nack(lease["leaseId"], countAttempt=False))
    for key in (KEY, FOREIGN):
        ok(boss.drain(key))
    assert [i["event"]["sessionKey"] for i in ok(ops.history())["events"]] == [KEY]
    assert len(ok(boss.history())["events"]) == 2


def test_dead_letters_show_and_requeue_only_those_of_the_token(two):
    server, boss, ops = two
    dead = []
    for key in (KEY, FOREIGN):
        dead.append(ok(boss.enqueue("x", key), 201)["event"]["id"])
        ok(boss.nack(ok(boss.lease(key))["leaseId"]))
    assert [i["event"]["id"] for i in ok(ops.dead_letters())["events"]] == dead[:1]
    assert ok(ops.requeue(ids=dead))["requeued"] == 1
    assert ok(ops.requeue(all=True, confirm=True))["requeued"] == 0
    assert ok(boss.requeue(all=True, confirm=True))["requeued"] == 1


def test_dead_letters_are_discarded_by_name(two):
    server, boss, ops = two
    dead = []
    for key in (KEY, FOREIGN):
        dead.append(ok(boss.enqueue("x", key), 201)["event"]["id"])
        ok(boss.nack(ok(boss.lease(key))["leaseId"]))
    assert ok(ops.discard(all=True, confirm=True))["discarded"] == 1
    assert ok(ops.discard(ids=dead))["discarded"] == 0
    last = ok(boss.find(dead[0]))["timeline"][-1]
    assert (last["what"], last["detail"]) == ("discarded", "ops.bot")
    assert ok(boss.discard(ids=dead))["discarded"] == 1


def test_consumers_are_told_with_the_names_of_their_tokens(two):
    _, boss, ops = two
    for api in (boss, ops):
        ok(api.drain(KEY))
        ok(api.wait(KEY, timeoutMs=0))
    told = ok(boss.call("GET", "/v1/consumers"))["consumers"]
    assert [(a["kind"], a["token"]) for a in told] == [("wait", "ops.bot"), ("drain", "ops.bot"), ("wait", "boss"), ("drain", "boss")]


def test_a_foreign_queue_is_forbidden_by_its_exact_key_too(two):
    server, boss, ops = two
    ok(boss.enqueue("x", FOREIGN), 201)
    for path in ("/v1/events", "/v1/sessions", "/v1/history", "/v1/dead-letters"):
        problem(ops.call("GET", path, query={"queueKey": FOREIGN}), 403, "forbidden")
        problem(ops.call("GET", path, query={"queueKey": "agent:ops"}), 403, "forbidden")
    problem(ops.call("DELETE", "/v1/events", query={"queueKey": FOREIGN}), 403, "forbidden")
    assert boss.texts(FOREIGN) == ["x"]


def test_a_batch_with_a_foreign_key_stores_nothing(two):
    server, boss, ops = two
    problem(ops.batch({"text": "a", "sessionKey": KEY}, {"text": "b", "sessionKey": FOREIGN}), 403, "forbidden")
    assert boss.texts(KEY) == []


def test_a_stream_tells_only_of_queues_of_the_token(two):
    server, boss, ops = two
    ok(boss.enqueue("x", FOREIGN), 201)
    stream = Stream(server, "?coalesceMs=0", token=OPS)
    ok(boss.enqueue("y", FOREIGN, wake="now"), 201)
    ok(boss.enqueue("x", KEY, wake="now"), 201)
    assert stream.wake()["sessionKey"] == KEY
    stream.close()


def test_a_consumer_of_the_same_name_with_another_agent_keeps_its_leases(two):
    server, boss, ops = two
    for key in (KEY, FOREIGN):
        ok(boss.enqueue("x", key), 201)
        ok(boss.lease(key, consumer="runner"))
    assert ok(ops.call("POST", "/v1/leases/release", {"consumer": "runner"}))["leases"] == 1
    assert ok(boss.call("POST", "/v1/leases/release", {"consumer": "runner"}))["leases"] == 1


@pytest.mark.parametrize("by_ids", [False, True])
def test_an_ended_lease_is_known_to_the_tokens_of_its_agent_only(two, by_ids):
    """A repeated ack is answered as the first one; whether a foreign lease ever was is not told."""
    server, boss, ops = two
    for key, status in ((KEY, 200), (FOREIGN, 404)):
        id = ok(boss.enqueue("x", key), 201)["event"]["id"]
        lease = ok(boss.lease(key))["leaseId"]
        fields = {"ids": [id]} if by_ids else {}
        assert ops.ack(lease, **fields).status == status
        ok(boss.ack(lease, **fields))
        assert ops.ack(lease, **fields).status == status
        assert ops.nack(lease, **fields).status == (409 if status == 200 else 404)


def test_who_asks_for_other_agents_is_not_told(two):
    server, boss, ops = two
    for key in KEY, FOREIGN:
        ok(boss.drain(key))
    keys = lambda api, **query: [c["askedKey"] for c in ok(api.call("GET", "/v1/consumers", query=query))["consumers"]]
    assert keys(boss) == [FOREIGN, KEY] and keys(ops) == keys(ops, limit=1) == [KEY]
    assert keys(ops, queueKey=FOREIGN) == keys(ops, askedKey=FOREIGN) == []
    ok(boss.enqueue("x", KEY), 201)
    write_tokens(server, OPS + "\n", "ops-token")
    sevq = Shell(server, SEVQ_TOKEN_FILE=str(server.directory / "ops-token"))
    assert sevq.json("why", KEY)["queueAskers"]["consumers"][0]["askedKey"] == KEY


def test_the_name_stands_in_history_and_in_the_log(two):
    server, boss, ops = two
    server.flags += ["--log-level", "debug"]
    server.restart()
    boss, ops = server.client(token=ALL), server.client(token=OPS)
    one, other = (ok(ops.enqueue(text, KEY), 201)["event"]["id"] for text in "ab")
    ok(ops.withdraw(one))
    ok(boss.purge(KEY))
    told = {id: ok(boss.find(id))["timeline"][-1] for id in (one, other)}
    assert (told[one]["what"], told[one]["detail"]) == ("withdrawn", "ops.bot")
    assert (told[other]["what"], told[other]["detail"]) == ("purged", "boss")
    server.wait_for_log(lambda r: r.get("method") == "DELETE" and r.get("token") == "ops.bot")


# Expiry and rotation.

def test_a_token_expires_while_its_stream_and_its_wait_are_open(make):
    server = make()
    expires = int(time.time()) + 3
    write_tokens(server, f"{ALL}\n{OPS} expires={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(expires))}\n")
    server.start()
    waiting = server.client(token=OPS)
    waiting.send("GET", "/v1/wait", query={"sessionKey": KEY, "timeoutMs": 60000})
    stream = Stream(server, token=OPS)
    problem(waiting.receive(), 401, "unauthorized")
    assert stream.wake() is None
    problem(server.client(token=OPS).sessions(), 401, "unauthorized")
    assert server.client(token=ALL).stats()["http"]["tokensRevoked"] == 2
    assert time.time() >= expires


def test_a_wait_ends_when_its_token_is_given_to_another_agent(two):
    server, boss, ops = two
    ops.send("GET", "/v1/wait", query={"sessionKey": KEY, "timeoutMs": 60000})
    wait_until(lambda: boss.stats()["waiters"] == 1)
    write_tokens(server, f"{ALL}\n{OPS} agent=other\n")
    server.signal(signal.SIGHUP)
    problem(ops.receive(), 401, "unauthorized")


NEW = "new-token-0123456789abcdef"

# Every call that takes an idempotency key.
KEYED_CALLS = {
    "header": lambda api: api.call("POST", "/v1/events", {"text": "x", "sessionKey": KEY, "allowDuplicate": True}, headers={"Idempotency-Key": "k"}),
    "member": lambda api: api.enqueue("x", KEY, allowDuplicate=True, idempotencyKey="k"),
    "batch": lambda api: api.batch({"text": "x", "sessionKey": KEY, "allowDuplicate": True, "idempotencyKey": "k"}),
    "line": lambda api: api.ndjson(b'{"text":"x","sessionKey":"agent:ops:main","allowDuplicate":true,"idempotencyKey":"k"}\n'),
    "drain": lambda api: api.call("POST", "/v1/drain", {"sessionKey": KEY, "limit": 1}, headers={"Idempotency-Key": "k"}),
    "lease": lambda api: api.lease(KEY, headers={"Idempotency-Key": "k"}, limit=1),
    "hook": lambda api: api.call("POST", HOOK, {"text": "x", "agentId": "ops"}, headers={"Idempotency-Key": "k"}),
}


LONE = "lone-token-0123456789abcdef"


@pytest.mark.parametrize("call", KEYED_CALLS.values(), ids=KEYED_CALLS)
def test_a_key_is_that_of_the_token_s_name_or_else_of_the_token(make, call):
    server = make(policy={"agents": {"list": [{"id": "main"}, {"id": "ops"}]}, "hooks": {"enabled": True}})
    write_tokens(server, f"{ALL}\n{OPS} name=ci\n{LONE}\n")
    server.start()
    for n in range(9):
        ok(server.client(token=ALL).enqueue(f"event {n}", KEY, allowDuplicate=True), 201)

    def again(token):
        """The ids in the answer to a caller, and how many events there are afterwards."""
        reply = call(server.client(token=token))
        assert reply.status in (200, 201), reply
        return re.findall(rb'"(?:id|leaseId|eventId)":"?(\d+)', reply.body), len(ok(server.client(token=ALL).peek(KEY, limit=1000))["events"])

    (first, _), (lone, depth) = again(OPS), again(LONE)
    assert not first or first != lone, "the key of another caller is another key"
    assert again(OPS) == (first, depth)
    write_tokens(server, f"{ALL}\n{NEW} name=ci\n{LONE}\n")
    server.signal(signal.SIGHUP)
    wait_until(lambda: server.client(token=NEW).call("GET", "/v1/stats").status == 200)
    assert again(NEW) == (first, depth), "after rotation"
    server.restart()
    assert again(NEW) == (first, depth) and again(LONE) == (lone, depth), "after a restart"


@pytest.mark.parametrize("one, other, same", [
    ("agent=ops", "agent=other", False), ("agent=ops", "agent=ops,other", False), ("agent=ops", "", False), ("agent=ops", "agent=OPS", True), ("", "", True)])
def test_a_key_is_shared_by_tokens_of_one_name_for_the_same_agents(make, one, other, same):
    server = make()
    write_tokens(server, f"{OPS} name=ci {one}\n{LONE} name=ci {other}\n")
    server.start()
    reply = lambda token: server.client(token=token).call("POST", "/v1/events", {"text": "x", "sessionKey": KEY, "allowDuplicate": True}, headers={"Idempotency-Key": "k"})
    first = ok(reply(OPS), 201)
    then = reply(LONE)
    assert (then.body == reply(OPS).body) == same
    if other == "agent=other":
        problem(then, 403, "forbidden")
    assert same == (then.status == 201 and ok(then, 201)["event"]["id"] == first["event"]["id"])


# The file.

GOOD = [
    "some-token-0123456789abcdef0123",
    "some-token-0123456789abcdef0123 produce,consume",
    "some-token-0123456789abcdef0123 produce, consume",
    "some-token-0123456789abcdef0123 name=a.b-c_d@e",
    "some-token-0123456789abcdef0123\tread\tagent=Main,ops\texpires=2027-01-31",
    "sha256:" + "0a" * 32 + " admin expires=2027-01-31T23:59:59Z name=x agent=a",
    "sha256:" + "0A" * 32,
    "some-token-0123456789abcdef0123 read\nsome-token-0123456789abcdef0123 admin",
]
BAD = [
    "sha256:0a", "sha256:" + "0g" * 32, "sha256:" + "0a" * 33, "sha512:" + "0a" * 64,
    *(f"some-token-0123456789abcdef0123 {rest}" for rest in [
        "name=", "name=a/b", "name=" + "a" * 65, "name=a name=b", "agent=", "agent=a,,b", "expires=", "expires=2027-02-30", "expires=2027-1-1",
        "expires=2027-01-31T00:00:00", "expires=tomorrow", "expires=2027-01-31 23:00", "name=a read", "scope=read", "color=red"]),
    "some-token-0123456789abcdef0123 read\nsome-token-0123456789abcdef0123 admin name=x",
    "some-token-0123456789abcdef0123 read\nsha256:" + hashlib.sha256(b"some-token-0123456789abcdef0123").hexdigest() + " agent=ops",
]


@pytest.mark.parametrize("text, code", [*((t, 0) for t in GOOD), *((t, 78) for t in BAD)])
def test_a_line_is_read_or_refused_whole(make, text, code):
    server = make()
    write_tokens(server, text + "\n")
    done = server.run("--check-config", "--token-file", server.directory / "token")
    assert done.returncode == code, done
    if code:
        assert "token file" in done.stderr and "some-token" not in done.stderr


@pytest.mark.parametrize("mode, inside, code", [
    (0o400, True, 0), (0o440, True, 0), (0o444, True, 78), (0o460, True, 78), (0o440, False, 78), (0o400, False, 0)])
def test_a_credential_of_systemd_may_have_a_right_for_its_group(make, mode, inside, code):
    server = make()
    credentials = server.directory / "credentials"
    credentials.mkdir()
    path = (credentials if inside else server.directory) / "tokens"
    path.write_text("some-token-0123456789abcdef0123\n")
    path.chmod(mode)
    server.extra_env["CREDENTIALS_DIRECTORY"] = str(credentials)
    done = server.run("--check-config", "--token-file", path if inside else f"{credentials}/../tokens")
    assert done.returncode == code, done


# The command.

@pytest.fixture
def here(make):
    """A server at the usual place, and the command of its user."""
    server = make()
    server.db = server.directory / "state/sevq/sevq.db"
    server.db.parent.mkdir(parents=True, mode=0o700)
    server.start()
    shell = Shell(server)
    del shell.env["SEVQ_TOKEN_FILE"]
    return server, shell, server.db.parent / "token"


def test_a_token_is_added_listed_used_and_revoked(here):
    server, sevq, path = here
    said = path.read_text()
    out, err = sevq("token", "add", "--name", "ci", "--scope", "produce,read", "--agent", "ops", "--expires", "2999-01-31")
    token = out.strip()
    assert re.fullmatch(r"sevq_[0-9a-f]{64}", token) and f"pid {server.process.pid}" in err
    assert path.read_text() == said + f"sha256:{hashlib.sha256(token.encode()).hexdigest()} produce,read name=ci agent=ops expires=2999-01-31\n"
    assert path.stat().st_mode & 0o777 == 0o600
    wait_until(lambda: server.client(token=token).sessions().status == 200)
    ok(server.client(token=token).enqueue("x", KEY), 201)
    problem(server.client(token=token).enqueue("x", FOREIGN), 403, "forbidden")
    out, _ = sevq("token", "list")
    assert re.search(r"^ci +produce,read +ops +2999-01-31 +[0-9a-f]{12}$", out, re.M), out
    assert said.strip() not in out and token not in out
    assert [t["name"] for t in sevq.json("token", "list")] == [None, "ci"]
    sevq("token", "revoke", "ci")
    wait_until(lambda: server.client(token=token).sessions().status == 401)
    assert path.read_text() == said
    sevq("token", "revoke", "ci", exit=NOTHING)
    sevq("token", "revoke", hashlib.sha256(said.strip().encode()).hexdigest()[:12], exit=FAILED)
    assert path.read_text() == said, "the last one stays"


def test_two_tokens_of_a_name_are_revoked_one_by_one(here):
    server, sevq, path = here
    tokens = [sevq("token", "add", "--name", "ci")[0].strip() for _ in range(2)]
    sevq("token", "revoke", "ci", exit=USAGE)
    sevq("token", "revoke", hashlib.sha256(tokens[0].encode()).hexdigest()[:20])
    wait_until(lambda: [server.client(token=t).call("GET", "/v1/sessions").status for t in tokens] == [401, 200])


@pytest.mark.parametrize("words", [
    ["add"], ["add", "--name", "a b"], ["add", "--name", ""], ["add", "--name", "a" * 65], ["add", "--name", "a", "--scope", "write"],
    ["add", "--name", "a", "--scope", "read,"], ["add", "--name", "a", "--agent", "a b"], ["add", "--name", "a", "--agent", ","],
    *(["add", "--name", "a", "--agent", ids] for ids in ("-", "a,--", "-,a", "a,", ",".join(["a"] * 65))),
    *(["add", "--name", "a", "--expires", date] for date in (
        "soon", "2027-1-31", "2027-02-30", "2027-13-01", "2027-01-00", "2027-01-31T24:00:00Z", "2027-01-31T23:59:60Z", "2027-01-31T23:59:59", "2027-01-31T", "1969-12-31",
        "2027-01-31 ", "2027-01-31T12:00:00Zzzzz")),
    ["revoke"], ["list", "x"], ["steal"]])
def test_a_mistake_changes_nothing(here, words):
    server, sevq, path = here
    said = path.read_text()
    out, err = sevq("token", *words, exit=USAGE)
    assert out == "" and err and path.read_text() == said


@pytest.mark.parametrize("words", [
    ["--agent", "-a,B-"], ["--agent", "_"], ["--agent", ",".join(f"a{n}" for n in range(64))], ["--agent", "a" * 200], ["--expires", "1970-01-01"], ["--expires", "2028-02-29"],
    ["--expires", "2027-01-31T23:59:59Z"], ["--scope", "admin,read"], ["--name", "-._@"], ["--name", "a" * 64]])
def test_the_server_takes_every_line_that_the_command_adds(make, words):
    server = make()
    file = str(server.directory / "tokens")
    Shell(server)("token", "add", *(["--name", "a"] if words[0] != "--name" else []), *words, "--token-file", file)
    done = server.run("--check-config", "--token-file", file)
    assert done.returncode == 0, done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change another user's file")
@pytest.mark.parametrize("uid, gid", [(65534, 65534), (0, 65534), (65534, 0)])
def test_the_file_stays_its_owner_s(make, uid, gid):
    server = make()
    path = server.directory / "tokens"
    path.write_text(ALL + "\n")
    os.chown(path, uid, gid)
    sevq = Shell(server)
    for words in ["add", "--name", "ci"], ["revoke", "ci"]:
        sevq("token", *words, "--token-file", str(path))
        assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (uid, gid, 0o600)


def test_a_file_grows_no_larger_than_the_server_reads(make):
    """A line has 80 bytes here; a file that is too large can be listed and made smaller."""
    server = make()
    path, sevq = server.directory / "tokens", Shell(server)
    add = ["token", "add", "--name", "ci", "--token-file", str(path)]
    for size, code in (65536 - 80, 0), (65536 - 79, FAILED), (70000, FAILED):
        said = ALL + "\n" + "sha256:" + "00" * 32 + " name=old\n"
        said += "#" * (size - len(said) - 1) + "\n"
        write_tokens(server, said, "tokens")
        out, err = sevq(*add, exit=code)
        assert (path.read_text() == said) == (code != 0) and bool(out) == (code == 0) and ("revoke" in err) == (code != 0)
        assert server.run("--check-config", "--token-file", path).returncode == 0 or size > 65536
    assert [t["name"] for t in sevq.json("token", "list", "--token-file", str(path))] == [None, "old"]
    sevq("token", "revoke", "old", "--token-file", str(path))
    assert "name=old" not in path.read_text()


def test_an_add_that_fails_leaves_no_file(make):
    server = make()
    path = server.directory / "tokens"
    (server.directory / "tokens.new/x").mkdir(parents=True)  # in the way of the new file
    sevq = Shell(server)
    sevq("token", "add", "--name", "ci", "--token-file", str(path), exit=FAILED)
    assert not path.exists()
    path.touch()
    sevq("token", "add", "--name", "ci", "--token-file", str(path), exit=FAILED)
    assert path.exists(), "it was there before"


def test_an_empty_token_file_is_a_missing_one(make):
    server = make()
    write_tokens(server, "")
    server.start()
    ok(server.client().sessions())


def test_commands_at_the_same_time_lose_no_token(make):
    import concurrent.futures
    server = make()
    server.run("--help")
    sevq = Shell(server)
    file = str(server.directory / "tokens")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda n: sevq("token", "add", "--name", f"t{n}", "--token-file", file)[0].strip(), range(24)))
    text = Path(file).read_text()
    assert all(hashlib.sha256(t.encode()).hexdigest() in text for t in tokens) and text.count("\n") == 24
    assert server.run("--check-config", "--token-file", file).returncode == 0


def test_clients_pass_over_digests(here):
    server, sevq, path = here
    plain = path.read_text()
    path.write_text("sha256:" + "00" * 32 + " name=first\n" + plain)
    sevq("stats")
    path.write_text("sha256:" + "00" * 32 + " name=first\n")
    out, err = sevq("stats", exit=FAILED)
    assert "no token" in err
