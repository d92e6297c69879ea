"""GET /v1/consumers: who has asked for events lately, and under which key. It explains "posted to
X, asked for as Y".
"""
import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import ok, problem, wait_until

OTHER = "agent:other:main"


def consumers(api, **query):
    return ok(api.call("GET", "/v1/consumers", query=query))["consumers"]


def without_time(asker):
    return {k: asker[k] for k in asker if k != "lastTs"}


def asker(kind, key, queue, rule, consumer=None, taken=0, waiting=0):
    return {"askedKey": key, "queueKey": queue, "rule": rule, "kind": kind, "consumer": consumer, "token": None, "waitingNow": waiting, "taken": taken}


@pytest.fixture
def api(start):
    return start(policy=ONE_OWNER).client()


def test_who_asks_is_told_with_both_keys(api):
    assert consumers(api) == []
    for n in range(5):
        ok(api.enqueue(str(n), MAIN), 201)
    ok(api.drain(DIRECT, limit=1))
    ok(api.lease("main", consumer="ann", limit=2))
    ok(api.consume(MAIN, [ok(api.peek(MAIN))["events"][-1]["id"]]))
    ok(api.call("POST", "/v1/drain", {"agentId": "other"}))
    ok(api.call("GET", "/v1/wait", query={"sessionKey": OTHER, "timeoutMs": 0}))
    assert [without_time(a) for a in consumers(api)] == [
        asker("wait", OTHER, OTHER, "keep"), asker("drain", "other", OTHER, "main-alias"),
        asker("consume", MAIN, MAIN, "keep", taken=1), asker("lease", "main", MAIN, "main-alias", "ann", 2), asker("drain", DIRECT, MAIN, "direct-main", taken=1)]
    assert all(abs(a["lastTs"] - ok(api.enqueue(a["kind"], "agent:now:main"), 201)["event"]["ts"]) < 30000 for a in consumers(api))


def test_who_asks_again_comes_first_and_is_one(api):
    ok(api.enqueue("1", MAIN), 201)
    for key in MAIN, OTHER, MAIN, MAIN:
        ok(api.drain(key))
    assert [without_time(a) for a in consumers(api)] == [asker("drain", MAIN, MAIN, "keep", taken=1), asker("drain", OTHER, OTHER, "keep")]
    for consumer in None, "ann", "", "bob":
        ok(api.lease(MAIN, **({} if consumer is None else {"consumer": consumer})))
    assert [a["consumer"] for a in consumers(api)][:4] == ["bob", "", "ann", None]


def test_who_asks_is_selected(api):
    ok(api.drain(DIRECT)), ok(api.drain(MAIN)), ok(api.drain(OTHER))
    assert [a["askedKey"] for a in consumers(api, queueKey=MAIN)] == [MAIN, DIRECT]
    assert [a["askedKey"] for a in consumers(api, askedKey=DIRECT)] == [DIRECT]
    assert consumers(api, queueKey=DIRECT) == consumers(api, askedKey=DIRECT, queueKey=OTHER) == []
    assert [a["askedKey"] for a in consumers(api, limit=2)] == [OTHER, MAIN]
    problem(api.call("GET", "/v1/consumers", query={"limit": 1001}), 400, "invalid-field", "limit")


def test_what_fails_or_is_repeated_asks_for_nothing(api):
    problem(api.drain("agent:"), 400, "malformed-key")
    ok(api.enqueue("1", MAIN), 201), ok(api.enqueue("2", OTHER), 201)
    for _ in range(2):
        assert len(ok(api.call("POST", "/v1/drain", {"sessionKey": MAIN}, headers={"Idempotency-Key": "k"}))["events"]) == 1
        assert len(ok(api.lease(OTHER, headers={"Idempotency-Key": "k"}))["events"]) == 1
    assert [without_time(a) for a in consumers(api)] == [asker("lease", OTHER, OTHER, "keep", taken=1), asker("drain", MAIN, MAIN, "keep", taken=1)]


def test_who_waits_now_is_counted(start):
    server = start(policy=ONE_OWNER)
    api, waiting = server.client(), [server.client() for _ in range(3)]
    for client in waiting[:2]:
        client.send("GET", "/v1/wait", query={"sessionKey": DIRECT, "timeoutMs": 60000})
    waiting[2].send("GET", "/v1/wait", query={"sessionKey": OTHER, "timeoutMs": 60000})
    wait_until(lambda: sum(a["waitingNow"] for a in consumers(api)) == 3, "the waits")
    assert {a["askedKey"]: (a["queueKey"], a["waitingNow"]) for a in consumers(api)} == {DIRECT: (MAIN, 2), OTHER: (OTHER, 1)}
    waiting[2].close()
    wait_until(lambda: consumers(api, askedKey=OTHER)[0]["waitingNow"] == 0, "the one that hangs up")
    ok(api.enqueue("1", MAIN), 201)
    for client in waiting[:2]:
        assert ok(client.receive())["ready"] is True
    assert without_time(consumers(api, askedKey=DIRECT)[0]) == asker("wait", DIRECT, MAIN, "direct-main")


def test_a_thousand_are_remembered_and_those_that_wait_stay(start):
    server = start()
    api, waiting = server.client(), server.client()
    waiting.send("GET", "/v1/wait", query={"sessionKey": "agent:waits:main", "timeoutMs": 60000})
    wait_until(lambda: consumers(api), "the wait")
    for n in range(1005):
        ok(api.drain(f"agent:a{n}:main"))
    found = consumers(api)
    assert len(found) == 1000
    assert {a["askedKey"] for a in found} == {"agent:waits:main", *(f"agent:a{n}:main" for n in range(6, 1005))}
    waiting.close()
    wait_until(lambda: not consumers(api, askedKey="agent:waits:main")[0]["waitingNow"], "its end")
    ok(api.drain("agent:one-more:main"))
    assert not consumers(api, askedKey="agent:waits:main")


def test_a_session_tells_who_took_from_it_last(api):
    for n in range(4):
        ok(api.enqueue(str(n), MAIN), 201)
    assert (api.session(MAIN)["lastTakenTs"], api.session(MAIN)["lastTakenBy"]) == (None, None)
    ok(api.lease(OTHER, consumer="ann"))
    first = ok(api.lease(DIRECT, limit=1, consumer="bob"))
    taken = api.session(MAIN)
    assert taken["lastTakenBy"] == "bob" and taken["lastTakenTs"] > 0
    ok(api.lease(MAIN, consumer="cyd", exclusive=True))  # gets nothing
    assert api.session(MAIN)["lastTakenTs"] == taken["lastTakenTs"] and first["leaseId"]
    wait_until(lambda: ok(api.enqueue("x", OTHER, allowDuplicate=True), 201)["event"]["ts"] > taken["lastTakenTs"], "the clock to tick")
    ok(api.drain(MAIN))
    ok(api.ack(first["leaseId"]))
    assert api.session(MAIN) is None
    ok(api.enqueue("again", MAIN), 201)
    assert (api.session(MAIN)["lastTakenBy"], api.session(MAIN)["lastTakenTs"] > taken["lastTakenTs"]) == (None, True)


def test_after_a_change_of_the_policy_the_same_question_leads_elsewhere(start):
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    api = server.client()
    ok(api.drain(DIRECT))
    server.write_policy(ONE_OWNER)
    ok(api.call("POST", "/v1/policy/reload", {}))
    ok(api.drain(DIRECT))
    assert [(a["askedKey"], a["queueKey"], a["rule"]) for a in consumers(api)] == [(DIRECT, MAIN, "direct-main"), (DIRECT, DIRECT, "keep")]
