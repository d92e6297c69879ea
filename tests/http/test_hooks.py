"""POST /hooks/wake: OpenClaw's webhook, so that its senders need only change the host."""
import hashlib
import json
import random
import signal

import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import Client, Stream, ok, request

HOOK = "/hooks/wake"


def wake(api, body, **options):
    return api.call("POST", HOOK, body, **options)


def refused(reply, status):
    """Asserts a refusal in OpenClaw's own form; returns its message."""
    assert reply.status == status and reply.headers["content-type"] == "application/json", reply
    doc = reply.json
    assert set(doc) == {"ok", "error"} and doc["ok"] is False and isinstance(doc["error"], str) and doc["error"], doc
    return doc["error"]


def test_a_hook_is_an_event_for_the_main_session(server, api):
    stream = Stream(server, "?coalesceMs=60000")
    assert ok(wake(api, {"text": "mail has come"})) == {"ok": True, "mode": "now", "eventOutcome": "queued"}
    [event] = ok(api.peek(MAIN))["events"]
    assert (event["text"], event["source"], event["wake"], event["sessionKey"]) == ("mail has come", "hook", "now", MAIN)
    assert stream.wake()["wake"] == "now"


def test_what_is_already_queued_is_coalesced(api):
    ok(wake(api, {"text": "x"}))
    assert ok(wake(api, {"text": "x"}))["eventOutcome"] == "coalesced"
    assert api.texts(MAIN) == ["x"]


@pytest.mark.parametrize("sent", ["now", "whenever", "", " next-heartbeat", "Next-Heartbeat", None, True, False, 0, 1.5, ["next-heartbeat"], {}], ids=repr)
def test_the_mode_is_now_unless_it_is_next_heartbeat(api, sent):
    assert ok(wake(api, {"text": "x", "mode": sent}))["mode"] == "now"
    assert ok(api.peek(MAIN))["events"][0]["wake"] == "now"


def test_an_event_can_wait_for_the_next_heartbeat(api):
    assert ok(wake(api, {"text": "x", "mode": "next-heartbeat"}))["mode"] == "next-heartbeat"
    assert ok(api.peek(MAIN))["events"][0]["wake"] == "next-heartbeat"


@pytest.mark.parametrize("fields, key", [({"sessionKey": DIRECT}, MAIN), ({"agentId": " Main "}, MAIN), ({"sessionKey": "hook:x"}, "agent:main:hook:x"),
    ({"sessionKey": "agent:main:x", "agentId": "main"}, "agent:main:x")], ids=str)
def test_a_hook_is_routed(start, fields, key):
    api = start(policy=ONE_OWNER).client()
    ok(wake(api, {"text": "x", **fields}))
    assert api.texts(key) == ["x"]


def test_fields_that_openclaw_ignores_are_ignored(api):
    assert ok(wake(api, '{"text":"x","deliver":true,"channel":"last"}', kind="text/plain"))["ok"]
    assert ok(wake(api, b'{"text":"y"}', kind=None))["ok"]


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": " \n"}, {"text": None}, {"text": 5}, {"text": ["x"]}, {"text": "x", "sessionKey": 7},
    {"text": "x", "agentId": {}}, [], "text", b"", b"{", b'{"text":"x"} x', b'{"text":"x","text":"y"}', b'{"text":"x","a":{"b":1,"b":2}}', {"text": "x", "sessionKey": "agent:"}], ids=str)
def test_a_bad_payload_is_refused(api, body):
    refused(wake(api, body), 400)
    assert api.stats()["pending"] == 0


def test_text_that_is_missing_is_named(api):
    assert refused(wake(api, {}), 400) == "text required"


@pytest.mark.parametrize("field", ["agentId", "sessionKey"])
@pytest.mark.parametrize("value", ["", " \t", None, 7, True, [], ["main"], {}], ids=repr)
def test_a_field_that_is_there_and_says_nothing_is_refused(api, field, value):
    assert field in refused(wake(api, {"text": "x", field: value}), 400)
    assert api.stats()["pending"] == 0


def test_a_session_key_needs_mode_now(api):
    assert refused(wake(api, {"text": "x", "sessionKey": "hook:x", "mode": "next-heartbeat"}), 400) == "sessionKey requires mode=now"
    assert api.stats()["pending"] == 0


def test_an_agent_that_does_not_agree_is_refused(api):
    refused(wake(api, {"text": "x", "sessionKey": "agent:ops:main", "agentId": "main"}), 409)


def test_other_methods_are_refused_with_those_there_are(api):
    for method in ("GET", "PUT", "DELETE"):
        reply = api.call(method, HOOK)
        refused(reply, 405)
        assert reply.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/hooks/agent", "/hooks", "/hooks/", "/hooks/gmail", "/hooks/wake/", "/hooks//wake", "/hooks?x=1", "/hooks/agent?token=x"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_openclaws_other_webhooks_are_named_and_not_there(api, method, path):
    said = refused(api.call(method, path, {"message": "x"} if method == "POST" else None), 404)
    assert "/hooks/wake" in said and "gateway" in said and ("runs an agent" in said) == ("agent" in path.split("?")[0])


def test_paths_that_only_begin_like_webhooks_are_unknown(api):
    for path in ("/hooksy", "/hook/wake", "/v1/hooks/wake"):
        assert api.call("POST", path, {}).headers["content-type"] == "application/problem+json"


def test_a_full_queue_answers_with_retry_after(start):
    api = start("--max-pending", 1).client()
    ok(wake(api, {"text": "x"}))
    reply = wake(api, {"text": "y"})
    refused(reply, 429)
    assert int(reply.headers["retry-after"]) >= 1


def test_a_body_that_is_too_long_is_refused(start):
    api = start("--max-body-bytes", 2048).client()
    refused(wake(api, {"text": "x" * 4096}), 413)


def test_a_body_that_does_not_come_is_refused(start):
    server = start("--body-timeout-ms", 100)
    raw = server.raw()
    raw.send(request("POST", HOOK, server.token, {"text": "x"})[:-3])
    refused(raw.answer(), 408)


def test_a_page_of_another_site_is_refused(server):
    raw = server.raw()
    raw.send(request("POST", HOOK, server.token, {"text": "x"}, [("Origin", "http://evil.example")]))
    refused(raw.answer(), 403)


# The policy's agents and gates.

TWO = {"agents": {"list": [{"id": "work", "default": True}, {"id": "Private"}]}}
NOBODY = {"agents": {"list": [{"id": "work"}, {"id": "private"}]}}


@pytest.mark.parametrize("policy, agent, owner", [
    ({}, None, "main"), ({}, "main", "main"), ({}, "MAIN", "main"), ({}, "ops", None), ({}, "!!!", None), ({}, "-main", "main"),
    (TWO, None, "work"), (TWO, "private", "private"), (TWO, " PRIVATE ", "private"), (TWO, "main", None), (TWO, "---", None),
    (NOBODY, None, None), (NOBODY, "work", "work"), ({"agents": {"list": []}}, "main", None), ({"agents": {"list": [{"id": "solo"}]}}, None, "solo"),
    ({"agents": {"entries": {"a": {}, "b": {"default": True}}}}, None, "b"), ({"agents": {"entries": {"a": {}, "b": {}}}}, "b", "b"),
    ({"agents": {**TWO["agents"], "defaults": {"systemAgent": {"agentId": "private"}}}}, None, "work"),
    ({"agents": {**TWO["agents"], "ownership": "explicit", "defaults": {"systemAgent": {"agentId": "private"}}}}, None, "private"),
    ({"agents": {**TWO["agents"], "ownership": "explicit"}}, None, None),
], ids=str)
def test_an_agent_must_exist_and_the_default_is_openclaws(start, policy, agent, owner):
    api = start(policy=json.dumps(policy)).client()
    reply = wake(api, {"text": "x"} if agent is None else {"text": "x", "agentId": agent})
    if owner is None:
        assert "agentId" in refused(reply, 400)
        assert api.stats()["pending"] == 0
    else:
        ok(reply)
        assert api.texts(f"agent:{owner}:main") == ["x"]


def test_a_key_of_an_agent_that_does_not_exist_is_refused(api):
    assert refused(wake(api, {"text": "x", "sessionKey": "agent:ghost:x"}), 400) == 'unknown agentId "ghost"'


GATES = [None, {}, {"enabled": False}, {"allowRequestSessionKey": False}, {"allowRequestSessionKey": True},
    {"allowRequestSessionKey": True, "allowedSessionKeyPrefixes": [" Hook:", ""]}, {"allowRequestSessionKey": True, "allowedSessionKeyPrefixes": ["hook:", "agent:private:hook:"]},
    {"allowRequestSessionKey": True, "allowedSessionKeyPrefixes": [" "]}, {"allowedSessionKeyPrefixes": ["hook:"]},
    {"allowRequestSessionKey": True, "allowedAgentIds": ["WORK"]}, {"allowRequestSessionKey": True, "allowedAgentIds": []}, {"allowedAgentIds": ["private", "*"]},
    {"enabled": True, "token": "t" * 20, "allowRequestSessionKey": True, "allowedAgentIds": ["private"], "allowedSessionKeyPrefixes": ["hook:"], "defaultSessionKey": "hook:in"}]
KEYS = [None, "hook:a", "HOOK:a", "main", "agent:work:hook:a", "agent:private:hook:a", "agent:private:main", "agent:ghost:hook:a"]


def admitted(gates, key, agent):
    """The gates as OpenClaw's documentation words them: the agent that gets the event, or None."""
    gates = {"allowRequestSessionKey": True} if gates is None else gates
    named = key.split(":")[1] if key and key.startswith("agent:") else None
    owner = named or agent or "work"
    prefixes = [p.strip().lower() for p in gates.get("allowedSessionKeyPrefixes", []) if p.strip()]
    allowed = [a.lower() for a in gates.get("allowedAgentIds", ["*"])]
    fits = key is None or gates.get("allowRequestSessionKey", False) and (not prefixes or any(key.lower().startswith(p) for p in prefixes))
    return owner if fits and owner in ("work", "private") and agent in (None, owner) and ("*" in allowed or owner in allowed) else None


@pytest.mark.parametrize("gates", GATES, ids=str)
def test_the_gates_of_the_policy_hold(start, gates):
    policy = TWO if gates is None else {**TWO, "hooks": gates}
    api = start(policy=json.dumps(policy)).client()
    for n, (key, agent) in enumerate((k, a) for k in KEYS for a in (None, "work", "private")):
        body = {"text": f"n{n}", **({"sessionKey": key} if key else {}), **({"agentId": agent} if agent else {})}
        owner, reply = admitted(gates, key, agent), wake(api, body)
        if owner is None:
            assert reply.status in (400, 409), (body, reply)
            refused(reply, reply.status)
        else:
            assert ok(reply)["eventOutcome"] == "queued", body
            rest = "main" if key in (None, "main") else key.lower().removeprefix(f"agent:{owner}:")
            events = ok(api.drain(f"agent:{owner}:{rest}"))["events"]
            assert [e["text"] for e in events] == [f"n{n}"], body
    assert api.stats()["pending"] == 0, "what is refused is not stored, nor what is taken stored elsewhere"


@pytest.mark.parametrize("hooks, member", [([], "hooks"), (None, "hooks"), ({"allowRequestSessionKey": "no"}, "hooks.allowRequestSessionKey"),
    ({"allowedAgentIds": "work"}, "hooks.allowedAgentIds"), ({"allowedAgentIds": [1]}, "hooks.allowedAgentIds"), ({"allowedSessionKeyPrefixes": None}, "hooks.allowedSessionKeyPrefixes"),
    ({"maxBodyBytes": "1"}, "hooks.maxBodyBytes"), ({"defaultSessionKey": 5}, "hooks.defaultSessionKey"),
    ({"enabled": True, "defaultSessionKey": "x", "allowedSessionKeyPrefixes": ["hook:"]}, "hooks.defaultSessionKey")], ids=str)
def test_a_gate_that_cannot_be_read_stops_the_start(make, hooks, member):
    server = make(policy=json.dumps({"hooks": hooks}))
    done = server.run()
    assert done.returncode == 78 and member in done.stderr, done


def test_gates_follow_a_reload(start):
    server = start(policy=json.dumps({"hooks": {"allowRequestSessionKey": True}}))
    ok(wake(server.client(), {"text": "x", "sessionKey": "hook:a"}))
    server.write_policy(json.dumps({"hooks": {}}))
    seen = len(server.log)
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: r.get("msg") == "reloaded", "the end of the reload", seen)
    refused(wake(server.client(), {"text": "x", "sessionKey": "hook:a"}), 400)


# Bodies, as JSON.parse and OpenClaw's limits take them.

def taken(api, body):
    """Posts the bytes; returns the text that is stored."""
    ok(wake(api, body))
    [event] = ok(api.drain(MAIN))["events"]
    return event["text"]


REPAIRED = [
    (b'\xef\xbb\xbf{"text":"x"}', "x"), (b'\xc2\xa0\x0b\x0c{"text":"x"}\xe2\x80\xa8\xe3\x80\x80', "x"), (b'{"text":"a\\u0000b"}', "a\ufffdb"),
    (b'{"text":"a\\ud83d"}', "a\ufffd"), (b'{"text":"\\uDE00\\uD83D\\ude00"}', "\ufffd\U0001f600"), (b'{"text":"\\ud83d\\ud83d\\ude00"}', "\ufffd\U0001f600"),
    (b'{"text":"\\ud83d\\n!"}', "\ufffd\n!"), (b'{"text":"\\ud83d\\u0000"}', "\ufffd\ufffd"), (b'{"text":"\\\\ud83d"}', "\\ud83d"), (b'{"text":"\\\\\\ud83d"}', "\\\ufffd"),
    (b'{"te\\u0078t":"x"}', "x"), (b'{"text":"x","\\ud800a":"\xff","\xc0":[{"\\u0000":null}]}', "x"), (b'{"text":"a\xffb"}', "a\ufffdb"),
    (b'{"text":"\xe2\x82"}', "\ufffd"), (b'{"text":"\xf0\x9f\x98!"}', "\ufffd!"), (b'{"text":"\xed\xa0\xbd"}', "\ufffd" * 3), (b'{"text":"\xc0\x80\xf5\x80"}', "\ufffd" * 4),
    (b'{"text":"a\xe2\\u0041"}', "a\ufffdA"), (b'{"text":"x","deep":' + b"[" * 998 + b"]" * 998 + b"}", "x"),
]


@pytest.mark.parametrize("body, text", REPAIRED, ids=lambda v: repr(v)[:40])
def test_what_cannot_be_stored_is_replaced(api, body, text):
    assert taken(api, body) == text


@pytest.mark.parametrize("body", [b'{"text":"x"}\xff', b'\xff{"text":"x"}', b'{"text":"\\ud83"}', b'{"text":"\\x41"}', b'{"text":"a\x00b"}', b'{"text":"a\nb"}', b'{"text":"x"}\x00', b'{"text":"x"}{}',
    b"{'text':'x'}", b'{"text":"x",}', b'{"text":"x","n":01}', b'{"text":"x","n":NaN}', b'{"text":"x" /* */}', b'{"text":"x","deep":' + b"[" * 1000 + b"]" * 1000 + b"}"],
    ids=lambda v: repr(v)[:40])
def test_what_is_no_json_is_refused(api, body):
    refused(wake(api, body), 400)
    assert api.stats()["pending"] == 0


def test_any_bytes_in_a_string_are_read_as_a_decoder_reads_them(api):
    numbers = random.Random(7)
    pieces = [bytes([b]) for b in range(0x80, 0x100)] + ["é€😀a".encode()[n:m] for n in range(9) for m in range(n + 1, 11)] + [b"a", b" "]
    for _ in range(300):
        junk = b"<" + b"".join(numbers.choices(pieces, k=numbers.randrange(1, 40))) + b">"
        assert taken(api, b'{"text":"' + junk + b'"}') == junk.decode(errors="replace"), junk


@pytest.mark.parametrize("call", ["/v1/events", "/v1/drain"])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
def test_elsewhere_json_stays_strict(api, call, kind):
    for text in (b"\\ud83d", b"\\u0000", b"\xff"):
        assert api.call("POST", call, b'{"sessionKey":"' + text + b'","text":"x"}', kind=kind).status == 400
    assert api.call("POST", call, b'\xef\xbb\xbf{"sessionKey":"x","text":"x"}', kind=kind).status == 400
    assert api.call("POST", call, b'{"sessionKey":"x","text":"x","a":' + b"[" * 40 + b"]" * 40 + b"}", kind=kind).status == 400


@pytest.mark.parametrize("length, character", [(65536, "x"), (65537, "x"), (250000, "x"), (30000, "é"), (40000, "é"), (30000, "😀"), (87000, "€")])
def test_a_text_that_is_too_long_is_cut_with_a_mark(api, length, character):
    sent = "." + character * length if character != "x" else character * length
    size, stored = len(sent.encode()), taken(api, json.dumps({"text": sent}, ensure_ascii=False).encode())
    if size <= 65536:
        assert stored == sent
        return
    kept, mark = stored.rsplit("\n", 1)
    assert mark == f"[cut by sevq: {size} bytes, SHA-256 {hashlib.sha256(sent.encode()).hexdigest()[:16]}]"
    assert sent.startswith(kept) and 65536 - 4 < len(stored.encode()) <= 65536


def test_long_texts_that_begin_alike_are_no_duplicates(api):
    for end in "ab":
        assert ok(wake(api, {"text": "x" * 70000 + end}))["eventOutcome"] == "queued"
    assert ok(wake(api, {"text": "x" * 70000 + "b"}))["eventOutcome"] == "coalesced"
    assert len(api.texts(MAIN)) == 2


@pytest.mark.parametrize("gates, limit", [(None, 262144), ({}, 262144), ({"maxBodyBytes": 1000}, 1000), ({"maxBodyBytes": 0}, 262144), ({"maxBodyBytes": -5}, 262144), ({"maxBodyBytes": 1e300}, 1 << 20)], ids=str)
def test_a_body_may_be_as_long_as_openclaw_allows(start, gates, limit):
    api = start(policy=json.dumps({} if gates is None else {"hooks": gates})).client()
    body = b'{"text":"x"}'
    ok(wake(api, body + b" " * (limit - len(body))))
    refused(wake(api, body + b" " * (limit - len(body) + 1)), 413)
    assert api.texts(MAIN) == ["x"]


# Tokens.

def test_openclaws_own_header_is_accepted(server):
    raw = server.raw()
    raw.send(request("POST", HOOK, None, {"text": "x"}, [("X-OpenClaw-Token", server.token)]))
    assert ok(raw.answer())["ok"]
    raw.send(request("POST", "/v1/drain", None, {"sessionKey": MAIN}, [("X-OpenClaw-Token", server.token)]))
    assert raw.answer().status == 401, "but only here"


@pytest.mark.parametrize("query", ["?token=x", "?x=1"])
def test_a_token_does_not_belong_into_the_query(server, api, query):
    refused(api.call("POST", HOOK + query, {"text": "x"}), 400)
    anybody = Client(server.port, None)
    refused(anybody.call("POST", HOOK + "?token=" + server.token, {"text": "x"}), 401)
    assert api.stats()["pending"] == 0


def test_a_wrong_token_is_refused_and_so_is_none(server):
    refused(wake(Client(server.port, None), {"text": "x"}), 401)
    refused(wake(Client(server.port, "not-a-token-of-ours"), {"text": "x"}), 401)


def test_a_token_needs_the_scope_produce(make):
    server = make()
    (server.directory / "token").write_text("a-token-that-may-all-things\nconsumers-only-token consume,read\n")
    (server.directory / "token").chmod(0o600)
    server.start()
    refused(wake(server.client(token="consumers-only-token"), {"text": "x"}), 403)
    assert ok(wake(server.client(token="a-token-that-may-all-things"), {"text": "x"}))["ok"]


def test_after_twenty_bad_tokens_an_address_must_wait(server, api):
    for n in range(20):
        refused(wake(Client(server.port, f"wrong-token-number-{n:04}"), {"text": "x"}), 401)
    reply = wake(Client(server.port, "wrong-token-number-last"), {"text": "x"})
    refused(reply, 429)
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert api.stats()["http"]["tokensThrottled"] == 1
    assert Client(server.port, "wrong-token-elsewhere").peek(MAIN).status == 401, "elsewhere a bad token is just one"
    assert ok(wake(api, {"text": "x"}))["ok"], "a good one is let in"
    refused(wake(Client(server.port, None), {"text": "x"}), 401)


# Repeated requests.

def test_a_hook_may_be_repeated(api):
    headers = {"Idempotency-Key": "delivery-7"}
    first = wake(api, {"text": "x"}, headers=headers)
    ok(api.drain(MAIN))
    again = wake(api, {"text": "x"}, headers=headers)
    assert ok(first) == ok(again) and again.headers["idempotency-replayed"] == "true" and api.texts(MAIN) == []
    refused(wake(api, {"text": "y"}, headers=headers), 422)
    refused(wake(api, {"text": "y"}, headers={"Idempotency-Key": '"x'}), 400)


@pytest.mark.parametrize("key", ["build 4711", "a,b;c\\d", "k" * 255, "k" * 256, "caf\xe9", '"quoted \\" key"', "[x]"], ids=lambda k: k[:20])
@pytest.mark.parametrize("header", ["Idempotency-Key", "X-OpenClaw-Idempotency-Key", None])
def test_any_text_is_an_idempotency_key(api, header, key):
    """In the body too, where it may hold what a header cannot."""
    keys = [key] if header else [key, "\u20ac" * 256, "\U0001f600" * 128, "a\nb"]
    for key in keys:
        options = {"headers": {header: key}} if header else {}
        body = {"text": "x", **({} if header else {"idempotencyKey": key})}
        first = wake(api, body, **options)
        assert ok(first)["eventOutcome"] == "queued" and len(ok(api.drain(MAIN))["events"]) == 1
        again = wake(api, body, **options)
        assert ok(again) == ok(first) and again.headers["idempotency-replayed"] == "true" and api.texts(MAIN) == [], key
        refused(wake(api, {**body, "text": "y"}, **options), 422)


def test_the_first_key_that_can_be_used_counts(api):
    names = ("Idempotency-Key", "X-OpenClaw-Idempotency-Key", "idempotencyKey")
    useless = {"Idempotency-Key": ["", "k" * 257, '""'], "X-OpenClaw-Idempotency-Key": ["", "k" * 257], "idempotencyKey": ["", " ", "k" * 257, "\U0001f600" * 129, None, 7, ["k"], {}]}
    for n, name in enumerate(names):
        given = {later: f"key of {later}" for later in names[n + 1:]} | {name: f" key {n} "}
        for earlier in names[:n]:
            given[earlier] = useless[earlier][n - 1]
        body = {"text": f"n{n}", "idempotencyKey": given.pop("idempotencyKey", None)}
        for changed in (body, {**body, "idempotencyKey": body["idempotencyKey"] if n == 2 else "another"}):
            ok(wake(api, changed, headers=given))
        assert [e["text"] for e in ok(api.drain(MAIN))["events"]] == [f"n{n}"], name
        assert wake(api, body, headers=given).headers["idempotency-replayed"] == "true"
    for key in useless["idempotencyKey"]:
        assert [ok(wake(api, {"text": "x", "idempotencyKey": key}))["eventOutcome"] for _ in range(2)] == ["queued", "coalesced"], key
        ok(api.drain(MAIN))


def test_what_counts_as_repeated_is_what_is_read(api):
    ok(wake(api, {"text": "x", "mode": "now", "attempt": 1, "idempotencyKey": "k"}))
    for body in ({"idempotencyKey": "k", "text": " x "}, {"attempt": 2, "text": "x", "mode": True, "idempotencyKey": " k"}):
        assert wake(api, body).headers["idempotency-replayed"] == "true"
    for body in ({"text": "x", "mode": "next-heartbeat"}, {"text": "x", "agentId": "main"}, {"text": "x", "sessionKey": "main"}, {"text": "xmain"}):
        refused(wake(api, {**body, "idempotencyKey": "k"}), 422)
    assert api.texts(MAIN) == ["x"]
