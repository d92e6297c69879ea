"""POST /v1/events: one event, a batch, a stream of lines."""
import json
import time

import pytest

from policies import MAIN
from sevqd import ok, problem, request


def test_an_answer_has_the_stored_event(api):
    before = int(time.time() * 1000)
    answer = ok(api.enqueue("Exec completed (build, code 0)", MAIN, source="exec-event", contextKey="Cron:Nightly", wake="now",
        deliveryContext={"channel": "Telegram", "to": " 123 ", "threadId": 42.0}, traceparent="00-0af7-b7ad-01"), 201)
    assert answer["outcome"] == "queued"
    event = answer["event"]
    assert isinstance(event["id"], str) and event["id"]
    assert before <= event["ts"] <= int(time.time() * 1000)
    assert {k: event[k] for k in ("sessionKey", "originalSessionKey", "rule", "text", "contextKey", "source", "wake", "attempts", "state",
        "deliveryContext", "traceparent")} == {
        "sessionKey": MAIN, "originalSessionKey": MAIN, "rule": "keep", "text": "Exec completed (build, code 0)",
        "contextKey": "cron:nightly", "source": "exec-event", "wake": "now", "attempts": 0, "state": "queued",
        "deliveryContext": {"channel": "telegram", "to": "123", "threadId": 42}, "traceparent": "00-0af7-b7ad-01"}
    assert ok(api.find(event["id"]))["event"] == event
    assert ok(api.peek(MAIN))["events"] == [event]
    assert ok(api.drain(MAIN))["events"][0] == {**event, "state": "drained"}


def test_a_plain_event_has_defaults(api):
    event = ok(api.enqueue("hello", MAIN), 201)["event"]
    assert event["contextKey"] is None and event["wake"] == "next-heartbeat"
    assert all(event[name] is None for name in ("deliveryContext", "source", "traceparent", "expiresAt"))


def test_text_is_trimmed_and_otherwise_unchanged(api):
    text = "zwei\nZeilen\t\u0085 \u200b \"q\" \\ / \b\f \x7f e\u0301 \ufffd \U0001f600 \u2028 inside"
    event = ok(api.enqueue("\u00a0\u3000 " + text + "\r\n\ufeff", MAIN), 201)["event"]
    assert event["text"] == text
    assert api.texts(MAIN) == [text]


def test_an_escaped_text_and_a_plain_one_are_the_same(api):
    api.call("POST", "/v1/events", rb'{"sessionKey":"agent:main:main","text":"\u00e9\ud83d\ude00\/"}')
    assert api.texts(MAIN) == ["\u00e9\U0001f600/"]


def test_ids_ascend_and_time_never_goes_back(api):
    events = [ok(api.enqueue(f"event {n}", MAIN), 201)["event"] for n in range(20)]
    assert sorted(int(e["id"]) for e in events) == [int(e["id"]) for e in events]
    assert len({e["id"] for e in events}) == 20
    assert sorted(e["ts"] for e in events) == [e["ts"] for e in events]


def test_an_agent_alone_means_its_main_session(api):
    event = ok(api.enqueue("hello", agentId="Ops"), 201)["event"]
    assert event["sessionKey"] == "agent:ops:main"


def test_a_blank_optional_field_is_like_a_missing_one(api):
    event = ok(api.enqueue("hello", MAIN, agentId=" ", channel="", accountId="  ", contextKey="  ", source=" "), 201)["event"]
    assert event["contextKey"] is None and event.get("source") is None


def test_an_agent_that_agrees_with_the_key_is_accepted(api):
    assert ok(api.enqueue("hello", "agent:ops:main", agentId="OPS"), 201)["event"]["sessionKey"] == "agent:ops:main"


@pytest.mark.parametrize("body, pointer", [
    ({"sessionKey": MAIN}, "/text"),
    ({"sessionKey": MAIN, "text": ""}, "/text"),
    ({"sessionKey": MAIN, "text": " \u3000\n"}, "/text"),
    ({"sessionKey": MAIN, "text": 1}, "/text"),
    ({"sessionKey": MAIN, "text": None}, "/text"),
    ({"sessionKey": MAIN, "text": ["x"]}, "/text"),
    ({"sessionKey": MAIN, "text": "x" * 65537}, "/text"),
    ({"sessionKey": 7, "text": "x"}, "/sessionKey"),
    ({"sessionKey": "agent:main:" + "x" * 1024, "text": "x"}, "/sessionKey"),
    ({"agentId": {}, "text": "x"}, "/agentId"),
    ({"agentId": "a" * 257, "text": "x"}, "/agentId"),
    ({"sessionKey": MAIN, "text": "x", "channel": 1}, "/channel"),
    ({"sessionKey": MAIN, "text": "x", "channel": "c" * 257}, "/channel"),
    ({"sessionKey": MAIN, "text": "x", "accountId": []}, "/accountId"),
    ({"sessionKey": MAIN, "text": "x", "contextKey": 5}, "/contextKey"),
    ({"sessionKey": MAIN, "text": "x", "contextKey": "c" * 513}, "/contextKey"),
    ({"sessionKey": MAIN, "text": "x", "deliveryContext": "telegram"}, "/deliveryContext"),
    ({"sessionKey": MAIN, "text": "x", "source": "s" * 65}, "/source"),
    ({"sessionKey": MAIN, "text": "x", "source": True}, "/source"),
    ({"sessionKey": MAIN, "text": "x", "replace": True}, "/replace"),
    ({"sessionKey": MAIN, "text": "x", "contextKey": "c", "replace": "yes"}, "/replace"),
    ({"sessionKey": MAIN, "text": "x", "allowDuplicate": 1}, "/allowDuplicate"),
    ({"sessionKey": MAIN, "text": "x", "wake": "later"}, "/wake"),
    ({"sessionKey": MAIN, "text": "x", "wake": 1}, "/wake"),
    ({"sessionKey": MAIN, "text": "x", "traceparent": "t" * 129}, "/traceparent"),
    ({"sessionKey": MAIN, "text": "x", "txet": "y"}, "/txet"),
    ({"sessionKey": MAIN, "text": "x", "Text": "y"}, "/Text"),
    ({"sessionKey": MAIN, "text": "x", "a/b~c": 1}, "/a~1b~0c"),
    ({"sessionKey": MAIN, "text": "x", "id": "7"}, "/id"),
], ids=lambda v: None if isinstance(v, dict) else v[1:])
def test_a_bad_field_is_named_and_nothing_is_stored(api, body, pointer):
    problem(api.call("POST", "/v1/events", body), 400, "invalid-field", pointer)
    assert api.stats()["pending"] == 0


@pytest.mark.parametrize("text, context, source", [("x" * 65536, "c" * 512, "s" * 64), ("\u20ac" * 21845 + "x", "\u20ac" * 170 + "cc", "\u20ac" * 21 + "s")])
def test_a_limit_itself_is_allowed(api, text, context, source):
    event = ok(api.enqueue(text, MAIN, contextKey=context, source=source), 201)["event"]
    assert event["text"] == text and event["contextKey"] == context and event["source"] == source


def test_limits_count_bytes_of_the_trimmed_text(api):
    ok(api.enqueue("  " + "x" * 65536 + "  ", MAIN), 201)
    problem(api.enqueue("\u20ac" * 21846, MAIN), 400, "invalid-field", "/text")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"1"])
def test_a_body_that_is_no_object_is_refused(api, body):
    problem(api.call("POST", "/v1/events", body), 400, "invalid-field")


@pytest.mark.parametrize("fields", [{"text": "x"}, {"text": "x", "sessionKey": None}])
def test_an_event_needs_an_address(api, fields):
    """Without sessionKey and agentId there is no key to route."""
    reply = api.call("POST", "/v1/events", fields)
    assert reply.status == 400 and reply.json["code"] in ("blank-key", "invalid-field"), reply


# A batch: all or nothing, answered in order.

def test_a_batch_answers_in_order(api):
    answer = ok(api.batch({"text": "one", "sessionKey": MAIN}, {"text": "two", "sessionKey": "agent:ops:main"}, {"text": "one", "sessionKey": MAIN}))
    assert [r["outcome"] for r in answer["results"]] == ["queued", "queued", "duplicate"]
    assert [r["event"]["text"] for r in answer["results"]] == ["one", "two", "one"]
    assert answer["results"][0]["event"]["id"] == answer["results"][2]["event"]["id"]
    assert api.texts(MAIN) == ["one"] and api.texts("agent:ops:main") == ["two"]


def test_a_batch_sees_its_own_earlier_events(api):
    answer = ok(api.batch({"text": "a", "sessionKey": MAIN, "contextKey": "c"}, {"text": "b", "sessionKey": MAIN, "contextKey": "c", "replace": True}))
    assert [r["outcome"] for r in answer["results"]] == ["queued", "replaced"]
    assert api.texts(MAIN) == ["b"]


def test_one_bad_event_refuses_the_whole_batch_and_says_which(api):
    events = [{"text": f"event {n}", "sessionKey": MAIN} for n in range(5)]
    events[3]["text"] = " "
    problem(api.batch(*events), 400, "invalid-field", "/events/3/text")
    assert api.texts(MAIN) == []
    events[3] = {"text": "x", "sessionKey": MAIN, "colour": "red"}
    problem(api.batch(*events), 400, "invalid-field", "/events/3/colour")
    events[3] = "x"
    problem(api.batch(*events), 400, "invalid-field", "/events/3")
    assert api.texts(MAIN) == []


@pytest.mark.parametrize("bad, status, code", [
    ({"text": "x", "sessionKey": " "}, 400, "blank-key"),
    ({"text": "x", "sessionKey": "agent:main:"}, 400, "malformed-key"),
    ({"text": "x", "sessionKey": MAIN, "agentId": "ops"}, 409, "owner-mismatch"),
])
def test_a_key_that_does_not_route_refuses_the_whole_batch(api, bad, status, code):
    answer = problem(api.batch({"text": "good", "sessionKey": MAIN}, bad), status, code)
    assert all(e["pointer"].startswith("/events/1") for e in answer["errors"]), answer
    assert api.texts(MAIN) == []


@pytest.mark.parametrize("body, pointer", [({"events": []}, "/events"), ({"events": {}}, "/events"), ({"events": None}, "/events"),
    ({"events": [{"text": "x", "sessionKey": MAIN}], "text": "y"}, None), ({"events": [{"text": "x", "sessionKey": MAIN}], "more": 1}, "/more")])
def test_a_batch_is_an_object_with_events_and_nothing_else(api, body, pointer):
    problem(api.call("POST", "/v1/events", body), 400, "invalid-field", pointer)
    assert api.texts(MAIN) == []


def test_a_thousand_events_go_in_one_batch(api):
    answer = ok(api.batch(*({"text": f"event {n}", "sessionKey": MAIN} for n in range(1000))))
    assert len(answer["results"]) == 1000
    assert api.texts(MAIN) == [f"event {n}" for n in range(1000)]


# Lines.

def test_lines_are_a_batch(api):
    answer = ok(api.ndjson("".join(json.dumps({"text": f"line {n}", "sessionKey": MAIN}) + "\n" for n in range(3))))
    assert [r["event"]["text"] for r in answer["results"]] == ["line 0", "line 1", "line 2"]
    assert api.texts(MAIN) == ["line 0", "line 1", "line 2"]


@pytest.mark.parametrize("body", [
    b'{"text":"a","sessionKey":"agent:main:main"}\r\n{"text":"b","sessionKey":"agent:main:main"}\r\n',
    b'{"text":"a","sessionKey":"agent:main:main"}\n{"text":"b","sessionKey":"agent:main:main"}',
    b'\n{"text":"a","sessionKey":"agent:main:main"}\n\n \t\n{"text":"b","sessionKey":"agent:main:main"}\n\n',
], ids=["crlf", "no-final-newline", "blank-lines"])
def test_line_ends_and_blank_lines_do_not_matter(api, body):
    ok(api.ndjson(body))
    assert api.texts(MAIN) == ["a", "b"]


def test_one_bad_line_refuses_all_and_says_which(api):
    good = json.dumps({"text": "x", "sessionKey": MAIN}).encode() + b"\n"
    problem(api.ndjson(good * 3 + b'{"sessionKey":"agent:main:main","text":" "}\n'), 400, "invalid-field", "/3/text")
    problem(api.ndjson(good * 3 + b'{"sessionKey":"agent:main:main","text":\n' + good), 400, "invalid-json")
    problem(api.ndjson(good + b'[]\n'), 400, "invalid-field", "/1")
    assert api.texts(MAIN) == []


def test_lines_without_any_event_are_refused(api):
    problem(api.ndjson(b"\n\n"), 400, "invalid-field")


# Strict JSON.

@pytest.mark.parametrize("body", [
    b"", b" ", b"{", b'{"text":"x",}', b"{'text':'x'}", b'{text:"x"}', b'{"text":"x"} x', b'{"text":"x"}{}', b'{"text":"\\u0000"}', b'{"text":"\x01"}',
    b'{"text":"\xff"}', b'{"text":"\xed\xa0\x80"}', b'{"text":"\\ud800"}', b'{"text":"\\x"}', b'{"text":01}', b'{"text":+1}', b'{"text":.5}',
    b'{"text":NaN}', b'{"text":"a","text":"b"}', b'{"text":"a","\\u0074ext":"b"}', b'\xef\xbb\xbf{"text":"x"}', b'{"text":"x" /* c */}',
    b'{"a":' * 40 + b"1" + b"}" * 40, b"[" * 100000, b'{"text":"x"\x00}', b"tru",
], ids=lambda b: repr(b[:24])[2:-1])
def test_what_is_not_json_is_refused_with_its_place(api, body):
    doc = problem(api.call("POST", "/v1/events", body), 400, "invalid-json")
    assert "line" in doc["detail"], doc
    assert api.stats()["pending"] == 0


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "text/json", ""])
def test_only_json_is_taken(api, kind):
    problem(api.call("POST", "/v1/events", {"text": "x", "sessionKey": MAIN}, kind=kind), 415, "unsupported-media-type")
    assert api.texts(MAIN) == []


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"])
def test_the_content_type_may_name_utf_8(api, kind):
    ok(api.call("POST", "/v1/events", {"text": "x", "sessionKey": MAIN}, kind=kind), 201)


# The header traceparent.

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def trace_of(api, *headers, **fields):
    """What is stored for an event that is posted with these headers."""
    body = json.dumps({"text": "x", "sessionKey": MAIN, "allowDuplicate": True, **fields}).encode()
    reply = api.call("POST", "/v1/events", body, headers=headers)
    return ok(reply, 201)["event"]["traceparent"]


@pytest.mark.parametrize("value", [TRACE, "01" + TRACE[2:], "cc" + TRACE[2:] + "-more", "00" + TRACE[2:-2] + "ff"])
def test_the_header_is_taken_where_the_field_is_absent(server, value):
    api = server.client()
    assert trace_of(api, ("traceparent", value)) == value
    assert trace_of(api, ("TraceParent", value), traceparent=None) == value
    assert trace_of(api, ("traceparent", value), traceparent="its own") == "its own"
    said = ok(api.call("POST", "/v1/events", {"events": [{"text": "a", "sessionKey": MAIN, "traceparent": "b"}, {"text": "c", "sessionKey": MAIN}]},
        headers={"traceparent": value}))
    assert [result["event"]["traceparent"] for result in said["results"]] == ["b", value]


@pytest.mark.parametrize("value", ["", "x", TRACE[:-1], TRACE + "0", TRACE + "-more", TRACE.upper(), "ff" + TRACE[2:], TRACE.replace("-", "_"),
    "00-" + "0" * 32 + TRACE[35:], TRACE[:36] + "0" * 16 + TRACE[52:], "cc" + TRACE[2:] + "more", "cc" + TRACE[2:] + "-" + "x" * 200, TRACE + ", " + TRACE])
def test_a_header_that_is_no_traceparent_is_null_and_no_error(server, value):
    assert trace_of(server.client(), ("traceparent", value)) is None


def test_of_several_headers_none_counts(server):
    raw = server.raw()
    body = b'{"text":"x","sessionKey":"agent:main:main"}'
    raw.send(request("POST", "/v1/events", server.token, body, headers=[("traceparent", TRACE)] * 2))
    assert ok(raw.answer(), 201)["event"]["traceparent"] is None


def test_the_webhook_takes_the_header_too(start):
    server = start(policy={"hooks": {"enabled": True}})
    api = server.client()
    assert api.call("POST", "/hooks/wake", {"text": "x"}, headers={"traceparent": TRACE}).status == 200
    assert ok(api.peek("main"))["events"][0]["traceparent"] == TRACE
