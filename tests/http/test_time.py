"""Delays and times to live: exact, kept over restarts, and recorded."""
import time

import pytest

from policies import MAIN
from sevqd import ok, problem, wait_until

YEAR = 365 * 24 * 3600 * 1000


def await_ready(api, depth=1, key=MAIN):
    wait_until(lambda: ok(api.wait(key, timeoutMs=10000))["depth"] >= depth, "something deliverable")


# Delays.

def test_a_delayed_event_is_pending_and_not_deliverable(api):
    event = ok(api.enqueue("x", MAIN, delayMs=60000), 201)["event"]
    assert event["state"] == "delayed" and event["availableAt"] == event["ts"] + 60000
    assert ok(api.drain(MAIN)) == {"sessionKey": MAIN, "events": [], "remaining": 1} and ok(api.lease(MAIN))["leaseId"] is None
    assert api.texts(MAIN) == ["x"] and ok(api.find(event["id"]))["event"] == event
    session = api.session(MAIN)
    assert (session["depth"], session["delayed"], session["leased"]) == (1, 1, 0) and api.stats()["delayed"] == 1


def test_a_delayed_event_keeps_its_position(api):
    ok(api.enqueue("a", MAIN, delayMs=80), 201)
    ok(api.enqueue("b", MAIN), 201)
    ok(api.enqueue("c", MAIN, delayMs=40), 201)
    assert ok(api.wait(MAIN))["depth"] == 1
    await_ready(api, 3)
    assert [e["text"] for e in ok(api.drain(MAIN))["events"]] == ["a", "b", "c"]


def test_a_delay_is_never_too_short(api):
    event = ok(api.enqueue("x", MAIN, delayMs=120), 201)["event"]
    await_ready(api)
    assert time.time() * 1000 >= event["availableAt"] - 2


def test_a_delay_of_zero_is_no_delay(api):
    event = ok(api.enqueue("x", MAIN, delayMs=0), 201)["event"]
    assert event["state"] == "queued" and event["availableAt"] == event["ts"]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_delay_goes_on_over_a_restart(server, api, end):
    ok(api.enqueue("soon", MAIN, delayMs=150), 201)
    later = ok(api.enqueue("later", MAIN, delayMs=YEAR), 201)["event"]
    getattr(server, end)()
    api = server.start().client()
    assert ok(api.find(later["id"]))["event"] == later
    await_ready(api)
    assert [e["text"] for e in ok(api.drain(MAIN))["events"]] == ["soon"]
    assert api.session(MAIN)["delayed"] == 1


def test_a_delayed_event_can_be_taken_back_and_consumed(api):
    a, b = (ok(api.enqueue(t, MAIN, delayMs=60000), 201)["event"]["id"] for t in "ab")
    ok(api.withdraw(a))
    assert len(ok(api.consume(MAIN, [b]))["events"]) == 1
    assert api.session(MAIN) is None and api.stats()["delayed"] == 0


def test_a_nack_may_delay_as_long_as_an_enqueue(api):
    event = ok(api.enqueue("x", MAIN), 201)["event"]
    ok(api.nack(ok(api.lease(MAIN))["leaseId"], delayMs=YEAR))
    assert ok(api.find(event["id"]))["event"]["state"] == "delayed"


# Times to live.

def test_an_event_expires_unread(api):
    event = ok(api.enqueue("x", MAIN, ttlMs=60), 201)["event"]
    assert event["expiresAt"] == event["ts"] + 60
    wait_until(lambda: api.timeline(event["id"]) == ["queued", "expired"], "the end of its time")
    assert ok(api.find(event["id"]))["event"]["state"] == "expired"
    assert ok(api.drain(MAIN))["events"] == [] and api.session(MAIN) is None and api.stats()["events"]["expired"] == 1
    assert ok(api.dead_letters())["events"] == []


def test_an_event_in_time_is_delivered(api):
    event = ok(api.enqueue("x", MAIN, ttlMs=YEAR), 201)["event"]
    assert ok(api.drain(MAIN))["events"][0]["expiresAt"] == event["ts"] + YEAR


def test_a_leased_event_expires_when_its_lease_is_over(api):
    kept, lost = (ok(api.enqueue(t, MAIN, ttlMs=50), 201)["event"]["id"] for t in ("kept", "lost"))
    lease = ok(api.lease(MAIN))
    ok(api.enqueue("clock", "agent:clock:main", delayMs=100), 201)
    await_ready(api, key="agent:clock:main")
    assert ok(api.ack(lease["leaseId"], ids=[kept]))["acked"] == 1
    ok(api.nack(lease["leaseId"]))
    assert api.timeline(kept) == ["queued", "leased", "acked"] and api.timeline(lost) == ["queued", "leased", "expired"]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_event_that_expired_while_the_server_was_down_is_gone(server, api, end):
    event = ok(api.enqueue("x", MAIN, ttlMs=1), 201)["event"]["id"]
    getattr(server, end)()
    api = server.start().client()
    wait_until(lambda: api.timeline(event) == ["queued", "expired"], "the end of its time")
    assert ok(api.drain(MAIN))["events"] == []


def test_a_thousand_events_expire_while_others_are_served(api):
    ok(api.batch(*({"text": f"{n}", "sessionKey": f"agent:a{n % 7}:main", "ttlMs": 100} for n in range(1000))))
    ok(api.enqueue("stays", MAIN), 201)
    wait_until(lambda: api.stats()["events"]["expired"] == 1000, "all to expire")
    assert api.stats()["pending"] == 1 and api.texts(MAIN) == ["stays"]


@pytest.mark.parametrize("fields, pointer", [({"delayMs": -1}, "/delayMs"), ({"delayMs": YEAR + 1}, "/delayMs"), ({"delayMs": 0.5}, "/delayMs"), ({"delayMs": "5"}, "/delayMs"),
    ({"delayMs": 10**19}, "/delayMs"), ({"ttlMs": 0}, "/ttlMs"), ({"ttlMs": -5}, "/ttlMs"), ({"ttlMs": YEAR + 1}, "/ttlMs"), ({"ttlMs": True}, "/ttlMs")], ids=str)
def test_an_impossible_time_is_refused(api, fields, pointer):
    problem(api.enqueue("x", MAIN, **fields), 400, "invalid-field", pointer)
    assert api.stats()["pending"] == 0


def test_waiting_for_a_delay_uses_no_processor_time(server, api):
    for n in range(100):
        ok(api.enqueue("x", f"agent:a{n}:main", delayMs=YEAR, ttlMs=YEAR), 201)
    busy, end = server.cpu_seconds(), time.monotonic() + 0.5
    wait_until(lambda: time.monotonic() > end)
    assert server.cpu_seconds() - busy <= 0.02
