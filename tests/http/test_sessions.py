"""GET /v1/sessions: the sessions with pending events."""
from collections import Counter
from random import Random

import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import ok, pages, problem, wait_until


def keys(page):
    return [s["sessionKey"] for s in page["sessions"]]


@pytest.fixture
def three(api):
    """Three sessions: depths 2, 3 and 1; oldest first b, a, c."""
    for key, text in (("agent:b:main", "1"), ("agent:a:x", "2"), ("agent:b:other", "3"), ("agent:a:x", "4"), ("agent:a:x", "5"), ("agent:b:main", "6")):
        ok(api.enqueue(text, key), 201)
    return api


def test_no_sessions_at_first(api):
    assert ok(api.sessions()) == {"sessions": [], "total": 0, "nextCursor": None}


def test_a_session_has_its_counts(start):
    api = start(policy=ONE_OWNER).client()
    first = ok(api.enqueue("1", MAIN, contextKey="c", deliveryContext={"to": "1"}), 201)["event"]
    for n in range(2):
        api.enqueue(f"direct {n}", DIRECT)
    last = ok(api.enqueue("4", "agent:main:cron:x:run:1"), 201)["event"]
    session = api.session("main")
    assert session["rekeyedFrom"] == [{"key": DIRECT, "count": 2}, {"key": "agent:main:cron:x:run:1", "count": 1}]
    assert {k: session[k] for k in ("sessionKey", "agentId", "depth", "leased", "delayed", "oldestTs", "newestTs", "lastContextKey", "deliveryContext", "waiters")} == {
        "sessionKey": MAIN, "agentId": "main", "depth": 4, "leased": 0, "delayed": 0, "oldestTs": first["ts"], "newestTs": last["ts"],
        "lastContextKey": "c", "deliveryContext": {"to": "1"}, "waiters": 0}


def test_removed_events_are_not_counted(start):
    api = start(policy=ONE_OWNER).client()
    api.enqueue("1", DIRECT)
    second = ok(api.enqueue("2", MAIN), 201)["event"]
    api.drain(MAIN, limit=1)
    session = api.session(MAIN)
    assert (session["depth"], session["rekeyedFrom"], session["oldestTs"], session["newestTs"]) == (1, [], second["ts"], second["ts"])
    api.drain(MAIN)
    assert ok(api.sessions())["total"] == 0


def test_sessions_are_sorted_as_asked(three):
    assert keys(ok(three.sessions())) == ["agent:a:x", "agent:b:main", "agent:b:other"]
    assert keys(ok(three.sessions(sort="key"))) == ["agent:a:x", "agent:b:main", "agent:b:other"]
    assert keys(ok(three.sessions(sort="depth"))) == ["agent:a:x", "agent:b:main", "agent:b:other"]


def test_sessions_are_sorted_by_waiting_and_by_news(api):
    def at_a_new_time(key):
        seen = {s["newestTs"] for s in ok(api.sessions())["sessions"]}
        wait_until(lambda: ok(api.enqueue(key, key), 201)["event"]["ts"] not in seen or api.drain(key) is None, "the clock to tick")
    for key in ("agent:b:main", "agent:c:main", "agent:a:main"):
        at_a_new_time(key)
    assert keys(ok(api.sessions(sort="oldest"))) == ["agent:b:main", "agent:c:main", "agent:a:main"]
    assert keys(ok(api.sessions(sort="newest"))) == ["agent:a:main", "agent:c:main", "agent:b:main"]


def test_sessions_are_filtered(three):
    assert keys(ok(three.sessions(agentId=" B "))) == ["agent:b:main", "agent:b:other"]
    assert keys(ok(three.sessions(prefix="agent:b:o"))) == ["agent:b:other"]
    assert keys(ok(three.sessions(sessionKey="agent:b:main"))) == ["agent:b:main"]
    assert keys(ok(three.sessions(sessionKey="agent:z:main"))) == []
    assert keys(ok(three.sessions(agentId="a", prefix="agent:b"))) == []
    assert keys(ok(three.sessions(minAgeMs=0))) == keys(ok(three.sessions()))
    assert keys(ok(three.sessions(minAgeMs=3600000))) == []


def test_a_session_is_found_by_the_address_that_its_events_had(start):
    """An address with agent, channel and account finds the session, as in every other call."""
    api = start(policy="{ session: { dmScope: 'main' }, agents: { list: [{ id: 'a' }, { id: 'b' }], ownership: 'explicit' },"
        " channels: { telegram: { allowFrom: ['123'] }, signal: { allowFrom: ['1', '2'] } } }").client()
    for address in {"sessionKey": "main", "agentId": "a"}, {"sessionKey": "agent:b:telegram:direct:123", "channel": "telegram"}:
        key = ok(api.call("POST", "/v1/events", {"text": "x", **address}), 201)["event"]["sessionKey"]
        assert keys(ok(api.sessions(**address))) == [key]
    problem(api.sessions(sessionKey="agent:a:main", agentId="b"), 409, "owner-mismatch")
    problem(api.sessions(agentId="x" * 1000), 400, "invalid-field", "agentId")


def test_only_sessions_that_waited_long_enough(three):
    wait_until(lambda: ok(three.sessions(minAgeMs=20))["total"] == 3, "20 ms to pass")


@pytest.mark.parametrize("sort", ["key", "depth", "oldest", "newest", "problem", "unattended"])
def test_a_cursor_walks_through_all_of_them_once(api, sort):
    events = [{"text": f"{n} {m}", "sessionKey": f"agent:main:s{n:02}"} for n in range(25) for m in range(n % 3 + 1)]
    ok(api.batch(*events))
    whole = keys(ok(api.sessions(sort=sort)))
    assert len(whole) == 25
    seen, cursor = [], None
    while True:
        page = ok(api.sessions(sort=sort, limit=10, **({"cursor": cursor} if cursor else {})))
        assert page["total"] == 25
        seen += keys(page)
        cursor = page["nextCursor"]
        if cursor is None:
            break
        assert len(page["sessions"]) == 10
    assert seen == whole


def test_a_cursor_survives_the_end_of_its_session(api):
    ok(api.batch(*({"text": "x", "sessionKey": f"agent:main:s{n}"} for n in range(6))))
    page = ok(api.sessions(limit=3))
    api.drain(keys(page)[2])
    assert keys(ok(api.sessions(limit=3, cursor=page["nextCursor"]))) == ["agent:main:s3", "agent:main:s4", "agent:main:s5"]


def test_a_page_has_a_hundred_by_default_and_a_thousand_at_most(api):
    ok(api.batch(*({"text": "x", "sessionKey": f"agent:main:s{n:04}"} for n in range(1000))))
    assert len(ok(api.sessions())["sessions"]) == 100
    page = ok(api.sessions(limit=1000))
    assert len(page["sessions"]) == 1000 and page["nextCursor"] is None


@pytest.mark.parametrize("query, pointer", [({"sort": "size"}, "sort"), ({"limit": 0}, "limit"), ({"limit": 1001}, "limit"), ({"minAgeMs": -1}, "minAgeMs"), ({"minAgeMs": "x"}, "minAgeMs"),
    ({"cursor": "x"}, "cursor"), ({"agent": "x"}, "agent")])
def test_a_bad_filter_is_refused(three, query, pointer):
    doc = problem(three.sessions(**query), 400, "invalid-field")
    assert [e["pointer"].lstrip("/") for e in doc["errors"]] == [pointer], doc


# What is wrong with a session.

def test_a_session_tells_what_can_be_taken_and_since_when(api):
    first = ok(api.enqueue("1", MAIN), 201)["event"]
    ok(api.enqueue("2", MAIN), 201)
    ok(api.enqueue("3", MAIN, delayMs=3600000), 201)
    ok(api.lease(MAIN, limit=1))
    session = api.session(MAIN)
    assert (session["depth"], session["ready"], session["leased"], session["delayed"]) == (3, 1, 1, 1)
    assert session["readySinceTs"] >= first["ts"]
    ok(api.drain(MAIN))
    session = api.session(MAIN)
    assert (session["ready"], session["readySinceTs"], session["problems"], session["routesTo"]) == (0, None, [], None)


def test_a_session_counts_the_streams_that_are_told_of_it(api, server):
    ok(api.enqueue("1", MAIN), 201)
    assert api.session(MAIN)["streams"] == 0
    streams = [server.client() for _ in range(4)]
    for client, query in zip(streams, ({}, {"sessionKey": MAIN}, {"agentId": "main"}, {"sessionKey": "agent:other:main"})):
        client.send("GET", "/v1/stream", query=query)
    wait_until(lambda: api.stats()["http"]["streams"] == 4, "the streams")
    assert api.session(MAIN)["streams"] == 3
    for client in streams:
        client.close()
    wait_until(lambda: api.session(MAIN)["streams"] == 0, "their ends")


def test_sessions_with_problems_are_found(start):
    server = start("--unattended-ms", "50", "--max-pending", "10", "--no-watch-policy", "--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    ok(api.enqueue("1", DIRECT, delayMs=3600000), 201)
    ok(api.enqueue("1", "agent:delayed:main", delayMs=3600000), 201)
    ok(api.enqueue("1", "agent:unattended:main"), 201)
    ok(api.batch(*({"text": str(n), "sessionKey": "agent:full:main", "delayMs": 3600000} for n in range(9))))
    server.write_policy(ONE_OWNER)
    ok(api.call("POST", "/v1/policy/reload", {}))
    wait_until(lambda: ok(api.sessions(problem="unattended"))["total"], "nobody to take it")
    found = {s["sessionKey"]: s["problems"] for s in ok(api.sessions())["sessions"]}
    assert found == {DIRECT: ["stranded"], "agent:delayed:main": [], "agent:unattended:main": ["unattended"], "agent:full:main": ["full"]}
    assert ok(api.sessions(queueKey=DIRECT))["sessions"][0]["routesTo"] == MAIN
    assert keys(ok(api.sessions(sort="problem"))) == [DIRECT, "agent:full:main", "agent:unattended:main", "agent:delayed:main"]
    assert keys(ok(api.sessions(sort="problem", problem="any"))) == [DIRECT, "agent:full:main", "agent:unattended:main"]
    assert keys(ok(api.sessions(sort="unattended")))[0] == "agent:unattended:main"
    for name in "stranded", "full", "unattended":
        assert keys(ok(api.sessions(problem=name))) == [key for key, problems in found.items() if problems == [name]]
    assert keys(ok(api.sessions(contains="full:"))) == ["agent:full:main"]
    problem(api.sessions(problem="none"), 400, "invalid-field", "problem")


def dies(api, key):
    ok(api.enqueue("fails", key), 201)
    ok(api.nack(ok(api.lease(key))["leaseId"], reason="exit 1"))


def dead(api):
    """The sessions that have dead letters, and how many."""
    return {row["sessionKey"]: row["deadLetters"] for row in ok(api.sessions(problem="dead"))["sessions"]}


def test_sessions_with_dead_letters_are_found(start):
    server = start("--max-attempts", 1, "--max-pending", 2, "--overflow", "drop-oldest", "--no-watch-policy", policy=TWO_OWNERS)
    api = server.client()
    for key in ("agent:ops:main", "agent:ops:main", DIRECT):
        dies(api, key)
    for text in "1", "2", "3":
        ok(api.enqueue(text, MAIN), 201)
    found = {"agent:ops:main": 2, DIRECT: 1, MAIN: 1}
    assert dead(api) == found
    assert keys(ok(api.sessions())) == [MAIN], "only sessions with events, unless dead letters are asked for"
    assert keys(ok(api.sessions(problem="any", sort="problem"))) == sorted(found)
    row = ok(api.sessions(problem="dead", queueKey=DIRECT))["sessions"][0]
    assert row["problems"] == ["dead"] and row["agentId"] == "main"
    assert [row[name] for name in ("depth", "ready", "oldestTs", "newestTs", "readySinceTs", "routesTo")] == [0, 0, None, None, None, None]
    assert ok(api.sessions())["sessions"][0]["problems"] == ["full", "dead"]
    server.restart()
    api = server.client()
    assert dead(api) == found
    ok(api.drain(MAIN))
    server.write_policy(ONE_OWNER)
    ok(api.call("POST", "/v1/policy/reload", {}))
    ok(api.requeue(queueKey=DIRECT, confirm=True))
    assert dead(api) == {"agent:ops:main": 2, MAIN: 1}, "it was requeued elsewhere, and is no dead letter of either"
    ok(api.discard(queueKey="agent:ops:main", confirm=True))
    assert dead(api) == {MAIN: 1}
    server.stop()
    server.flags += ["--retention-ms", 0]
    server.start()
    wait_until(lambda: dead(server.client()) == {}, "the dead letters to be forgotten")
    assert server.client().stats()["deadLetters"] == 0


def listed(api):
    """How many dead letters each session has, by their list."""
    return Counter(row["event"]["sessionKey"] for row in pages(api.dead_letters, limit=1000))


def fail_all(api, key):
    lease = ok(api.lease(key))["leaseId"]
    if lease is not None:
        ok(api.nack(lease))


def live_and_die(api, random):
    """Something that makes, moves or ends dead letters, of one of a few sessions."""
    key = random.choice([MAIN, DIRECT, "agent:ops:main"])
    ids = [row["event"]["id"] for row in ok(api.dead_letters(limit=1))["events"]] or ["1"]
    random.choice([
        lambda: [api.enqueue(f"{n} {random.random()}", key) for n in range(9)],  # one is evicted
        lambda: fail_all(api, key),
        lambda: [api.drain(key), api.requeue(queueKey=key, confirm=True)],
        lambda: api.requeue(ids=ids * 2),
        lambda: api.discard(ids=ids * 2),
        lambda: api.call("POST", "/v1/policy/reload", {}),
    ])()


def is_swept(stats):
    return stats["store"]["events"] <= stats["pending"] + 20


def test_dead_letters_are_counted_where_they_died_whatever_happens(make):
    random = Random(1)
    server = make("--max-attempts", 1, "--max-pending", 8, "--overflow", "drop-oldest",
        "--no-watch-policy", "--retention-rows", 20, policy=TWO_OWNERS).start()
    for _ in range(4):
        api = server.client()
        for _ in range(50):
            server.write_policy(random.choice([ONE_OWNER, TWO_OWNERS]))
            live_and_die(api, random)
        wait_until(lambda: is_swept(api.stats()), "the oldest to be forgotten")
        wait_until(lambda: dead(api) == listed(api), "the same counts")
        server.kill()
        api = server.start().client()
        wait_until(lambda: dead(api) == listed(api), "the same counts after a restart")
