"""No turn of the loop does more than a bounded amount of work, whatever arrives at once.

What is counted is work, turns and bytes, not time: tests/bench/stalls measures time.
"""
from sevqd import Stream, ok, request, wait_until

CONNECTIONS = 256


def turns(api):
    return api.stats()["loop"]["turns"]


def at_once(server, raws, data):
    """Everything has arrived when the loop runs again."""
    with server.held_still():
        for raw in raws:
            raw.send(data)


def test_many_small_requests_are_read_over_several_turns(server, api):
    raws, each = [server.raw() for _ in range(CONNECTIONS)], 40
    before = turns(api)
    at_once(server, raws, request("GET", "/livez") * each)
    assert all(raw.answer().status == 200 for raw in raws for _ in range(each))
    assert turns(api) - before >= CONNECTIONS * each * 3 // 2000


def test_many_posts_at_once_are_stored_over_several_turns(server, api):
    raws = [server.raw() for _ in range(1000)]
    before = api.stats()["engine"]["commits"]
    at_once(server, raws, request("POST", "/v1/events", server.token, b'{"text":"x","sessionKey":"agent:main:main","allowDuplicate":true}'))
    assert all(raw.answer().status == 201 for raw in raws)
    after = api.stats()
    assert after["engine"]["commits"] - before >= 2
    assert after["engine"]["batchOpsMax"] <= 600
    assert ok(api.peek("agent:main:main"))["depth"] == len(raws)


SESSIONS = [f"agent:main:s{n:04}" for n in range(1000)]
TOLD_IN_A_TURN = 2000  # wakes, at the most, of one kind: at once or due


def fill(api, text="x", **fields):
    ok(api.batch(*({"text": text, "sessionKey": key, **fields} for key in SESSIONS)))



def test_many_readers_of_all_figures_share_one_look_at_many_sessions(start):
    server = start("--max-sessions", 40000)
    api = server.client()
    for at in range(0, 20000, 1000):
        ok(api.batch(*({"text": "x", "sessionKey": f"agent:main:{n}"} for n in range(at, at + 1000))))
    raws, before = [server.raw() for _ in range(CONNECTIONS)], api.stats()["engine"]["walkedEntries"]
    at_once(server, raws, request("GET", "/metrics", server.token))
    assert all(raw.answer().status == 200 for raw in raws)
    assert api.stats()["engine"]["walkedEntries"] - before <= 3 * 4 * 20000


def test_what_new_streams_get_is_told_over_several_turns(server, api):
    fill(api)
    raws, before = [server.raw() for _ in range(20)], turns(api)
    at_once(server, raws, request("GET", "/v1/stream", server.token))
    for raw in raws:
        while raw.buffer.count(b"event: wake") < len(SESSIONS):
            assert raw.read_more()
        assert {key for key in SESSIONS if key.encode() in raw.buffer} == set(SESSIONS)
    assert turns(api) - before >= len(raws) * len(SESSIONS) // TOLD_IN_A_TURN


def test_wakes_of_many_sessions_for_many_streams_take_several_turns(server, api):
    streams = [Stream(server, "?coalesceMs=0") for _ in range(20)]
    wait_until(lambda: api.stats()["http"]["streams"] == len(streams), "the streams")
    before = turns(api)
    fill(api, source="s")
    for stream in streams:
        assert [stream.wake()["sessionKey"] for _ in SESSIONS] == SESSIONS, "in order, and each once"
    assert turns(api) - before >= len(streams) * len(SESSIONS) // TOLD_IN_A_TURN
    assert api.stats()["http"]["wakesGathered"] == 0


def test_waiters_that_one_event_wakes_are_answered_over_several_turns(server, api):
    raws = [server.raw() for _ in range(900)]
    for raw in raws:
        raw.send(request("GET", "/v1/wait?sessionKey=agent:main:main&timeoutMs=60000", server.token))
    wait_until(lambda: api.stats()["waiters"] == len(raws), "the waiters")
    before = turns(api)
    ok(api.enqueue("x", "agent:main:main"), 201)
    assert all(raw.answer().json["ready"] for raw in raws)
    assert turns(api) - before >= len(raws) // 150
