"""Every problem code: its status, the common shape, and no secrets in it."""
import re
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import problem, request

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
