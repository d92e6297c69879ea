"""GET /v1/wait: answered by everything that makes an event deliverable."""
import signal
import socket
import threading
import time

import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import Raw, ok, problem, request, sanitized, wait_until


class Waiting:
    """A wait in a thread of its own; it has begun when the server counts it."""

    def __init__(self, server, session_key=MAIN, **query):
        self.client, before = server.client(), server.client().stats()["waiters"]
        self.thread = threading.Thread(target=self.run, args=(session_key, query), daemon=True)
        self.thread.start()
        wait_until(lambda: server.client().stats()["waiters"] > before or not self.thread.is_alive(), "the call to wait")

    def run(self, session_key, query):
        self.reply = self.client.wait(session_key, **query)

    def answer(self):
        self.thread.join(30)
        assert not self.thread.is_alive(), "still waiting"
        return ok(self.reply)


def get(path, server):
    return request("GET", path, server.token)


def waiters(api):
    return api.stats()["waiters"]


# What wakes.

def test_what_is_deliverable_is_answered_at_once(api):
    ok(api.batch({"text": "a", "sessionKey": MAIN}, {"text": "b", "sessionKey": MAIN}))
    assert ok(api.wait(MAIN)) == {"sessionKey": MAIN, "ready": True, "depth": 2}
    assert api.texts(MAIN) == ["a", "b"]  # nothing is consumed


def test_an_event_wakes(server, api):
    waiting = Waiting(server)
    ok(api.enqueue("elsewhere", "agent:ops:main"), 201)
    assert waiters(api) == 1
    ok(api.enqueue("here", MAIN), 201)
    assert waiting.answer() == {"sessionKey": MAIN, "ready": True, "depth": 1}
    assert waiters(api) == 0


FORMS = [{}, {"contextKeyPrefix": "cron:"}, {"format": "prompt"}, {"format": "prompt", "execCompletions": "include"},
    {"contextKeyPrefix": "cron:", "format": "prompt"}, {"exclusive": True}, {"exclusive": True, "contextKeyPrefix": "cron:", "format": "prompt"}]
EVENTS = [{"text": "plain"}, {"text": "with a context", "contextKey": "cron:1"}, {"text": "Exec completed (build, code 0)"},
    {"text": "Exec failed (build, code 1)", "contextKey": "cron:2"}, {"text": "later", "delayMs": 3_600_000}, {"text": "gone", "ttlMs": 1}]


def parameters(form):
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in form.items()}


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("held", [None, {}, {"exclusive": True}], ids=["free", "leased", "leased exclusively"])
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["text"])
def test_a_wait_is_ready_exactly_when_its_lease_gives_something(api, form, held, event):
    if held is not None:
        ok(api.enqueue("in other hands", MAIN), 201)
        ok(api.lease(MAIN, **held))
    ok(api.enqueue(sessionKey=MAIN, **event), 201)
    if "ttlMs" in event:
        wait_until(lambda: ok(api.peek(MAIN))["depth"] == (held is not None), "the event to expire")
    ready = ok(api.wait(MAIN, timeoutMs=0, **parameters(form)))
    leased = ok(api.lease(MAIN, **form))
    assert (ready["ready"], ready["depth"]) == (leased["leaseId"] is not None, len(leased["events"]))


ENDS = {"ack": lambda api, lease: api.ack(lease), "nack": lambda api, lease: api.nack(lease),
    "a delayed nack": lambda api, lease: api.nack(lease, delayMs=3_600_000), "purge": lambda api, lease: api.purge(MAIN, contextKey="held"),
    "the end of its time": lambda api, lease: api.extend(lease, leaseMs=1)}


@pytest.mark.parametrize("end", ENDS, ids=str)
def test_the_end_of_the_last_lease_wakes_who_waits_for_an_exclusive_one(server, api, end):
    ok(api.enqueue("held", MAIN, contextKey="held"), 201)
    lease = ok(api.lease(MAIN))["leaseId"]
    ok(api.enqueue("free", MAIN), 201)
    waiting = Waiting(server, exclusive="true")
    ok(ENDS[end](api, lease))
    assert waiting.answer()["ready"] is True
    assert ok(api.lease(MAIN, exclusive=True))["leaseId"] is not None


def test_exclusive_is_true_or_false(api):
    for value in ("", "1", "yes", "TRUE"):
        assert problem(api.wait(MAIN, timeoutMs=0, exclusive=value), 400, "invalid-field")["errors"] == [{"pointer": "exclusive", "detail": "must be true or false"}]


def test_a_wait_for_wake_now_hears_nothing_less(server, api):
    waiting = Waiting(server, wake="now")
    ok(api.enqueue("whenever", MAIN), 201)
    assert ok(api.wait(MAIN, timeoutMs=0, wake="now")) == {"sessionKey": MAIN, "ready": False, "depth": 0}
    assert ok(api.wait(MAIN, timeoutMs=0, wake="next-heartbeat"))["depth"] == 1
    assert waiting.thread.is_alive()
    ok(api.enqueue("at once", MAIN, wake="now"), 201)
    assert waiting.answer() == {"sessionKey": MAIN, "ready": True, "depth": 1}


def test_an_event_that_was_given_back_is_as_urgent_and_as_noisy_as_before(api):
    ok(api.enqueue("Heartbeat poll", MAIN, wake="now"), 201)
    ok(api.nack(ok(api.lease(MAIN))["leaseId"]))
    assert ok(api.wait(MAIN, timeoutMs=0, wake="now"))["ready"] is True
    event, = ok(api.drain(MAIN, format="prompt"))["events"]
    assert ok(api.find(event["id"]))["timeline"][-1]["detail"] == "left out of the prompt"


def test_a_wait_for_wake_now_knows_what_was_queued_before_a_restart(server):
    ok(server.client().enqueue("at once", MAIN, wake="now"), 201)
    server.restart()
    assert ok(server.client().wait(MAIN, timeoutMs=0, wake="now"))["ready"] is True


def test_every_waiter_is_answered(server, api):
    several = [Waiting(server) for _ in range(5)]
    ok(api.enqueue("x", MAIN), 201)
    assert [w.answer()["ready"] for w in several] == [True] * 5


def test_the_end_of_a_delay_wakes(server, api):
    waiting = Waiting(server)
    ok(api.enqueue("x", MAIN, delayMs=100), 201)
    assert waiting.answer()["depth"] == 1


def test_the_end_of_a_lease_wakes(server, api):
    ok(api.enqueue("x", MAIN), 201)
    ok(api.lease(MAIN, leaseMs=150))
    assert Waiting(server).answer()["depth"] == 1


def test_a_nack_wakes_and_an_ack_does_not(server, api):
    ok(api.enqueue("a", MAIN), 201)
    ok(api.enqueue("b", MAIN), 201)
    lease = ok(api.lease(MAIN))
    waiting = Waiting(server)
    ok(api.ack(lease["leaseId"], ids=[lease["events"][0]["id"]]))
    assert waiters(api) == 1
    ok(api.nack(lease["leaseId"]))
    assert waiting.answer()["depth"] == 1


@pytest.mark.parametrize("end", ["ack", "nack later", "consume", "time"])
def test_the_end_of_an_exclusive_lease_wakes_for_events_it_held_back(server, api, end):
    ok(api.enqueue("a", MAIN), 201)
    lease = ok(api.lease(MAIN, exclusive=True, leaseMs=200 if end == "time" else 60000))
    waiting = Waiting(server)
    ok(api.enqueue("b", MAIN, contextKey="kept"), 201)
    assert waiters(api) == 1
    if end == "ack":
        ok(api.ack(lease["leaseId"]))
    elif end == "nack later":
        ok(api.nack(lease["leaseId"], delayMs=60000))
    elif end == "consume":
        ok(api.consume(MAIN, [lease["events"][0]["id"]]))
    assert waiting.answer()["depth"] == (2 if end == "time" else 1)


def test_a_requeued_dead_letter_wakes(start):
    server = start("--max-attempts", 1)
    api = server.client()
    event = ok(api.enqueue("x", MAIN), 201)["event"]
    ok(api.nack(ok(api.lease(MAIN))["leaseId"]))
    waiting = Waiting(server)
    ok(api.requeue(ids=[event["id"]]))
    assert waiting.answer()["depth"] == 1


def test_the_key_is_routed(start):
    server = start(policy=ONE_OWNER)
    waiting = Waiting(server, DIRECT)
    ok(server.client().enqueue("x", MAIN), 201)
    assert waiting.answer() == {"sessionKey": MAIN, "ready": True, "depth": 1}


def test_an_agent_alone_means_its_main_session(api):
    ok(api.enqueue("x", agentId="ops"), 201)
    assert ok(api.call("GET", "/v1/wait", query={"agentId": "Ops"}))["sessionKey"] == "agent:ops:main"


def test_an_event_that_another_takes_first_leaves_the_waiter_to_the_next(server, api):
    """A wake does not reserve the event for the waiter."""
    waiting = Waiting(server)
    ok(api.enqueue("x", MAIN), 201)
    assert waiting.answer()["ready"]
    ok(api.drain(MAIN))
    assert ok(api.wait(MAIN, timeoutMs=0)) == {"sessionKey": MAIN, "ready": False, "depth": 0}


def test_waiters_are_seen_in_sessions(server, api):
    ok(api.enqueue("x", MAIN, delayMs=60000), 201)
    waiting = Waiting(server, timeoutMs=10000)
    assert api.session(MAIN)["waiters"] == 1
    ok(api.enqueue("y", MAIN), 201)
    waiting.answer()


def test_a_reload_answers_waiters_whose_key_leads_elsewhere(start):
    server = start(policy="{}")
    api = server.client()
    ok(api.enqueue("x", MAIN), 201)
    waiting = Waiting(server, DIRECT)
    server.write_policy(ONE_OWNER)
    server.signal(signal.SIGHUP)
    assert waiting.answer() == {"sessionKey": MAIN, "ready": True, "depth": 1}


# Time-outs.

def test_a_wait_without_events_times_out(api):
    began = time.monotonic()
    assert ok(api.wait(MAIN, timeoutMs=120)) == {"sessionKey": MAIN, "ready": False, "depth": 0}
    assert time.monotonic() - began >= 0.11
    assert waiters(api) == 0


def test_a_wait_of_zero_is_answered_at_once(api):
    assert ok(api.wait(MAIN, timeoutMs=0))["ready"] is False


@pytest.mark.parametrize("query, pointer", [({"timeoutMs": 300001}, "timeoutMs"), ({"timeoutMs": -1}, "timeoutMs"), ({"timeoutMs": "x"}, "timeoutMs"),
    ({"timeoutMs": "1e3"}, "timeoutMs"), ({"timeoutMs": 10**30}, "timeoutMs"), ({"timeout": 5}, "timeout")], ids=str)
def test_a_bad_wait_is_refused(api, query, pointer):
    problem(api.wait(MAIN, **query), 400, "invalid-field", pointer)
    assert waiters(api) == 0


def test_a_wait_needs_a_session(api):
    problem(api.call("GET", "/v1/wait"), 400, "invalid-field", "sessionKey")
    problem(api.wait(" "), 400, "blank-key")
    problem(api.wait("agent:"), 400, "malformed-key")


def test_a_wait_outlasts_the_deadline_for_answers(start):
    server = start("--response-timeout-ms", 50, "--idle-timeout-ms", 50, "--header-timeout-ms", 50)
    assert ok(server.client().wait(MAIN, timeoutMs=400))["ready"] is False


def test_too_many_waiters_are_refused(start):
    server = start("--max-waiters", 2)
    several = [Waiting(server), Waiting(server)]
    api = server.client()
    assert problem(api.wait(MAIN), 429, "queue-full") and api.stats()["http"]["waitersRefused"] == 1
    ok(api.enqueue("x", MAIN), 201)
    assert [w.answer()["ready"] for w in several] == [True, True]
    assert ok(api.wait(MAIN))["ready"]


# Unusual clients.

@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_a_client_that_hangs_up_costs_nothing(server, api, reset):
    several = [server.raw() for _ in range(20)]
    for raw in several:
        raw.send(get("/v1/wait?sessionKey=" + MAIN, server))
    wait_until(lambda: waiters(api) == 20, "all to wait")
    descriptors = server.open_descriptors()
    for raw in several:
        if reset:
            raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.close()
    wait_until(lambda: waiters(api) == 0, "all to be gone")
    assert server.open_descriptors() == descriptors - 20
    ok(api.enqueue("x", MAIN), 201)


def test_a_client_that_asks_and_hangs_up_at_once_is_forgotten(server, api):
    for _ in range(50):
        raw = server.raw()
        raw.send(get("/v1/wait?sessionKey=" + MAIN, server))
        raw.close()
    wait_until(lambda: api.stats()["http"]["connections"] == 1 and waiters(api) == 0, "all to be gone")


def test_what_is_pipelined_behind_a_wait_is_answered_after_it(server, api):
    raw = server.raw()
    raw.send(get("/v1/wait?sessionKey=" + MAIN, server) + get("/v1/events?sessionKey=" + MAIN, server) + get("/livez", server))
    wait_until(lambda: waiters(api) == 1, "the call to wait")
    assert raw.is_quiet()
    ok(api.enqueue("x", MAIN), 201)
    assert raw.answer().json["ready"]
    assert [e["text"] for e in raw.answer().json["events"]] == ["x"]
    assert raw.answer().json == {"status": "ok"}


def test_a_long_request_behind_a_wait_is_read_in_order(server, api):
    """A part was read ahead; more arrives when the wait is over, before that part is parsed."""
    texts = ["".join(f"{letter}{n:05d}." for n in range(8500)) for letter in "ABC"]
    raw = server.raw()
    raw.send(get("/v1/wait?timeoutMs=100&sessionKey=agent:nobody:main", server) +
        request("POST", "/v1/events", server.token, {"events": [{"text": text, "sessionKey": MAIN} for text in texts]}))
    assert not raw.answer().json["ready"]
    assert [r["event"]["text"] == text for r, text in zip(raw.answer().json["results"], texts)] == [True] * 3
    assert [e["text"] == text for e, text in zip(ok(api.drain(MAIN))["events"], texts)] == [True] * 3


def test_the_rest_of_a_long_request_behind_a_wait_is_read_when_it_comes(start):
    """The read-ahead buffer was full, and the kernel had no more bytes when the wait was over."""
    server = start("--min-body-rate", 0, "--body-timeout-ms", 5000)
    raw = server.raw()
    post = request("POST", "/v1/events", server.token, b'{"text":"late","sessionKey":"main"}' + b" " * 200000)
    raw.send(get("/v1/wait?timeoutMs=100&sessionKey=agent:nobody:main", server) + post[:120000])
    assert not raw.answer().json["ready"]
    assert raw.is_quiet(0.2)
    raw.send(post[120000:])
    assert raw.answer().status == 201


def test_a_flood_behind_a_wait_stays_in_the_kernel(start):
    server = start("--max-pipelined-bytes", 4096)
    api = server.client()
    raw = server.raw()
    raw.send(get("/v1/wait?sessionKey=" + MAIN, server))
    wait_until(lambda: waiters(api) == 1, "the call to wait")
    raw.sock.setblocking(False)
    sent, one = 0, get("/livez", server)
    try:
        while sent < 64 << 20:
            sent += raw.sock.send(one * 1000)
    except BlockingIOError:
        pass
    assert sent < 64 << 20 and api.stats()["http"]["bufferedBytes"] < 1 << 20
    raw.sock.settimeout(30)
    ok(api.enqueue("x", MAIN), 201)
    assert raw.answer().json["ready"]
    assert raw.answer().json == {"status": "ok"}
    raw.close()


def test_one_connection_waits_again_and_again(server, api):
    waiter = server.client()
    for n in range(20):
        assert ok(waiter.wait(MAIN, timeoutMs=1))["ready"] is False
    ok(api.enqueue("x", MAIN), 201)
    assert ok(waiter.wait(MAIN))["ready"]


# The server's end.

def test_waiters_are_answered_when_the_server_ends(start):
    server = start()
    several = [Waiting(server, timeoutMs=300000) for _ in range(3)]
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 4, "the grace was not needed"
    assert [w.answer() for w in several] == [{"sessionKey": MAIN, "ready": False, "depth": 0}] * 3


# What it costs.

def test_a_thousand_idle_waiters_cost_little(start):
    server = start()
    api = server.client()

    def kilobytes():
        with open(f"/proc/{server.process.pid}/status") as f:
            return int(next(line for line in f if line.startswith("VmRSS:")).split()[1])

    before = kilobytes()
    several = []
    for n in range(1000):
        several.append(Raw(server.port))
        several[-1].send(get(f"/v1/wait?sessionKey=agent:a{n}:main&timeoutMs=300000", server))
    wait_until(lambda: waiters(api) == 1000, "all to wait")
    grown, busy = kilobytes() - before, server.cpu_seconds()
    end = time.monotonic() + 0.5
    wait_until(lambda: time.monotonic() > end)
    assert server.cpu_seconds() - busy <= 0.02
    assert sanitized() or grown < 10 << 10, f"{grown} KiB for 1000"
    for raw in several:
        raw.close()
    wait_until(lambda: waiters(api) == 0, "all to be gone")


def test_read_ahead_bytes_are_counted_and_freed(server, api):
    def buffered():
        return api.stats()["http"]["bufferedBytes"]

    raw, before = server.raw(), buffered()
    raw.send(get("/v1/wait?sessionKey=" + MAIN, server))
    wait_until(lambda: waiters(api) == 1, "the call to wait")
    raw.send(b"x" * 40000)
    wait_until(lambda: buffered() >= before + 40000, "what follows it to be counted")
    raw.close()
    wait_until(lambda: buffered() < before + 10000, "it to be let go")
