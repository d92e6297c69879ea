"""Monitoring: stats, livez, readyz, version; and unknown paths and methods."""
import re

import pytest

from policies import MAIN
from sevqd import ok, problem


def test_stats_count_what_happened(api):
    one, two, *_ = [ok(api.enqueue(f"event {n}", MAIN), 201)["event"] for n in range(6)]
    api.enqueue("event 5", MAIN)
    api.enqueue("a", MAIN, contextKey="c")
    api.enqueue("b", MAIN, contextKey="c", replace=True)
    api.withdraw(one["id"])
    api.consume(MAIN, [two["id"]])
    api.drain(MAIN, limit=2)
    stats = api.stats()
    assert stats["pending"] == 3 and stats["sessions"] == 1
    counted = {k: stats["events"][k] if "events" in stats and isinstance(stats["events"], dict) else stats[k]
        for k in ("enqueued", "duplicates", "replaced", "withdrawn", "consumed", "drained", "purged", "evicted")}
    assert counted == {"enqueued": 8, "duplicates": 1, "replaced": 1, "withdrawn": 1, "consumed": 1, "drained": 2, "purged": 0, "evicted": 0}


def test_stats_tell_what_the_server_runs_by(start):
    api = start("--max-pending", 7, policy="{}").client()
    stats = api.stats()
    assert stats["version"] == ok(api.call("GET", "/version"))["version"]
    assert stats["policyHash"] == ok(api.call("GET", "/v1/policy"))["hash"]
    assert stats["limits"]["maxPending"] == 7
    assert set(stats["limits"]) == {"maxPending", "maxPendingTotal", "maxSessions", "maxWaiters", "maxStreams", "dbMaxBytes", "dbMinFreeBytes"}
    assert {"ready", "deadLetters", "strandedEvents", "oldestReadyAgeMs"} < set(stats) and stats["store"]["freeBytes"] > 0


def test_health_needs_no_token(server):
    api = server.client(token=None)
    for path in ("/livez", "/readyz"):
        assert api.call("GET", path).status == 200
    assert ok(api.call("GET", "/version"))["version"]


def test_the_version_is_that_of_the_program(server):
    version = ok(server.client().call("GET", "/version"))["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", version)
    done = server.run("--version")
    assert done.returncode == 0 and version in done.stdout


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/", "/v1/event", "/v1/events/", "/V1/events", "/v1/events/1/2", "/v2/events", "/v1/drain/"])
def test_an_unknown_path_is_not_found(api, path):
    problem(api.call("GET", path), 404, "not-found")


@pytest.mark.parametrize("method, path, allowed", [("PUT", "/v1/events", {"GET", "HEAD", "POST", "DELETE"}), ("GET", "/v1/drain", {"POST"}), ("POST", "/v1/sessions", {"GET", "HEAD"}),
    ("POST", "/livez", {"GET", "HEAD"}), ("PATCH", "/v1/events/1", {"GET", "HEAD", "DELETE"}), ("OPTIONS", "/v1/events", None)])
def test_a_known_path_names_its_methods(api, method, path, allowed):
    reply = api.call(method, path)
    problem(reply, 405, "method-not-allowed")
    named = {m.strip() for m in reply.headers["allow"].split(",")}
    if allowed is not None:
        assert named | {"HEAD"} == allowed | {"HEAD"}


def test_answers_are_not_stored_or_sniffed(api):
    reply = api.peek(MAIN)
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_no_cross_origin_headers(server):
    reply = server.client().call("GET", "/v1/stats", headers={"Origin": f"http://127.0.0.1:{server.port}"})
    assert not [h for h in reply.headers if h.startswith("access-control-")]
