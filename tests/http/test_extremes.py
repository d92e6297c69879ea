"""Every number that a request or an option can give, at its extremes and beyond.

The answer is the right one, or a refusal that names the number. In a sanitizer build an overflow
fails the test by itself.
"""
import itertools
import os
import re
import urllib.parse
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import ok, problem, request, wait_until

MOST = (1 << 63) - 1
NUMBERS = sorted({0, 1, -1, 10**400, *(sign * (1 << bits) + near for bits in (31, 32, 53, 63, 64) for sign in (1, -1) for near in (-1, 0, 1))})
OTHERS = ["", "-", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "00", "-0", "9" * 500, "\u0661", "1,1"]

# Call, what it needs besides, and its numbers.
QUERIES = [
    ("GET", "/v1/events", {"sessionKey": MAIN}, ["limit", "after"]),
    ("GET", "/v1/history", {}, ["limit", "since", "until"]),
    ("GET", "/v1/history", {"sessionKey": MAIN}, ["limit", "since", "until"]),
    ("GET", "/v1/dead-letters", {}, ["limit"]),
    ("GET", "/v1/sessions", {}, ["limit", "minAgeMs"]),
    ("GET", "/v1/leases", {}, ["limit"]),
    ("GET", "/v1/consumers", {}, ["limit"]),
    ("GET", "/v1/wait", {"sessionKey": MAIN}, ["timeoutMs"]),
    ("HEAD", "/v1/stream", {}, ["coalesceMs"]),
]
BODIES = [
    ("/v1/events", {"sessionKey": "agent:other:main", "text": "x"}, ["delayMs", "ttlMs"]),
    ("/v1/drain", {"sessionKey": "agent:other:main"}, ["limit"]),
    ("/v1/leases", {"sessionKey": "agent:other:main"}, ["limit", "leaseMs"]),
    ("/v1/leases/{lease}/extend", {}, ["leaseMs"]),
    ("/v1/leases/{lease}/nack", {"ids": []}, ["delayMs"]),
    ("/v1/dead-letters/requeue", {"all": True, "dryRun": True}, ["ratePerSecond"]),
    ("/v1/rekey", {"dryRun": True}, ["limit"]),
]


@pytest.fixture
def api(server):
    """A server that has events in every state."""
    api = server.client()
    for n in range(4):
        ok(api.enqueue(f"{n}", MAIN), 201)
    ok(api.drain(MAIN, limit=1))
    ok(api.enqueue("leased", "agent:leased:main"), 201)
    return api


@pytest.fixture
def lease(api):
    return ok(api.lease("agent:leased:main"))["leaseId"]


def test_every_number_of_a_call_is_tried_here():
    sources = (Path(os.environ["SOURCES"]) / "server/calls").glob("*.c")
    named = {name for source in sources for name in re.findall(r'FIELD_RANGE\("(\w+)", (?:SIZE|INT64)', source.read_text())}
    assert named == {name for *_, names in QUERIES + BODIES for name in names} - {"after"}


@pytest.mark.parametrize("method, path, needs, names", QUERIES)
def test_numbers_in_a_query(api, method, path, needs, names):
    for name, value in itertools.product(names, [*NUMBERS, *OTHERS]):
        reply = api.call(method, path, query={**needs, name: value})
        if reply.status == 400 and method != "HEAD":
            problem(reply, 400, "invalid-field", name)
        assert reply.status in (200, 400), (name, value, reply)


@pytest.mark.parametrize("path, needs, names", BODIES)
def test_numbers_in_a_body(api, lease, path, needs, names):
    for name, value in itertools.product(names, [*NUMBERS, 0.5, 1e308, -1e308, *OTHERS]):
        reply = api.call("POST", path.format(lease=lease), {**needs, name: value})
        if reply.status == 400:
            problem(reply, 400, "invalid-field", "/" + name)
        else:
            assert reply.status in (200, 201), (name, value, reply)


def test_a_peek_begins_behind_any_number(api):
    ids = [int(e["id"]) for e in ok(api.peek(MAIN))["events"]]
    assert len(ids) == 3
    near = {n + d for n in ids for d in (-1, 0, 1)}
    for after in sorted(n for n in {*NUMBERS, *near} if 0 < n <= MOST):
        assert [int(e["id"]) for e in ok(api.peek(MAIN, after=after))["events"]] == [n for n in ids if n > after], after


def test_history_is_asked_for_any_time(api):
    stamps = [item["outcome"]["ts"] for item in ok(api.history())["events"]]
    assert len(stamps) == 1
    for at in sorted(n for n in {*NUMBERS, stamps[0] - 1, stamps[0], stamps[0] + 1} if 0 < n <= MOST):
        for name, wanted in ("since", stamps[0] >= at), ("until", stamps[0] <= at):
            assert len(ok(api.history(**{name: at}))["events"]) == wanted, (name, at)


def test_any_cursor_is_a_place_or_is_refused(api):
    everything = ok(api.history())["events"]
    for outcome, event in itertools.product(NUMBERS + OTHERS, NUMBERS):
        reply = api.history(cursor=f"{outcome}:{event}")
        if reply.status == 400:
            problem(reply, 400, "invalid-field", "cursor")
        else:
            assert ok(reply)["events"] in ([], everything), (outcome, event)
    assert ok(api.history(cursor=f"{MOST}:{MOST}"))["events"] == everything
    assert ok(api.history(cursor="1:1"))["events"] == []
    for sort, value in itertools.product(["key", "depth", "oldest", "newest", "problem", "unattended"], NUMBERS + OTHERS):
        sessions = ok(api.sessions(sort=sort))["sessions"]
        problem(api.sessions(cursor=f"{value}:", sort=sort), 400, "invalid-field", "cursor")
        reply = api.sessions(cursor=f"{value}:agent:", sort=sort)
        if reply.status == 400:
            problem(reply, 400, "invalid-field", "cursor")
        else:
            assert ok(reply)["sessions"] in [sessions[n:] for n in range(3)], (value, sort)


def test_any_id_is_found_or_is_not(api, lease):
    known = {e["id"] for e in ok(api.peek(MAIN))["events"]}
    for value in [*NUMBERS, *filter(None, OTHERS)]:
        if str(value) in known:
            continue
        path = "/" + urllib.parse.quote(str(value))
        assert api.call("GET", "/v1/events" + path).status == (200 if str(value) == "1" else 404), value
        for call in "ack", "nack", "extend":
            assert api.call("POST", f"/v1/leases{path}/{call}", {}).status in (404, 409), value
            assert api.call("POST", f"/v1/leases/{lease}/{call}", {"ids": [str(value)]}).status in (400, 409), (call, value)
        assert ok(api.consume("agent:other:main", [str(value)]))["events"] == []
        reply = api.requeue(ids=[str(value)], dryRun=True)
        assert reply.status == 400 or ok(reply)["passedOver"] == 1, value


def test_any_number_is_a_thread(api):
    for n, value in enumerate([*NUMBERS[:-1], 0.5, -0.0, 1e21, 1e308, -1e308, 5e-324]):
        event = ok(api.enqueue("x", f"agent:thread{n}:main", deliveryContext={"channel": "c", "threadId": value}), 201)["event"]
        assert float(event["deliveryContext"]["threadId"]) == float(int(value)), event


def answers(server, data):
    """The statuses of all answers to these bytes, behind which a request for /livez follows."""
    raw = server.raw()
    raw.send(data + request("GET", "/livez"))
    raw.half_close()
    while raw.read_more():
        pass
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+) ", raw.buffer)]


def test_a_length_of_any_number_is_that_long_or_is_refused(server):
    body = request("POST", "/hooks/wake", server.token, b"")
    for value in [*NUMBERS, *filter(None, OTHERS)]:
        data = body.replace(b"Content-Length: 0", f"Content-Length: {value}".encode())
        followed = [400, 200] if value in (0, "00") else [400, 400]  # what is left is no request
        assert answers(server, data) in ([413], [400], followed), value


def test_a_chunk_of_any_size_is_that_long_or_is_refused(server):
    head = request("POST", "/hooks/wake", server.token, headers=[("Transfer-Encoding", "chunked")])
    for value in [*(f"{n:x}" for n in NUMBERS), *filter(None, OTHERS), "f" * 16, "0" * 20 + "1", "g"]:
        expected = [[400, 200]] if value in ("0", "00") else [[400], [413]]
        assert answers(server, head + f"{value}\r\n\r\n".encode()) in expected, value


def test_a_host_of_any_port_is_ours_or_is_not(server):
    for value in [*NUMBERS, *filter(None, OTHERS), server.port]:
        data = request("GET", "/livez", host=f"127.0.0.1:{value}".encode().decode("latin-1"))
        expected = [[200, 200]] if value == server.port else [[400], [421, 200]]
        assert answers(server, data) in expected, value


def test_a_stream_goes_on_behind_any_number(server):
    for value in [*NUMBERS, *filter(None, OTHERS[:-2])]:
        data = request("HEAD", "/v1/stream", server.token, headers=[("Last-Event-ID", value)])
        assert answers(server, data) == [200, 200], value


def options(server):
    """The least and the most of each option that is a number."""
    listed = re.sub(r'^[^{]*', "", server.run("--print-config").stdout)
    for name in re.findall(r'"(\w+)": \d+', listed):
        flag = "--" + re.sub("[A-Z]", lambda m: "-" + m[0].lower(), name)
        refusal = re.search(r"is not a number from (\d+) to (\d+)", server.run(flag, "-1", "--check-config").stderr)
        yield flag, refusal[1], refusal[2]


def test_the_server_runs_with_every_option_at_its_least_and_at_its_most(make):
    bounds = list(options(make()))
    assert len(bounds) > 20
    most = make(*(part for flag, _, most in bounds if flag != "--db-min-free-bytes" for part in (flag, most))).start()
    api = most.client()
    ok(api.enqueue("x", MAIN), 201)
    assert [e["text"] for e in ok(api.drain(MAIN))["events"]] == ["x"]
    least = make(*(part for flag, least, _ in bounds for part in (flag, least))).start()
    wait_until(lambda: least.client().call("GET", "/livez").status == 200, "an answer", patience=10)
