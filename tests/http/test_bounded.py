"""No turn of the loop does more than a bounded amount of work, whatever arrives at once.

What is counted is work, turns and bytes, not time: tests/bench/stalls measures time.
"""
from sevqd import ok, request

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
