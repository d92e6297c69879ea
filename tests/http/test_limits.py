"""Every limit: what happens when it is reached, and that drains and reads still work then."""
import json

import pytest

from policies import MAIN
from sevqd import ok, problem, request


def full(reply):
    doc = problem(reply, 429, "queue-full")
    assert int(reply.headers["retry-after"]) > 0
    return doc


def fill(api, count, key=MAIN):
    ok(api.batch(*({"text": f"event {n}", "sessionKey": key} for n in range(count))))


# Events in a session.

def test_a_full_session_rejects(start):
    api = start("--max-pending", 5).client()
    fill(api, 5)
    full(api.enqueue("too much", MAIN))
    assert api.texts(MAIN) == [f"event {n}" for n in range(5)]
    ok(api.enqueue("elsewhere", "agent:ops:main"), 201)
    ok(api.drain(MAIN, limit=1))
    ok(api.enqueue("fits again", MAIN), 201)
    assert api.texts(MAIN) == [*(f"event {n}" for n in range(1, 5)), "fits again"]


def test_a_batch_that_does_not_fit_is_refused_whole(start):
    api = start("--max-pending", 5).client()
    fill(api, 3)
    full(api.batch(*({"text": f"more {n}", "sessionKey": MAIN} for n in range(3))))
    assert len(api.texts(MAIN)) == 3
    fill(api, 5, "agent:ops:main")


def test_a_duplicate_needs_no_room(start):
    api = start("--max-pending", 2).client()
    fill(api, 2)
    assert ok(api.enqueue("event 1", MAIN))["outcome"] == "duplicate"


def test_a_replacement_needs_no_room(start):
    api = start("--max-pending", 2).client()
    ok(api.enqueue("1", MAIN, contextKey="c"), 201)
    ok(api.enqueue("other", MAIN), 201)
    assert ok(api.enqueue("2", MAIN, contextKey="c", replace=True), 201)["outcome"] == "replaced"
    assert api.texts(MAIN) == ["other", "2"]


def test_drop_oldest_makes_room_and_counts(start):
    api = start("--max-pending", 3, "--overflow", "drop-oldest").client()
    fill(api, 3)
    ok(api.enqueue("event 3", MAIN), 201)
    ok(api.batch(*({"text": f"event {n}", "sessionKey": MAIN} for n in (4, 5))))
    assert api.texts(MAIN) == ["event 3", "event 4", "event 5"]
    assert "\"evicted\":3" in json.dumps(api.stats(), separators=(",", ":"))


def test_drop_oldest_with_a_batch_over_the_limit_keeps_its_newest(start):
    api = start("--max-pending", 3, "--overflow", "drop-oldest").client()
    answer = ok(api.batch(*({"text": f"event {n}", "sessionKey": MAIN} for n in range(8))))
    assert [r["outcome"] for r in answer["results"]] == ["queued"] * 8
    assert api.texts(MAIN) == ["event 5", "event 6", "event 7"]


def test_openclaw_keeps_the_newest_twenty(start):
    api = start("--compat", "openclaw").client()
    fill(api, 25)
    assert api.texts(MAIN) == [f"event {n}" for n in range(5, 25)]


def test_dropping_the_oldest_leaves_last_context_alone(start):
    api = start("--max-pending", 1, "--overflow", "drop-oldest").client()
    ok(api.enqueue("a", MAIN, contextKey="c"), 201)
    ok(api.enqueue("b", MAIN), 201)
    assert api.texts(MAIN) == ["b"] and api.session(MAIN)["lastContextKey"] == "c"


# Sessions, and events in all.

def test_one_session_too_many_is_refused(start):
    api = start("--max-sessions", 2).client()
    ok(api.enqueue("1", "agent:main:a"), 201)
    ok(api.enqueue("2", "agent:main:b"), 201)
    full(api.enqueue("3", "agent:main:c"))
    ok(api.enqueue("4", "agent:main:a"), 201)
    ok(api.drain("agent:main:b"))
    ok(api.enqueue("5", "agent:main:c"), 201)


def test_reading_a_session_does_not_create_it(start):
    api = start("--max-sessions", 1).client()
    for n in range(5):
        api.peek(f"agent:main:{n}")
        api.drain(f"agent:main:{n}")
    ok(api.enqueue("1", MAIN), 201)


@pytest.mark.parametrize("overflow", ["reject", "drop-oldest"])
def test_events_in_all_are_limited_whatever_the_overflow(start, overflow):
    """drop-oldest is for a full session; when the whole queue is full, events are refused."""
    api = start("--max-pending-total", 4, "--overflow", overflow).client()
    fill(api, 2, "agent:main:a")
    fill(api, 2, "agent:main:b")
    full(api.enqueue("too much", "agent:main:a"))
    full(api.enqueue("too much", "agent:main:c"))
    assert len(ok(api.drain("agent:main:a", limit=1))["events"]) == 1
    ok(api.enqueue("fits", "agent:main:c"), 201)


def test_limits_hold_after_a_restart(start):
    server = start("--max-pending", 2)
    fill(server.client(), 2)
    server.kill()
    api = server.start().client()
    full(api.enqueue("too much", MAIN))
    server.stop()
    server.flags = ["--max-pending", "1"]
    api = server.start().client()
    full(api.enqueue("too much", MAIN))
    assert len(ok(api.drain(MAIN))["events"]) == 2


# Requests.

def test_a_batch_has_a_largest_size(start):
    api = start("--max-batch-events", 3).client()
    fill(api, 3)
    events = [{"text": f"more {n}", "sessionKey": MAIN} for n in range(4)]
    problem(api.batch(*events), 413, "payload-too-large")
    problem(api.ndjson("\n".join(map(json.dumps, events))), 413, "payload-too-large")
    assert len(api.texts(MAIN)) == 3


def test_a_thousand_and_one_events_are_too_many_by_default(api):
    problem(api.batch(*({"text": f"{n}", "sessionKey": MAIN} for n in range(1001))), 413, "payload-too-large")
    assert api.texts(MAIN) == []


@pytest.mark.parametrize("limit, flags", [(1 << 20, []), (2000, ["--max-body-bytes", 2000])])
def test_a_body_has_a_largest_size(start, limit, flags):
    api = start(*flags).client()
    event = json.dumps({"text": "x", "sessionKey": MAIN})
    ok(api.call("POST", "/v1/events", event + " " * (limit - len(event))), 201)
    reply = api.call("POST", "/v1/events", event + " " * (limit + 1 - len(event)))
    problem(reply, 413, "payload-too-large")
    assert reply.headers["connection"] == "close"
    api.close()
    assert len(api.texts(MAIN)) == 1


def test_headers_have_a_largest_size(start):
    server = start("--max-header-bytes", 1000)
    for size, status in ((500, 200), (1000, 431)):
        raw = server.raw()
        raw.send(request("GET", "/livez", headers=[("X-Big", "x" * size)]))
        reply = raw.answer()
        if status == 200:
            assert reply.status == 200
        else:
            problem(reply, 431, "headers-too-large")
            assert raw.closed()


def test_a_target_has_a_largest_size(start):
    server = start("--max-target-bytes", 200)
    for size, status in ((100, 400), (200, 414)):
        raw = server.raw()
        raw.send(request("GET", "/livez?x=" + "x" * size))
        assert raw.answer().status in (200, 400) if status == 400 else problem(raw.answer(), 414, "uri-too-long")


def test_a_connection_has_a_limited_number_of_requests(start):
    server = start("--max-requests-per-connection", 3)
    raw = server.raw()
    raw.send(request("GET", "/livez") * 5)
    answers = [raw.answer() for _ in range(3)]
    assert [a.status for a in answers] == [200] * 3
    assert [a.headers.get("connection") == "close" for a in answers] == [False, False, True]
    assert raw.closed()


def test_a_page_of_events_ends_at_its_text(start):
    """An answer holds 8 MiB of text: a page may be shorter than its limit and then shows that there
    is more.
    """
    api = start().client()
    for n in range(10):
        ok(api.batch(*({"text": f"{n}.{m} " + "x" * 64000, "sessionKey": MAIN} for m in range(15))))
    page = ok(api.peek(MAIN, limit=1000))
    assert page["more"] and page["depth"] == 150 and len(page["events"]) < 150
    assert sum(len(e["text"]) for e in page["events"]) <= 8 << 20
    rest = ok(api.peek(MAIN, limit=1000, after=page["events"][-1]["id"]))
    assert len(page["events"]) + len(rest["events"]) == 150 and not rest["more"]


# The disk.

def test_without_room_on_disk_only_enqueue_is_refused(start):
    server = start()
    fill(server.client(), 3)
    server.stop()
    server.flags = ["--db-min-free-bytes", str(1 << 60)]
    api = server.start().client()
    problem(api.enqueue("too much", MAIN), 507, "storage-full")
    assert api.call("GET", "/livez").status == 200
    assert api.call("GET", "/readyz").status in (503, 507)
    assert api.texts(MAIN) == ["event 0", "event 1", "event 2"]
    assert len(ok(api.drain(MAIN))["events"]) == 3


def test_a_capped_database_refuses_events_and_still_drains(start):
    server = start("--db-max-bytes", 400000)
    api = server.client()
    for n in range(1000):
        reply = api.enqueue(f"{n} " + "x" * 10000, MAIN)
        if reply.status != 201:
            break
    problem(reply, 507, "storage-full")
    assert n > 10
    taken = ok(api.drain(MAIN))
    assert len(taken["events"]) == n and taken["remaining"] == 0
    server.restart()
    assert server.client().texts(MAIN) == []


def test_every_event_of_a_capped_database_can_be_leased_and_acked(start):
    """Each lease and each ack is a row of its own, so there are more rows than events."""
    server = start("--db-max-bytes", 200000)
    api = server.client()
    count = 0
    while (reply := api.batch(*[{"text": f"{count + n}", "sessionKey": MAIN} for n in range(50)])).status == 200:
        count += 50
    problem(reply, 507, "storage-full")
    assert count > 1000
    for n in range(count):
        ok(api.ack(ok(api.lease(MAIN, limit=1))["leaseId"]))
    assert ok(api.peek(MAIN))["depth"] == 0
