"""Long answers are written in slices, as their socket takes them: the same bytes, whatever stands
in the texts, and bounded work and memory.
"""
import json
import re
import select
import signal
import socket
import threading
import time

import pytest

from policies import MAIN
from sevqd import ok, request, wait_until

TEXT, ANSWER = 65536, 8 << 20  # the longest text; the most text of an answer
SLICE, ITEM = 256 << 10, 768 << 10  # bytes of a slice, and of an event that can stand at its end
UTC = {"agents": {"defaults": {"userTimezone": "UTC"}}}

# What is longer as it is sent than as it is stored, and what is not.
CONTENTS = {
    "newlines": "\n",
    "controls": "\x01",
    "quotes": '"\\',
    "breaks of unicode": "\u2028\u0085\r\v",
    "plain": "a sentence of the usual kind, ",
    "wide": "\u00e9\u20ac\U0001f600",
}


def fill(api, key, unit, count, size=60000):
    """Posts so many events whose texts have that much of the unit; other fields have it too."""
    text = unit * (size // len(unit.encode()))
    field = unit * (200 // len(unit.encode()))
    made = [{"text": f"{n} x{text}x", "sessionKey": key, "allowDuplicate": True, "contextKey": f"c{field}c",
        "deliveryContext": {"channel": "c", "to": f"t{field}t"}, "source": "s" * 60} for n in range(count)]
    for at in range(0, count, 2):
        ok(api.batch(*made[at:at + 2]))
    return [event["text"] for event in made]


def call(server, method, path, body=None, headers=()):
    """The whole answer to a request on a connection of its own."""
    raw = server.raw()
    raw.send(request(method, path, server.token, body, headers))
    try:
        return raw.answer()
    finally:
        raw.close()


def slices(api):
    return api.stats()["http"]["answerSlices"]


def each_event(api, key, state=None):
    """The JSON of each event in the queue, from answers that have only one; in another state, if
    one is given.
    """
    found, after = [], ""
    while True:
        body = api.call("GET", "/v1/events", query={"sessionKey": key, "limit": 1, **({"after": after} if after else {})}).body
        if not json.loads(body)["events"]:
            return found
        after = json.loads(body)["events"][0]["id"]
        event = body.split(b'"events":[', 1)[1].rsplit(b'],"depth":', 1)[0]
        found.append(event if state is None else event.replace(b'"state":"queued"}', b'"state":"%s"}' % state.encode()))


def quoted(text):
    """As json_quote writes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\x7f").encode()


def block_of(events):
    """The prompt's lines, by ROUTING section 8."""
    lines = []
    for event in events:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(event["ts"] // 1000))
        text = re.sub("\r(?!\n)|[\n\v\f\u0085\u2028\u2029]", "\nSystem: ", event["text"])
        lines.append(f"System: [{at}] {text}")
    return "\n".join(lines)


@pytest.fixture
def utc(start):
    return start(policy=UTC)


@pytest.mark.parametrize("unit", CONTENTS.values(), ids=CONTENTS)
def test_a_peek_and_a_drain_in_slices_say_what_short_answers_say(utc, unit):
    api = utc.client()
    texts = fill(api, MAIN, unit, 12)
    queued, drained = each_event(api, MAIN), each_event(api, MAIN, "drained")
    assert [json.loads(event)["text"] for event in queued] == texts
    before = slices(api)
    peeked = call(utc, "GET", f"/v1/events?sessionKey={MAIN}")
    assert peeked.body == b'{"sessionKey":"%s","events":[%s],"depth":12,"more":false}\n' % (MAIN.encode(), b",".join(queued))
    assert slices(api) - before >= len(peeked.body) // (SLICE + ITEM)
    before = slices(api)
    taken = call(utc, "POST", "/v1/drain", {"sessionKey": MAIN, "format": "prompt"})
    block = quoted(block_of([json.loads(event) for event in queued]))
    assert taken.body == b'{"sessionKey":"%s","events":[%s],"remaining":0,"block":%s,"leftOut":[]}\n' % (MAIN.encode(), b",".join(drained), block)
    assert slices(api) - before >= 2


@pytest.mark.parametrize("unit", CONTENTS.values(), ids=CONTENTS)
def test_a_lease_and_its_repetition_in_slices_say_the_same(utc, unit):
    api = utc.client()
    fill(api, MAIN, unit, 12)
    leased = b",".join(each_event(api, MAIN, "leased"))
    take = lambda: call(utc, "POST", "/v1/leases", {"sessionKey": MAIN, "format": "prompt"}, [("Idempotency-Key", "once")])
    first, again = take(), take()
    assert b'"events":[%s],"remaining":0' % leased in first.body
    assert first.json["block"] == block_of(first.json["events"])
    assert again.body == first.body and again.headers["idempotency-replayed"] == "true"
    ids = [event["id"] for event in first.json["events"]]
    consumed = call(utc, "POST", "/v1/consume", {"sessionKey": MAIN, "ids": ids})
    assert consumed.body == b'{"sessionKey":"%s","events":[%s],"remaining":0}\n' % (MAIN.encode(), leased.replace(b'"state":"leased"', b'"state":"consumed"'))


@pytest.mark.parametrize("unit", CONTENTS.values(), ids=CONTENTS)
def test_a_repeated_drain_in_slices_says_the_same(utc, unit):
    fill(utc.client(), MAIN, unit, 12)
    drain = lambda: call(utc, "POST", "/v1/drain", {"sessionKey": MAIN, "format": "prompt"}, [("Idempotency-Key", "once")])
    first, again = drain(), drain()
    assert len(first.json["events"]) == 12 and again.body == first.body


@pytest.mark.parametrize("unit", CONTENTS.values(), ids=CONTENTS)
def test_history_and_one_event_say_what_short_answers_say(server, api, unit):
    fill(api, MAIN, unit, 12)
    drained = each_event(api, MAIN, "drained")
    ok(api.drain(MAIN))
    rows, cursor = [], {}
    while True:
        body = api.call("GET", "/v1/history", query={"limit": 1, **cursor}).body
        rows.append(body.split(b'{"events":[', 1)[1].rsplit(b'],"nextCursor":', 1)[0])
        if json.loads(body)["nextCursor"] is None:
            break
        cursor = {"cursor": json.loads(body)["nextCursor"]}
    assert [json.loads(row)["event"] for row in reversed([r for r in rows if r])] == [json.loads(event) for event in drained]
    whole = call(server, "GET", "/v1/history")
    assert whole.body == b'{"events":[%s],"nextCursor":null}\n' % b",".join(r for r in rows if r)
    one = call(server, "GET", "/v1/events/" + json.loads(drained[0])["id"])
    assert one.body.startswith(b'{"event":%s,"timeline":[' % drained[0]) and len(one.json["timeline"]) == 2


@pytest.mark.parametrize("unit", CONTENTS.values(), ids=CONTENTS)
def test_a_batch_is_answered_in_slices_as_its_events_are_by_themselves(server, api, unit):
    event = {"text": "x" + unit * (400 // len(unit.encode())) + "x", "sessionKey": MAIN}
    ok(api.call("POST", "/v1/events", event), 201)
    one = api.call("POST", "/v1/events", event)
    many = call(server, "POST", "/v1/events", {"events": [event] * 400})
    assert ok(one)["outcome"] == "duplicate"
    assert many.body == b'{"results":[%s]}\n' % b",".join([one.body.rstrip()] * 400)
    assert slices(api) == -(-len(many.body) // (SLICE + 4096))


def test_events_that_a_prompt_leaves_out_are_named_in_slices(utc):
    api = utc.client()
    noise = [f"heartbeat poll {n} " + "x" * 30000 for n in range(20)]
    shown = [f"exec finished: heartbeats {n} " + "y" * 30000 for n in range(20)]
    both = ["exec finished: heartbeat poll " + "z" * 30000]
    for text in [word for pair in zip(noise, shown) for word in pair] + both:
        ok(api.enqueue(text, MAIN), 201)
    taken = call(utc, "POST", "/v1/drain", {"sessionKey": MAIN, "format": "prompt", "execCompletions": "include"}).json
    assert taken["block"] == block_of([event for event in taken["events"] if event["text"] in shown])
    assert taken["leftOut"] == [event["id"] for event in taken["events"] if event["text"] not in shown] and len(taken["leftOut"]) == 21


def large(api, unit="\n", count=40):
    fill(api, MAIN, unit, count)
    return f"/v1/events?sessionKey={MAIN}"


def test_head_and_http_1_0_get_the_length(server, api):
    path = large(api)
    whole = call(server, "GET", path)
    raw = server.raw()
    raw.send(request("HEAD", path, server.token) + request("GET", "/livez"))
    assert raw.answer(head=True).headers["content-length"] == str(len(whole.body))
    assert raw.answer().json == {"status": "ok"}
    old = server.raw()
    old.send(request("GET", path, server.token).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    assert old.answer().body == whole.body
    assert old.closed()


def test_what_is_pipelined_behind_slices_is_answered_in_order(server, api):
    path = large(api)
    whole = call(server, "GET", path).body
    raw = server.raw(receive_buffer=4096)
    raw.send(b"".join(request("GET", p, server.token) for p in (path, "/version", path, "/livez", path)))
    assert raw.answer().body == whole
    assert "version" in raw.answer().json
    assert raw.answer().body == whole
    assert raw.answer().json == {"status": "ok"}
    assert raw.answer().body == whole


def test_a_client_that_ends_its_side_early_gets_the_whole_answer(server, api):
    path = large(api)
    whole = call(server, "GET", path).body
    raw = server.raw(receive_buffer=4096)
    raw.send(request("GET", path, server.token))
    raw.half_close()
    assert raw.answer().body == whole
    assert raw.closed()


@pytest.mark.parametrize("reset", [False, True])
def test_clients_that_hang_up_in_the_middle_leave_nothing_behind(server, api, reset):
    path = large(api)
    raws = [server.raw(receive_buffer=4096) for _ in range(8)]
    for n, raw in enumerate(raws):
        raw.send(request("GET", path, server.token) * 2)
        while len(raw.buffer) < n * 100000:
            raw.read_more()
    for raw in raws:
        if reset:
            raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.close()
    wait_until(lambda: api.stats()["http"]["connections"] == 1, "the connections to end")
    assert api.stats()["http"]["bufferedBytes"] < 1 << 20
    assert len(call(server, "GET", path).json["events"]) == 40


def test_a_server_that_stops_sends_the_rest_of_a_long_answer(server, api):
    path = large(api)
    whole = call(server, "GET", path).body
    raw = server.raw(receive_buffer=4096)
    raw.send(request("GET", path, server.token))
    raw.read_more()
    server.signal(signal.SIGTERM)
    server.wait_for_log(lambda r: r.get("msg") == "stopping", "the server to stop")
    assert raw.answer().body == whole
    assert server.wait() == 0 and not server.noise


def test_a_policy_that_is_reloaded_in_the_middle_changes_nothing(make):
    server = make(policy=UTC).start()
    api = server.client()
    large(api)
    raw = server.raw(receive_buffer=4096)
    raw.send(request("POST", "/v1/leases", server.token, {"sessionKey": MAIN, "format": "prompt"}))
    raw.read_more()
    server.write_policy({"agents": {"defaults": {"userTimezone": "Asia/Tokyo"}}})
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: r.get("msg") == "reloaded", "the reload")
    taken = raw.answer().json
    assert taken["block"] == block_of(taken["events"])


def test_the_longest_answers_are_made_over_many_turns(utc):
    """Prompt drains of 8 MiB of newlines, all at once: a small client is served meanwhile."""
    api = utc.client()
    raws = []
    for n in range(2):
        fill(api, f"agent:main:{n}", "\n", ANSWER // TEXT, TEXT - 100)
        raws.append(utc.raw())
    turns = api.stats()["loop"]["turns"]
    with utc.held_still():
        for n, raw in enumerate(raws):
            raw.send(request("POST", "/v1/drain", utc.token, {"sessionKey": f"agent:main:{n}", "format": "prompt"}))
    lengths = []
    readers = [threading.Thread(target=lambda raw=raw: lengths.append(len(raw.answer().body))) for raw in raws]
    for reader in readers:
        reader.start()
    small = 0
    while any(reader.is_alive() for reader in readers):
        ok(api.enqueue(f"{small}", MAIN, allowDuplicate=True), 201)
        small += 1
    assert min(lengths) > 12 * ANSWER * 0.9
    took = api.stats()["loop"]["turns"] - turns
    assert took >= 2 * sum(lengths) // (4 << 20), f"{sum(lengths):,} bytes, made twice, in {took} turns"
    assert small > 10


def resident(server, what="VmRSS"):
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith(what + ":"))


@pytest.mark.parametrize("unit", ["\n", "x"], ids=["newlines", "plain"])
def test_answers_that_nobody_reads_stay_within_the_limit_and_lose_nothing(start, unit):
    """More is asked for at once than may be held: what is taken is sent, the rest stays queued."""
    most, asked, events = 16 << 20, 8, 32
    server = start("--max-buffered-bytes", most, policy=UTC)
    api = server.client()
    for n in range(asked):
        fill(api, f"agent:main:{n}", unit, events, TEXT - 100)
    raws = [server.raw() for _ in range(asked)]
    before = resident(server)
    with server.held_still():
        for n, raw in enumerate(raws):
            raw.send(request("POST", "/v1/drain", server.token, {"sessionKey": f"agent:main:{n}", "format": "prompt"}))
    sockets = [raw.sock for raw in raws]
    wait_until(lambda: len(select.select(sockets, [], [], 0)[0]) == asked, "every answer to begin")
    stats = api.stats()
    assert stats["http"]["bufferedBytes"] <= most
    assert 1 <= stats["rejected"]["answers"] < asked
    assert resident(server) - before < most + (64 << 20)
    ok(api.enqueue("little", MAIN), 201)
    assert ok(api.drain(MAIN))["events"][0]["text"] == "little"  # small answers need no room
    taken = []
    for raw in raws:
        answer = raw.answer()
        taken.append(len(answer.json["events"]) if answer.status == 200 else 0)
        assert answer.status == 200 or (answer.status == 429 and answer.headers["retry-after"])
    assert resident(server, "VmHWM") - before < most + (64 << 20)
    for n in range(asked):
        assert (api.session(f"agent:main:{n}") or {"depth": 0})["depth"] == events - taken[n]
    assert api.stats()["http"]["bufferedBytes"] < 1 << 20


def test_a_single_long_event_can_be_had_under_the_smallest_limit(start):
    server = start("--max-buffered-bytes", 1 << 20, policy=UTC)
    api = server.client()
    for n in range(3):
        ok(api.enqueue(f"{n} x" + "\v" * (TEXT - 10) + "x", MAIN), 201)
    for left in 2, 1, 0:
        taken = call(server, "POST", "/v1/drain", {"sessionKey": MAIN, "format": "prompt"}).json
        assert len(taken["events"]) == 1 and taken["remaining"] == left
        assert taken["block"] == block_of(taken["events"])
