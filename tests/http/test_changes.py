"""GET /v1/stream?changes=true: how every queue is that a commit has changed, and the server."""
from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import Stream, ok, problem, wait_until

OPS = "agent:ops:main"
QUEUE = ["queueKey", "depth", "ready", "leased", "delayed", "readySinceTs", "waiters", "routesTo"]
NOTHING = {"depth": 0, "ready": 0, "leased": 0, "delayed": 0, "readySinceTs": None, "waiters": 0, "routesTo": None}


class Changes(Stream):
    """Its first event tells of the server."""

    def __init__(self, server, query="&coalesceMs=0", **options):
        super().__init__(server, "?changes=true" + query, **options)
        name, self.server = self.event()
        assert name == "server"

    def change(self, key, until=lambda queue: True):
        """The next change of the queue, or the first that is as wanted."""
        while True:
            queue = self.any_change()
            if queue.pop("queueKey") == key and until(queue):
                return queue

    def any_change(self):
        while True:
            name, queue = self.event()
            if name == "change":
                assert list(queue) == QUEUE
                return queue

    def told(self, until):
        """What is told of the server next that is as wanted."""
        while True:
            name, said = self.event()
            if name == "server" and until(said):
                return said


def test_a_change_tells_how_the_queue_is(server, api):
    stream = Changes(server)
    event = ok(api.enqueue("a", MAIN), 201)["event"]
    queue = stream.change(MAIN)
    since = queue.pop("readySinceTs")
    assert queue == {"depth": 1, "ready": 1, "leased": 0, "delayed": 0, "waiters": 0, "routesTo": None}
    assert abs(since - event["ts"]) < 10000
    [row] = ok(api.sessions())["sessions"]
    assert row["readySinceTs"] == since
    ok(api.enqueue("b", MAIN, delayMs=3600000), 201)
    assert (queue := stream.change(MAIN))["delayed"] == 1 and queue["depth"] == 2
    lease = ok(api.lease(MAIN))
    assert stream.change(MAIN) == {**NOTHING, "depth": 2, "leased": 1, "delayed": 1}
    ok(api.ack(lease["leaseId"]))
    assert stream.change(MAIN) == {**NOTHING, "depth": 1, "delayed": 1}
    ok(api.purge(MAIN))
    assert stream.change(MAIN) == NOTHING


def test_it_is_told_when_a_delay_or_a_lease_ends(server, api):
    stream = Changes(server)
    ok(api.enqueue("a", MAIN, delayMs=50), 201)
    assert stream.change(MAIN)["ready"] == 0
    assert stream.change(MAIN)["ready"] == 1
    ok(api.lease(MAIN, leaseMs=1000))
    assert stream.change(MAIN)["leased"] == 1
    assert stream.change(MAIN)["leased"] == 0


def test_who_waits_is_told(server, api):
    stream, client = Changes(server), server.client()
    client.send("GET", "/v1/wait", query={"sessionKey": OPS, "timeoutMs": 300})
    assert stream.change(OPS) == {**NOTHING, "waiters": 1}
    assert ok(client.receive())["ready"] is False
    assert stream.change(OPS) == NOTHING
    client.send("GET", "/v1/wait", query={"sessionKey": OPS, "timeoutMs": 60000})
    assert stream.change(OPS)["waiters"] == 1
    ok(api.enqueue("a", OPS), 201)
    assert stream.change(OPS, lambda queue: queue["depth"] == 1)["waiters"] == 0


def test_changes_of_one_queue_become_one(server, api):
    stream = Changes(server, "&coalesceMs=700")
    for n in range(30):
        ok(api.enqueue(f"{n}", MAIN), 201)
        ok(api.enqueue(f"{n}", OPS), 201)
    told = {MAIN: [], OPS: []}
    while 30 not in told[MAIN] or 30 not in told[OPS]:
        name, queue = stream.event()
        told[queue["queueKey"]].append(queue["depth"])
    assert all(len(depths) < 15 for depths in told.values()), told


def test_only_what_changes_is_told_and_wakes_are_for_others(server, api):
    ok(api.enqueue("before", OPS), 201)
    changes, wakes = Changes(server), Stream(server, "?coalesceMs=0")
    assert wakes.wake()["sessionKey"] == OPS
    assert ok(api.sessions())["sessions"][0]["streams"] == 1
    ok(api.enqueue("a", MAIN), 201)
    assert wakes.wake()["sessionKey"] == MAIN
    assert changes.event()[1]["queueKey"] == MAIN
    ok(api.drain(MAIN))
    assert changes.change(MAIN) == NOTHING
    ok(api.enqueue("b", "agent:last:main"), 201)
    assert wakes.wake()["sessionKey"] == "agent:last:main", "nothing of the drain"


def test_filters_hold_for_changes(server, api):
    streams = [Changes(server, f"&coalesceMs=0&{query}") for query in (f"sessionKey={OPS}", "agentId=ops", "prefix=agent:o")]
    for key in (MAIN, OPS):
        ok(api.enqueue("a", key), 201)
    assert [stream.event()[1]["queueKey"] for stream in streams] == [OPS] * 3
    problem(api.call("GET", "/v1/stream", query={"changes": "yes"}), 400, "invalid-field", "changes")


def test_a_token_for_agents_is_told_of_its_own(make):
    server = make(policy=ONE_OWNER)
    every, ops = "token-for-all-0123456789abcdef", "token-for-ops-0123456789abcdef"
    (server.directory / "token").write_text(f"{every}\n{ops} agent=ops\n")
    (server.directory / "token").chmod(0o600)
    server.start()
    api, stream = server.client(token=every), Changes(server, token=ops)
    assert stream.server == {"ready": True, "policyHash": None, "stranded": None}
    ok(api.enqueue("a", MAIN), 201)
    ok(api.enqueue("a", OPS), 201)
    assert stream.event()[1]["queueKey"] == OPS


def test_a_token_for_agents_is_not_told_again_of_what_it_may_not_know(make):
    server = make("--no-watch-policy", "--no-rekey-on-reload", policy=TWO_OWNERS)
    every, ops = "token-for-all-0123456789abcdef", "token-for-ops-0123456789abcdef"
    (server.directory / "token").write_text(f"{every}\n{ops} agent=ops\n")
    (server.directory / "token").chmod(0o600)
    server.start()
    api, stream, all_of_it = server.client(token=every), Changes(server, token=ops), Changes(server, token=every)
    ok(api.enqueue("a", DIRECT), 201)
    server.write_policy(ONE_OWNER)
    ok(api.call("POST", "/v1/policy/reload", {}))
    all_of_it.told(lambda said: said["stranded"]["events"] == 1)
    ok(api.enqueue("a", OPS), 201)
    name, queue = stream.event()
    assert (name, queue.get("queueKey")) == ("change", OPS)


def test_the_server_is_told_of_at_first_and_when_it_changes(start):
    server = start("--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    stream = Changes(server)
    assert stream.server == {"ready": True, "policyHash": ok(api.call("GET", "/v1/policy"))["hash"],
        "stranded": {"sessions": 0, "events": 0, "complete": True}}
    ok(api.enqueue("a", DIRECT), 201)
    server.write_policy(ONE_OWNER)
    adopted = ok(api.call("POST", "/v1/policy/reload", {}))
    said = stream.told(lambda said: said["stranded"] == {"sessions": 1, "events": 1, "complete": True})
    assert said["policyHash"] == adopted["hash"] and said["ready"] is True
    ok(api.call("POST", "/v1/rekey", {"confirm": True}))
    assert stream.told(lambda said: said["stranded"]["events"] == 0)["stranded"]["sessions"] == 0


def test_a_change_says_where_a_stranded_queue_leads(start):
    server = start("--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    event = ok(api.enqueue("a", DIRECT), 201)["event"]
    ok(api.enqueue("b", DIRECT), 201)
    server.write_policy(ONE_OWNER)
    ok(api.call("POST", "/v1/policy/reload", {}))
    stream = Changes(server)
    ok(api.withdraw(event["id"]))
    assert stream.change(DIRECT)["routesTo"] == MAIN
    ok(api.call("POST", "/v1/rekey", {"confirm": True}))
    told = {queue["queueKey"]: queue["depth"] for queue in (stream.any_change(), stream.any_change())}
    assert told == {DIRECT: 0, MAIN: 1}


def until_another_event(api, stream):
    """The changes that are told before that of one more event, which is the last."""
    ok(api.enqueue("another", OPS, allowDuplicate=True), 201)
    told = []
    while not told or told[-1]["queueKey"] != OPS:
        told.append(stream.any_change())
    return told[:-1]


def adopt(server, policy):
    server.write_policy(policy)
    api = server.client()
    ok(api.call("POST", "/v1/policy/reload", {}))
    wait_until(lambda: ok(api.call("GET", "/v1/policy"))["stranded"]["complete"], "all queues to be judged")


def test_queues_that_lead_elsewhere_under_another_policy_are_told(start):
    server = start("--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    ok(api.enqueue("a", DIRECT), 201)
    stream = Changes(server)
    for policy, leads_to in (ONE_OWNER, MAIN), (TWO_OWNERS, None):
        adopt(server, policy)
        assert [(queue["queueKey"], queue["routesTo"]) for queue in until_another_event(api, stream)] == [(DIRECT, leads_to)]


def test_who_waits_elsewhere_under_another_policy_is_told(start):
    server = start(policy=TWO_OWNERS)
    stream, client = Changes(server), server.client()
    client.send("GET", "/v1/wait", query={"sessionKey": DIRECT, "timeoutMs": 60000})
    assert stream.change(DIRECT)["waiters"] == 1
    adopt(server, ONE_OWNER)
    told = until_another_event(server.client(), stream)
    assert {queue["queueKey"]: queue["waiters"] for queue in told} == {DIRECT: 0, MAIN: 1}


def test_dead_letters_that_are_discarded_change_no_queue(start):
    api = (server := start("--max-attempts", 1)).client()
    event = ok(api.enqueue("a", MAIN), 201)["event"]["id"]
    ok(api.nack(ok(api.lease(MAIN))["leaseId"]))
    stream = Changes(server)
    assert ok(api.discard(ids=[event]))["discarded"] == 1
    assert until_another_event(api, stream) == []


def test_a_server_that_takes_no_events_is_told(start):
    server = start("--db-min-free-bytes", 1 << 60)
    problem(server.client().enqueue("x", MAIN), 507, "storage-full")
    assert Changes(server).server["ready"] is False


def test_ten_thousand_queues_are_told_with_their_latest_state(start):
    server = start("--stream-buffer", 16 << 20, "--max-sessions", 20000)
    api, stream = server.client(), Changes(server, "&coalesceMs=500")
    keys = [f"agent:a{n}:main" for n in range(10000)]
    for _ in range(2):
        for first in range(0, len(keys), 1000):
            ok(api.batch(*({"text": "x", "sessionKey": key, "allowDuplicate": True} for key in keys[first:first + 1000])))
    left = set(keys)
    while left:
        queue = stream.any_change()
        if queue["depth"] == 2:
            left.discard(queue["queueKey"])
    assert api.stats()["http"]["changesSent"] >= len(keys) and api.stats()["http"]["changesGathered"] == 0


def test_a_reader_that_does_not_read_is_dropped(start):
    server = start("--stream-buffer", 65536, "--max-sessions", 30000)
    api, stream = server.client(), Changes(server, "&coalesceMs=0", receive_buffer=4096)
    for n in range(0, 20000, 1000):
        ok(api.batch(*({"text": "x", "sessionKey": f"agent:a{i}:main"} for i in range(n, n + 1000))))
    wait_until(lambda: api.stats()["http"]["streamsDropped"] == 1, "the reader to be dropped")
    assert api.stats()["http"]["streams"] == 0
    ok(api.enqueue("y", MAIN), 201)
    assert api.stats()["http"]["changesGathered"] == 0, "nobody is left to be told"
