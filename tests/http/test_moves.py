"""Events of stranded queues are moved to where their keys lead now: by a call, or by themselves
after a reload.
"""
import json
import os
import re
import subprocess
import threading

import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import PATIENCE, binary, ok, problem, wait_until
from shell import NOTHING, Shell

BY_HAND = ("--no-watch-policy", "--no-rekey-on-reload")


def adopt(server, policy):
    server.write_policy(policy)
    return ok(server.client().call("POST", "/v1/policy/reload", {}))["stranded"]


def rekey(api, **fields):
    return api.call("POST", "/v1/rekey", fields)


def move_all(api):
    return ok(rekey(api, confirm=True))


def held(api, key):
    """The texts of the queue of exactly this key."""
    return [e["text"] for e in ok(api.call("GET", "/v1/events", query={"queueKey": key, "limit": 1000}))["events"]]


def kept(api, key):
    """What a move must leave as it is, by id."""
    events = ok(api.call("GET", "/v1/events", query={"queueKey": key, "limit": 1000}))["events"]
    names = ("text", "ts", "attempts", "availableAt", "expiresAt", "originalSessionKey", "rule", "state", "contextKey")
    return {int(e["id"]): {name: e[name] for name in names} for e in events}


@pytest.fixture
def stranded(start):
    """Events of many kinds under DIRECT, whose key leads to MAIN, where others are."""
    server = start(*BY_HAND, policy=TWO_OWNERS)
    api = server.client()
    for n in range(4):
        ok(api.enqueue(f"direct {n}", DIRECT, contextKey=f"k:{n}"), 201)
        ok(api.enqueue(f"main {n}", MAIN), 201)
    ok(api.enqueue("late", DIRECT, delayMs=3600000, ttlMs=7200000), 201)
    lease = ok(api.lease(DIRECT, limit=1))
    ok(api.nack(lease["leaseId"]))
    assert adopt(server, ONE_OWNER) == {"sessions": 1, "events": 5, "complete": True}
    return server


MOVED = ["direct 0", "main 0", "direct 1", "main 1", "direct 2", "main 2", "direct 3", "main 3", "late"]


def test_events_are_moved_in_order_and_stay_what_they_are(stranded):
    api = stranded.client()
    before = {**kept(api, DIRECT), **kept(api, MAIN)}
    assert move_all(api) == {
        "dryRun": False, "moved": 5, "leased": 0, "more": False,
        "sessions": [{"from": DIRECT, "to": MAIN, "rule": "direct-main", "moved": 5, "leased": 0}],
    }
    for again in (stranded.stop, stranded.kill, None):
        assert api.texts(MAIN) == MOVED and held(api, DIRECT) == []
        after = kept(api, MAIN)
        assert after == before and list(after) == sorted(after)
        assert after[1]["attempts"] == 1
        session = api.session(MAIN)
        assert (session["depth"], session["delayed"], session["lastContextKey"]) == (9, 1, "k:3")
        assert session["rekeyedFrom"] == [{"key": DIRECT, "count": 5}]
        assert api.stats()["strandedEvents"] == 0
        if again is not None:
            again()
            stranded.start()
            api = stranded.client()
    assert [e["text"] for e in ok(api.drain(DIRECT))["events"]] == MOVED[:-1]


def test_a_dry_run_tells_and_moves_nothing(stranded):
    api = stranded.client()
    said = ok(rekey(api, dryRun=True))
    assert (said["dryRun"], said["moved"], said["sessions"][0]["moved"]) == (True, 5, 5)
    assert len(held(api, DIRECT)) == 5


def test_all_queues_are_moved_only_on_purpose(stranded):
    api = stranded.client()
    problem(rekey(api), 400, "invalid-field", "/confirm")
    problem(rekey(api, queueKey=""), 400, "invalid-field", "/queueKey")
    problem(rekey(api, confirm=True, limit=0), 400, "invalid-field", "/limit")
    problem(rekey(api, confirm=True, limit=10001), 400, "invalid-field", "/limit")
    assert ok(rekey(api, queueKey=MAIN))["sessions"] == []
    assert ok(rekey(api, queueKey=DIRECT))["moved"] == 5


def test_a_queue_is_moved_in_parts_the_oldest_first(stranded):
    api = stranded.client()
    said = ok(rekey(api, confirm=True, limit=2))
    assert (said["moved"], said["more"]) == (2, True)
    assert held(api, DIRECT) == ["direct 2", "direct 3", "late"]
    while ok(rekey(api, confirm=True, limit=2))["more"]:
        pass
    assert held(api, DIRECT) == [] and api.texts(MAIN) == MOVED


def test_leased_events_stay_with_their_holder(start):
    server = start(*BY_HAND, policy=TWO_OWNERS)
    api = server.client()
    for n in range(4):
        ok(api.enqueue(f"{n}", DIRECT), 201)
    acked, given_back, lapsing = (ok(api.lease(DIRECT, limit=1, leaseMs=ms))["leaseId"] for ms in (60000, 60000, 1500))
    adopt(server, ONE_OWNER)
    said = move_all(api)
    assert (said["moved"], said["leased"]) == (1, 3) and api.texts(MAIN) == ["3"]
    server.kill()
    server.start()
    api = server.client()
    assert ok(api.ack(acked))["acked"] == 1
    assert ok(api.nack(given_back))["nacked"] == 1
    assert held(api, DIRECT) == ["1", "2"] and api.texts(MAIN) == ["3"]
    wait_until(lambda: "lapsed" in api.timeline("3") or "returned" in api.timeline("3"), "the lease to run out")
    assert held(api, DIRECT) == ["1", "2"]
    assert move_all(api)["moved"] == 2
    assert api.texts(MAIN) == ["1", "2", "3"]
    assert api.timeline("2") == ["queued", "leased", "nacked", "moved"]
    problem(api.ack(lapsing), 409, "conflict")


def test_the_history_tells_of_the_move(stranded):
    api = stranded.client()
    move_all(api)
    ok(api.drain(MAIN, limit=1))
    found = ok(api.find("1"))
    moved, drained = found["timeline"][-2:]
    assert found["event"]["sessionKey"] == MAIN and found["event"]["originalSessionKey"] == DIRECT
    assert {**moved, "ts": 0} == {"ts": 0, "what": "moved", "from": DIRECT, "to": MAIN, "rule": "direct-main"}
    assert drained["what"] == "drained"
    listed = ok(api.history(state="moved"))["events"]
    assert [item["event"]["text"] for item in listed] == ["late", "direct 3", "direct 2", "direct 1", "direct 0"]
    assert {item["outcome"]["to"] for item in listed} == {MAIN} and listed[0]["outcome"] == {**moved, "ts": listed[0]["outcome"]["ts"]}
    assert [item["event"]["state"] for item in listed] == ["delayed", "queued", "queued", "queued", "settled"]
    assert {item["event"]["sessionKey"] for item in listed} == {MAIN}
    settled, = ok(api.history(sessionKey=MAIN))["events"]
    assert (settled["event"]["sessionKey"], settled["event"]["text"], settled["outcome"]["what"]) == (MAIN, "direct 0", "drained")
    # Page by page, and each page of the timeline in slices: the same.
    pages, cursor = [], None
    while not pages or cursor is not None:
        page = ok(api.find("1", limit=1, **({"cursor": cursor} if cursor else {})))
        pages, cursor = pages + page["timeline"], page["nextCursor"]
    assert pages == found["timeline"]


def test_the_view_pending_shows_the_present_key(stranded):
    def pending():
        out = subprocess.run(
            ["sqlite3", "-readonly", "-json", str(stranded.db), "SELECT id, session_key, original_key, text FROM pending ORDER BY id"],
            capture_output=True, text=True, check=True)
        return json.loads(out.stdout)

    assert {row["session_key"] for row in pending()} == {DIRECT, MAIN}
    move_all(stranded.client())
    assert {row["session_key"] for row in pending()} == {MAIN} and [row["text"] for row in pending()] == MOVED


def test_calls_by_id_find_the_moved_event(stranded):
    api = stranded.client()
    move_all(api)
    assert ok(api.withdraw("1"))["event"]["sessionKey"] == MAIN
    assert [e["sessionKey"] for e in ok(api.consume(MAIN, ["3"]))["events"]] == [MAIN]
    assert ok(api.history(sessionKey=MAIN))["events"][0]["event"]["sessionKey"] == MAIN


def test_replays_show_the_present_key(start):
    server = start(*BY_HAND, policy=TWO_OWNERS)
    api = server.client()
    post = {"text": "x", "session_key": DIRECT, "idempotencyKey": "once"}
    ok(api.enqueue(**post), 201)
    adopt(server, ONE_OWNER)
    move_all(api)
    assert ok(api.enqueue(**post), 201)["event"]["sessionKey"] == MAIN
    ok(api.drain(MAIN))
    assert ok(api.enqueue(**post), 201)["event"]["sessionKey"] == MAIN


def test_dead_letters_of_moved_events_are_found_and_requeued(start):
    server = start(*BY_HAND, "--max-attempts", "1", policy=TWO_OWNERS)
    api = server.client()
    ok(api.enqueue("x", DIRECT), 201)
    adopt(server, ONE_OWNER)
    move_all(api)
    ok(api.nack(ok(api.lease(MAIN))["leaseId"]))
    dead, = ok(api.dead_letters(sessionKey=MAIN))["events"]
    assert (dead["event"]["sessionKey"], dead["event"]["originalSessionKey"]) == (MAIN, DIRECT)
    assert ok(api.requeue(ids=[dead["event"]["id"]]))["requeued"] == 1
    assert api.texts(MAIN) == ["x"]


def test_a_waiter_is_woken(start):
    server = start(*BY_HAND, policy=TWO_OWNERS)
    api = server.client()
    ok(api.enqueue("x", DIRECT), 201)
    adopt(server, ONE_OWNER)
    waiter = server.client()
    waiter.send("GET", "/v1/wait", query={"sessionKey": MAIN, "timeoutMs": 60000})
    wait_until(lambda: api.stats()["waiters"] == 1, "the waiter")
    move_all(api)
    assert ok(waiter.receive()) == {"sessionKey": MAIN, "ready": True, "depth": 1}


def test_a_full_disk_moves_nothing(start):
    server = start(*BY_HAND, "--db-max-bytes", str(1 << 20), policy=TWO_OWNERS)
    api = server.client()
    n = 0
    while api.enqueue(f"{n} {os.urandom(4000).hex()}", DIRECT).status == 201:
        n += 1
    adopt(server, ONE_OWNER)
    problem(rekey(api, confirm=True), 507, "storage-full")
    assert ok(api.call("GET", "/v1/events", query={"queueKey": DIRECT}))["depth"] == n
    assert api.stats()["strandedEvents"] == n


# Moves come and go.

X_IS_MAIN = "{ session: { mainKey: 'telegram:default:direct:123' } }"  # the main session is DIRECT


def test_events_move_there_and_back(start):
    server = start(*BY_HAND, policy=ONE_OWNER)
    api = server.client()
    for n in range(3):
        ok(api.enqueue(f"{n}", MAIN), 201)
    for round in range(3):
        adopt(server, X_IS_MAIN)
        assert move_all(api)["moved"] == 3
        assert held(api, DIRECT) == ["0", "1", "2"] and held(api, MAIN) == []
        server.kill()
        server.start()
        api = server.client()
        assert held(api, DIRECT) == ["0", "1", "2"]
        adopt(server, ONE_OWNER)
        assert move_all(api)["moved"] == 3
        assert api.texts(MAIN) == ["0", "1", "2"] and api.session(MAIN)["rekeyedFrom"] == []
    assert api.timeline("2") == ["queued"] + 6 * ["moved"]
    hops = [(e["from"], e["to"]) for e in ok(api.find("2"))["timeline"][1:]]
    assert hops == 3 * [(MAIN, DIRECT), (DIRECT, MAIN)]
    ok(api.drain(MAIN))
    assert api.timeline("2") == ["queued"] + 6 * ["moved"] + ["drained"]
    assert ok(api.find("2"))["event"]["sessionKey"] == MAIN


def test_the_dialogue_ends_well_in_both_directions(start):
    """A chat gets an owner, and has none again: nothing that was posted is out of reach."""
    server = start("--no-watch-policy", "--max-attempts", "1", policy=TWO_OWNERS)
    api = server.client()
    for n in range(4):
        ok(api.enqueue(f"{n}", DIRECT), 201)
    ok(api.nack(ok(api.lease(DIRECT, limit=1))["leaseId"]))
    adopt(server, ONE_OWNER)
    assert ok(api.wait(MAIN))["ready"]
    assert [e["text"] for e in ok(api.drain(DIRECT, limit=1))["events"]] == ["1"]
    dead, = ok(api.dead_letters())["events"]
    assert ok(api.requeue(ids=[dead["event"]["id"]]))["requeued"] == 1
    assert api.texts(MAIN) == ["2", "3", "0"]
    adopt(server, TWO_OWNERS)
    ok(api.enqueue("new", DIRECT), 201)
    assert api.texts(MAIN) == ["2", "3", "0"] and api.texts(DIRECT) == ["new"]
    assert ok(api.purge(DIRECT))["purged"] == 1 and len(api.texts(MAIN)) == 3
    assert [e["text"] for e in ok(api.drain(MAIN))["events"]] == ["2", "3", "0"]
    assert api.stats()["strandedEvents"] == 0


def rows(server, sql):
    out = subprocess.run(["sqlite3", "-readonly", str(server.db), sql], capture_output=True, text=True, check=True)
    return out.stdout.split()


def test_retention_passes_a_pending_moved_event(start):
    """What tells where a pending event went is kept, and goes once the event is forgotten."""
    server = start(*BY_HAND, "--retention-ms", "1", policy=TWO_OWNERS)
    api = server.client()
    first, second = (ok(api.enqueue(text, DIRECT), 201)["event"]["id"] for text in ("first", "second"))
    adopt(server, ONE_OWNER)
    move_all(api)
    ok(api.consume(MAIN, [first]))
    wait_until(lambda: api.find(first).status == 404, "the first event to be forgotten")
    server.kill()
    server.start()
    api = server.client()
    assert api.texts(MAIN) == ["second"] and api.timeline(second) == ["queued", "moved"]
    ok(api.enqueue("third", MAIN), 201)
    ok(api.consume(MAIN, [second]))
    wait_until(lambda: api.find(second).status == 404, "the second event to be forgotten")
    wait_until(lambda: rows(server, "SELECT kind FROM outcome") == [], "the move to be forgotten")
    assert rows(server, "SELECT key FROM session") == [MAIN]
    assert api.texts(MAIN) == ["third"]
    ok(api.drain(MAIN))
    wait_until(lambda: rows(server, "SELECT key FROM session") == [], "the session to be forgotten")


def test_a_session_that_only_moved_events_have_stays(start):
    """The row of the new session has no event of its own."""
    server = start(*BY_HAND, "--retention-ms", "1", policy=TWO_OWNERS)
    api = server.client()
    moved = ok(api.enqueue("x", DIRECT), 201)["event"]["id"]
    adopt(server, ONE_OWNER)
    move_all(api)
    own = ok(api.enqueue("own", MAIN), 201)["event"]["id"]
    ok(api.consume(MAIN, [own]))
    wait_until(lambda: api.find(own).status == 404, "the event to be forgotten")
    server.stop()
    server.start()
    api = server.client()
    assert api.texts(MAIN) == ["x"] and rows(server, "SELECT count(*) FROM session") == ["2"]
    lease = ok(api.lease(MAIN))["leaseId"]
    server.kill()
    server.start()
    api = server.client()
    assert ok(api.ack(lease))["acked"] == 1
    wait_until(lambda: api.find(moved).status == 404, "the moved event to be forgotten")


# The command.

def test_the_command_moves_and_tells(stranded):
    sevq = Shell(stranded)
    api = stranded.client()
    out, err = sevq("rekey", "--dry-run")
    assert re.fullmatch(rf"FROM +TO +RULE +WOULD MOVE  LEASED\n{DIRECT}  {MAIN}  direct-main +5 +0\n", out) and err == ""
    assert len(held(api, DIRECT)) == 5
    assert sevq.json("rekey", "--limit", "1")["more"] is True
    out, err = sevq("rekey", DIRECT, "--limit", "2")
    assert re.search(rf"{DIRECT}  {MAIN}  direct-main +2 +0\n", out) and err == "more are left; run it again, or with --wait\n"
    sevq("rekey", "--limit", "1", "--wait")
    assert api.texts(MAIN) == MOVED
    assert sevq("rekey", exit=NOTHING) == ("", "nothing to move\n")
    assert sevq.json("rekey", exit=NOTHING)["sessions"] == []
    shown, _ = sevq("show", "1")
    assert re.search(rf"moved +from {DIRECT} to {MAIN} by direct-main", shown), shown
    assert "moved" in sevq("history", "--state", "moved")[0]


def test_the_command_waits_for_leases(start):
    server = start(*BY_HAND, policy=TWO_OWNERS)
    api = server.client()
    ok(api.enqueue("x", DIRECT), 201)
    lease = ok(api.lease(DIRECT))["leaseId"]
    adopt(server, ONE_OWNER)
    assert "1 leased, with their holders" in Shell(server)("rekey", exit=NOTHING)[1]
    waiting = subprocess.Popen([binary("SEVQ"), "rekey", "--wait"], env=Shell(server).env, stdout=subprocess.PIPE, text=True)
    ok(api.nack(lease))
    assert waiting.wait(PATIENCE) == 0 and DIRECT in waiting.stdout.read()
    assert api.texts(MAIN) == ["x"]


def test_what_routing_refuses_stays(start):
    """A main key that no session key can have."""
    server = start(*BY_HAND, policy=ONE_OWNER)
    api = server.client()
    ok(api.enqueue("x", MAIN), 201)
    assert adopt(server, json.dumps({"session": {"mainKey": "x" * 1020}}))["events"] == 1
    said = move_all(api)
    assert said["moved"] == 0 and said["more"] is False
    assert [(s["to"], s["moved"]) for s in said["sessions"]] == [(None, 0)]
    assert "stays: the policy takes no such key" in Shell(server)("rekey", "--wait", exit=NOTHING)[1]


# After a reload.

def test_a_reload_moves_what_it_strands(start):
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    api = server.client()
    api.batch(*({"text": f"{n}", "sessionKey": DIRECT} for n in range(1000)))
    api.batch(*({"text": f"{n}", "sessionKey": DIRECT} for n in range(1000, 2000)))
    ok(api.enqueue("last", DIRECT), 201)
    assert adopt(server, ONE_OWNER)["events"] == 2001
    wait_until(lambda: api.stats()["strandedEvents"] == 0, "the events to be moved")
    assert api.session(MAIN)["depth"] == 2001 and held(api, DIRECT) == []
    outcomes = rows(server, "SELECT count(*) FROM outcome WHERE kind = 16")
    assert outcomes == ["3"]  # 1,000 events a turn
    assert api.stats()["events"]["moved"] == 2001


def test_a_start_moves_nothing(start):
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    ok(server.client().enqueue("x", DIRECT), 201)
    server.stop()
    server.write_policy(ONE_OWNER)
    server.start()
    api = server.client()
    wait_until(lambda: ok(api.call("GET", "/v1/policy"))["stranded"]["complete"], "the queues to be judged")
    assert held(api, DIRECT) == ["x"]
    assert move_all(api)["moved"] == 1


def test_a_hundred_reloads_fail_no_request(start):
    """Under load, from one owner to two and back: every event is enqueued once and taken once."""
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    stop, posted, taken, failed = threading.Event(), [], [], []

    def produce(key):
        api = server.client()
        while not stop.is_set():
            reply = api.enqueue("x", key, allowDuplicate=True)
            (posted if reply.status == 201 else failed).append(reply.json["event"]["id"] if reply.status == 201 else reply)

    def consume():
        api = server.client()
        while not stop.is_set():
            reply = api.drain(DIRECT, limit=20)
            if reply.status != 200:
                failed.append(reply)
            taken.extend(e["id"] for e in reply.json["events"])

    workers = [threading.Thread(target=produce, args=(key,)) for key in (DIRECT, DIRECT, MAIN)] + [threading.Thread(target=consume)]
    for worker in workers:
        worker.start()
    for n in range(100):
        adopt(server, ONE_OWNER if n % 2 == 0 else TWO_OWNERS)
    stop.set()
    for worker in workers:
        worker.join()
    assert failed == []
    adopt(server, ONE_OWNER)
    api = server.client()
    wait_until(lambda: api.stats()["strandedEvents"] == 0, "the last events to be moved")
    while events := ok(api.drain(MAIN))["events"]:
        taken.extend(e["id"] for e in events)
    assert len(taken) == len(set(taken)) and set(taken) == set(posted)
    assert held(api, DIRECT) == []
