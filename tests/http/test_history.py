"""Timelines, history, dead letters, and requeued dead letters."""
import json
import resource
import signal

import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import Raw, Stream, ok, pages, problem, sanitized, wait_until

OPS = "agent:ops:main"


def enqueue(api, text, key=MAIN, **fields):
    return ok(api.enqueue(text, key, **fields), 201)["event"]["id"]


def kill_one(api, text, key=MAIN, reason=None, **fields):
    """Makes a dead letter; returns its id."""
    event = enqueue(api, text, key, **fields)
    lease = ok(api.lease(key))
    ok(api.nack(lease["leaseId"], **({"reason": reason} if reason else {})))
    return event


def ids(items):
    return [item["event"]["id"] for item in items]


@pytest.fixture
def fragile(start):
    """A client of a server where an event is a dead letter after one failed delivery."""
    return start("--max-attempts", 1).client()


# Timelines.

def test_a_timeline_begins_with_the_key_as_it_was_sent(start):
    api = start(policy=ONE_OWNER).client()
    found = ok(api.find(enqueue(api, "x", DIRECT)))
    assert found["event"]["sessionKey"] == MAIN
    assert found["timeline"] == [{"ts": found["event"]["ts"], "what": "queued", "originalSessionKey": DIRECT, "rule": "direct-main"}]


def test_a_timeline_has_every_outcome_in_order(api):
    event = enqueue(api, "x")
    first = ok(api.lease(MAIN, consumer="runner-7"))
    extended = ok(api.extend(first["leaseId"], leaseMs=120000))
    ok(api.nack(first["leaseId"], reason="busy", delayMs=30))
    wait_until(lambda: ok(api.wait(MAIN))["ready"])
    ok(api.lease(MAIN, leaseMs=30))
    wait_until(lambda: ok(api.wait(MAIN))["ready"])
    third = ok(api.lease(MAIN))
    ok(api.nack(third["leaseId"], countAttempt=False))
    ok(api.drain(MAIN))
    line = ok(api.find(event))["timeline"]
    assert [e["what"] for e in line] == ["queued", "leased", "extended", "nacked", "leased", "lapsed", "leased", "returned", "drained"]
    assert line[1] == {"ts": line[1]["ts"], "what": "leased", "leaseId": first["leaseId"], "until": first["expiresAt"], "detail": "runner-7"}
    assert (line[2]["leaseId"], line[2]["until"]) == (first["leaseId"], extended["expiresAt"])
    assert (line[3]["detail"], line[3]["until"] - line[3]["ts"]) == ("busy", 30)
    assert [e["ts"] for e in line] == sorted(e["ts"] for e in line)
    assert ok(api.find(event))["event"]["attempts"] == 2


def test_a_timeline_comes_in_pages(start):
    """A hundred entries by default; whatever the page, the event is told the same."""
    api = start("--max-attempts", 100).client()
    event = enqueue(api, "x")
    for n in range(60):
        ok(api.nack(ok(api.lease(MAIN, consumer=f"{n}"))["leaseId"], reason=f"{n}"))
    ok(api.drain(MAIN))
    first = ok(api.find(event))
    whole, cursor = first["timeline"], first["nextCursor"]
    assert len(whole) == 100 and cursor is not None
    while cursor is not None:
        page = ok(api.find(event, cursor=cursor))
        assert page["event"] == first["event"]
        whole, cursor = whole + page["timeline"], page["nextCursor"]
    assert len({json.dumps(e) for e in whole}) == len(whole) and whole[-1]["what"] == "drained"
    for limit in (1, 2, 7, len(whole) - 1, len(whole), 1000):
        parts, cursor = [], {}
        while cursor is not None:
            page = ok(api.find(event, limit=limit, **cursor))
            assert page["event"] == first["event"] and 0 < len(page["timeline"]) <= limit
            parts, cursor = parts + page["timeline"], {"cursor": page["nextCursor"]} if page["nextCursor"] else None
        assert parts == whole
    for query, pointer in (({"limit": 0}, "limit"), ({"limit": 1001}, "limit"), ({"cursor": "x"}, "cursor"), ({"cursor": ""}, "cursor"), ({"after": "1"}, "after")):
        problem(api.find(event, **query), 400, "invalid-field", pointer)


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_what_is_given_back_for_ever_keeps_few_outcomes(start, restart):
    """Nacks that count nothing, and extensions of one lease; the event stays pending."""
    server = start()
    api = server.client()
    event = enqueue(api, "x")
    for n in range(300):
        if restart and n == 150:
            api = server.restart().client()
        lease = ok(api.lease(MAIN))["leaseId"]
        for _ in range(n % 3):
            ok(api.extend(lease))
        ok(api.nack(lease, countAttempt=False, reason=f"{n}"))
    found = ok(api.find(event))
    line = found["timeline"]
    assert found["event"]["state"] == "queued" and found["event"]["attempts"] == 0 and found["nextCursor"] is None
    assert [e["what"] for e in line if e["what"] != "extended"] == ["queued"] + ["leased", "returned"] * 21
    assert [e["detail"] for e in line if e["what"] == "returned"] == [f"{n}" for n in [*range(20), 299]]
    assert [e.get("times", 1) for e in line if e["what"] == "returned"] == [*range(1, 21), 300]
    assert [e.get("times", 1) for e in line if e["what"] == "extended"] == [n % 3 for n in [*range(20), 299] if n % 3]
    assert api.stats()["store"]["outcomes"] == len(line) - 1
    ok(api.drain(MAIN))
    assert ok(api.find(event))["timeline"][:-1] == line


@pytest.mark.parametrize("how, state", [("drain", "drained"), ("consume", "consumed"), ("withdraw", "withdrawn"), ("purge", "purged"),
    ("replace", "replaced"), ("ack", "acked"), ("expire", "expired")])
def test_outcomes_are_known_after_a_restart(start, how, state):
    server = start()
    api = server.client()
    event = enqueue(api, "x", contextKey="c", **({"ttlMs": 1} if how == "expire" else {}))
    if how == "ack":
        ok(api.ack(ok(api.lease(MAIN))["leaseId"]))
    elif how == "replace":
        ok(api.enqueue("y", MAIN, contextKey="c", replace=True), 201)
    elif how == "consume":
        ok(api.consume(MAIN, [event]))
    elif how == "withdraw":
        ok(api.withdraw(event))
    elif how != "expire":
        ok(getattr(api, how)(MAIN))
    wait_until(lambda: ok(api.find(event))["event"]["state"] == state, state)
    before = ok(api.find(event)), ok(api.history())
    assert before[0]["timeline"][-1]["what"] == state and before[0]["event"]["text"] == "x"
    [item] = before[1]["events"]
    assert item["event"]["id"] == event and item["event"]["state"] == state and item["outcome"]["what"] == state
    server.kill()
    api = server.start().client()
    assert (ok(api.find(event)), ok(api.history())) == before


def test_an_id_that_never_was_is_not_found(api):
    for event in ("1", "0", "x", "99999999999999999999"):
        problem(api.find(event), 404, "not-found")


# History.

def test_history_is_newest_first_and_pages_neither_overlap_nor_skip(api):
    events = [enqueue(api, f"{n}") for n in range(25)]
    for n in range(0, 25, 5):
        ok(api.drain(MAIN, limit=5))
    assert ids(ok(api.history())["events"]) == events[::-1]
    for limit in (1, 3, 7, 24, 25, 26):
        assert ids(pages(api.history, limit=limit)) == events[::-1]


def test_history_filters(api):
    a, b = enqueue(api, "a", source="hook"), enqueue(api, "b", OPS, source="cron-event")
    ok(api.drain(MAIN))
    middle = ok(api.find(a))["timeline"][-1]["ts"]
    wait_until(lambda: ok(api.enqueue("tick", "agent:clock:main", allowDuplicate=True), 201)["event"]["ts"] > middle + 1)
    ok(api.purge(OPS))
    for query, found in [({}, [b, a]), ({"sessionKey": MAIN}, [a]), ({"sessionKey": "main"}, [a]), ({"agentId": "ops"}, [b]), ({"state": "drained"}, [a]),
            ({"state": "purged"}, [b]), ({"state": "acked"}, []), ({"source": "hook"}, [a]), ({"source": "none"}, []), ({"since": middle + 1}, [b]),
            ({"until": middle + 1}, [a]), ({"since": middle, "state": "drained"}, [a]), ({"sessionKey": MAIN, "source": "cron-event"}, [])]:
        assert ids(pages(api.history, **query)) == found, query


@pytest.mark.parametrize("query, pointer", [({"state": "queued"}, "state"), ({"state": "leased"}, "state"), ({"state": ""}, "state"), ({"limit": 0}, "limit"),
    ({"limit": 1001}, "limit"), ({"since": -1}, "since"), ({"until": "now"}, "until"), ({"since": 10**30}, "since"), ({"cursor": "x"}, "cursor"),
    ({"cursor": "1:"}, "cursor"), ({"cursor": "-1:-1"}, "cursor"), ({"key": 1}, "key")], ids=str)
def test_a_bad_query_is_refused(api, query, pointer):
    problem(api.history(**query), 400, "invalid-field", pointer)


def test_retention_deletes_settled_events_only(start):
    server = start("--retention-ms", 0)
    api = server.client()
    gone = [enqueue(api, f"{n}") for n in range(100)]
    ok(api.drain(MAIN))
    kept, last = enqueue(api, "kept", OPS), enqueue(api, "last")
    ok(api.drain(MAIN))
    wait_until(lambda: all(api.find(id).status == 404 for id in (gone[0], gone[-1], last)), "the sweep")
    assert ids(ok(api.history())["events"]) == []
    assert ok(api.find(kept))["event"]["text"] == "kept"
    assert api.texts(OPS) == ["kept"]
    server.restart()
    assert int(enqueue(server.client(), "next")) == int(last) + 1


# Dead letters.

def test_dead_letters_have_their_reason(start):
    api = start("--max-attempts", 1, "--max-pending", 2, "--overflow", "drop-oldest").client()
    dead = kill_one(api, "failed", reason="exit 1")
    evicted = enqueue(api, "pushed out", OPS)
    enqueue(api, "a", OPS), enqueue(api, "b", OPS)
    found = ok(api.dead_letters())["events"]
    assert ids(found) == [evicted, dead]
    assert [(i["outcome"]["what"], i["outcome"]["detail"]) for i in found] == [("evicted", "overflow"), ("dead", "exit 1")]
    assert ids(ok(api.dead_letters(sessionKey=OPS))["events"]) == [evicted]
    assert [i["event"]["text"] for i in found] == ["pushed out", "failed"]


def test_dead_letters_come_in_pages(fragile):
    dead = [kill_one(fragile, f"{n}") for n in range(7)]
    assert ids(pages(fragile.dead_letters, limit=3)) == dead[::-1]


def test_a_requeued_dead_letter_is_a_new_event_with_the_old_fields(fragile):
    dead = kill_one(fragile, "again", contextKey="c", source="hook", wake="now", deliveryContext={"channel": "telegram", "to": "1"})
    assert ok(fragile.requeue(ids=[dead])) == {"requeued": 1, "passedOver": 0, "more": False, "dryRun": False}
    [event] = ok(fragile.peek(MAIN))["events"]
    assert event["id"] != dead and event["attempts"] == 0 and event["state"] == "queued"
    assert (event["text"], event["contextKey"], event["source"], event["wake"], event["deliveryContext"]) == (
        "again", "c", "hook", "now", {"channel": "telegram", "to": "1"})
    assert fragile.timeline(dead) == ["queued", "leased", "dead", "requeued"]
    assert ok(fragile.find(dead))["timeline"][-1]["detail"] == event["id"]
    assert ok(fragile.dead_letters())["events"] == []


def test_a_dead_letter_is_requeued_once(fragile):
    dead = kill_one(fragile, "x")
    assert ok(fragile.requeue(ids=[dead, dead]))["requeued"] == 1
    assert ok(fragile.requeue(ids=[dead])) == {"requeued": 0, "passedOver": 1, "more": False, "dryRun": False}
    assert len(fragile.texts(MAIN)) == 1


def test_ids_that_are_no_dead_letters_are_skipped(fragile):
    alive = enqueue(fragile, "alive", OPS)
    assert ok(fragile.requeue(ids=[alive, "77777", "x", ""])) == {"requeued": 0, "passedOver": 4, "more": False, "dryRun": False}


def test_a_session_is_requeued_in_the_order_it_had(fragile):
    for n in range(5):
        kill_one(fragile, f"{n}")
    other = kill_one(fragile, "other", OPS)
    assert ok(fragile.requeue(sessionKey=MAIN))["requeued"] == 5
    assert fragile.texts(MAIN) == ["0", "1", "2", "3", "4"]
    assert ids(ok(fragile.dead_letters())["events"]) == [other]
    assert ok(fragile.requeue(agentId="ops"))["requeued"] == 1


def test_all_are_requeued_only_on_purpose(fragile):
    kill_one(fragile, "a"), kill_one(fragile, "b", OPS)
    problem(fragile.requeue(all=True), 400, "invalid-field", "/confirm")
    problem(fragile.requeue(all=True, confirm=False), 400, "invalid-field", "/confirm")
    assert ok(fragile.requeue(all=True, dryRun=True)) == {"requeued": 2, "passedOver": 0, "more": False, "dryRun": True}
    assert fragile.texts(MAIN) == fragile.texts(OPS) == [] and len(ok(fragile.dead_letters())["events"]) == 2
    assert ok(fragile.requeue(all=True, confirm=True))["requeued"] == 2
    assert fragile.texts(MAIN) == ["a"] and fragile.texts(OPS) == ["b"]


@pytest.mark.parametrize("fields", [{}, {"all": False}, {"ids": [], "all": True, "confirm": True}, {"ids": ["1"], "sessionKey": MAIN},
    {"sessionKey": MAIN, "all": True, "confirm": True}], ids=str)
def test_a_selection_must_be_one(fragile, fields):
    kill_one(fragile, "x")
    for end in (fragile.requeue, fragile.discard):
        problem(end(**fields), 400, "invalid-field", "/ids")
    assert fragile.texts(MAIN) == [] and len(ok(fragile.dead_letters())["events"]) == 1


@pytest.mark.parametrize("fields, pointer", [({"ratePerSecond": 0}, "/ratePerSecond"), ({"ratePerSecond": 1001}, "/ratePerSecond"), ({"dryRun": 1}, "/dryRun"),
    ({"ids": ["1"] * 1001}, "/ids"), ({"ids": [1]}, "/ids/0"), ({"text": "x"}, "/text")], ids=str)
def test_a_bad_requeue_changes_nothing(fragile, fields, pointer):
    kill_one(fragile, "x")
    problem(fragile.requeue(**{"sessionKey": MAIN, **fields}), 400, "invalid-field", pointer)
    assert fragile.texts(MAIN) == []


def test_a_discarded_dead_letter_is_gone_but_for_its_history(start):
    server = start("--max-attempts", 1)
    fragile = server.client()
    dead, other = kill_one(fragile, "unwanted"), kill_one(fragile, "wanted")
    assert ok(fragile.discard(ids=[dead, dead, "77777", "x"])) == {"discarded": 1, "passedOver": 3, "more": False, "dryRun": False}
    for start_anew in (False, True):
        if start_anew:
            server.restart()
        client = server.client()
        assert ids(ok(client.dead_letters())["events"]) == [other]
        assert ok(client.requeue(ids=[dead]))["requeued"] == ok(client.discard(ids=[dead]))["discarded"] == 0
        assert client.timeline(dead) == ["queued", "leased", "dead", "discarded"]
        assert ok(client.find(dead))["event"]["text"] == "unwanted"
        [item] = ok(client.history(state="discarded"))["events"]
        assert item["event"]["id"] == dead and item["outcome"]["what"] == "discarded"
        assert client.texts(MAIN) == []
    assert ok(client.requeue(ids=[other]))["requeued"] == 1
    assert ok(client.discard(ids=[other]))["discarded"] == 0


def test_dead_letters_are_counted(start):
    server = start("--max-attempts", 1, "--max-pending", 3, "--overflow", "drop-oldest")
    api = server.client()
    dead = [kill_one(api, f"{n}") for n in range(3)]
    for n in range(5):
        ok(api.enqueue(f"more {n}", OPS), 201)
    assert api.stats()["deadLetters"] == 5, "two were evicted"
    ok(api.requeue(ids=dead[:1]))
    assert api.stats()["deadLetters"] == 4
    server.restart()
    api = server.client()
    assert api.stats()["deadLetters"] == 4
    ok(api.discard(ids=dead))
    assert api.stats()["deadLetters"] == 2
    assert b"\nsevq_dead_letters 2\n" in api.call("GET", "/metrics").body
    server.stop()
    server.flags += ["--retention-ms", 0]
    server.start()
    wait_until(lambda: server.client().stats()["deadLetters"] == 0, "the dead letters to be forgotten")


def test_what_is_not_named_is_discarded_only_on_purpose(fragile):
    mine, theirs = kill_one(fragile, "a"), kill_one(fragile, "b", OPS)
    for fields in ({"sessionKey": MAIN}, {"agentId": "ops"}, {"queueKey": MAIN}, {"all": True}):
        problem(fragile.discard(**fields), 400, "invalid-field", "/confirm")
        found = 2 if "all" in fields else 1
        assert ok(fragile.discard(**fields, dryRun=True)) == {"discarded": found, "passedOver": 0, "more": False, "dryRun": True}
    assert len(ok(fragile.dead_letters())["events"]) == 2
    assert ok(fragile.discard(queueKey=MAIN, confirm=True))["discarded"] == 1
    assert ids(ok(fragile.dead_letters())["events"]) == [theirs]
    assert ok(fragile.discard(all=True, confirm=True))["discarded"] == 1
    assert ok(fragile.call("GET", "/v1/stats"))["events"]["discarded"] == 2


@pytest.mark.parametrize("field", ["channel", "accountId"])
def test_where_it_comes_from_selects_nothing_alone(fragile, field):
    """It goes with the key that it routes, and is no filter: refused, not passed over."""
    kill_one(fragile, "a")
    for call in (fragile.requeue, fragile.discard):
        for fields in ({"all": True}, {"ids": ["1"]}):
            problem(call(**fields, confirm=True, **{field: "telegram"}), 400, "invalid-field", f"/{field}")
        problem(call(**{field: "telegram"}, confirm=True), 400, "invalid-field")
    for call in (fragile.history, fragile.dead_letters, fragile.sessions, lambda **query: fragile.call("GET", "/v1/stream", query=query)):
        problem(call(**{field: "telegram"}), 400, "invalid-field", field)
    assert len(ok(fragile.dead_letters())["events"]) == 1
    assert ok(fragile.requeue(sessionKey=MAIN, dryRun=True, **{field: "telegram"}))["requeued"] == 1


def test_a_reason_selects_dead_letters(start):
    api = start("--max-attempts", 1).client()
    dead = []
    for reason in ("exit 1", "timeout", "exit 2"):
        ok(api.enqueue(reason, MAIN), 201)
        lease = ok(api.lease(MAIN))
        ok(api.nack(lease["leaseId"], reason=reason))
        dead.append(lease["events"][0]["id"])
    problem(api.discard(ids=dead, reason="exit"), 400, "invalid-field", "/reason")
    assert ok(api.requeue(sessionKey=MAIN, reason="exit", dryRun=True))["requeued"] == 2
    assert ok(api.discard(all=True, reason="exit", confirm=True))["discarded"] == 2
    assert ids(ok(api.dead_letters())["events"]) == [dead[1]]


def test_many_others_do_not_hide_the_dead_letters_of_a_session(start):
    """A page looks at twenty thousand rows at most."""
    api = start("--max-pending", 1, "--overflow", "drop-oldest").client()
    for text in ("first", "second"):
        ok(api.enqueue(text, OPS), 201)
    for begin in range(0, 25000, 1000):
        ok(api.batch(*({"text": f"{n}", "sessionKey": MAIN} for n in range(begin, begin + 1000))))
    assert ok(api.requeue(sessionKey=OPS, dryRun=True))["requeued"] == 1
    assert ok(api.discard(sessionKey=OPS, confirm=True)) == {"discarded": 1, "passedOver": 0, "more": False, "dryRun": False}


def test_a_rate_spaces_them_out(fragile):
    for n in range(3):
        kill_one(fragile, f"{n}")
    ok(fragile.requeue(sessionKey=MAIN, ratePerSecond=10))
    events = ok(fragile.peek(MAIN))["events"]
    assert [e["availableAt"] - events[0]["availableAt"] for e in events] == [0, 100, 200]
    wait_until(lambda: ok(fragile.wait(MAIN))["depth"] == 3, "the last to be due")


def test_more_than_a_thousand_take_several_calls(start):
    api = start("--max-pending", 1, "--overflow", "drop-oldest").client()
    ok(api.batch(*({"text": f"{n}", "sessionKey": MAIN} for n in range(1000))))
    ok(api.batch(*({"text": f"{n}", "sessionKey": MAIN} for n in range(1000, 1102))))
    assert ok(api.requeue(all=True, dryRun=True)) == {"requeued": 1000, "passedOver": 0, "more": True, "dryRun": True}
    problem(api.requeue(all=True, confirm=True), 429, "queue-full")
    assert api.texts(MAIN) == ["1101"]


def test_settled_events_keep_their_attempts(start):
    api = start("--max-attempts", 2).client()
    dead, drained = (ok(api.enqueue(text, MAIN), 201)["event"]["id"] for text in ("a", "b"))
    ok(api.nack(ok(api.lease(MAIN))["leaseId"]))
    ok(api.nack(ok(api.lease(MAIN, limit=1))["leaseId"]))
    ok(api.drain(MAIN))
    gone = [*ok(api.history())["events"], *ok(api.dead_letters())["events"]]
    for item, event, attempts in zip(gone, (drained, dead, dead), (1, 2, 2), strict=True):
        assert (item["event"]["id"], item["event"]["attempts"]) == (event, attempts)
        assert ok(api.find(event))["event"]["attempts"] == attempts


def test_an_answer_full_of_text_ends_the_page(start):
    api = start("--overflow", "drop-oldest", "--max-pending", 1).client()
    for n in range(9):
        ok(api.batch(*({"text": f"{n} {m} ".ljust(65000, "x"), "sessionKey": MAIN} for m in range(15))))
    for call in (api.dead_letters, api.history):
        page = ok(call(limit=1000))
        assert len(page["events"]) == (1 << 20) // 65000
        every = [e["event"]["id"] for e in pages(call, limit=1000)]
        assert len(set(every)) == len(every) == 134
    assert ok(api.requeue(all=True, dryRun=True)) == {"requeued": 16, "passedOver": 0, "more": True, "dryRun": True}
    assert ok(api.requeue(ids=every[:129], dryRun=True))["requeued"] == 129
    problem(api.requeue(ids=every[:130], dryRun=True), 413, "payload-too-large")


def test_two_requeues_at_once_make_one_event(start):
    server = start("--max-attempts", 1)
    api = server.client()
    for n in range(20):
        dead = kill_one(api, f"{n}", f"agent:a{n}:main")
        several = [server.client() for _ in range(4)]
        for client in several:
            client.send("POST", "/v1/dead-letters/requeue", {"ids": [dead]})
        assert sum(ok(client.receive())["requeued"] for client in several) == 1
    assert api.stats()["pending"] == 20


def test_requeueing_wakes_a_stream(start):
    server = start("--max-attempts", 1)
    api = server.client()
    dead = kill_one(api, "x")
    stream = Stream(server, "?coalesceMs=0")
    ok(api.requeue(ids=[dead]))
    assert stream.wake()["sessionKey"] == MAIN


# Many at once.

@pytest.mark.skipif(sanitized(), reason="a sanitizer's frames need more stack")
def test_ten_thousand_queries_need_no_more_stack_than_one(start):
    """They fall into one batch: the server is stopped while all connections write."""
    connections, each = 900, 12
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = start("--max-connections-per-address", connections + 10)
    api = server.client()
    ok(api.enqueue("x", MAIN), 201)
    ok(api.drain(MAIN))
    resource.prlimit(server.process.pid, resource.RLIMIT_STACK, (256 * 1024, 256 * 1024))
    query = f"GET /v1/history?limit=1 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    raws = [Raw(server.port) for _ in range(connections)]
    server.process.send_signal(signal.SIGSTOP)
    for raw in raws:
        raw.send(query.encode() * each)
    server.process.send_signal(signal.SIGCONT)
    statuses = [raw.answer().status for raw in raws for _ in range(each)]
    assert statuses == [200] * (connections * each)
    for raw in raws:
        raw.close()


# By reason.

def test_what_happened_is_selected_by_the_beginning_of_its_reason(start):
    api = start("--max-attempts", "1").client()
    reasons = ["exit 1", "exit 12", "refused", None]
    for n, reason in enumerate(reasons):
        ok(api.enqueue(f"{n}", MAIN), 201)
        lease = ok(api.lease(MAIN))["leaseId"]
        ok(api.call("POST", f"/v1/leases/{lease}/nack", {"reason": reason}))
    ok(api.enqueue("drained", MAIN), 201)
    ok(api.drain(MAIN))

    def texts(path, **query):
        return sorted(e["event"]["text"] for e in ok(api.call("GET", path, query=query))["events"])
    for path, others in ("/v1/dead-letters", []), ("/v1/history", ["drained"]):
        assert texts(path) == ["0", "1", "2", "3", *others] == texts(path, limit=1000)
        assert texts(path, reason="exit") == ["0", "1"] == texts(path, reason="exit 1")
        assert texts(path, reason="exit 12") == ["1"] and texts(path, reason="ref", sessionKey=MAIN) == ["2"]
        assert texts(path, reason="xit") == texts(path, reason="refused!") == texts(path, reason="ref", sessionKey="agent:other:main") == []


def test_a_rare_reason_is_found_page_after_page(start):
    api = start("--max-attempts", "1").client()
    ok(api.batch(*({"text": f"{n}", "sessionKey": f"agent:a{n}:main"} for n in range(300))))
    for n in range(300):
        lease = ok(api.lease(f"agent:a{n}:main"))["leaseId"]
        ok(api.call("POST", f"/v1/leases/{lease}/nack", {"reason": "rare" if n % 100 == 0 else "common"}))
    assert [e["event"]["text"] for e in pages(api.dead_letters, reason="rare", limit=2)] == ["200", "100", "0"]
