"""SIGTERM, SIGINT, SIGHUP."""
import http.client
import signal
import threading

import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import ok, request, wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_stops_the_server(server, number):
    server.signal(number)
    assert server.wait() == 0
    assert not server.noise


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_change_nothing_once_the_server_stops(server, number):
    server.signal(signal.SIGTERM)
    while server.process.poll() is None:
        server.signal(number)
    assert server.wait() == 0


def test_stopping_closes_idle_connections(server):
    raw = server.raw()
    raw.send(request("GET", "/livez"))
    assert raw.answer().status == 200
    server.stop()
    assert raw.closed()


def test_stopping_checkpoints(server):
    """After a clean stop the database file alone has everything."""
    ok(server.client().enqueue("x", MAIN), 201)
    server.stop()
    wal = server.directory / "sevq.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    assert server.start().client().texts(MAIN) == ["x"]


def test_a_stop_under_load_keeps_every_answered_event(server):
    """An event answered with 201 is there after the restart; one without an answer is absent or
    complete; a 503 has the code closing.
    """
    acknowledged, unsure, refused, wrong, running = [], [], [], [], threading.Barrier(9)

    def produce(name):
        api, n = server.client(once=True), 0
        running.wait()
        try:
            while True:
                text, n = f"{name} {n}", n + 1
                try:
                    reply = api.enqueue(text, f"agent:main:{name}")
                except (OSError, http.client.HTTPException):
                    unsure.append(text)
                    return
                if reply.status == 201:
                    acknowledged.append(text)
                    continue
                refused.append(text)
                if (reply.status, reply.json["code"], "retry-after" in reply.headers) != (503, "closing", True):
                    wrong.append(reply)
                return
        finally:
            api.close()

    producers = [threading.Thread(target=produce, args=(f"p{n}",)) for n in range(8)]
    for p in producers:
        p.start()
    running.wait()
    wait_until(lambda: len(acknowledged) > 50, "some load")
    server.stop()
    for p in producers:
        p.join()
    assert not wrong, wrong
    api = server.start().client()
    found = [e["text"] for n in range(8) for e in ok(api.drain(f"agent:main:p{n}"))["events"]]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found) <= set(acknowledged) | set(unsure)
    assert not set(refused) & set(found)


def test_a_new_policy_is_taken_on_sighup(start):
    server = start("--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    before = ok(api.enqueue("before", DIRECT), 201)["event"]
    assert before["sessionKey"] == DIRECT
    server.write_policy(ONE_OWNER)
    server.signal(signal.SIGHUP)
    wait_until(lambda: ok(api.route(DIRECT))["sessionKey"] == MAIN, "the new policy")
    assert ok(api.enqueue("after", DIRECT), 201)["event"]["sessionKey"] == MAIN
    # Pending events keep their queue key under a new policy; a list by prefix finds them.
    assert [s["sessionKey"] for s in ok(api.sessions(prefix=DIRECT))["sessions"]] == [DIRECT]
    assert ok(api.find(before["id"]))["event"]["sessionKey"] == DIRECT


BROKEN = """{
  session: { dmScope: 'main' },
  channels: { telegram: { allowFrom: [123 } },
}
"""


def test_a_bad_policy_on_sighup_keeps_the_old_one_and_says_where(start):
    server = start(policy=ONE_OWNER)
    seen = len(server.log)
    server.write_policy(BROKEN)
    server.signal(signal.SIGHUP)
    complaint = server.wait_for_log(lambda r: r.get("level") in ("warn", "warning", "error"), "the complaint", seen)
    assert complaint.get("line") == 3 and complaint.get("column") == 43 or "3:43" in str(complaint) or "line 3, column 43" in str(complaint), complaint
    assert str(server.policy) in str(complaint)
    assert ok(server.client().route(DIRECT))["sessionKey"] == MAIN


def test_a_policy_that_went_away_keeps_the_old_one(start):
    server = start(policy=ONE_OWNER)
    seen = len(server.log)
    server.policy.unlink()
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: r.get("level") in ("warn", "warning", "error"), "the complaint", seen)
    assert ok(server.client().route(DIRECT))["sessionKey"] == MAIN


def test_many_reloads_do_no_harm(start):
    server = start(policy=ONE_OWNER)
    api = server.client()
    for n in range(50):
        server.write_policy((ONE_OWNER, BROKEN, TWO_OWNERS)[n % 3])
        server.signal(signal.SIGHUP)
        ok(api.enqueue(f"{n}", MAIN), 201)
    assert api.texts(MAIN) == [str(n) for n in range(50)]


def test_sigpipe_does_not_end_the_server(server):
    """SIGPIPE: a client that hangs up while it is answered."""
    for _ in range(50):
        raw = server.raw()
        raw.send(request("GET", "/v1/stats", server.token) * 5)
        raw.close()
    ok(server.client().sessions())
