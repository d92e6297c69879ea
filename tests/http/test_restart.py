"""A restart, clean or by SIGKILL, keeps everything."""
import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import ok

WAYS = pytest.mark.parametrize("end", ["stop", "kill"])


def again(server, end):
    getattr(server, end)()
    return server.start().client()


@WAYS
def test_everything_queued_is_there_again(start, end):
    server = start(policy=ONE_OWNER)
    api = server.client()
    for n in range(50):
        fields = {}
        if n % 3 == 0:
            fields["contextKey"] = f"c{n}"
        if n % 4 == 0:
            fields["deliveryContext"] = {"channel": "telegram", "to": str(n), "threadId": n}
        if n % 5 == 0:
            fields |= {"source": "hook", "wake": "now", "traceparent": "tp"}
        ok(api.enqueue(f"event {n}", (MAIN, DIRECT, "agent:ops:x", "agent:main:cron:a:run:b")[n % 4], **fields), 201)
    before = [ok(api.peek(key))["events"] for key in (MAIN, "agent:ops:x")], ok(api.sessions())
    assert ok(api.sessions())["total"] == 2 and len(before[0][0]) + len(before[0][1]) == 50
    api = again(server, end)
    assert ([ok(api.peek(key))["events"] for key in (MAIN, "agent:ops:x")], ok(api.sessions())) == before
    assert ok(api.drain(MAIN))["events"] == before[0][0]


@WAYS
def test_what_was_taken_stays_taken(server, end):
    api = server.client()
    events = [ok(api.enqueue(f"event {n}", MAIN), 201)["event"] for n in range(10)]
    api.drain(MAIN, limit=2)
    api.consume(MAIN, [events[5]["id"], events[3]["id"]])
    api.withdraw(events[7]["id"])
    api = again(server, end)
    assert api.texts(MAIN) == [f"event {n}" for n in (2, 4, 6, 8, 9)]
    api.purge(MAIN)
    assert again(server, end).texts(MAIN) == []


@WAYS
def test_ids_are_never_given_again(server, end):
    api = server.client()
    last = 0
    for n in range(4):
        event = ok(api.enqueue(f"event {n}", MAIN), 201)["event"]
        assert int(event["id"]) > last
        last = int(event["id"])
        api.drain(MAIN)
        api = again(server, end)


@WAYS
def test_duplicates_are_still_known(server, end):
    api = server.client()
    keyed = ok(api.enqueue("keyed", MAIN, contextKey="c", deliveryContext={"to": "x", "threadId": 3}), 201)["event"]
    newest = ok(api.enqueue("newest", MAIN), 201)["event"]
    api = again(server, end)
    assert ok(api.enqueue("keyed", MAIN, contextKey="C", deliveryContext={"to": "x", "threadId": "3"}))["event"] == keyed
    assert ok(api.enqueue("newest", MAIN))["event"] == newest
    assert ok(api.enqueue("other", MAIN, contextKey="c", deliveryContext={"to": "x", "threadId": 3}, replace=True), 201)["outcome"] == "replaced"
    assert again(server, end).texts(MAIN) == ["newest", "other"]


@WAYS
def test_last_context_and_merged_delivery_are_rebuilt(server, end):
    api = server.client()
    api.enqueue("a", MAIN, contextKey="first", deliveryContext={"channel": "telegram", "to": "1"})
    api.enqueue("b", MAIN, deliveryContext={"threadId": 2})
    before = api.session(MAIN)
    assert before["lastContextKey"] == "first"
    assert again(server, end).session(MAIN) == before


@WAYS
def test_a_dropped_oldest_event_stays_dropped(start, end):
    server = start("--compat", "openclaw")
    api = server.client()
    for n in range(25):
        ok(api.enqueue(f"event {n}", MAIN, contextKey="only" if n == 2 else None), 201)
    before = api.session(MAIN)
    api = again(server, end)
    assert api.texts(MAIN) == [f"event {n}" for n in range(5, 25)]
    assert api.session(MAIN)["depth"] == before["depth"] == 20


def test_a_restart_under_another_policy_leaves_events_where_they_are(start):
    server = start()
    event = ok(server.client().enqueue("x", DIRECT), 201)["event"]
    server.stop()
    server.write_policy(ONE_OWNER)
    api = server.start().client()
    assert ok(api.find(event["id"]))["event"] == event
    assert ok(api.drain(MAIN))["events"] == []


def test_events_of_many_sizes_survive(server):
    api = server.client()
    texts = ["x" * n for n in (1, 2, 100, 4095, 4096, 4097, 65535, 65536)] + ["\U0001f600" * 16384, "\n\tx\u0000".strip("\u0000") + "\x7f"]
    for n, text in enumerate(texts):
        ok(api.enqueue(text.strip(), f"agent:main:s{n}"), 201)
    api = again(server, "kill")
    assert [api.texts(f"agent:main:s{n}") for n in range(len(texts))] == [[t.strip()] for t in texts]
