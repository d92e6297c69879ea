"""Idempotency keys: a repeated request gets the first answer, and nothing is done twice (C3)."""
import json
import signal

import pytest

from policies import MAIN
from sevqd import ok, problem, request, wait_until

REPLAYED = "idempotency-replayed"
EVENT = {"text": "x", "sessionKey": MAIN}


def post(api, body, key, path="/v1/events", **options):
    return api.call("POST", path, body, headers={"Idempotency-Key": key}, **options)


def same(first, again):
    assert (again.status, again.json, again.headers.get("location")) == (first.status, first.json, first.headers.get("location"))
    assert REPLAYED not in first.headers and again.headers[REPLAYED] == "true"


def forget(api, event):
    """Waits until retention has deleted the event. Adds a newer one, since the newest outcome
    stays.
    """
    ok(api.enqueue("newer", "agent:newer:main"), 201)
    ok(api.drain("agent:newer:main"))
    wait_until(lambda: api.find(event["id"]).status == 404, "the sweep")


# Enqueue.

def test_the_same_request_gets_the_first_answer(api):
    first = post(api, EVENT, "k")
    same(first, post(api, EVENT, "k"))
    ok(api.drain(MAIN))
    same(first, post(api, EVENT, "k"))
    assert first.status == 201 and api.texts(MAIN) == []


def test_a_duplicate_is_answered_as_one_again(api):
    ok(api.enqueue("x", MAIN), 201)
    first = post(api, {"events": [EVENT]}, "k")  # the key of a batch is no event's own
    assert first.json["results"][0]["outcome"] == "duplicate"
    ok(api.drain(MAIN))
    same(first, post(api, {"events": [EVENT]}, "k"))


def test_a_repeated_answer_has_the_attempts_of_the_first(api):
    ok(api.enqueue("x", MAIN), 201)
    duplicate = post(api, {"events": [EVENT]}, "k")
    event = duplicate.json["results"][0]["event"]
    assert (event["state"], event["attempts"]) == ("queued", 0)
    ok(api.nack(ok(api.lease(MAIN))["leaseId"]))
    leased = post(api, {"sessionKey": MAIN}, "k", "/v1/leases")
    ok(api.nack(leased.json["leaseId"]))
    drained = post(api, {"sessionKey": MAIN}, "k", "/v1/drain")
    assert leased.json["events"][0]["attempts"] == 1 and drained.json["events"][0]["attempts"] == 2
    same(duplicate, post(api, {"events": [EVENT]}, "k"))
    same(leased, post(api, {"sessionKey": MAIN}, "k", "/v1/leases"))
    same(drained, post(api, {"sessionKey": MAIN}, "k", "/v1/drain"))


def test_a_replacement_and_a_delay_are_repeated(api):
    ok(api.enqueue("old", MAIN, contextKey="c"), 201)
    body = {**EVENT, "contextKey": "c", "replace": True, "delayMs": 60000}
    first = post(api, body, "k")
    assert first.json["outcome"] == "replaced" and first.json["event"]["state"] == "delayed"
    same(first, post(api, body, "k"))


def test_the_same_key_with_another_request_is_refused(api):
    post(api, EVENT, "k")
    problem(post(api, {**EVENT, "text": "y"}, "k"), 422, "idempotency-mismatch")
    problem(post(api, {"events": [EVENT]}, "k"), 422, "idempotency-mismatch")
    assert api.texts(MAIN) == ["x"]


def test_the_key_may_be_a_field_or_a_header(api):
    body = {**EVENT, "idempotencyKey": "k"}
    first = api.call("POST", "/v1/events", body)
    same(first, api.call("POST", "/v1/events", body))
    same(first, post(api, body, "k"))
    problem(post(api, EVENT, "k"), 422, "idempotency-mismatch")


def test_both_must_agree(api):
    problem(post(api, {**EVENT, "idempotencyKey": "a"}, "b"), 400, "invalid-field", "/idempotencyKey")
    assert api.texts(MAIN) == []


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_keys_are_kept_over_a_restart(server, api, end):
    first = post(api, EVENT, "k")
    getattr(server, end)()
    server.start()
    same(first, post(server.client(), EVENT, "k"))
    assert server.client().texts(MAIN) == ["x"]


def test_two_concurrent_requests_under_one_key_are_one_event(server, api):
    """Both are in one turn of the loop, so the second finds its key in the same transaction."""
    for n in range(30):
        raw = server.raw()
        raw.send(request("POST", "/v1/events", server.token, {**EVENT, "text": f"{n}"}, [("Idempotency-Key", f"k{n}")]) * 3)
        several = [server.raw() for _ in range(4)]
        for r in several:
            r.send(request("POST", "/v1/events", server.token, {**EVENT, "text": f"{n}"}, [("Idempotency-Key", f"k{n}")]))
        answers = [raw.answer() for _ in range(3)] + [r.answer() for r in several]
        assert len({a.json["event"]["id"] for a in answers}) == 1 and {a.status for a in answers} == {201}
        assert sum(REPLAYED not in a.headers for a in answers) == 1
    assert api.stats()["pending"] == 30


def test_a_batch_is_replayed_as_a_whole(api):
    body = {"events": [{"text": f"{n}", "sessionKey": MAIN} for n in range(5)]}
    first = post(api, body, "k")
    same(first, post(api, body, "k"))
    lines = "\n".join(f'{{"text":"{n}","sessionKey":"agent:ops:main"}}' for n in range(3))
    first = post(api, lines, "lines", kind="application/x-ndjson")
    same(first, post(api, lines, "lines", kind="application/x-ndjson"))
    assert api.stats()["pending"] == 8


def test_elements_have_keys_of_their_own(api):
    a, b = {"text": "a", "sessionKey": MAIN, "idempotencyKey": "ka"}, {"text": "b", "sessionKey": MAIN, "idempotencyKey": "kb"}
    first = ok(api.batch(a))["results"]
    second = ok(api.batch(a, b))["results"]
    assert second[0] == first[0] and api.texts(MAIN) == ["a", "b"]
    assert ok(api.batch(b, b))["results"] == [second[1]] * 2
    problem(api.batch({**a, "text": "c"}), 422, "idempotency-mismatch")
    problem(api.batch({"text": "d", "sessionKey": MAIN}, {**b, "text": "e"}), 422, "idempotency-mismatch")
    assert api.texts(MAIN) == ["a", "b"]


def test_an_element_cannot_have_the_key_of_the_whole(api):
    problem(post(api, {"events": [EVENT, {**EVENT, "text": "y", "idempotencyKey": "k"}]}, "k"), 400, "invalid-field", "/events/1/idempotencyKey")
    assert api.texts(MAIN) == []


def test_a_failed_request_keeps_no_key(api):
    problem(post(api, {**EVENT, "text": " "}, "k"), 400, "invalid-field")
    assert post(api, EVENT, "k").status == 201


def test_an_answer_that_is_no_longer_kept_is_a_conflict(start):
    api = start("--retention-ms", 0).client()
    first = post(api, EVENT, "k")
    ok(api.drain(MAIN))
    forget(api, first.json["event"])
    problem(post(api, EVENT, "k"), 409, "conflict")
    assert api.texts(MAIN) == []


# The key itself.

@pytest.mark.parametrize("one, other", [("abc", '"abc"'), ('"a \\"b\\" \\\\c"', '"a \\"b\\" \\\\c"'), ('"a b"', '"a b"'), ("k" * 255, '"' + "k" * 255 + '"'),
    ("8e03978e-40d5-43dd-bc93-6894a57f9324", '"8e03978e-40d5-43dd-bc93-6894a57f9324"')])
def test_a_string_and_bare_text_are_the_same_key(api, one, other):
    same(post(api, EVENT, one), post(api, EVENT, other))


@pytest.mark.parametrize("key", ["", '""', "k" * 256, '"' + "k" * 256 + '"', '"abc', 'abc"', '"a"b"', '"a\\b"', '"a\\', '"a" "b"', '"a";p=1', '"a", "b"', "a, b",
    "a b", '"\u00e9"', "\u00e9", "a;b", "a\\b", '"a\tb"'])
def test_a_malformed_key_is_refused(api, key):
    problem(api.call("POST", "/v1/events", EVENT, headers={"Idempotency-Key": key.encode("latin-1")}), 400, "invalid-field", "Idempotency-Key")
    assert api.texts(MAIN) == []


@pytest.mark.parametrize("key", ["", "k" * 256, 7, ["k"]])
def test_a_bad_field_is_refused(api, key):
    problem(api.enqueue("x", MAIN, idempotencyKey=key), 400, "invalid-field", "/idempotencyKey")


def test_a_key_of_the_greatest_length_is_kept(api):
    body = {"events": [{**EVENT, "idempotencyKey": "\u20ac" * 85}]}
    assert ok(api.call("POST", "/v1/events", body)) == ok(api.call("POST", "/v1/events", body))
    assert api.texts(MAIN) == ["x"]


# Drain and lease.

def test_a_drain_repeated_gets_the_first_events(api):
    for n in range(5):
        ok(api.enqueue(f"{n}", MAIN), 201)
    first = post(api, {"sessionKey": MAIN, "limit": 3}, "d", "/v1/drain")
    same(first, post(api, {"sessionKey": MAIN, "limit": 3}, "d", "/v1/drain"))
    assert api.texts(MAIN) == ["3", "4"]
    problem(post(api, {"sessionKey": MAIN}, "d", "/v1/drain"), 422, "idempotency-mismatch")
    assert api.texts(MAIN) == ["3", "4"]


def test_a_lease_repeated_gets_the_first_lease(api):
    for n in range(5):
        ok(api.enqueue(f"{n}", MAIN), 201)
    first = post(api, {"sessionKey": MAIN, "limit": 3}, "l", "/v1/leases")
    same(first, post(api, {"sessionKey": MAIN, "limit": 3}, "l", "/v1/leases"))
    assert api.session(MAIN)["leased"] == 3
    problem(post(api, {"sessionKey": MAIN}, "l", "/v1/leases"), 422, "idempotency-mismatch")
    assert ok(api.ack(first.json["leaseId"]))["acked"] == 3


def test_an_answer_lost_on_the_wire_loses_nothing(server, api):
    ok(api.enqueue("precious", MAIN), 201)
    raw = server.raw()
    raw.send(request("POST", "/v1/drain", server.token, {"sessionKey": MAIN}, [("Idempotency-Key", "d")]))
    raw.close()
    wait_until(lambda: api.stats()["pending"] == 0, "the drain")
    again = post(api, {"sessionKey": MAIN}, "d", "/v1/drain")
    assert [e["text"] for e in ok(again)["events"]] == ["precious"] and again.headers[REPLAYED] == "true"


def test_an_empty_drain_keeps_no_key(api):
    assert ok(post(api, {"sessionKey": MAIN}, "d", "/v1/drain"))["events"] == []
    ok(api.enqueue("x", MAIN), 201)
    assert [e["text"] for e in ok(post(api, {"sessionKey": MAIN}, "d", "/v1/drain"))["events"]] == ["x"]


def test_each_call_has_keys_of_its_own(api):
    assert post(api, EVENT, "k").status == 201
    lease = ok(post(api, {"sessionKey": MAIN}, "k", "/v1/leases"))
    ok(api.nack(lease["leaseId"]))
    assert len(ok(post(api, {"sessionKey": MAIN}, "k", "/v1/drain"))["events"]) == 1
    assert ok(post(api, EVENT, "k", "/hooks/wake"))["eventOutcome"] == "queued"


def test_events_of_a_repeated_drain_that_are_forgotten_are_left_out(start):
    api = start("--retention-ms", 0).client()
    event = ok(api.enqueue("x", MAIN), 201)["event"]
    ok(post(api, {"sessionKey": MAIN}, "d", "/v1/drain"))
    forget(api, event)
    again = post(api, {"sessionKey": MAIN}, "d", "/v1/drain")
    assert ok(again)["events"] == [] and again.headers[REPLAYED] == "true"


# A first answer names what was true, whatever the policy says by now.

PATHS = {"enqueue": ("/v1/events", {"text": "x"}), "batch": ("/v1/events", None), "drain": ("/v1/drain", {"limit": 1}), "lease": ("/v1/leases", {"limit": 1})}
ELSEWHERE = {"another main key": {"session": {"mainKey": "hub"}}, "no owner": {"agents": {"list": [{"id": "a"}, {"id": "b"}]}},
    "another agent": {"agents": {"list": [{"id": "ops", "default": True}]}}}


@pytest.mark.parametrize("call", PATHS)
@pytest.mark.parametrize("policy", ELSEWHERE)
@pytest.mark.parametrize("forgotten", [False, True], ids=["kept", "forgotten"])
def test_a_first_answer_is_repeated_although_the_key_is_routed_elsewhere_by_now(start, call, policy, forgotten):
    server = start("--no-rekey-on-reload", "--retention-ms", 0 if forgotten else 3_600_000, policy={})
    api = server.client()
    events = [ok(api.enqueue(f"queued {n}", MAIN), 201)["event"] for n in range(3)]
    path, body = PATHS[call]
    body = {**body, "sessionKey": "main"} if body else {"events": [{"text": "x", "sessionKey": "main"}]}
    first = post(api, body, "k", path)
    assert first.status in (200, 201), first
    if forgotten and call == "drain":
        forget(api, events[0])
    server.write_policy(ELSEWHERE[policy])
    seen = len(server.log)
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: r.get("msg") == "reloaded", "the reload", seen)
    again = post(api, body, "k", path)
    if forgotten and call == "drain":
        assert (again.status, again.json) == (200, {**first.json, "events": []})
        assert again.headers[REPLAYED] == "true"
    else:
        same(first, again)
    server.restart()
    assert post(server.client(), body, "k", path).json == again.json


# Keys are limited in number.

def keys(api):
    store = api.stats()["store"]
    return store["idempotencyKeys"], store["idempotencyKeysForgotten"]


@pytest.mark.parametrize("kind", ["header", "body", "batch", "drain", "lease", "webhook"])
@pytest.mark.parametrize("limit", ["--max-session-idempotency-keys", "--max-idempotency-keys"])
def test_at_a_limit_the_oldest_keys_are_forgotten(start, kind, limit):
    """The newest keys are kept, over a restart too, and no request is refused."""
    server = start(limit, 5)
    api = server.client()
    for n in range(20):
        ok(api.enqueue(f"queued {n}", MAIN), 201)
    calls = {
        "header": lambda n: post(api, {"text": f"{n}", "sessionKey": MAIN}, f"k{n}"),
        "body": lambda n: api.enqueue(f"{n}", MAIN, idempotencyKey=f"k{n}"),
        "batch": lambda n: post(api, {"events": [{"text": f"{n}", "sessionKey": MAIN}]}, f"k{n}"),
        "drain": lambda n: post(api, {"sessionKey": MAIN, "limit": 1}, f"k{n}", "/v1/drain"),
        "lease": lambda n: post(api, {"sessionKey": MAIN, "limit": 1}, f"k{n}", "/v1/leases"),
        "webhook": lambda n: post(api, {"text": f"{n}"}, f"k{n}", "/hooks/wake"),
    }
    replies = [calls[kind](n) for n in range(8)]
    assert all(r.status in (200, 201) and REPLAYED not in r.headers for r in replies)
    assert keys(api) == (5, 3)
    server.wait_for_log(lambda r: r["level"] == "warn" and "idempotency keys were forgotten" in r["msg"] and r["count"] > 0)
    for between in (None, server.restart, lambda: (server.kill(), server.start())):
        if between is not None:
            between()
            api = server.client()
            assert keys(api) == (5, 0)
        assert all(calls[kind](n).headers.get(REPLAYED) == "true" for n in range(3, 8))
    assert REPLAYED not in calls[kind](0).headers and calls[kind](3).headers.get(REPLAYED) is None
    assert keys(api)[0] == 5 and b"sevq_idempotency_keys 5" in api.call("GET", "/metrics").body


def test_the_keys_of_one_session_or_token_do_not_displace_those_of_another(two):
    two.stop()
    two.flags += ["--max-session-idempotency-keys", 5]
    two.start()
    a, b = two.client(A_TOKEN), two.client(B_TOKEN)
    precious = [(a, "agent:ops:main"), (b, MAIN)]
    first = [post(api, {"text": "x", "sessionKey": key}, "precious") for api, key in precious]
    for n in range(50):
        ok(post(a, {"text": f"{n}", "sessionKey": MAIN}, f"k{n}"), 201)
    assert keys(a) == (7, 45)
    for (api, key), reply in zip(precious, first):
        same(reply, post(api, {"text": "x", "sessionKey": key}, "precious"))


def test_keys_of_one_batch_over_the_limit_are_forgotten_too(start):
    api = start("--max-session-idempotency-keys", 5).client()
    events = [{"text": f"{n}", "sessionKey": MAIN, "idempotencyKey": f"k{n}"} for n in range(20)]
    results = ok(api.batch(*events))["results"]
    assert keys(api) == (5, 15)
    assert ok(api.batch(*events[15:]))["results"] == results[15:]


def test_a_lower_limit_is_reached_soon(start):
    server = start()
    for n in range(40):
        ok(post(server.client(), {"text": f"{n}", "sessionKey": MAIN}, f"k{n}"), 201)
    server.stop()
    server.flags += ["--max-idempotency-keys", 5]
    server.start()
    for n in range(40, 80):
        ok(post(server.client(), {"text": f"{n}", "sessionKey": MAIN}, f"k{n}"), 201)
    assert keys(server.client())[0] == 5


# Keys belong to who asks.

A_TOKEN, B_TOKEN = "producer-a-0123456789abcdef", "producer-b-0123456789abcdef"


@pytest.fixture
def two(make):
    """A server with two tokens."""
    server = make()
    path = server.directory / "tokens"
    path.write_text(f"{A_TOKEN}\n{B_TOKEN}\n")
    path.chmod(0o600)
    server.flags += ["--token-file", path]
    return server.start()


def line(fields):
    return json.dumps(fields)


# Every call that takes a key; each takes something of its own, so that it can be carried out twice.
KEYED = {
    "header": lambda api, n: post(api, {"text": f"{n}", "sessionKey": MAIN}, "k"),
    "body": lambda api, n: api.enqueue(f"{n}", MAIN, idempotencyKey="k"),
    "batch": lambda api, n: post(api, {"events": [{"text": f"{n}", "sessionKey": MAIN}]}, "k"),
    "batch of keys": lambda api, n: api.batch({"text": f"{n}", "sessionKey": MAIN, "idempotencyKey": "k"}),
    "lines": lambda api, n: post(api, line({"text": f"{n}", "sessionKey": MAIN}), "k", kind="application/x-ndjson"),
    "lines of keys": lambda api, n: api.ndjson(line({"text": f"{n}", "sessionKey": MAIN, "idempotencyKey": "k"})),
    "drain": lambda api, n: post(api, {"sessionKey": MAIN, "limit": 1}, "k", "/v1/drain"),
    "lease": lambda api, n: post(api, {"sessionKey": MAIN, "limit": 1, "leaseMs": 3600000}, "k", "/v1/leases"),
    "webhook": lambda api, n: post(api, {"text": f"{n}"}, "k", "/hooks/wake"),
    "webhook body": lambda api, n: api.call("POST", "/hooks/wake", {"text": f"{n}", "idempotencyKey": "k"}),
}


def again(first, reply):
    """Whether the reply repeats the first one; what remains is of now."""
    assert (reply.status, {**reply.json, "remaining": 0}) == (first.status, {**first.json, "remaining": 0}), (first, reply)
    return True


@pytest.mark.parametrize("call", KEYED)
@pytest.mark.parametrize("between", ["nothing", "reload", "restart", "kill"])
def test_the_same_key_of_two_tokens_is_two_keys(two, call, between):
    for n in range(4):
        ok(two.client(A_TOKEN).enqueue(f"queued {n}", MAIN), 201)
    firsts = {token: KEYED[call](two.client(token), token) for token in (A_TOKEN, B_TOKEN)}
    assert all(first.status in (200, 201) for first in firsts.values()), firsts
    if "hook" in call:
        assert api_depth(two) == 6
    else:
        assert firsts[A_TOKEN].json != firsts[B_TOKEN].json
    depth = api_depth(two)
    if between == "reload":
        seen = len(two.log)
        two.signal(signal.SIGHUP)
        two.wait_for_log(lambda r: "reload" in str(r), "the reload", seen)
    elif between != "nothing":
        getattr(two, "stop" if between == "restart" else "kill")()
        two.start()
    assert all(again(first, KEYED[call](two.client(token), token)) for token, first in firsts.items())
    assert api_depth(two) == depth


def api_depth(server):
    return ok(server.client(A_TOKEN).peek(MAIN))["depth"]


def test_a_key_follows_the_token_and_not_the_connection(two):
    """Both tokens on one connection, in turns; and one token on many connections."""
    one = two.client(A_TOKEN)
    replies = []
    for token in (A_TOKEN, B_TOKEN, A_TOKEN, B_TOKEN):
        one.token = token
        replies.append(post(one, EVENT | {"allowDuplicate": True}, "k"))
    assert [r.headers.get(REPLAYED) for r in replies] == [None, None, "true", "true"]
    assert replies[0].json == replies[2].json != replies[1].json == replies[3].json
    assert post(two.client(A_TOKEN), EVENT | {"allowDuplicate": True}, "k").json == replies[0].json


def test_another_request_under_a_key_of_another_token_is_no_mismatch(two):
    ok(post(two.client(A_TOKEN), EVENT, "k"), 201)
    ok(post(two.client(B_TOKEN), EVENT | {"text": "other"}, "k"), 201)
    problem(post(two.client(A_TOKEN), EVENT | {"text": "other"}, "k"), 422, "idempotency-mismatch")


def test_without_tokens_all_callers_are_one(start):
    server = start("--no-auth")
    first = post(server.client(A_TOKEN), EVENT, "k")
    same(first, post(server.client(B_TOKEN), EVENT, "k"))
    same(first, post(server.client(token=None), EVENT, "k"))
    server.stop()
    server.start()
    same(first, post(server.client(token=None), EVENT, "k"))
