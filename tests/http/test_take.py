"""Reading and removing events: peek, find, drain, consume, withdraw, purge."""
import pytest

from policies import MAIN
from sevqd import ok, problem


@pytest.fixture
def ten(api):
    """Ten events; the even ones have a context key."""
    return [ok(api.enqueue(f"event {n}", MAIN, **({} if n % 2 else {"contextKey": f"even:{n}"})), 201)["event"] for n in range(10)]


def ids(events):
    return [e["id"] for e in events]


def ended(events, how):
    """The same events with this outcome as their state."""
    return [{**e, "state": how} for e in events]


# Drain.

def test_drain_returns_oldest_first_and_removes(api, ten):
    assert ok(api.drain(MAIN)) == {"sessionKey": MAIN, "events": ended(ten, "drained"), "remaining": 0}
    assert ok(api.drain(MAIN)) == {"sessionKey": MAIN, "events": [], "remaining": 0}
    assert api.session(MAIN) is None


def test_drain_takes_a_prefix_up_to_its_limit(api, ten):
    assert ok(api.drain(MAIN, limit=3)) == {"sessionKey": MAIN, "events": ended(ten[:3], "drained"), "remaining": 7}
    assert ok(api.drain(MAIN, limit=100)) == {"sessionKey": MAIN, "events": ended(ten[3:], "drained"), "remaining": 0}


def test_drain_by_context_prefix_leaves_the_rest(api, ten):
    assert ok(api.drain(MAIN, contextKeyPrefix=" EVEN:", limit=2)) == {"sessionKey": MAIN, "events": ended([ten[0], ten[2]], "drained"), "remaining": 8}
    assert ok(api.drain(MAIN, contextKeyPrefix="even:")) == {"sessionKey": MAIN, "events": ended(ten[4::2], "drained"), "remaining": 5}
    assert ok(api.drain(MAIN, contextKeyPrefix="even:")) == {"sessionKey": MAIN, "events": [], "remaining": 5}
    assert api.texts(MAIN) == [e["text"] for e in ten[1::2]]


def test_drain_by_agent_drains_its_main_session(api, ten):
    assert ok(api.call("POST", "/v1/drain", {"agentId": "main"}))["events"] == ended(ten, "drained")


def test_draining_one_session_leaves_another(api, ten):
    api.enqueue("elsewhere", "agent:ops:main")
    api.drain(MAIN)
    assert api.texts("agent:ops:main") == ["elsewhere"]


def test_drain_ends_at_the_size_of_an_answer_and_counts_the_rest(start):
    """An answer holds 8 MiB of text; a drain of more takes a prefix."""
    api = start().client()
    for n in range(12):
        ok(api.batch(*({"text": f"{n:02}.{m:02} " + "x" * 60000, "sessionKey": MAIN} for m in range(15))))
    seen = []
    while True:
        drained = ok(api.drain(MAIN))
        assert sum(len(e["text"]) for e in drained["events"]) <= 8 << 20
        seen += [e["text"][:5] for e in drained["events"]]
        if not drained["remaining"]:
            break
        assert drained["events"]
    assert seen == [f"{n:02}.{m:02}" for n in range(12) for m in range(15)]


@pytest.mark.parametrize("fields, pointer", [({"limit": 0}, "/limit"), ({"limit": -1}, "/limit"), ({"limit": 1.5}, "/limit"), ({"limit": "3"}, "/limit"), ({"limit": 10001}, "/limit"),
    ({"limit": 99999999999999999999}, "/limit"), ({"contextKeyPrefix": 1}, "/contextKeyPrefix"), ({"format": "text"}, "/format"), ({"format": True}, "/format"), ({"max": 1}, "/max"), ({"text": "x"}, "/text")])
def test_a_bad_drain_takes_nothing(api, ten, fields, pointer):
    problem(api.drain(MAIN, **fields), 400, "invalid-field", pointer)
    assert len(api.texts(MAIN)) == 10


# Consume.

def test_consume_takes_the_named_events_in_the_order_asked(api, ten):
    taken = ok(api.consume(MAIN, [ten[7]["id"], ten[2]["id"], ten[7]["id"], "999999", "no id of ours", "", "-1", "00" + ten[3]["id"]]))
    assert taken == {"sessionKey": MAIN, "events": ended([ten[7], ten[2]], "consumed"), "remaining": 8}
    assert ids(ok(api.peek(MAIN))["events"]) == [e["id"] for n, e in enumerate(ten) if n not in (2, 7)]


def test_consume_ignores_events_of_other_sessions(api, ten):
    taken = ok(api.consume("agent:ops:main", ids(ten)))
    assert taken == {"sessionKey": "agent:ops:main", "events": [], "remaining": 0}
    assert len(api.texts(MAIN)) == 10


def test_consume_twice_takes_once(api, ten):
    assert len(ok(api.consume(MAIN, ids(ten[:4])))["events"]) == 4
    assert ok(api.consume(MAIN, ids(ten[:4])))["events"] == []


@pytest.mark.parametrize("body, pointer", [({}, "/ids"), ({"ids": "1"}, "/ids"), ({"ids": None}, "/ids"), ({"ids": [1]}, "/ids/0"), ({"ids": ["1", None]}, "/ids/1"), ({"ids": ["1"], "limit": 1}, "/limit")])
def test_a_bad_consume_takes_nothing(api, ten, body, pointer):
    problem(api.call("POST", "/v1/consume", {"sessionKey": MAIN, **body}), 400, "invalid-field", pointer)
    assert len(api.texts(MAIN)) == 10


# Peek.

def test_peek_shows_and_takes_nothing(api, ten):
    shown = {"sessionKey": MAIN, "events": ten, "depth": 10, "more": False}
    assert ok(api.peek(MAIN)) == shown
    assert ok(api.peek(MAIN)) == shown


def test_peek_pages_after_an_id(api, ten):
    assert ok(api.peek(MAIN, limit=4)) == {"sessionKey": MAIN, "events": ten[:4], "depth": 10, "more": True}
    assert ok(api.peek(MAIN, limit=4, after=ten[3]["id"])) == {"sessionKey": MAIN, "events": ten[4:8], "depth": 10, "more": True}
    assert ok(api.peek(MAIN, limit=4, after=ten[7]["id"])) == {"sessionKey": MAIN, "events": ten[8:], "depth": 10, "more": False}
    assert ok(api.peek(MAIN, after=ten[9]["id"]))["events"] == []


def test_a_page_continues_after_an_event_that_was_removed(api, ten):
    api.consume(MAIN, [ten[3]["id"]])
    assert ids(ok(api.peek(MAIN, after=ten[3]["id"]))["events"]) == ids(ten[4:])


def test_peek_of_a_session_with_nothing_is_empty(api):
    assert ok(api.peek(MAIN)) == {"sessionKey": MAIN, "events": [], "depth": 0, "more": False}


def test_peek_shows_a_hundred_by_default(api):
    ok(api.batch(*({"text": f"event {n}", "sessionKey": MAIN} for n in range(101))))
    page = ok(api.peek(MAIN))
    assert len(page["events"]) == 100 and page["more"] and page["depth"] == 101


def test_a_key_in_the_query_may_be_escaped_in_either_way(api):
    api.enqueue("x", "agent:main:a b+\u00e9")
    for query in ("agent%3Amain%3Aa%20b%2B%C3%A9", "agent:main:a+b%2b%c3%a9"):
        assert len(ok(api.call("GET", "/v1/events?sessionKey=" + query))["events"]) == 1


@pytest.mark.parametrize("query, pointer", [("", None), ("?limit=5", None), ("?sessionKey=main&limit=0", "limit"), ("?sessionKey=main&limit=1001", "limit"), ("?sessionKey=main&limit=x", "limit"),
    ("?sessionKey=main&limit=", "limit"), ("?sessionKey=main&limit=5x", "limit"), ("?sessionKey=main&after=x", "after"), ("?sessionKey=main&colour=red", "colour"),
    ("?sessionKey=main&limit=1&limit=2", "limit"), ("?sessionKey=%zz", None), ("?sessionKey=%ff", None), ("?sessionKey=a%2", None)])
def test_a_bad_query_is_refused(api, query, pointer):
    reply = api.call("GET", "/v1/events" + query)
    assert reply.status == 400, reply
    doc = problem(reply, 400, reply.json["code"])
    assert doc["code"] in ("invalid-field", "blank-key", "bad-request"), doc
    if pointer:
        assert doc["code"] == "invalid-field" and [e["pointer"].lstrip("/") for e in doc["errors"]] == [pointer], doc


# Find and withdraw.

def test_withdraw_takes_one_event_back(api, ten):
    assert ok(api.withdraw(ten[4]["id"])) == {"event": ended([ten[4]], "withdrawn")[0]}
    assert ok(api.find(ten[4]["id"]))["event"]["state"] == "withdrawn"
    assert ids(ok(api.drain(MAIN))["events"]) == [e["id"] for e in ten if e is not ten[4]]


ENDS = {
    "withdrawn": lambda api, event: ok(api.withdraw(event["id"])),
    "drained": lambda api, event: ok(api.drain(MAIN)),
    "acked": lambda api, event: ok(api.ack(ok(api.lease(MAIN))["leaseId"])),
    "purged": lambda api, event: ok(api.purge(MAIN)),
    "replaced": lambda api, event: ok(api.enqueue("2", MAIN, contextKey="c", replace=True), 201),
    "dead": lambda api, event: ok(api.nack(ok(api.lease(MAIN))["leaseId"])),
}


@pytest.mark.parametrize("state", ENDS)
def test_a_late_withdrawal_says_what_became_of_the_event(start, state):
    api = start("--max-attempts", 1).client()
    event = ok(api.enqueue("1", MAIN, contextKey="c"), 201)["event"]
    ENDS[state](api, event)
    for _ in range(2):
        told = problem(api.withdraw(event["id"]), 404, "not-found")
        assert told["detail"] == f"event {event['id']} is no longer pending; its state is {state}"


@pytest.mark.parametrize("event_id", ["999999999", "0", "-1", "x", "1x", "%20", "99999999999999999999999", "1%2F2"])
def test_an_unknown_id_is_not_found(api, ten, event_id):
    problem(api.find(event_id), 404, "not-found")
    problem(api.withdraw(event_id), 404, "not-found")


def test_an_id_has_one_spelling(api, ten):
    problem(api.find("0" + ten[0]["id"]), 404, "not-found")
    problem(api.find("+" + ten[0]["id"]), 404, "not-found")


# Purge.

def test_purge_empties_one_session(api, ten):
    api.enqueue("elsewhere", "agent:ops:main")
    assert ok(api.purge(MAIN)) == {"sessionKey": MAIN, "purged": 10, "remaining": 0}
    assert ok(api.purge(MAIN)) == {"sessionKey": MAIN, "purged": 0, "remaining": 0}
    assert api.texts("agent:ops:main") == ["elsewhere"]


def test_purge_by_context_key_is_exact(api, ten):
    api.enqueue("longer", MAIN, contextKey="even:44")
    assert ok(api.purge(MAIN, contextKey=" Even:4 ")) == {"sessionKey": MAIN, "purged": 1, "remaining": 10}
    assert "longer" in api.texts(MAIN) and "event 4" not in api.texts(MAIN)


@pytest.mark.parametrize("blank", ["", " ", "\u00a0"])
def test_purge_by_a_blank_context_key_is_not_purge_of_everything(api, ten, blank):
    """As from an empty variable of a script."""
    problem(api.purge(MAIN, contextKey=blank), 400, "invalid-field", "contextKey")
    assert len(api.texts(MAIN)) == 10


def test_purge_needs_a_key(api, ten):
    reply = api.call("DELETE", "/v1/events")
    assert reply.status == 400, reply
    problem(reply, 400, reply.json["code"])
    assert len(api.texts(MAIN)) == 10
