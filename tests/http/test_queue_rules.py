"""Duplicates, replacement, last context, merged delivery context (ROUTING section 7)."""
import itertools
import json

import pytest

from policies import MAIN
from sevqd import Stream, ok, problem


def outcome(reply):
    assert reply.status in (200, 201), reply
    assert (reply.status == 200) == (reply.json["outcome"] == "duplicate")
    return reply.json["outcome"]


def test_an_unkeyed_event_is_compared_with_the_newest_only(api):
    assert outcome(api.enqueue("a", MAIN)) == "queued"
    assert outcome(api.enqueue("a", MAIN)) == "duplicate"
    assert outcome(api.enqueue(" a\n", MAIN)) == "duplicate"
    assert outcome(api.enqueue("b", MAIN)) == "queued"
    assert outcome(api.enqueue("a", MAIN)) == "queued"
    assert api.texts(MAIN) == ["a", "b", "a"]


def test_a_keyed_event_is_compared_with_every_queued_one(api):
    first = ok(api.enqueue("a", MAIN, contextKey="c"), 201)["event"]
    api.enqueue("b", MAIN)
    assert ok(api.enqueue("a", MAIN, contextKey=" C ")) == {"outcome": "duplicate", "event": first}
    assert outcome(api.enqueue("a", MAIN, contextKey="d")) == "queued"
    assert outcome(api.enqueue("a", MAIN)) == "queued"


def test_another_delivery_context_is_another_event(api):
    there = {"channel": "telegram", "to": "1"}
    assert outcome(api.enqueue("a", MAIN, deliveryContext=there)) == "queued"
    assert outcome(api.enqueue("a", MAIN)) == "queued"
    assert outcome(api.enqueue("a", MAIN, deliveryContext=there)) == "queued"
    assert outcome(api.enqueue("a", MAIN, deliveryContext={"channel": " TELEGRAM", "to": "1 ", "accountId": ""})) == "duplicate"
    assert outcome(api.enqueue("a", MAIN, deliveryContext={**there, "threadId": 7})) == "queued"
    assert outcome(api.enqueue("a", MAIN, deliveryContext={**there, "threadId": "7"})) == "duplicate"


def test_a_duplicate_can_be_allowed(api):
    assert outcome(api.enqueue("a", MAIN)) == "queued"
    assert outcome(api.enqueue("a", MAIN, allowDuplicate=True)) == "queued"
    assert api.texts(MAIN) == ["a", "a"]


def test_a_drained_event_is_no_longer_a_duplicate(api):
    api.enqueue("a", MAIN, contextKey="c")
    api.drain(MAIN)
    assert outcome(api.enqueue("a", MAIN, contextKey="c")) == "queued"


def test_a_duplicate_leaves_last_context_alone(api):
    api.enqueue("a", MAIN, contextKey="first")
    api.enqueue("b", MAIN, contextKey="second")
    assert outcome(api.enqueue("a", MAIN, contextKey="first")) == "duplicate"
    assert api.session(MAIN)["lastContextKey"] == "second"


def test_replace_removes_every_match_and_appends(api):
    for text in ("1", "2", "3"):
        api.enqueue(text, MAIN, contextKey="progress")
    api.enqueue("other", MAIN)
    old = ok(api.peek(MAIN))["events"]
    answer = ok(api.enqueue("4", MAIN, contextKey="progress", replace=True), 201)
    assert answer["outcome"] == "replaced"
    assert answer["event"]["id"] not in [e["id"] for e in old]
    assert api.texts(MAIN) == ["other", "4"]


def test_replace_without_a_match_is_an_ordinary_enqueue(api):
    assert outcome(api.enqueue("1", MAIN, contextKey="progress", replace=True)) == "queued"


def test_replace_by_the_only_match_with_the_same_text_is_a_duplicate(api):
    event = ok(api.enqueue("1", MAIN, contextKey="progress"), 201)["event"]
    assert ok(api.enqueue("1", MAIN, contextKey="progress", replace=True)) == {"outcome": "duplicate", "event": event}


def test_replace_leaves_other_delivery_contexts_alone(api):
    api.enqueue("1", MAIN, contextKey="progress", deliveryContext={"to": "a"})
    api.enqueue("1", MAIN, contextKey="progress", deliveryContext={"to": "b"})
    assert outcome(api.enqueue("2", MAIN, contextKey="progress", deliveryContext={"to": "a"}, replace=True)) == "replaced"
    assert api.texts(MAIN) == ["1", "2"]


def test_a_replaced_event_is_gone_by_its_id(api):
    event = ok(api.enqueue("1", MAIN, contextKey="progress"), 201)["event"]
    api.enqueue("2", MAIN, contextKey="progress", replace=True)
    assert api.withdraw(event["id"]).status == 404


def test_an_unkeyed_event_never_clears_last_context(api):
    api.enqueue("a", MAIN, contextKey="C")
    api.enqueue("b", MAIN)
    assert api.session(MAIN)["lastContextKey"] == "c"


def test_after_removals_last_context_is_the_newest_that_remains(api):
    api.enqueue("a", MAIN, contextKey="first")
    second = ok(api.enqueue("b", MAIN, contextKey="second"), 201)["event"]
    api.enqueue("c", MAIN)
    api.withdraw(second["id"])
    assert api.session(MAIN)["lastContextKey"] == "first"
    api.drain(MAIN, limit=1)
    assert api.session(MAIN)["lastContextKey"] is None


def test_a_drain_clears_last_context(api):
    api.enqueue("a", MAIN, contextKey="c")
    api.drain(MAIN)
    api.enqueue("b", MAIN)
    assert api.session(MAIN)["lastContextKey"] is None


def test_delivery_contexts_merge_newer_over_older(api):
    api.enqueue("a", MAIN, deliveryContext={"channel": "telegram", "to": "1", "accountId": "Work"})
    api.enqueue("b", MAIN, deliveryContext={"threadId": 9.7})
    assert api.session(MAIN)["deliveryContext"] == {"channel": "telegram", "to": "1", "accountId": "work", "threadId": 9}
    api.enqueue("c", MAIN, deliveryContext={"channel": "Lark", "to": "2"})
    assert api.session(MAIN)["deliveryContext"] == {"channel": "feishu", "to": "2"}
    api.drain(MAIN, limit=1)
    api.drain(MAIN, limit=1)
    assert api.session(MAIN)["deliveryContext"] == {"channel": "feishu", "to": "2"}


def test_an_empty_delivery_context_is_none(api):
    event = ok(api.enqueue("a", MAIN, deliveryContext={"channel": " ", "to": None, "threadId": True}), 201)["event"]
    assert event["deliveryContext"] is None
    assert api.session(MAIN).get("deliveryContext") is None


@pytest.mark.parametrize("name, pointer", [("chanel", "chanel"), ("", ""), ("To", "To"), ("thread_id", "thread_id"), ("a/b~c", "a~1b~0c"), ("deliveryContext", "deliveryContext")])
@pytest.mark.parametrize("form", ["one", "batch", "lines"])
def test_an_unknown_field_of_a_delivery_context_is_refused(api, name, pointer, form):
    event = {"text": "a", "sessionKey": MAIN, "deliveryContext": {"channel": "telegram", name: None}}
    prefix = {"one": "", "batch": "/events/1", "lines": "/1"}[form]
    good = {"text": "good", "sessionKey": MAIN, "deliveryContext": {"channel": "telegram", "to": "1", "accountId": "a", "threadId": 3}}
    if form == "lines":
        reply = api.ndjson("\n".join(json.dumps(e) for e in (good, event)))
    else:
        reply = api.call("POST", "/v1/events", event) if form == "one" else api.batch(good, event)
    problem(reply, 400, "invalid-field", f"{prefix}/deliveryContext/{pointer}")
    assert api.session(MAIN) is None


def test_compat_openclaw_drops_unknown_fields_of_a_delivery_context(start):
    api = start("--compat", "openclaw").client()
    event = ok(api.enqueue("a", MAIN, deliveryContext={"channel": "telegram", "foo": "x"}), 201)["event"]
    assert event["deliveryContext"] == {"channel": "telegram"}
    problem(api.enqueue("a", MAIN, deliveryContext="telegram"), 400, "invalid-field", "/deliveryContext")


# A batch that overflows.

@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("count", [2, 3, 4, 7])
@pytest.mark.parametrize("form", ["batch", "lines"])
def test_a_batch_is_answered_with_what_became_of_each(start, before, count, form):
    api = start("--max-pending", 3, "--overflow", "drop-oldest").client()
    for n in range(before):
        ok(api.enqueue(f"before {n}", MAIN), 201)
    events = [{"text": f"e{n}", "sessionKey": MAIN, "contextKey": "same" if n == 1 else None} for n in range(count)]
    if form == "lines":
        reply = api.ndjson("\n".join(json.dumps(e) for e in events))
    else:
        reply = api.batch(*events)
    results = ok(reply)["results"]
    assert [r["event"]["state"] for r in results] == ["evicted"] * max(0, count - 3) + ["queued"] * min(3, count)
    assert [r["event"] for r in results] == [ok(api.find(r["event"]["id"]))["event"] for r in results]


# A duplicate is only what a queued event serves at least as well.

HOUR = 3_600_000
TIMES = {
    "plain": {},
    "delayed": {"delayMs": HOUR},
    "delayed longer": {"delayMs": 2 * HOUR},
    "expiring": {"ttlMs": HOUR},
    "expiring later": {"ttlMs": 2 * HOUR},
    "delayed and expiring": {"delayMs": HOUR, "ttlMs": 2 * HOUR},
}
FOREVER = 100 * HOUR


def serves(first, leased, second):
    """Whether an event sent a moment ago is as good as another sent now: a time to live of the same
    length ends a moment too soon, a delay of the same length ends soon enough.
    """
    lasts = second.get("ttlMs", FOREVER)
    return not leased and first.get("delayMs", 0) <= second.get("delayMs", 0) and (
        first.get("ttlMs", FOREVER) > lasts or "ttlMs" not in first)


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("key", [None, "header", "body", "batch"])
def test_a_duplicate_is_only_what_a_queued_event_serves_as_well(api, key, replace):
    for n, (first, second, leased) in enumerate(itertools.product(TIMES, TIMES, (False, True))):
        if leased and "delayMs" in TIMES[first]:
            continue  # it cannot be leased yet
        form = f"{first}, {'leased, ' * leased}then {second}"
        queue, event = f"agent:a{n}:main", {"sessionKey": f"agent:a{n}:main", "text": "Check mail", "contextKey": "cron:mail"}
        one = ok(api.call("POST", "/v1/events", {**event, **TIMES[first]}), 201)["event"]["id"]
        lease = ok(api.lease(queue))["leaseId"] if leased else None
        before = api.stats()["pending"]
        event.update(TIMES[second], replace=replace)
        if key == "batch":
            answer = ok(api.batch({**event, "idempotencyKey": f"k{n}"}))["results"][0]
        else:
            event.update({"idempotencyKey": f"k{n}"} if key == "body" else {})
            headers = {"Idempotency-Key": f"k{n}"} if key == "header" else {}
            answer = api.call("POST", "/v1/events", event, headers=headers).json
        # the clock may not have gone on since the first was sent
        same_ttl = "ttlMs" in TIMES[first] and TIMES[first]["ttlMs"] == TIMES[second].get("ttlMs")
        if key is None and not leased and same_ttl:
            continue
        twin = key is None and serves(TIMES[first], leased, TIMES[second])
        removed = replace and not leased and not twin
        assert answer["outcome"] == ("duplicate" if twin else "replaced" if removed else "queued"), form
        assert (answer["event"]["id"] == one) == twin, form
        assert api.stats()["pending"] == before + (not twin and not removed), form
        if leased:
            assert ok(api.ack(lease, ids=[one]))["acked"] == 1, form


def test_what_happens_again_after_a_time_to_live_has_begun_lasts_its_own(api):
    first = ok(api.enqueue("a", MAIN, ttlMs=HOUR), 201)["event"]
    second = first
    while second["id"] == first["id"]:  # until a millisecond has passed
        second = api.enqueue("a", MAIN, ttlMs=HOUR).json["event"]
    assert second["expiresAt"] > first["expiresAt"]


@pytest.mark.parametrize("same", ["a", "b"])
def test_two_idempotency_keys_are_two_events(api, same):
    for key, text in (("1", "a"), ("2", same), ("1", "a")):
        api.call("POST", "/v1/events", {"sessionKey": MAIN, "text": text}, headers={"Idempotency-Key": key})
    assert api.texts(MAIN) == ["a", same]


def wake_again(api, text, how):
    """Sends an event that is queued already once more, with wake now."""
    if how == "hook":
        return api.call("POST", "/hooks/wake", {"text": text, "sessionKey": MAIN, "mode": "now"}).json["eventOutcome"]
    fields = {"text": text, "sessionKey": MAIN, "wake": "now", "source": "hook"}
    reply = api.call("POST", "/v1/events", {"events": [fields]} if how == "batch" else fields).json
    return reply["results"][0]["outcome"] if how == "batch" else reply["outcome"]


@pytest.mark.parametrize("how", ["one", "batch", "hook"])
def test_a_duplicate_for_now_wakes_as_now(server, api, how):
    first = ok(api.enqueue("a", MAIN), 201)["event"]
    stream = Stream(server, "?coalesceMs=60000")
    assert stream.wake()["depth"] == 1
    assert ok(api.wait(MAIN, wake="now", timeoutMs=0))["ready"] is False
    before = api.stats()["pending"]
    assert wake_again(api, "a", how) in ("duplicate", "coalesced")
    told = stream.wake()  # at once, although others are gathered for a minute
    assert (told["depth"], told["wake"], told["source"]) == (1, "now", "hook")
    assert ok(api.wait(MAIN, wake="now", timeoutMs=0))["ready"] is True
    assert api.stats()["pending"] == before
    assert ok(api.find(first["id"]))["event"]["wake"] == "next-heartbeat"  # as it was sent


def test_a_duplicate_for_now_of_a_delayed_event_wakes_as_now_when_the_delay_ends(api):
    ok(api.enqueue("a", MAIN, delayMs=300), 201)
    assert outcome(api.enqueue("a", MAIN, delayMs=HOUR, wake="now")) == "duplicate"
    assert ok(api.wait(MAIN, wake="now"))["ready"] is True


def test_two_idempotency_keys_of_the_webhook_are_two_events(api):
    for key in ("1", "2", "1"):
        body = {"text": "a", "sessionKey": MAIN}
        reply = api.call("POST", "/hooks/wake", body, headers={"Idempotency-Key": key})
        assert ok(reply)["eventOutcome"] == "queued"
    assert api.texts(MAIN) == ["a", "a"]
