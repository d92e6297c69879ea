"""Every call of the clients against a real server, and how calls fail and are repeated."""
import json
import re
import threading
import time

import pytest

from fake_server import CLOSE, SILENCE, FakeServer, answer
from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import ok, wait_until

EVENT = {"id": "9007199254740993", "sessionKey": MAIN, "text": "x", "ts": 1}
QUEUED = answer({"results": [{"outcome": "queued", "event": EVENT}]})
KEYED = answer({"outcome": "queued", "event": EVENT}, "201 Created")
READY = answer({"sessionKey": MAIN, "ready": True, "depth": 1})
ACKED = answer({"leaseId": "7", "acked": 1, "remaining": 0})
LEASED = answer({"leaseId": "7", "sessionKey": MAIN, "expiresAt": 1, "events": [], "remaining": 0})
EMPTY = answer({"sessionKey": MAIN, "events": [], "remaining": 0})


def full(after="1", status="429 Too Many Requests", code="queue-full"):
    problem = {"code": code, "status": int(status[:3]), "detail": "the session is full"}
    headers = [("Retry-After", after)] if after else []
    return answer(problem, status, "application/problem+json", headers)


@pytest.fixture
def talk(talker, make):
    """Calls on a real server with one owner."""
    server = make(policy=ONE_OWNER).start()
    found = {"baseUrl": f"http://127.0.0.1:{server.port}", "token": server.token}

    def talk(*calls, **client):
        return talker.talk(*calls, **{**found, **client})

    talk.server = server
    return talk


def answers(outcomes):
    assert [each for each in outcomes if "answer" not in each] == []
    return [each["answer"] for each in outcomes]


# Against a real server.


def test_producing_and_looking(talk):
    context = {"channel": "telegram", "threadId": "7"}
    event = {"sessionKey": DIRECT, "text": "one é\n\"two\"", "contextKey": "c", "deliveryContext": context}
    first, again, keyed, replayed, both, peeked, route, history, listed = answers(talk(
        ["enqueue", event],
        ["enqueue", event],
        ["enqueue", {**event, "idempotencyKey": 'the "key" \\'}],
        ["enqueue", {**event, "idempotencyKey": 'the "key" \\'}],
        ["enqueueBatch", [{"agentId": "main", "text": "a"}, {"sessionKey": MAIN, "text": "b"}], {}],
        ["peek", {"sessionKey": MAIN, "limit": 1}],
        ["route", {"sessionKey": DIRECT}],
        ["history", {"sessionKey": MAIN}],
        ["call", "GET", "/v1/sessions", {"agentId": "main"}],
        retryFor=10,
    ))
    assert (first["outcome"], again["outcome"], keyed["outcome"]) == ("queued", "duplicate", "queued")
    assert first["event"]["text"] == event["text"] and first["event"]["sessionKey"] == MAIN
    assert first["event"]["deliveryContext"] == context
    assert again["event"]["id"] == first["event"]["id"] and replayed == keyed
    assert [each["event"]["text"] for each in both] == ["a", "b"]
    assert peeked["events"][0]["id"] == first["event"]["id"] and peeked["depth"] == 4 and peeked["more"]
    assert route["sessionKey"] == MAIN and route["rule"] == "direct-main"
    assert history["events"] == [] and listed["sessions"][0]["depth"] == 4


def test_taking_under_a_lease(talk):
    server = talk.server
    api = server.client()
    for text in ("a", "b", "c"):
        ok(api.enqueue(text, MAIN), 201)
    waited, lease = answers(talk(
        ["wait", {"sessionKey": DIRECT, "timeoutMs": 60000}],
        ["lease", {"sessionKey": DIRECT, "limit": 3, "leaseMs": 30000, "format": "prompt", "consumer": "me"}],
    ))
    assert waited["ready"] and waited["depth"] == 3
    ids = [event["id"] for event in lease["events"]]
    assert "a\n" in lease["block"] and len(ids) == 3
    ok(api.withdraw(ids[1]))
    acked, extended, nacked, gone, drained, empty, nothing = answers(talk(
        ["ack", lease["leaseId"], {"ids": ids[:2]}],
        ["extend", lease["leaseId"], {"leaseMs": 60000}],
        ["nack", lease["leaseId"], {"ids": ids[2:], "reason": "later", "countAttempt": False}],
        ["ack", lease["leaseId"], {"ids": ids[1:2]}],
        ["drain", {"sessionKey": MAIN, "limit": 5}],
        ["wait", {"sessionKey": MAIN, "timeoutMs": 0}],
        ["lease", {"sessionKey": MAIN}],
    ))
    assert acked["acked"] == 1 and acked["gone"] == ids[1:2]
    assert extended["extended"] == 1 and extended["expiresAt"] > lease["expiresAt"]
    assert nacked["nacked"] == 1 and gone["gone"] == ids[1:2]
    assert [event["text"] for event in drained["events"]] == ["c"]
    assert not empty["ready"] and nothing["leaseId"] is None
    assert api.timeline(ids[2]) == ["queued", "leased", "extended", "returned", "drained"]
    lost, unknown = talk(["ack", lease["leaseId"], {"ids": ids[2:]}], ["nack", "999999", {}])
    assert (lost["code"], lost["status"], unknown["code"]) == ("conflict", 409, "not-found")


def test_wakeups_come_with_ids_that_a_later_stream_may_continue(talk):
    for key in ("agent:a:main", "agent:b:main", "agent:b:x"):
        ok(talk.server.client().enqueue("x", key), 201)
    first, = answers(talk(["stream", 2, {"prefix": "agent:b"}]))
    assert {wake["sessionKey"] for wake in first} == {"agent:b:main", "agent:b:x"}
    assert int(first[0]["id"]) < int(first[1]["id"])
    assert all(re.fullmatch(r"\d{16}", wake["id"]) for wake in first)
    again, = answers(talk(["stream", 1, {"agentId": "a", "lastEventId": first[1]["id"]}]))
    assert again[0]["sessionKey"] == "agent:a:main" and int(again[0]["id"]) > int(first[1]["id"])


def test_a_problem_is_told_in_words(talk):
    missing, wrong, blank, unknown = talk(
        ["enqueue", {"text": "x"}],
        ["lease", {"sessionKey": MAIN, "leaseMs": -1}],
        ["peek", {"sessionKey": " "}],
        ["call", "GET", "/v1/nothing", {}],
    )
    assert missing["code"] == "invalid-field" and missing["status"] == 400
    assert wrong["message"] == "must be an integer from 1 to 3600000 (/leaseMs)"
    assert wrong["problem"]["errors"][0]["pointer"] == "/leaseMs"
    assert (blank["code"], unknown["code"]) == ("blank-key", "not-found")
    refused, = talk(["peek", {"sessionKey": MAIN}], token="wrong")
    assert refused["code"] == "unauthorized" and "SEVQ_TOKEN_FILE" in refused["message"]


def test_texts_of_every_kind_arrive_as_they_are(talk):
    texts = ["a\u2028\U0001f600 é", "\\\"\u0001", "x" * 65536]
    got = answers(talk(*[["enqueue", {"sessionKey": MAIN, "text": text}] for text in texts]))
    assert [each["event"]["text"] for each in got] == texts
    refused, = talk(["enqueue", {"sessionKey": MAIN, "text": "\ud800"}])
    assert refused["status"] == 400


def test_a_client_survives_a_restart_of_its_server(talker, make):
    """The connection that it keeps is gone, and so is the port meanwhile."""
    server = make("--listen", "127.0.0.1:0").start()
    server.flags = ["--listen", f"127.0.0.1:{server.port}"]

    def restart():
        wait_until(lambda: server.client().stats()["pending"] >= 50, "some events")
        server.kill()
        server.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    found = {"baseUrl": f"http://127.0.0.1:{server.port}", "token": server.token, "retryFor": 20}
    events = [["enqueue", {"sessionKey": MAIN, "text": f"text {n}"}] for n in range(400)]
    answers(talker.talk(*events, **found))
    restarting.join()
    assert server.client().texts(MAIN) == [f"text {n}" for n in range(400)]


# Against a server that fails on purpose.


def bodies(fake):
    return [json.loads(body) if body else None for _, _, _, body in fake.requests]


def keys(fake):
    return [headers.get("idempotency-key") for _, _, headers, _ in fake.requests]


@pytest.mark.parametrize("call, success", (
    (["enqueue", {"sessionKey": MAIN, "text": "x"}], QUEUED),
    (["enqueue", {"sessionKey": MAIN, "text": "x", "idempotencyKey": "k"}], KEYED),
    (["enqueueBatch", [{"sessionKey": MAIN, "text": "x"}], {}], QUEUED),
    (["drain", {"sessionKey": MAIN}], EMPTY),
    (["lease", {"sessionKey": MAIN}], LEASED),
    (["ack", "7", {}], ACKED),
    (["extend", "7", {}], ACKED),
    (["route", {"sessionKey": MAIN}], ACKED),
    (["wait", {"sessionKey": MAIN}], READY),
    (["peek", {"sessionKey": MAIN}], EMPTY),
), ids=lambda part: part[0] if isinstance(part, list) else "")
@pytest.mark.parametrize("failure", (CLOSE, full(after=None), full(None, "503 Service Unavailable", "closing")),
    ids=("lost", "full", "closing"))
def test_what_is_safe_is_sent_again_unchanged(talker, call, success, failure):
    with FakeServer(failure, failure, success) as fake:
        said, = talker.talk(call, baseUrl=fake.url, retryFor=10)
    assert "answer" in said
    assert len(fake.requests) == 3
    assert len({(method, target, body) for method, target, _, body in fake.requests}) == 1
    assert len(set(keys(fake))) == 1
    if call[0] in ("enqueueBatch", "drain", "lease"):
        assert len(keys(fake)[0]) > 20


@pytest.mark.parametrize("call", (["nack", "7", {}], ["call", "DELETE", "/v1/events/7", {}]), ids=("nack", "delete"))
def test_what_is_not_safe_is_sent_again_only_if_nothing_was_changed(talker, call):
    with FakeServer(full(after=None), ACKED) as fake:
        assert "answer" in talker.talk(call, baseUrl=fake.url, retryFor=10)[0]
    for lost in (CLOSE, answer(b"<h1>502</h1>", "502 Bad Gateway", "text/html")):
        with FakeServer(lost, ACKED) as fake:
            assert talker.talk(call, baseUrl=fake.url, retryFor=10)[0]["code"] == "lost"
        assert len(fake.requests) == 1


def test_a_refusal_is_not_repeated(talker):
    with FakeServer(full(None, "409 Conflict", "conflict"), QUEUED) as fake:
        said, = talker.talk(["enqueue", {"text": "x"}], baseUrl=fake.url, retryFor=10)
    assert said["code"] == "conflict" and len(fake.requests) == 1


def test_without_retries_there_is_one_attempt_and_no_key(talker):
    with FakeServer(CLOSE, QUEUED) as fake:
        said, = talker.talk(["enqueue", {"text": "x"}], baseUrl=fake.url)
    assert said["code"] == "lost" and keys(fake) == [None]


def test_each_call_has_a_key_of_its_own(talker):
    with FakeServer(QUEUED, QUEUED) as fake:
        talker.talk(["enqueue", {"text": "x"}], ["enqueue", {"text": "x"}], baseUrl=fake.url, retryFor=10)
    assert len(set(keys(fake))) == 2


def test_the_server_says_when_to_come_again(talker):
    with FakeServer(full("1"), QUEUED) as fake:
        began = time.monotonic()
        said, = talker.talk(["enqueue", {"text": "x"}], baseUrl=fake.url, retryFor=10)
    assert "answer" in said and time.monotonic() - began >= 1
    with FakeServer(full("3600"), full("Fri, 01 Jan 2100 00:00:00 GMT"), QUEUED) as fake:
        said = talker.talk(["enqueue", {"text": "x"}], ["enqueue", {"text": "x"}], baseUrl=fake.url, retryFor=10)
    assert [each["code"] for each in said] == ["queue-full"] * 2 and len(fake.requests) == 2
    assert [each["retryAfter"] for each in said] == [3600, 3600]


def test_attempts_end(talker):
    with FakeServer(*[full(after=None)] * 100) as fake:
        began = time.monotonic()
        said, = talker.talk(["enqueue", {"text": "x"}], baseUrl=fake.url, retryFor=2)
    assert said["code"] == "queue-full" and 2 <= len(fake.requests) < 10
    assert time.monotonic() - began < 10


def test_a_silent_server_is_given_up(talker):
    with FakeServer(SILENCE) as fake:
        assert talker.talk(["enqueue", {"text": "x"}], baseUrl=fake.url, timeout=0.2)[0]["code"] == "timed-out"


def test_without_a_server_nothing_was_sent(talker):
    with FakeServer() as fake:
        pass
    for url in (fake.url, "unix:/nonexistent/s", "http://name.invalid:1"):
        said, = talker.talk(["enqueue", {"text": "x"}], baseUrl=url)
        assert said["code"] == "unreachable" and url in said["message"]


def test_the_connection_is_kept(talker):
    with FakeServer(QUEUED, KEYED, QUEUED) as fake:
        keyed = ["enqueue", {"text": "x", "idempotencyKey": "k"}]
        answers(talker.talk(["enqueue", {"text": "x"}], keyed, ["enqueue", {"text": "x"}], baseUrl=fake.url))
    assert fake.connections == 1


@pytest.mark.parametrize("said", (
    answer(b"{"),
    answer(b"[]"),
    answer(b""),
    answer({}, kind="text/html"),
    answer({}, kind=None),
    answer({"code": "queue-full"}, "429 Too Many Requests", "application/json"),
    answer({"detail": "x"}, "400 Bad Request", "application/problem+json"),
    answer(b"", "302 Found", headers=[("Location", "/v1/stats")]),
    b"SSH-2.0-OpenSSH_9.2\r\n",
), ids=repr)
def test_what_is_no_sevqd_is_recognised(talker, said):
    with FakeServer(said) as fake:
        assert talker.talk(["wait", {"sessionKey": MAIN}], baseUrl=fake.url)[0]["code"] == "bad-answer"
    assert len(fake.requests) == 1


@pytest.mark.parametrize("said", (
    answer({"code": "closing", "errors": [1, None, {}], "detail": 5}, "400 Bad Request", "application/problem+json"),
    answer({"code": "unauthorized", "errors": "x", "title": []}, "401 Unauthorized", "application/problem+json"),
    answer({"code": 5}, "400 Bad Request", "application/problem+json"),
    answer(b"[" * 100000, "400 Bad Request", "application/problem+json"),
    answer(b"[" * 100000),
    answer({"results": []}),
    answer({"results": 5}),
    full("9" * 4000),
    full("9" * 5000),
    full("Fri, 99 Foo 9999 99:99:99 GMT", "403 Forbidden", "forbidden"),
), ids=lambda said: repr(said)[:80])
def test_an_answer_of_any_form_is_an_answer_or_an_error(talker, said):
    with FakeServer(said) as fake:
        assert talker.talk(["enqueue", {"text": "x"}], baseUrl=fake.url)[0]["code"]


def test_an_id_that_cannot_be_sent_back_is_passed_over(talker):
    block = 'id: a\x07é\nevent: wake\ndata: {"sessionKey":"k","depth":2}\n\n'.encode()
    with FakeServer(stream(wake(1), block), stream(wake(3))) as fake:
        heard, = answers(talker.talk(["stream", 3, {}], baseUrl=fake.url, retryFor=10))
    assert [each["id"][-1] for each in heard] == ["3", "3", "5"]


def test_an_answer_that_is_cut_is_lost(talker):
    with FakeServer(answer(b'{"ready": true}', length=500)) as fake:
        assert talker.talk(["wait", {"sessionKey": MAIN}], baseUrl=fake.url)[0]["code"] == "lost"


def test_ids_beyond_what_a_double_holds_stay_exact(talker):
    lease = answer({"leaseId": "9007199254740995", "sessionKey": MAIN, "expiresAt": 1, "events": [EVENT], "remaining": 0})
    with FakeServer(QUEUED, lease, ACKED) as fake:
        queued, leased, _ = answers(talker.talk(
            ["enqueue", {"text": "x"}],
            ["lease", {"sessionKey": MAIN}],
            ["ack", "9007199254740995", {"ids": ["9007199254740993"]}],
            baseUrl=fake.url,
        ))
    assert queued["event"]["id"] == leased["events"][0]["id"] == "9007199254740993"
    assert leased["leaseId"] == "9007199254740995"
    assert fake.requests[2][1] == "/v1/leases/9007199254740995/ack"
    assert bodies(fake)[2] == {"ids": ["9007199254740993"]}


def stream(*blocks, status="200 OK", kind="text/event-stream"):
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
    return head.encode() + b"".join(blocks)


def wake(number, end=b"\n"):
    lines = [b"id: %d" % (9007199254740992 + number), b"event: wake", b'data: {"sessionKey":"k",', b'data:"depth":%d}' % number]
    return end.join(lines) + end * 2


def test_a_stream_that_ends_is_continued_behind_its_last_wakeup(talker):
    first = stream(b"retry: 2000\n\n: ping\n\n", wake(1), b"event: other\ndata: x\n\n", wake(3)[:40])
    second = stream(wake(5, b"\r\n"), wake(7))
    with FakeServer(first, full(after=None), second) as fake:
        heard, = answers(talker.talk(["stream", 3, {"prefix": "a b", "coalesceMs": 5}], baseUrl=fake.url, retryFor=10))
    assert [(each["id"], each["depth"]) for each in heard] == [
        ("9007199254740993", 1), ("9007199254740997", 5), ("9007199254740999", 7)]
    assert [headers.get("last-event-id") for _, _, headers, _ in fake.requests] == [None] + ["9007199254740993"] * 2
    assert {target for _, target, _, _ in fake.requests} == {"/v1/stream?prefix=a%20b&coalesceMs=5"}


@pytest.mark.parametrize("said, code", (
    (stream(b"event: wake\ndata: {\n\n"), "bad-answer"),
    (stream(b"data: " + b"x" * (2 << 20)), "bad-answer"),
    (stream(*[b"data: " + b"x" * 600000 + b"\n"] * 2), "bad-answer"),
    (stream(wake(1), kind="text/html"), "bad-answer"),
    (stream(), "lost"),
    (answer({}), "bad-answer"),
    (full(None, "403 Forbidden", "forbidden"), "forbidden"),
), ids=lambda part: repr(part)[:60])
def test_streams_that_are_malformed_or_refused_are_errors(talker, said, code):
    with FakeServer(said) as fake:
        assert talker.talk(["stream", 1, {}], baseUrl=fake.url)[0]["code"] == code


def test_a_stream_that_falls_silent_is_left(talker):
    silence = {"python": {"silence": 0.2}, "node": {"silenceMs": 200}}[talker.name]
    with FakeServer(SILENCE, stream(wake(1))) as fake:
        heard, = answers(talker.talk(["stream", 1, silence], baseUrl=fake.url, retryFor=10))
    assert len(fake.requests) == 2 and heard[0]["depth"] == 1
