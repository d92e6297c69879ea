"""A restart, clean or by SIGKILL, keeps everything."""
import http.client
import sqlite3

import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import ok, problem

WAYS = pytest.mark.parametrize("end", ["stop", "kill"])


def again(server, end):
    getattr(server, end)()
    return server.start().client()


@WAYS
def test_everything_pending_is_pending_again(start, end):
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
        if n % 7 == 0:
            fields["ttlMs"] = 3600000
        ok(api.enqueue(f"event {n}", (MAIN, DIRECT, "agent:ops:x", "agent:main:cron:a:run:b")[n % 4], **fields), 201)
    before = [ok(api.peek(key))["events"] for key in (MAIN, "agent:ops:x")], ok(api.sessions())
    assert ok(api.sessions())["total"] == 2 and len(before[0][0]) + len(before[0][1]) == 50
    # events that were in memory come from the disk now
    assert api.stats()["engine"]["recentMisses"] == 0
    api = again(server, end)
    assert ([ok(api.peek(key))["events"] for key in (MAIN, "agent:ops:x")], ok(api.sessions())) == before
    assert ok(api.drain(MAIN))["events"] == [{**e, "state": "drained"} for e in before[0][0]]


@WAYS
def test_a_last_context_whose_event_was_evicted_stays(start, end):
    server = start("--overflow", "drop-oldest", "--max-pending", 2)
    api = server.client()
    ok(api.enqueue("a", MAIN, contextKey="k"), 201)
    for text in "bc":
        ok(api.enqueue(text, MAIN), 201)
    assert api.session(MAIN)["lastContextKey"] == "k"
    api = again(server, end)
    assert api.session(MAIN)["lastContextKey"] == "k"
    ok(api.drain(MAIN, limit=1))
    assert api.session(MAIN)["lastContextKey"] is None
    assert again(server, end).session(MAIN)["lastContextKey"] is None


@WAYS
def test_removed_events_stay_removed(server, end):
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
def test_ids_are_never_reused(server, end):
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


def test_the_pending_view_is_readable_with_the_sqlite3_shell(start):
    """The view in the file has the same events as the server."""
    server = start(policy=ONE_OWNER)
    api = server.client()
    for n in range(6):
        ok(api.enqueue(f"event {n}", (MAIN, DIRECT)[n % 2]), 201)
    api.drain(MAIN, limit=2)
    api.withdraw(ok(api.peek(MAIN))["events"][1]["id"])
    pending = [(int(e["id"]), e["sessionKey"], e["text"]) for e in ok(api.peek(MAIN))["events"]]
    server.stop()
    db = sqlite3.connect(f"file:{server.db}?mode=ro", uri=True)
    assert db.execute("SELECT id, session_key, text FROM pending ORDER BY id").fetchall() == pending
    db.close()


UNKNOWN_COMMIT = 70


def test_a_database_that_was_removed_stops_the_server_without_an_answer(server):
    """Events written to a deleted file are lost, so the server must stop without an answer."""
    ok(server.client().enqueue("x", MAIN), 201)
    kept = server.directory / "kept.db"
    server.db.rename(kept)
    with pytest.raises((OSError, http.client.HTTPException)):
        server.client().enqueue("y", MAIN)
    assert server.wait() == UNKNOWN_COMMIT
    assert [r["level"] for r in server.log][-1] == "error"


def test_a_database_without_its_log_of_writes_is_whole(server):
    """A clean stop leaves everything in one file, which can be moved."""
    api = server.client()
    ok(api.batch(*({"text": f"event {n}", "sessionKey": MAIN} for n in range(100))))
    server.stop()
    server.db.rename(server.directory / "carried.db")
    server.db = server.directory / "carried.db"
    api = server.start().client()
    assert len(ok(api.peek(MAIN))["events"]) == 100
    problem(api.find("101"), 404, "not-found")
