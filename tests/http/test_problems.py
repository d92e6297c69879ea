"""Every problem code: its status, the common shape, and no secrets in it."""
import re
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import ok, problem, request, wait_until

GOOD = {"text": "x", "sessionKey": MAIN}


def raw(server, data):
    connection = server.raw()
    connection.send(data)
    return connection.answer()


def call(*args, **kwargs):
    return lambda server: server.client().call(*args, **kwargs)


def broken_policy(server):
    server.write_policy("{")
    return server.client().call("POST", "/v1/policy/reload", {})


TABLE = {
    "blank-key": (400, call("POST", "/v1/drain", {"sessionKey": " "})),
    "malformed-key": (400, call("POST", "/v1/drain", {"sessionKey": "agent:"})),
    "owner-unresolved": (400, call("POST", "/v1/drain", {"sessionKey": "main"})),
    "owner-mismatch": (409, call("POST", "/v1/drain", {"sessionKey": "agent:a:main", "agentId": "b"})),
    "rerouted": (409, call("POST", "/v1/leases", {"sessionKey": "agent:a:cron:job:run:1", "exact": True})),
    "invalid-json": (400, call("POST", "/v1/drain", "{")),
    "invalid-field": (400, call("POST", "/v1/drain", {"sessionKey": MAIN, "limit": 0})),
    "bad-request": (400, lambda server: raw(server, b"GET / HTTP/1.1\r\n\r\n")),
    "unauthorized": (401, lambda server: server.client(token=None).call("GET", "/v1/sessions")),
    "forbidden": (403, call("POST", "/v1/events", GOOD, headers={"Sec-Fetch-Site": "cross-site"})),
    "not-found": (404, call("GET", "/v1/events/1")),
    "method-not-allowed": (405, call("GET", "/v1/drain")),
    "timeout": (408, lambda server: raw(server, b"GET / HT")),
    "payload-too-large": (413, call("POST", "/v1/events", " " * 3000)),
    "uri-too-long": (414, lambda server: raw(server, request("GET", "/" + "x" * 300))),
    "unsupported-media-type": (415, call("POST", "/v1/events", GOOD, kind="text/plain")),
    "expectation-failed": (417, lambda server: raw(server, request("GET", "/livez", headers=[("Expect", "miracles")]))),
    "misdirected": (421, lambda server: raw(server, request("GET", "/livez", host="evil.example"))),
    "policy-invalid": (422, broken_policy),
    "queue-full": (429, call("POST", "/v1/events", {"events": [{"text": f"{n}", "sessionKey": MAIN} for n in range(3)]})),
    "headers-too-large": (431, lambda server: raw(server, request("GET", "/livez", headers=[("X", "y" * 1000)]))),
    "not-implemented": (501, lambda server: raw(server, request("POST", "/v1/events", server.token, headers=[("Content-Type", "application/json"), ("Transfer-Encoding", "gzip, chunked")]))),
    "http-version-not-supported": (505, lambda server: raw(server, request("GET", "/livez").replace(b"HTTP/1.1", b"HTTP/2.0"))),
}

# Codes that no client can cause while the disk is healthy; each is tested elsewhere.
ELSEWHERE = {
    "storage-full": "test_limits.py",
    "closing": "test_signals.py",
}


@pytest.fixture
def small(start):
    """A server with small limits, so that every limit can be reached."""
    return start("--max-pending", 2, "--max-body-bytes", 2000, "--max-header-bytes", 1000, "--max-target-bytes", 200, "--header-timeout-ms", 300,
        policy="{ agents: { list: [ { id: 'a' }, { id: 'b' } ] } }")


@pytest.mark.parametrize("code, status, ask", [(c, *row) for c, row in TABLE.items()], ids=TABLE)
def test_a_code_has_its_status(small, code, status, ask):
    doc = problem(ask(small), status, code)
    assert small.token not in str(doc)


def test_codes_tested_elsewhere_are():
    for code, name in ELSEWHERE.items():
        assert f'"{code}"' in (Path(__file__).parent / name).read_text()


def test_a_detail_says_what_is_wrong_in_words(small):
    doc = problem(small.client().drain(MAIN, limit=0), 400, "invalid-field", "/limit")
    assert re.search(r"[a-z]+ [a-z]+", doc["detail"])


def test_what_a_client_sent_comes_back_as_valid_json_only(small):
    """Names and values of the request in a problem are escaped, cut, and valid UTF-8."""
    problem(small.client().drain(MAIN, **{"\u202e\x00<script>\"\\" + "\U0001f600" * 100: 1}), 400, "invalid-json")
    doc = problem(small.client().drain(MAIN, **{"\u202e<script>\"\\" + "\U0001f600" * 100: 1}), 400, "invalid-field")
    assert len(doc["errors"][0]["pointer"].encode()) <= 96


def test_the_first_wrong_field_is_told_in_words(small):
    api = small.client()
    one = problem(api.drain(MAIN, limit=0), 400, "invalid-field", "/limit")
    assert one["detail"] == "/limit must be an integer from 1 to 10000; nothing was changed"
    two = problem(api.drain(MAIN, limit=0, format=1), 400, "invalid-field")
    assert two["detail"] == "/limit must be an integer from 1 to 10000; 1 more is wrong; nothing was changed"
    many = problem(api.drain(MAIN, **{f"x{n}": 1 for n in range(50)}), 400, "invalid-field")
    assert many["detail"].startswith("/x0 ") and "; 49 more are wrong;" in many["detail"]
    query = problem(api.sessions(limit="x"), 400, "invalid-field", "limit")
    assert query["detail"].startswith("limit must be an integer")
    batch = problem(api.call("POST", "/v1/events", {"events": [GOOD, {**GOOD, "delayMs": -1}]}), 400, "invalid-field", "/events/1/delayMs")
    assert batch["detail"].startswith("/events/1/delayMs must be")


# A mistaken name, and the one that is suggested instead.
NEAR = {
    "session_key": "sessionKey", "sessionkey": "sessionKey", "sesionKey": "sessionKey", "session": "sessionKey", "ttl": "ttlMs", "delay": "delayMs",
    "contextkey": "contextKey", "context": "contextKey", "account": "accountId", "agent": "agentId", "idempotency-key": "idempotencyKey", "textt": "text",
    "message": None, "nonsense": None, "x": None, "": None, "s" * 100: None}


@pytest.mark.parametrize("name, near", NEAR.items())
def test_an_unknown_field_is_told_the_nearest_name(server, name, near):
    wrong = problem(server.client().call("POST", "/v1/events", {**GOOD, name: "1"}), 400, "invalid-field")["errors"][0]
    assert wrong["detail"] == "is not a field of this call" + (f" (did you mean {near}?)" if near else "")


def test_an_unknown_parameter_is_told_the_nearest_name(server):
    doc = problem(server.client().sessions(limitt=1, coontains="x"), 400, "invalid-field")
    assert [e["detail"] for e in doc["errors"]] == [f"is not a parameter of this call (did you mean {name}?)" for name in ("limit", "contains")]
    assert doc["detail"] == "limitt is not a parameter of this call (did you mean limit?); 1 more is wrong; nothing was changed"


def test_an_unknown_field_of_a_delivery_context_is_refused_as_any_other(server):
    reply = server.client().enqueue("x", MAIN, deliveryContext={"channel": "telegram", "account": "work"})
    doc = problem(reply, 400, "invalid-field", "/deliveryContext/account")
    assert doc["errors"][0]["detail"] == "is not a field of a delivery context (did you mean accountId?)"


def test_many_unknown_fields_of_one_request_take_no_time(server):
    names = [f"{n}essionKey" for n in range(40000)]
    before = server.cpu_seconds()
    problem(server.client().enqueue("x", MAIN, **dict.fromkeys(names)), 400, "invalid-field")
    problem(server.client().enqueue("x", MAIN, deliveryContext=dict.fromkeys(names)), 400, "invalid-field")
    assert server.cpu_seconds() - before < 0.5


@pytest.mark.parametrize("path", ["/livez", "/version", "/v1/sessions", "/v1/nothing", "/metrics", "/openapi.json"])
def test_an_answer_ends_with_one_newline(server, path):
    reply = server.client().call("GET", path)
    assert reply.body.endswith(b"\n") and not reply.body.endswith(b"\n\n")
    assert int(reply.headers["content-length"]) == len(reply.body)


def waiting(server, path, **query):
    client = server.client()
    client.send("GET", path, query=query)
    return client


# What reaches a limit, and the option that sets it.
LIMITS = {
    "--max-pending": lambda server, api: [api.enqueue(str(n), MAIN) for n in range(3)][-1],
    "--max-pending-total": lambda server, api: [api.enqueue("x", f"agent:a{n}:main") for n in range(3)][-1],
    "--max-sessions": lambda server, api: [api.enqueue("x", f"agent:a{n}:main") for n in range(3)][-1],
    "--max-waiters": lambda server, api: api.call("GET", "/v1/wait", query={"sessionKey": MAIN, "timeoutMs": 0}),
    "--max-streams": lambda server, api: api.call("GET", "/v1/stream"),
}


@pytest.mark.parametrize("option, reach", LIMITS.items(), ids=LIMITS)
def test_a_limit_is_told_by_the_name_of_its_option(start, option, reach):
    server = start(option, 2)
    api = server.client()
    path = {"--max-waiters": "/v1/wait", "--max-streams": "/v1/stream"}.get(option)
    held = [waiting(server, path, sessionKey=MAIN) for _ in range(2) if path]
    if held:
        wait_until(lambda: (api.stats()["waiters"] if "wait" in path else api.stats()["http"]["streams"]) == 2, "them")
    reply = reach(server, api)
    assert f"{option} is 2" in problem(reply, 429, "queue-full")["detail"] and int(reply.headers["retry-after"]) >= 1
    for client in held:
        client.close()


def test_a_full_session_is_named_for_dead_letters_too(start):
    api = start("--max-pending", 1, "--max-attempts", 1).client()
    ok(api.enqueue("x", MAIN), 201)
    lease = ok(api.lease(MAIN))
    ok(api.call("POST", f"/v1/leases/{lease['leaseId']}/nack", {}))
    ok(api.enqueue("y", MAIN), 201)
    assert "--max-pending is reached" in problem(api.requeue(all=True, confirm=True), 429, "queue-full")["detail"]


def test_where_trying_again_cannot_help_it_is_not_asked_for(start):
    reply = start("--max-streams", 0).client().call("GET", "/v1/stream")
    assert "--max-streams is 0" in problem(reply, 429, "queue-full")["detail"] and "retry-after" not in reply.headers


def test_no_proxy_collects_what_a_stream_tells(server):
    raw = server.raw()
    raw.send(request("GET", "/v1/stream", server.token))
    while b"\r\n\r\n" not in raw.buffer:
        raw.read_more()
    assert b"\r\nX-Accel-Buffering: no\r\n" in raw.buffer
