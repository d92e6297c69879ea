"""GET /v1/stream: wakes. A stream that begins later gets a wake for every session with deliverable
events.
"""
import time

import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import Stream, ok, problem, request, wait_until

OPS = "agent:ops:main"


def keys(stream, count):
    return [stream.wake()["sessionKey"] for _ in range(count)]


def streams(api):
    return api.stats()["http"]["streams"]


# What a wake reports.

def test_a_wake_has_the_events_source(server, api):
    stream = Stream(server, "?coalesceMs=0")
    event = ok(api.enqueue("x", MAIN, source="exec-event"), 201)["event"]
    wake = stream.wake()
    assert {k: wake[k] for k in ("sessionKey", "depth", "source", "wake")} == {
        "sessionKey": MAIN, "depth": 1, "source": "exec-event", "wake": "next-heartbeat"}
    assert abs(wake["ts"] - event["ts"]) < 10000 and set(wake) == {"sessionKey", "depth", "source", "wake", "ts", "id"}


def test_a_new_stream_gets_every_deliverable_session(server, api):
    for n in range(50):
        ok(api.enqueue("x", f"agent:a{n}:main"), 201)
    ok(api.enqueue("y", "agent:a0:main"), 201)
    ok(api.enqueue("delayed", "agent:later:main", delayMs=60000), 201)
    ok(api.enqueue("leased", "agent:held:main"), 201)
    ok(api.lease("agent:held:main"))
    ok(api.enqueue("drained", "agent:gone:main"), 201)
    ok(api.drain("agent:gone:main"))
    stream = Stream(server)
    wakes = [stream.wake() for _ in range(50)]
    assert {w["sessionKey"]: w["depth"] for w in wakes} == {f"agent:a{n}:main": 2 if n == 0 else 1 for n in range(50)}
    assert all(w["source"] is None and w["wake"] == "next-heartbeat" for w in wakes)
    ok(api.enqueue("z", MAIN, wake="now"), 201)
    assert stream.wake()["sessionKey"] == MAIN, "and of nothing more"


def test_a_new_stream_is_told_what_is_urgent(server, api):
    for n in range(6):
        ok(api.enqueue("old", f"agent:a{n}:main"), 201)
    for n in (1, 2, 3):
        ok(api.enqueue("urgent", f"agent:a{n}:main", wake="now"), 201)
    ok(api.enqueue("old", "agent:a4:main", wake="now"), 200)  # makes what is queued urgent
    ok(api.enqueue("later", "agent:a5:main", wake="now", delayMs=3600000), 201)
    ok(api.consume("agent:a2:main", [ok(api.peek("agent:a2:main"))["events"][-1]["id"]]))
    ok(api.consume("agent:a3:main", [ok(api.peek("agent:a3:main"))["events"][0]["id"]]))
    lease = ok(api.lease("agent:a3:main"))
    ok(api.enqueue("more", "agent:a3:main"), 201)

    def urgent():
        stream = Stream(server)
        told = {w["sessionKey"]: w["wake"] == "now" for w in (stream.wake() for _ in range(6))}
        assert told == {key: Stream(server, f"?sessionKey={key}").wake()["wake"] == "now" for key in told}
        return told
    assert urgent() == {f"agent:a{n}:main": n in (1, 4) for n in range(6)}
    ok(api.call("POST", f"/v1/leases/{lease['leaseId']}/nack", {}))
    assert urgent() == {f"agent:a{n}:main": n in (1, 3, 4) for n in range(6)}
    server.stop()
    server.start()
    assert urgent() == {f"agent:a{n}:main": n in (1, 3) for n in range(6)}, "a duplicate's urgency is not stored"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_loses_no_wake_and_ids_go_on(server, api, end):
    stream = Stream(server, "?coalesceMs=0")
    ok(api.enqueue("x", MAIN), 201)
    before = stream.wake()
    getattr(server, end)()
    assert stream.wake() is None
    server.start()
    after = Stream(server, headers=[("Last-Event-ID", str(before["id"]))]).wake()
    assert after["sessionKey"] == MAIN and after["id"] > before["id"]


def test_ids_ascend_over_all_streams(server, api):
    several = [Stream(server, "?coalesceMs=0") for _ in range(3)]
    seen = []
    for n in range(10):
        ok(api.enqueue(f"{n}", MAIN), 201)
        seen.append(sorted(s.wake()["id"] for s in several))
    assert all(a[-1] < b[0] for a, b in zip(seen, seen[1:])) and all(len(set(ids)) == 3 for ids in seen)


def test_every_way_to_become_deliverable_wakes(server, api):
    stream = Stream(server, "?coalesceMs=0")
    ok(api.enqueue("a", MAIN, delayMs=60), 201)
    assert stream.wake()["depth"] == 1  # the end of a delay
    ok(api.lease(MAIN, leaseMs=60))
    assert stream.wake()["source"] is None  # the end of a lease
    ok(api.nack(ok(api.lease(MAIN))["leaseId"]))
    assert stream.wake()["depth"] == 1  # a nack
    lease = ok(api.lease(MAIN, exclusive=True))
    ok(api.enqueue("b", MAIN), 201)
    ok(api.ack(lease["leaseId"]))
    assert stream.wake()["depth"] == 1  # the end of an exclusive lease


def test_a_wake_that_is_no_longer_true_is_not_sent(server, api):
    stream = Stream(server, "?coalesceMs=150")
    ok(api.enqueue("x", MAIN), 201)
    ok(api.drain(MAIN))
    ok(api.enqueue("y", OPS), 201)
    assert stream.wake()["sessionKey"] == OPS


# When a wake is sent.

def test_wakes_of_one_session_become_one_with_the_latest_source(server, api):
    stream = Stream(server, "?coalesceMs=200")
    for n in range(5):
        ok(api.enqueue(f"{n}", MAIN, source=f"s{n}"), 201)
        ok(api.enqueue(f"{n}", OPS), 201)
    first, second = stream.wake(), stream.wake()
    assert (first["sessionKey"], first["depth"], first["source"]) == (MAIN, 5, "s4") and second["sessionKey"] == OPS
    ok(api.enqueue("next", MAIN), 201)
    assert stream.wake()["depth"] == 6


def test_a_wake_waits_for_a_quarter_of_a_second_unless_said_otherwise(server, api):
    stream = Stream(server)
    began = time.monotonic()
    ok(api.enqueue("x", MAIN), 201)
    assert stream.wake()["sessionKey"] == MAIN and time.monotonic() - began > 0.2


def test_a_wake_for_now_is_sent_at_once(server, api):
    stream = Stream(server, "?coalesceMs=60000")
    ok(api.enqueue("later", OPS), 201)
    ok(api.enqueue("first", MAIN), 201)
    ok(api.enqueue("x", MAIN, wake="now", source="cron-event"), 201)
    wake = stream.wake()
    assert (wake["sessionKey"], wake["wake"], wake["depth"], wake["source"]) == (MAIN, "now", 2, "cron-event")


def test_a_wake_for_now_is_sent_at_once_after_a_delay(server, api):
    stream = Stream(server, "?coalesceMs=60000")
    ok(api.enqueue("x", MAIN, wake="now", source="cron-event", delayMs=50), 201)
    wake = stream.wake()
    assert (wake["sessionKey"], wake["wake"], wake["source"]) == (MAIN, "now", "cron-event")


def test_a_silent_stream_is_pinged(start):
    stream = Stream(start("--stream-ping-ms", 50))
    assert [stream.block() for _ in range(4)] == [[("retry", "2000")]] + [[("", "ping")]] * 3


def test_it_begins_with_a_retry_time(server):
    stream = Stream(server)
    assert stream.block() == [("retry", "2000")]
    assert "content-length" not in stream.head and "connection: close" in stream.head and "cache-control: no-store" in stream.head


# Filters.

@pytest.mark.parametrize("query, heard", [
    ("?sessionKey=agent:main:main", {"agent:main:main"}), ("?sessionKey=main", {"agent:main:main"}),
    ("?agentId=Main", {"agent:main:main", "agent:main:x"}), ("?prefix=agent:main:", {"agent:main:main", "agent:main:x"}),
    ("?prefix=agent:o", {"agent:ops:main"}), ("?agentId=ops&prefix=agent:ops:ma", {"agent:ops:main"})], ids=str)
def test_a_filter_passes_only_what_it_names(server, api, query, heard):
    sessions = ["agent:main:main", "agent:main:x", "agent:ops:main"]
    for key in sessions:
        ok(api.enqueue("before", key), 201)
    stream = Stream(server, query + "&coalesceMs=0")
    assert set(keys(stream, len(heard))) == heard
    for key in [*sessions, *sessions]:
        ok(api.enqueue("after", key, allowDuplicate=True), 201)
    assert sorted(keys(stream, 2 * len(heard))) == sorted([*heard, *heard])


def test_the_key_is_routed_and_a_new_policy_asks_the_reader_to_come_again(start):
    server = start(policy=ONE_OWNER)
    api = server.client()
    stream, whole = Stream(server, "?coalesceMs=0&sessionKey=" + DIRECT), Stream(server, "?coalesceMs=0")
    ok(api.enqueue("x", DIRECT), 201)
    assert stream.wake()["sessionKey"] == MAIN and whole.wake()["sessionKey"] == MAIN
    server.write_policy("{}")
    server.signal(1)
    assert stream.wake() is None
    ok(api.enqueue("y", DIRECT), 201)
    assert whole.wake()["sessionKey"] == DIRECT


@pytest.mark.parametrize("query, pointer", [("?coalesceMs=60001", "coalesceMs"), ("?coalesceMs=-1", "coalesceMs"), ("?x=1", "x"), ("?prefix=a&prefix=b", "prefix")])
def test_a_bad_stream_is_refused(api, query, pointer):
    problem(api.call("GET", "/v1/stream" + query), 400, "invalid-field", pointer)
    problem(api.call("GET", "/v1/stream?sessionKey=agent:"), 400, "malformed-key")
    assert streams(api) == 0


def test_a_head_is_only_a_head(server):
    raw = server.raw()
    raw.send(request("HEAD", "/v1/stream", server.token) + request("GET", "/livez"))
    assert raw.answer(head=True).headers["content-type"] == "text/event-stream"
    assert raw.answer().json == {"status": "ok"}


# Bounds.

def test_too_many_streams_are_refused(start):
    server = start("--max-streams", 2)
    api = server.client()
    several = [Stream(server), Stream(server)]
    problem(api.call("GET", "/v1/stream"), 429, "queue-full")
    assert streams(api) == 2 and api.stats()["http"]["streamsRefused"] == 1
    several.pop().close()
    wait_until(lambda: streams(api) == 1, "the reader to be gone")
    Stream(server)


@pytest.mark.parametrize("what", ["close", "half close"])
def test_a_reader_that_hangs_up_leaves_nothing(server, api, what):
    assert streams(api) == 0
    before = server.open_descriptors()
    several = [Stream(server, "?coalesceMs=60000") for _ in range(10)]
    ok(api.enqueue("x", MAIN), 201)
    assert streams(api) == 10
    for stream in several:
        if what == "close":
            stream.close()
        else:
            stream.half_close()
    wait_until(lambda: streams(api) == 0, "all readers to be gone")
    wait_until(lambda: server.open_descriptors() == before, "their descriptors")


def test_bytes_from_a_reader_are_discarded(server, api):
    stream = Stream(server, "?coalesceMs=0")
    stream.send(request("POST", "/v1/events", server.token, {"text": "no", "sessionKey": MAIN}) * 2000)
    ok(api.enqueue("x", MAIN), 201)
    assert stream.wake()["depth"] == 1
    assert api.texts(MAIN) == ["x"] and api.stats()["http"]["bufferedBytes"] < 1 << 20


def test_a_reader_with_too_much_unread_is_dropped_and_others_are_not(start):
    server = start("--stream-buffer", 16384)
    api = server.client()
    _slow, quick = Stream(server, "?coalesceMs=0", receive_buffer=4096), Stream(server, "?coalesceMs=0")
    told = 0
    while streams(api) == 2:
        key = f"agent:main:{told:04}:" + "k" * 900
        ok(api.enqueue("x", key), 201)
        assert quick.wake()["sessionKey"] == key
        told += 1
        assert told < 2000
    assert api.stats()["http"]["streamsDropped"] == 1
    ok(api.enqueue("still", MAIN), 201)
    assert quick.wake()["sessionKey"] == MAIN


def test_a_slow_reader_has_one_wake_per_session(start):
    server = start("--stream-buffer", 16384)
    api = server.client()
    slow = Stream(server, "?coalesceMs=0", receive_buffer=4096)
    for n in range(3000):
        ok(api.enqueue(f"{n}", MAIN, contextKey="c", replace=True), 201)
    assert streams(api) == 1
    last = None
    ok(api.enqueue("end", OPS), 201)
    while last is None or last["sessionKey"] != OPS:
        last = slow.wake()


def test_a_reader_that_never_reads_is_dropped_in_the_end(start):
    server = start("--response-timeout-ms", 200, "--stream-buffer", 4096)
    api = server.client()
    ok(api.batch(*({"text": "x", "sessionKey": f"agent:main:{n}:" + "k" * 1000} for n in range(900))))
    stream = Stream(server, receive_buffer=4096)
    wait_until(lambda: streams(api) == 0 and api.stats()["http"]["lateReaders"] == 1, "the reader to be dropped")
    stream.close()


def test_a_prompt_reader_hears_more_sessions_at_once_than_a_slow_one_may_hold(start):
    server = start("--stream-buffer", 4096)
    api = server.client()
    wanted = {f"agent:main:{n}:" + "k" * 900 for n in range(1000)}
    ok(api.batch(*({"text": "x", "sessionKey": key} for key in sorted(wanted))))
    assert set(keys(Stream(server), 1000)) == wanted


# The server's end.

def test_a_reader_with_many_gathered_wakes_gets_the_oldest_early(start):
    server = start("--stream-buffer", 8192)
    api = server.client()
    stream = Stream(server, "?coalesceMs=60000")
    wanted = [f"agent:main:s{n:03}" for n in range(200)]
    ok(api.batch(*({"text": "x", "sessionKey": key} for key in wanted)))
    assert keys(stream, 100) == wanted[:100]
    assert api.stats()["http"]["wakesSent"] < 200


def test_the_end_of_the_server_is_the_end_of_the_stream(server, api):
    several = [Stream(server) for _ in range(3)]
    ok(api.enqueue("x", MAIN, wake="now"), 201)
    assert [s.wake()["sessionKey"] for s in several] == [MAIN] * 3
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 4, "the grace was not needed"
    assert [s.wake() for s in several] == [None] * 3
