"""Rekeying: an event posted under a direct-message key is found by the runner that drains the main
key.
"""
import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import ok, problem


def test_with_one_owner_a_direct_event_is_drained_from_the_main_key(start):
    api = start(policy=ONE_OWNER).client()
    event = ok(api.enqueue("Exec completed (build, code 0)", DIRECT), 201)["event"]
    assert (event["sessionKey"], event["originalSessionKey"], event["rule"]) == (MAIN, DIRECT, "direct-main")
    drained = ok(api.drain(MAIN))
    assert drained == {"sessionKey": MAIN, "events": [{**event, "state": "drained"}], "remaining": 0}


def test_with_two_owners_a_direct_event_stays_where_it_was_posted(start):
    api = start(policy=TWO_OWNERS).client()
    event = ok(api.enqueue("hello", DIRECT), 201)["event"]
    assert (event["sessionKey"], event["rule"]) == (DIRECT, "keep")
    assert ok(api.drain(MAIN))["events"] == []
    assert ok(api.drain(DIRECT))["events"] == [{**event, "state": "drained"}]


def test_without_a_policy_a_direct_event_stays_where_it_was_posted(api):
    assert ok(api.enqueue("hello", DIRECT), 201)["event"]["sessionKey"] == DIRECT


def test_every_call_routes_its_key(start):
    """Producers and consumers may use either key in every call."""
    api = start(policy=ONE_OWNER).client()
    first, second, third, _ = [ok(api.enqueue(f"event {n}", MAIN), 201)["event"] for n in range(4)]
    assert ok(api.peek(DIRECT))["sessionKey"] == MAIN and len(ok(api.peek(DIRECT))["events"]) == 4
    assert api.session(DIRECT)["sessionKey"] == MAIN
    assert ok(api.route(DIRECT))["sessionKey"] == MAIN
    taken = ok(api.consume(DIRECT, [second["id"]]))
    assert taken == {"sessionKey": MAIN, "events": [{**second, "state": "consumed"}], "remaining": 3}
    drained = ok(api.drain(DIRECT, limit=2))
    assert drained == {"sessionKey": MAIN, "events": [{**e, "state": "drained"} for e in (first, third)], "remaining": 1}
    problem(api.purge(DIRECT), 409, "rerouted")
    assert ok(api.purge(MAIN)) == {"sessionKey": MAIN, "purged": 1, "remaining": 0}


def test_a_duplicate_is_found_across_both_keys(start):
    api = start(policy=ONE_OWNER).client()
    event = ok(api.enqueue("same", DIRECT), 201)["event"]
    assert ok(api.enqueue("same", MAIN)) == {"outcome": "duplicate", "event": event}


@pytest.mark.parametrize("key, queue_key, rule", [
    ("main", MAIN, "main-alias"),
    ("agent:main:cron:nightly:run:7", MAIN, "cron-run"),
    ("agent:main:telegram:direct:123", MAIN, "direct-main"),
    ("agent:main:direct:123", "agent:main:direct:123", "keep"),
    ("agent:Main:Signal:Group:AbC", "agent:main:signal:group:AbC", "keep"),
    ("agent:main:telegram:default:direct:124", "agent:main:telegram:default:direct:124", "keep"),
    ("agent:ops:telegram:default:direct:123", "agent:ops:main", "direct-main"),
    ("agent:main:telegram:group:123", "agent:main:telegram:group:123", "keep"),
    ("  anything else ", "agent:main:anything else", "keep"),
])
def test_the_rule_that_decided_stays_with_the_event(start, key, queue_key, rule):
    api = start(policy=ONE_OWNER).client()
    event = ok(api.enqueue("hello", key), 201)["event"]
    assert (event["sessionKey"], event["rule"]) == (queue_key, rule)
    assert event["originalSessionKey"] in (key, key.strip())
    assert ok(api.find(event["id"]))["event"] == event


def test_channel_and_account_choose_the_allowlist(start):
    policy = """{ channels: { telegram: { allowFrom: [123], accounts: { work: { allowFrom: ['123', '456'] } } } } }"""
    api = start(policy=policy).client()
    assert ok(api.enqueue("a", DIRECT), 201)["event"]["rule"] == "direct-main"
    assert ok(api.enqueue("b", DIRECT, accountId="Work"), 201)["event"]["rule"] == "keep"
    assert ok(api.enqueue("c", DIRECT, channel="discord"), 201)["event"]["rule"] == "keep"


@pytest.mark.parametrize("key, status, code", [(" ", 400, "blank-key"), ("", 400, "blank-key"), ("agent:", 400, "malformed-key"), ("AGENT:main", 400, "malformed-key"),
    ("agent:main::x", 400, "malformed-key")])
def test_a_key_that_does_not_route_is_refused_by_every_call(api, key, status, code):
    for reply in (api.enqueue("x", key), api.drain(key), api.consume(key, ["1"]), api.peek(key), api.purge(key), api.sessions(sessionKey=key), api.route(key)):
        problem(reply, status, code)


def test_conflicting_agents_are_refused(api):
    problem(api.enqueue("x", "agent:main:main", agentId="ops"), 409, "owner-mismatch")
    problem(api.route("agent:main:main", agentId="ops"), 409, "owner-mismatch")


def test_a_bare_key_needs_an_owner(start):
    api = start(policy="{ agents: { list: [ { id: 'a' }, { id: 'b' } ] } }").client()
    problem(api.enqueue("x", "main"), 400, "owner-unresolved")
    assert ok(api.enqueue("x", "main", agentId="b"), 201)["event"]["sessionKey"] == "agent:b:main"


def test_the_policy_is_found_where_openclaw_keeps_it(make):
    """$OPENCLAW_CONFIG_PATH, else ~/.openclaw/openclaw.json."""
    home = make(name="home")
    (home.directory / ".openclaw").mkdir()
    (home.directory / ".openclaw" / "openclaw.json").write_text(ONE_OWNER)
    assert ok(home.start().client().route(DIRECT))["sessionKey"] == MAIN
    elsewhere = make(name="elsewhere")
    elsewhere.extra_env["OPENCLAW_CONFIG_PATH"] = str(elsewhere.directory / "mine.json")
    (elsewhere.directory / "mine.json").write_text(ONE_OWNER)
    assert ok(elsewhere.start().client().route(DIRECT))["sessionKey"] == MAIN


def test_a_queue_key_is_a_fixed_point(start):
    api = start(policy=ONE_OWNER).client()
    for key in ("main", DIRECT, "x", "agent:main:cron:a:run:b:c", "agent:main:Matrix:Channel:!Room:thread:$Ev"):
        once = ok(api.route(key))["sessionKey"]
        again = ok(api.route(once))
        assert again["sessionKey"] == once and again["rekeyed"] is False
