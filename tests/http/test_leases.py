"""Delivery at least once: lease, ack, nack, extend, and leases that run out."""
import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import Stream, ok, problem, request, wait_until

LONG = 3600000


@pytest.fixture
def three(api):
    return [ok(api.enqueue(f"event {n}", MAIN), 201)["event"] for n in range(3)]


def ids(events):
    return [e["id"] for e in events]


def await_again(api, count=1):
    """Waits until that many events are deliverable."""
    wait_until(lambda: ok(api.wait(MAIN, timeoutMs=10000))["depth"] >= count, "the events to come back")


# Lease.

def test_a_lease_takes_the_oldest_first_and_says_until_when(api, three):
    lease = ok(api.lease(MAIN, limit=2, leaseMs=LONG, consumer="runner-1"))
    assert ids(lease["events"]) == ids(three[:2]) and [e["state"] for e in lease["events"]] == ["leased"] * 2
    assert lease["sessionKey"] == MAIN and lease["remaining"] == 1
    assert lease["leaseId"].isdigit() and abs(lease["expiresAt"] - three[0]["ts"] - LONG) < 60000


def test_a_lease_lasts_a_minute_unless_said_otherwise(api, three):
    lease = ok(api.lease(MAIN))
    assert abs(lease["expiresAt"] - three[0]["ts"] - 60000) < 30000


def test_a_leased_event_is_given_to_nobody_else(api, three):
    ok(api.lease(MAIN, limit=2, leaseMs=LONG))
    assert ids(ok(api.lease(MAIN, leaseMs=LONG))["events"]) == ids(three[2:])
    assert ok(api.lease(MAIN)) == {"leaseId": None, "sessionKey": MAIN, "expiresAt": None, "events": [], "remaining": 3}
    assert ok(api.drain(MAIN))["events"] == []


def test_without_deliverable_events_there_is_no_lease(api):
    assert ok(api.lease(MAIN)) == {"leaseId": None, "sessionKey": MAIN, "expiresAt": None, "events": [], "remaining": 0}
    problem(api.ack("1"), 404, "not-found")


def test_a_lease_does_not_block_what_comes_later(api, three):
    ok(api.lease(MAIN, leaseMs=LONG))
    later = ok(api.enqueue("later", MAIN), 201)["event"]
    assert ids(ok(api.lease(MAIN))["events"]) == [later["id"]]


def test_an_exclusive_lease_blocks_what_comes_later_until_it_ends(api, three):
    lease = ok(api.lease(MAIN, limit=1, leaseMs=LONG, exclusive=True))
    ok(api.enqueue("later", MAIN), 201)
    assert ok(api.lease(MAIN))["leaseId"] is None and ok(api.drain(MAIN))["events"] == []
    assert ok(api.wait(MAIN, timeoutMs=0)) == {"sessionKey": MAIN, "ready": False, "depth": 0}
    ok(api.ack(lease["leaseId"]))
    assert [e["text"] for e in ok(api.lease(MAIN))["events"]] == ["event 1", "event 2", "later"]


def test_an_exclusive_lease_is_not_given_while_another_holds_something(api, three):
    ok(api.lease(MAIN, limit=1, leaseMs=LONG))
    assert ok(api.lease(MAIN, exclusive=True))["leaseId"] is None


def test_a_lease_by_context_prefix_leaves_the_rest(api):
    a = ok(api.enqueue("a", MAIN, contextKey="cron:a"), 201)["event"]
    ok(api.enqueue("b", MAIN), 201)
    lease = ok(api.lease(MAIN, contextKeyPrefix="CRON:"))
    assert ids(lease["events"]) == [a["id"]] and lease["remaining"] == 1


def test_leases_are_seen_in_sessions_and_stats(api, three):
    lease = ok(api.lease(MAIN, limit=2, leaseMs=LONG))
    session, stats = api.session(MAIN), api.stats()
    assert (session["depth"], session["leased"]) == (3, 2)
    assert (stats["pending"], stats["leased"], stats["leases"]) == (3, 2, 1)
    ok(api.ack(lease["leaseId"]))
    assert api.session(MAIN)["leased"] == 0 and api.stats()["leases"] == 0 and api.stats()["events"]["acked"] == 2


@pytest.mark.parametrize("fields, pointer", [({"leaseMs": 0}, "/leaseMs"), ({"leaseMs": -1}, "/leaseMs"), ({"leaseMs": LONG + 1}, "/leaseMs"),
    ({"leaseMs": 1.5}, "/leaseMs"), ({"leaseMs": "1000"}, "/leaseMs"), ({"leaseMs": 10**30}, "/leaseMs"), ({"limit": 0}, "/limit"), ({"limit": -3}, "/limit"),
    ({"consumer": "c" * 129}, "/consumer"), ({"consumer": 7}, "/consumer"), ({"exclusive": "yes"}, "/exclusive"), ({"format": "text"}, "/format"),
    ({"exclusiv": True}, "/exclusiv"), ({"ids": []}, "/ids")], ids=str)
def test_a_bad_lease_takes_nothing(api, three, fields, pointer):
    problem(api.lease(MAIN, **fields), 400, "invalid-field", pointer)
    assert api.session(MAIN)["leased"] == 0


def test_a_lease_needs_a_session(api):
    problem(api.call("POST", "/v1/leases", {"leaseMs": 5}), 400, "invalid-field", "/sessionKey")


# Ack.

def test_an_acked_event_is_settled(api, three):
    lease = ok(api.lease(MAIN, leaseMs=LONG))
    assert ok(api.ack(lease["leaseId"], ids=[three[1]["id"]])) == {"leaseId": lease["leaseId"], "acked": 1, "remaining": 2, "gone": []}
    assert ok(api.ack(lease["leaseId"])) == {"leaseId": lease["leaseId"], "acked": 2, "remaining": 0, "gone": []}
    assert api.session(MAIN) is None
    assert ok(api.find(three[0]["id"]))["event"]["state"] == "acked"


def test_an_ack_needs_no_body(api, three):
    lease = ok(api.lease(MAIN, leaseMs=LONG))
    assert ok(api.call("POST", f"/v1/leases/{lease['leaseId']}/ack"))["acked"] == 3


def test_an_ack_says_what_other_calls_removed(api, three):
    lease = ok(api.lease(MAIN, limit=2, leaseMs=LONG))
    ok(api.ack(lease["leaseId"], ids=[three[0]["id"]]))
    ok(api.withdraw(three[1]["id"]))
    gone = {"leaseId": lease["leaseId"], "acked": 0, "remaining": 0, "gone": [three[1]["id"]]}
    assert ok(api.ack(lease["leaseId"])) == gone and ok(api.ack(lease["leaseId"], ids=[three[1]["id"]])) == gone
    assert ok(api.ack(lease["leaseId"], ids=[three[0]["id"]])) == {"leaseId": lease["leaseId"], "acked": 0, "remaining": 0, "gone": []}


REMOVALS = {
    "withdrawn": lambda api, gone: ok(api.withdraw(gone["id"])),
    "consumed": lambda api, gone: ok(api.consume(MAIN, ids=[gone["id"]])),
    "purged": lambda api, gone: ok(api.purge(MAIN, contextKey="gone")),
    "expired": lambda api, gone: wait_until(lambda: ok(api.find(gone["id"]))["event"]["state"] == "expired", "its end"),
}


@pytest.mark.parametrize("removal", REMOVALS)
@pytest.mark.parametrize("call, changed", [("ack", "acked"), ("nack", "nacked"), ("extend", "extended")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_gone_does_not_hinder_the_rest(api, removal, call, changed, place):
    expires = removal == "expired"
    events = [ok(api.enqueue(f"event {n}", MAIN, **({"contextKey": "gone", **({"ttlMs": 500} if expires else {})} if n == place else {})), 201)["event"] for n in range(3)]
    lease = ok(api.lease(MAIN, leaseMs=LONG))["leaseId"]
    rest = [e for e in events if e is not events[place]]
    if expires:
        ok(api.extend(lease, ids=[events[place]["id"]], leaseMs=600))
    REMOVALS[removal](api, events[place])
    answer = ok(getattr(api, call)(lease, ids=ids(events)))
    assert answer[changed] == 2 and answer["gone"] == [events[place]["id"]], answer
    assert [ok(api.find(e["id"]))["event"]["state"] for e in rest] == [{"ack": "acked", "nack": "queued", "extend": "leased"}[call]] * 2


def test_an_ack_repeated_is_answered_again(api, three):
    lease = ok(api.lease(MAIN, leaseMs=LONG))
    ok(api.ack(lease["leaseId"], ids=ids(three[:2])))
    assert ok(api.ack(lease["leaseId"], ids=ids(three[:2]))) == {"leaseId": lease["leaseId"], "acked": 0, "remaining": 1, "gone": []}
    assert ok(api.ack(lease["leaseId"], ids=ids(three))) == {"leaseId": lease["leaseId"], "acked": 1, "remaining": 0, "gone": []}
    assert ok(api.ack(lease["leaseId"])) == {"leaseId": lease["leaseId"], "acked": 0, "remaining": 0, "gone": []}
    assert api.stats()["events"]["acked"] == 3


@pytest.mark.parametrize("lease_id", ["0", "999", "-1", "1e3", "01", "abc", "99999999999999999999999"])
@pytest.mark.parametrize("call", ["ack", "nack", "extend"])
def test_an_unknown_lease_is_not_found(api, three, call, lease_id):
    ok(api.lease(MAIN, leaseMs=LONG))
    problem(getattr(api, call)(lease_id), 404, "not-found")
    assert api.session(MAIN)["leased"] == 3


@pytest.mark.parametrize("call", ["ack", "nack", "extend"])
def test_an_event_that_was_never_in_the_lease_is_refused_and_nothing_changes(api, three, call):
    lease = ok(api.lease(MAIN, limit=2, leaseMs=LONG))
    foreign = problem(getattr(api, call)(lease["leaseId"], ids=[three[0]["id"], three[2]["id"]]), 400, "invalid-field")
    assert foreign["errors"][0]["pointer"].startswith("/ids")
    problem(getattr(api, call)(lease["leaseId"], ids=["no id"]), 400, "invalid-field", "/ids/0")
    assert api.session(MAIN)["leased"] == 2 and api.timeline(three[0]["id"]) == ["queued", "leased"]


@pytest.mark.parametrize("call, fields, pointer", [("ack", {"delayMs": 5}, "/delayMs"), ("ack", {"ids": "1"}, "/ids"), ("ack", {"ids": [1]}, "/ids/0"),
    ("nack", {"delayMs": -1}, "/delayMs"), ("nack", {"delayMs": 10**15}, "/delayMs"), ("nack", {"reason": "r" * 513}, "/reason"),
    ("nack", {"reason": 1}, "/reason"), ("nack", {"countAttempt": "no"}, "/countAttempt"), ("nack", {"leaseMs": 5}, "/leaseMs"),
    ("extend", {"leaseMs": 0}, "/leaseMs"), ("extend", {"leaseMs": LONG + 1}, "/leaseMs"), ("extend", {"reason": "x"}, "/reason")], ids=str)
def test_a_bad_body_changes_nothing(api, three, call, fields, pointer):
    lease = ok(api.lease(MAIN, leaseMs=LONG))
    problem(getattr(api, call)(lease["leaseId"], **fields), 400, "invalid-field", pointer)
    assert api.session(MAIN)["leased"] == 3


@pytest.mark.parametrize("path", ["/v1/leases/1", "/v1/leases//ack", "/v1/leases/1/ack/", "/v1/leases/ack", "/v1/leases/1/2/ack", "/v1/leases/1/acks"])
def test_only_the_paths_there_are_are_found(api, path):
    assert api.call("POST", path, {}).status in (400, 404, 405)


def test_leases_are_posted(api):
    assert api.call("GET", "/v1/leases/1/ack").headers["allow"] == "POST"


# Nack.

def test_nacked_events_return_to_their_positions_and_count_an_attempt(api, three):
    lease = ok(api.lease(MAIN, limit=2, leaseMs=LONG))
    assert ok(api.nack(lease["leaseId"], ids=[three[0]["id"]], reason="not now")) == {"leaseId": lease["leaseId"], "nacked": 1, "dead": 0, "remaining": 1, "gone": []}
    again = ok(api.lease(MAIN, leaseMs=LONG))
    assert ids(again["events"]) == [three[0]["id"], three[2]["id"]] and [e["attempts"] for e in again["events"]] == [1, 0]
    assert ok(api.find(three[0]["id"]))["timeline"][2]["detail"] == "not now"


def test_a_nack_may_leave_the_attempts_alone(api, three):
    ok(api.nack(ok(api.lease(MAIN, leaseMs=LONG))["leaseId"], countAttempt=False))
    assert [e["attempts"] for e in ok(api.lease(MAIN))["events"]] == [0, 0, 0]


def test_a_nack_may_delay(api, three):
    lease = ok(api.lease(MAIN, limit=1, leaseMs=LONG))
    ok(api.nack(lease["leaseId"], delayMs=150))
    assert ids(ok(api.peek(MAIN))["events"]) == ids(three) and ok(api.find(three[0]["id"]))["event"]["state"] == "delayed"
    assert ids(ok(api.lease(MAIN, leaseMs=LONG))["events"]) == ids(three[1:])
    await_again(api)
    assert ids(ok(api.lease(MAIN))["events"]) == ids(three[:1])


def test_a_nacked_event_can_no_longer_be_acked(api, three):
    lease = ok(api.lease(MAIN, leaseMs=LONG))
    ok(api.nack(lease["leaseId"], ids=ids(three[:1])))
    problem(api.ack(lease["leaseId"], ids=ids(three)), 409, "conflict")
    problem(api.nack(lease["leaseId"], ids=ids(three[:1])), 409, "conflict")
    problem(api.extend(lease["leaseId"], ids=ids(three[:1])), 409, "conflict")
    assert api.session(MAIN)["leased"] == 2
    assert ok(api.ack(lease["leaseId"]))["acked"] == 2


def test_after_the_last_attempt_an_event_is_a_dead_letter_with_its_text(start):
    api = start("--max-attempts", 2).client()
    event = ok(api.enqueue("too \u00e9 hard", MAIN), 201)["event"]
    assert ok(api.nack(ok(api.lease(MAIN))["leaseId"]))["dead"] == 0
    assert ok(api.nack(ok(api.lease(MAIN))["leaseId"], reason="still"))["dead"] == 1
    assert ok(api.lease(MAIN))["leaseId"] is None and api.session(MAIN) is None
    [dead] = ok(api.dead_letters())["events"]
    assert (dead["event"]["id"], dead["event"]["text"]) == (event["id"], "too \u00e9 hard")
    assert dead["outcome"]["what"] == "dead" and dead["outcome"]["detail"] == "still"


# Extend.

def test_an_extended_lease_lasts_longer(api, three):
    lease = ok(api.lease(MAIN, leaseMs=150))
    extended = ok(api.extend(lease["leaseId"], leaseMs=LONG))
    assert extended["extended"] == 3 and extended["remaining"] == 3 and extended["expiresAt"] > lease["expiresAt"] + LONG / 2
    later = ok(api.enqueue("later", MAIN, delayMs=200), 201)["event"]
    await_again(api)  # by then the lease would have ended
    assert ids(ok(api.lease(MAIN))["events"]) == [later["id"]]
    assert ok(api.ack(lease["leaseId"]))["acked"] == 3


def test_extending_some_lets_the_others_end(api, three):
    lease = ok(api.lease(MAIN, leaseMs=100))
    ok(api.extend(lease["leaseId"], ids=[three[1]["id"]], leaseMs=LONG))
    await_again(api, 2)
    assert ids(ok(api.lease(MAIN, leaseMs=LONG))["events"]) == [three[0]["id"], three[2]["id"]]
    assert ok(api.ack(lease["leaseId"], ids=[three[1]["id"]]))["acked"] == 1


# The end of a lease.

def test_a_lease_that_ends_gives_its_events_back_in_order_and_counts(api, three):
    lease = ok(api.lease(MAIN, limit=2, leaseMs=60))
    await_again(api, 3)
    again = ok(api.lease(MAIN))
    assert ids(again["events"]) == ids(three) and [e["attempts"] for e in again["events"]] == [1, 1, 0]
    assert api.timeline(three[0]["id"]) == ["queued", "leased", "lapsed", "leased"]
    for call in (api.ack, api.nack, api.extend):
        problem(call(lease["leaseId"]), 409, "conflict")
    assert ok(api.ack(again["leaseId"]))["acked"] == 3


def test_a_late_ack_is_refused_also_when_another_has_acked(api, three):
    lost = ok(api.lease(MAIN, leaseMs=60))["leaseId"]
    await_again(api, 3)
    ok(api.ack(ok(api.lease(MAIN))["leaseId"]))
    problem(api.ack(lost, ids=ids(three)), 409, "conflict")


def test_a_lease_ends_also_when_nobody_calls(server, api, three):
    """A stream reports the end, so the server noticed it without a call."""
    ok(api.lease(MAIN, leaseMs=80))
    stream = Stream(server, "?coalesceMs=0")
    wake = stream.wake()
    assert (wake["sessionKey"], wake["depth"], wake["source"], wake["wake"]) == (MAIN, 3, None, "next-heartbeat")


def test_attempts_that_run_out_end_as_dead_letters(start):
    api = start("--max-attempts", 1).client()
    event = ok(api.enqueue("x", MAIN), 201)["event"]
    ok(api.lease(MAIN, leaseMs=50))
    wait_until(lambda: ok(api.dead_letters())["events"], "the dead letter")
    assert api.timeline(event["id"]) == ["queued", "leased", "dead"] and api.session(MAIN) is None


# Restarts.

@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_keeps_live_leases_and_counts_nothing(start, end):
    server = start()
    api = server.client()
    events = [ok(api.enqueue(f"event {n}", MAIN), 201)["event"] for n in range(3)]
    lease = ok(api.lease(MAIN, limit=2, leaseMs=LONG))
    getattr(server, end)()
    api = server.start().client()
    assert ids(ok(api.lease(MAIN, leaseMs=LONG))["events"]) == ids(events[2:])
    assert ok(api.extend(lease["leaseId"], leaseMs=LONG))["extended"] == 2
    assert ok(api.nack(lease["leaseId"], ids=ids(events[:1]), countAttempt=False))["nacked"] == 1
    assert ok(api.ack(lease["leaseId"]))["acked"] == 1
    assert [e["attempts"] for e in ok(api.lease(MAIN))["events"]] == [0]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_lease_that_ended_while_the_server_was_down_gives_its_events_back(start, end):
    server = start()
    api = server.client()
    event = ok(api.enqueue("x", MAIN), 201)["event"]
    lease = ok(api.lease(MAIN, leaseMs=1))["leaseId"]
    getattr(server, end)()
    api = server.start().client()
    await_again(api)
    assert ids(ok(api.lease(MAIN))["events"]) == [event["id"]]
    problem(api.ack(lease), 409, "conflict")


def test_an_ack_is_remembered_over_a_restart(start):
    server = start()
    api = server.client()
    ok(api.enqueue("x", MAIN), 201)
    lease = ok(api.lease(MAIN, leaseMs=LONG))["leaseId"]
    ok(api.ack(lease))
    server.kill()
    api = server.start().client()
    assert ok(api.ack(lease)) == {"leaseId": lease, "acked": 0, "remaining": 0, "gone": []}
    assert api.session(MAIN) is None


# Exact keys.

@pytest.mark.parametrize("key, rule", [(DIRECT, "direct-main"), ("agent:main:cron:backup:run:7", "cron-run")])
def test_an_exact_lease_is_refused_for_a_key_that_a_rule_moves(start, key, rule):
    api = start(policy=ONE_OWNER).client()
    ok(api.enqueue("x", key), 201)
    detail = problem(api.lease(key, exact=True), 409, "rerouted")["detail"]
    assert key in detail and MAIN in detail and rule in detail
    assert len(ok(api.lease(key))["events"]) == 1


@pytest.mark.parametrize("key", [MAIN, "main", "global", "agent:main:telegram:group:9"])
def test_an_exact_lease_takes_what_stands_under_the_key_or_its_alias(start, key):
    api = start(policy=ONE_OWNER).client()
    ok(api.enqueue("x", key), 201)
    assert len(ok(api.lease(key, exact=True))["events"]) == 1


# Release.

def release(api, consumer):
    return ok(api.call("POST", "/v1/leases/release", {"consumer": consumer}))


def test_what_a_dead_consumer_held_comes_back_uncounted_and_nothing_else(api, three):
    other = "agent:main:other"
    ok(api.enqueue("elsewhere", other), 201)
    ok(api.lease(MAIN, limit=1, leaseMs=LONG, consumer="gateway"))
    ok(api.lease(MAIN, limit=1, leaseMs=LONG, consumer="another"))
    ok(api.lease(other, leaseMs=LONG, consumer="gateway"))
    assert release(api, "gateway") == {"consumer": "gateway", "leases": 2, "released": 2, "more": False}
    assert release(api, "gateway") == {"consumer": "gateway", "leases": 0, "released": 0, "more": False}
    states = [(e["state"], e["attempts"]) for e in ok(api.peek(MAIN))["events"]]
    assert states == [("queued", 0), ("leased", 0), ("queued", 0)]
    assert [e["text"] for e in ok(api.lease(other))["events"]] == ["elsewhere"]
    returned = ok(api.find(three[0]["id"]))["timeline"][-1]
    assert (returned["what"], returned["detail"]) == ("returned", "released")


def test_a_release_goes_on_where_one_call_does_not_reach(api):
    for batch in range(3):
        ok(api.batch(*({"text": f"{batch} {n}", "sessionKey": MAIN} for n in range(400))))
    for batch in range(3):
        assert len(ok(api.lease(MAIN, limit=400, leaseMs=LONG, consumer="gateway"))["events"]) == 400
    assert release(api, "gateway") == {"consumer": "gateway", "leases": 2, "released": 800, "more": True}
    assert release(api, "gateway") == {"consumer": "gateway", "leases": 1, "released": 400, "more": False}


@pytest.mark.parametrize("body", [{}, {"consumer": ""}, {"consumer": None}, {"consumer": 1}, {"consumer": "x" * 300}, {"consumer": "x", "all": True}])
def test_a_release_needs_a_consumer(api, body):
    problem(api.call("POST", "/v1/leases/release", body), 400, "invalid-field")


# Scopes.

def test_each_call_needs_its_scope(make):
    server = make()
    (server.directory / "token").write_text("a-token-that-may-all-things\nproducers-only-token produce\n")
    (server.directory / "token").chmod(0o600)
    server.start()
    producer = server.client(token="producers-only-token")
    for path in ("/v1/leases", "/v1/leases/1/ack", "/v1/leases/1/nack", "/v1/leases/1/extend", "/v1/leases/release"):
        problem(producer.call("POST", path, {}), 403, "forbidden")
    problem(producer.wait(MAIN), 403, "forbidden")
    problem(producer.call("GET", "/v1/stream"), 403, "forbidden")
    problem(producer.history(), 403, "forbidden")
    problem(producer.requeue(all=True, confirm=True), 403, "forbidden")


def test_a_lease_is_still_known_when_a_long_body_follows_its_head(server, api):
    ok(api.enqueue("x", MAIN), 201)
    lease, body = ok(api.lease(MAIN))["leaseId"], b"{}" + b" " * 6000
    raw = server.raw()
    whole = request("POST", f"/v1/leases/{lease}/ack", server.token, body, headers=[("Expect", "100-continue")])
    raw.send(whole[: -len(body)])
    assert raw.answer().status == 100
    raw.send(body)
    assert raw.answer().status == 200


# Who holds what.

def test_leases_tell_who_holds_what_and_until_when(api):
    for n in range(3):
        ok(api.enqueue(str(n), MAIN), 201)
    ok(api.enqueue("x", "agent:other:main"), 201)
    assert ok(api.call("GET", "/v1/leases")) == {"leases": [], "nextCursor": None}
    held = ok(api.lease(MAIN, limit=2, leaseMs=600000, consumer="ann"))
    other = ok(api.lease("agent:other:main", leaseMs=60000))

    def leases(**query):
        return ok(api.call("GET", "/v1/leases", query=query))["leases"]
    first, second = leases()
    assert (first["leaseId"], second["leaseId"]) == (other["leaseId"], held["leaseId"])
    assert {k: second[k] for k in second if k != "expiresAt"} == {
        "leaseId": held["leaseId"], "sessionKey": MAIN, "consumer": "ann", "exclusive": False, "leased": 2}
    assert abs(second["expiresAt"] - held["expiresAt"]) <= 2 and first["consumer"] is None
    for query in ({"queueKey": MAIN}, {"consumer": "ann"}):
        assert [lease["leaseId"] for lease in leases(**query)] == [held["leaseId"]]
    assert leases(consumer="bob") == leases(queueKey="agent:none:main") == []
    one = ok(api.call("GET", f"/v1/leases/{held['leaseId']}"))
    assert one["ids"] == [e["id"] for e in held["events"]] and one["sessionKey"] == MAIN
    ok(api.ack(held["leaseId"]))
    problem(api.call("GET", f"/v1/leases/{held['leaseId']}"), 404, "not-found")
    assert [lease["leaseId"] for lease in leases()] == [other["leaseId"]]


def test_leases_are_listed_in_pages(api):
    for n in range(25):
        ok(api.enqueue("x", f"agent:a{n}:main"), 201)
        ok(api.lease(f"agent:a{n}:main"))
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = ok(api.call("GET", "/v1/leases", query={"limit": 10, **({"cursor": cursor} if cursor else {})}))
        assert len(page["leases"]) <= 10
        seen += [lease["sessionKey"] for lease in page["leases"]]
        cursor = page["nextCursor"]
    assert sorted(seen) == sorted(f"agent:a{n}:main" for n in range(25))
    problem(api.call("GET", "/v1/leases", query={"cursor": "x"}), 400, "invalid-field", "cursor")
    problem(api.call("GET", "/v1/leases", query={"queueKey": "x" * 2000}), 400, "invalid-field", "queueKey")
