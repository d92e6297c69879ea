"""Events whose key leads to another queue since the policy changed: they can be looked at and
purged by the very key of their queue, and no other queue is emptied by mistake.
"""
import json
import subprocess

import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import binary, ok, problem


def adopt(server, policy):
    server.write_policy(policy)
    return ok(server.client().call("POST", "/v1/policy/reload", {}))


@pytest.fixture
def stranded(start):
    """Four events under DIRECT, whose key leads to MAIN, where two events are."""
    server = start("--no-watch-policy", "--no-rekey-on-reload", "--max-attempts", "1", policy=TWO_OWNERS)
    api = server.client()
    for n in range(4):
        ok(api.enqueue(f"direct {n}", DIRECT), 201)
    for n in range(2):
        ok(api.enqueue(f"main {n}", MAIN), 201)
    assert adopt(server, ONE_OWNER)["stranded"] == {"sessions": 1, "events": 4, "complete": True}
    return server


def exact(api, method, path, **query):
    return api.call(method, path, query={"queueKey": DIRECT, **query})


def test_a_queue_is_peeked_by_its_very_key(stranded):
    api = stranded.client()
    seen = ok(exact(api, "GET", "/v1/events", limit=3))
    assert (seen["sessionKey"], seen["depth"], seen["more"]) == (DIRECT, 4, True)
    assert [e["text"] for e in seen["events"]] == ["direct 0", "direct 1", "direct 2"]
    assert api.texts(DIRECT) == ["main 0", "main 1"]


def test_a_queue_is_listed_by_its_very_key(stranded):
    api = stranded.client()
    assert [(s["sessionKey"], s["depth"]) for s in ok(exact(api, "GET", "/v1/sessions"))["sessions"]] == [(DIRECT, 4)]
    assert api.session(DIRECT)["sessionKey"] == MAIN


def test_a_queue_is_purged_by_its_very_key(stranded):
    api = stranded.client()
    assert ok(exact(api, "DELETE", "/v1/events")) == {"sessionKey": DIRECT, "purged": 4, "remaining": 0}
    assert api.texts(MAIN) == ["main 0", "main 1"]
    assert [e["event"]["text"] for e in ok(exact(api, "GET", "/v1/history"))["events"]] == [f"direct {n}" for n in (3, 2, 1, 0)]
    assert ok(api.history(sessionKey=DIRECT))["events"] == []
    assert ok(exact(api, "DELETE", "/v1/events"))["purged"] == 0
    assert api.stats()["strandedEvents"] == 0


def test_a_key_that_leads_elsewhere_purges_nothing(stranded):
    api = stranded.client()
    said = problem(api.purge(DIRECT), 409, "rerouted")
    assert DIRECT in said["detail"] and MAIN in said["detail"] and "direct-main" in said["detail"]
    assert api.texts(MAIN) == ["main 0", "main 1"] and ok(exact(api, "GET", "/v1/events"))["depth"] == 4


@pytest.mark.parametrize("key, policy", {
    "a cron run": ("agent:main:cron:nightly:run:7", "{}"),
    "an isolated heartbeat": ("agent:main:main:heartbeat", "{ agents: { defaults: { heartbeat: { isolatedSession: true, every: '1m' } } } }"),
    "a direct key": (DIRECT, ONE_OWNER),
}.values())
def test_every_key_that_a_rule_moves_is_refused(start, key, policy):
    api = start(policy=policy).client()
    ok(api.enqueue("x", MAIN), 201)
    assert ok(api.route(key))["sessionKey"] == MAIN
    problem(api.purge(key), 409, "rerouted")
    assert api.texts(MAIN) == ["x"]


def test_short_names_of_a_main_session_still_purge_it(start):
    api = start(policy="{ session: { mainKey: 'hub' } }").client()
    for name in ("main", "hub", MAIN, "agent:main:hub"):
        ok(api.enqueue("x", "main"), 201)
        assert ok(api.purge(name))["purged"] == 1, name
    ok(api.enqueue("x", "main"), 201)
    assert ok(api.call("DELETE", "/v1/events", query={"agentId": "main"}))["purged"] == 1


def test_a_short_name_under_which_events_are_queued_is_refused(start):
    """The list shows agent:main:main, which has become another name of agent:main:hub."""
    server = start("--no-watch-policy", "--no-rekey-on-reload", policy="{}")
    api = server.client()
    ok(api.enqueue("old", MAIN), 201)
    adopt(server, "{ session: { mainKey: 'hub' } }")
    ok(api.enqueue("new", "main"), 201)
    problem(api.purge(MAIN), 409, "rerouted")
    assert ok(api.call("DELETE", "/v1/events", query={"queueKey": MAIN}))["purged"] == 1
    assert api.texts("main") == ["new"] and ok(api.purge(MAIN))["purged"] == 1


@pytest.mark.parametrize("more", [{"sessionKey": MAIN}, {"agentId": "main"}, {"channel": "telegram"}, {"accountId": "a"}], ids=lambda m: next(iter(m)))
@pytest.mark.parametrize("method, path", [("GET", "/v1/events"), ("DELETE", "/v1/events"), ("GET", "/v1/sessions"), ("GET", "/v1/history"), ("GET", "/v1/dead-letters")])
def test_a_queue_key_stands_alone(api, method, path, more):
    problem(api.call(method, path, query={"queueKey": MAIN, **more}), 400, "invalid-field", "queueKey")


def test_an_empty_queue_key_is_refused(api):
    problem(api.call("DELETE", "/v1/events", query={"queueKey": ""}), 400, "invalid-field", "queueKey")
    problem(api.call("GET", "/v1/events", query={"queueKey": "x" * 1025}), 400, "invalid-field", "queueKey")


@pytest.mark.parametrize("path, fields", [("/v1/events", {"text": "x"}), ("/v1/drain", {}), ("/v1/leases", {}), ("/v1/consume", {"ids": ["1"]})])
def test_no_call_that_adds_or_takes_has_queue_keys(api, path, fields):
    said = problem(api.call("POST", path, {"queueKey": MAIN, **fields}), 400, "invalid-field")
    assert "/queueKey" in [error["pointer"] for error in said["errors"]]
    said = problem(api.call("GET", "/v1/wait", query={"queueKey": MAIN}), 400, "invalid-field")
    assert "queueKey" in [error["pointer"] for error in said["errors"]]


# Dead letters.

def die(api, key):
    lease = ok(api.lease(key))
    ok(api.nack(lease["leaseId"]))


def test_a_dead_letter_is_requeued_where_its_key_leads_now(start):
    server = start("--no-watch-policy", "--no-rekey-on-reload", "--max-attempts", "1", policy=TWO_OWNERS)
    api = server.client()
    event = ok(api.enqueue("x", DIRECT), 201)["event"]
    die(api, DIRECT)
    adopt(server, ONE_OWNER)
    assert ok(api.requeue(ids=[event["id"]]))["requeued"] == 1
    found, = ok(api.peek(MAIN))["events"]
    assert (found["sessionKey"], found["originalSessionKey"], found["rule"], found["text"]) == (MAIN, DIRECT, "direct-main", "x")
    assert api.session(MAIN)["rekeyedFrom"] == [{"key": DIRECT, "count": 1}]
    assert api.stats()["strandedEvents"] == 0


def test_a_dead_letter_whose_key_stands_keeps_its_rule(start):
    server = start("--max-attempts", "1", policy=ONE_OWNER)
    api = server.client()
    event = ok(api.enqueue("x", DIRECT), 201)["event"]
    die(api, MAIN)
    assert ok(api.requeue(ids=[event["id"]]))["requeued"] == 1
    found, = ok(api.peek(MAIN))["events"]
    assert (found["originalSessionKey"], found["rule"]) == (DIRECT, "direct-main")


def test_dead_letters_are_listed_by_the_very_key(stranded):
    api = stranded.client()
    die(api, MAIN)
    assert len(ok(api.dead_letters(sessionKey=DIRECT))["events"]) == 2
    assert ok(exact(api, "GET", "/v1/dead-letters"))["events"] == []


# The command.

def sevq(server, *arguments):
    env = {**server.environment(), "SEVQ_URL": f"http://{server.address}", "SEVQ_TOKEN": server.token}
    return subprocess.run([binary("SEVQ"), *arguments], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_the_command_purges_what_the_list_shows_and_nothing_else(stranded):
    listed = json.loads(sevq(stranded, "sessions", "--json").stdout)["sessions"]
    assert [(s["sessionKey"], s["depth"]) for s in listed] == [(DIRECT, 4), (MAIN, 2)], "the worst first"
    refused = sevq(stranded, "purge", DIRECT, "--yes")
    assert refused.returncode == 1 and MAIN in refused.stderr, refused
    seen = sevq(stranded, "peek", DIRECT, "--exact")
    assert seen.returncode == 0 and "direct 3" in seen.stdout, seen
    assert sevq(stranded, "purge", DIRECT, "--exact", "--yes").stdout == f"purged 4 from {DIRECT}, 0 left\n"
    assert sevq(stranded, "history", DIRECT, "--exact").stdout.count("direct") >= 4
    assert stranded.client().texts(MAIN) == ["main 0", "main 1"]
    assert sevq(stranded, "purge", "--agent", "main", "--exact", "--yes").returncode == 2
