"""Duplicates, replacement, last context, merged delivery context (ROUTING section 7)."""
from policies import MAIN
from sevqd import ok


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
    event = ok(api.enqueue("a", MAIN, deliveryContext={"channel": " ", "to": None, "threadId": True, "unknown": 1}), 201)["event"]
    assert "deliveryContext" not in event
    assert api.session(MAIN).get("deliveryContext") is None
