"""The requests of malformed.py, sent whole, byte by byte, and cut at random; no smuggled request is
ever carried out.
"""
import os
import random
import select

import pytest

from malformed import CASES, EVENT, TOKEN
from sevqd import Server, ok, problem, request

SEED = int(os.environ.get("SEVQ_MALFORMED_SEED", random.randrange(1 << 32)))


def whole(raw):
    return [raw]


def bytewise(raw):
    """Single bytes; long requests are cut at both ends only."""
    if len(raw) <= 2000:
        return [raw[i:i + 1] for i in range(len(raw))]
    middle = raw[300:-300]
    return [*bytewise(raw[:300]), *(middle[i:i + 997] for i in range(0, len(middle), 997)), *bytewise(raw[-300:])]


def at_random(raw):
    rng = random.Random(f"{SEED} {raw!r}")
    cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.randint(1, 8)))
    return [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)]) if a < b]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("malformed")).start()
    yield server
    smuggled = [s for s in ok(server.client().sessions())["sessions"] if s["sessionKey"] != "agent:main:main"]
    server.stop()
    assert not smuggled


@pytest.fixture
def raw(server):
    """A connection. Its events are removed after the test, so that one failure does not cause
    others.
    """
    connection = server.raw()
    yield connection
    connection.close()
    server.client().purge("agent:main:main")


def send(raw, pieces):
    """Sends while the server listens; it may have ended the connection before the last piece."""
    try:
        for piece in pieces:
            if select.select([raw.sock], [], [], 0)[0] and not raw.read_more():
                break
            raw.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass


def final_answer(raw, head):
    """The next answer other than 100, which a server may omit when it already has the body."""
    answer = raw.answer(head)
    return raw.answer(head) if answer is not None and answer.status == 100 else answer


def test_the_table_is_long_enough_and_its_names_are_different():
    assert len(CASES) >= 150
    assert len({c.name for c in CASES}) == len(CASES)


@pytest.mark.parametrize("cut", [whole, bytewise, at_random], ids=lambda cut: cut.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_raw_request_has_its_answer(server, raw, case, cut):
    assert len(server.token) == len(TOKEN)
    send(raw, cut(case.raw.replace(TOKEN, server.token.encode())))
    if case.half_close:
        try:
            raw.half_close()
        except OSError:
            pass  # it has closed already
    for status in case.answers:
        answer = final_answer(raw, case.head)
        assert answer is not None, f"closed instead of {status}"
        assert answer.status == status, answer
        if answer.status >= 400 and not case.head:
            assert answer.headers["content-type"] == "application/problem+json" and answer.json["status"] == answer.status
    if case.closes:
        # a half-close may be seen after the answer has left
        if case.answers and not case.half_close:
            assert answer.headers["connection"] == "close"
        assert raw.closed(), raw.buffer[:200]
    else:
        raw.send(request("GET", "/livez"))
        assert raw.answer().status == 200, "the connection must live on"
    assert b"SMUGGLED" not in server.client().peek("agent:main:main", limit=1000).body


@pytest.mark.parametrize("case", [c for c in CASES if c.name.startswith(("header: ", "coding: ")) and c.closes and c.answers == (400,)][::5], ids=lambda case: case.name)
def test_a_framing_refusal_is_a_bad_request(server, raw, case):
    send(raw, [case.raw.replace(TOKEN, server.token.encode())])
    problem(raw.answer(), 400, "bad-request")


def test_an_answer_waits_for_100_continue(server, raw):
    """The body is sent only after the interim answer."""
    raw.send(request("POST", "/v1/events", server.token, EVENT, [("Expect", "100-continue")])[:-len(EVENT)])
    assert raw.answer().status == 100
    assert raw.is_quiet()
    raw.send(EVENT)
    assert raw.answer().status == 201


def test_pipelined_answers_come_in_order(server, raw):
    """Reads that could be answered at once still come after posts that wait for the disk."""
    key = {"sessionKey": "agent:pipe:main"}
    raw.send(b"".join(request("POST", "/v1/events", server.token, {"text": f"{n}", **key}) + request("GET", "/v1/events?sessionKey=agent:pipe:main", server.token) for n in range(50)))
    for n in range(50):
        assert raw.answer().json["event"]["text"] == f"{n}"
        assert raw.answer().json["depth"] == n + 1
    ok(server.client().purge("agent:pipe:main"))


def test_a_pipeline_has_a_bound_but_everything_is_answered(raw):
    """More requests than the bound: the server stops reading until answers have left, and loses
    none.
    """
    raw.send(request("GET", "/livez") * 3000)
    for _ in range(3000):
        assert raw.answer().status == 200


def test_a_head_has_the_headers_of_a_get(raw):
    raw.send(request("GET", "/version") + request("HEAD", "/version"))
    got, head = raw.answer(), raw.answer(head=True)
    assert head.status == got.status and head.headers["content-length"] == got.headers["content-length"]
    assert {k: v for k, v in head.headers.items() if k != "date"} == {k: v for k, v in got.headers.items() if k != "date"}
    assert raw.is_quiet()
