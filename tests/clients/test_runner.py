"""The runners of the clients against a real server: no event is lost, whatever fails."""
import contextlib
import signal
import socket
import time

import pytest

from fake_server import FakeServer, answer
from policies import MAIN
from sevqd import PATIENCE, ok, wait_until


def posted(server, *texts, **fields):
    """The ids of new events."""
    return [ok(server.client().enqueue(text, MAIN, **fields), 201)["event"]["id"] for text in texts]


def ended(server, event_id, how="acked"):
    wait_until(lambda: server.client().timeline(event_id)[-1] == how, f"{event_id} to be {how}")
    return server.client().timeline(event_id)


def waits(server):
    """Waits until the runner waits."""
    wait_until(lambda: server.client().stats()["waiters"] == 1, "the runner to wait")


@contextlib.contextmanager
def nobody_answers(port):
    """Instead of a server that was killed. Gives a function that waits for two more attempts."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.settimeout(PATIENCE)
        listener.bind(("127.0.0.1", port))
        listener.listen()

        def see_attempts():
            for _ in range(2):
                listener.accept()[0].close()

        yield see_attempts


def test_events_are_handled_in_order_and_acked(server, talker):
    ids = posted(server, "a", "b", "c")
    with talker.run(server, sessionKey=MAIN, limit=2) as runner:
        assert [runner.says() for _ in range(4)] == [["a", "b"], "done", ["c"], "done"]
        ended(server, ids[-1])
        more = posted(server, "d")  # while it waits
        assert runner.says() == ["d"]
        ended(server, *more)
    assert server.client().timeline(ids[0]) == ["queued", "leased", "acked"]


def test_the_culprit_is_found_and_collects_the_attempts_alone(server, talker):
    ids = posted(server, "a", "bad", "c", "d")
    with talker.run(server, sessionKey=MAIN, backoffMs=1, backoffMaxMs=50):
        for event_id in (ids[0], *ids[2:]):
            assert "nacked" not in ended(server, event_id)
        wait_until(lambda: server.client().timeline(ids[1]).count("nacked") >= 3, "three attempts")
    timeline = ok(server.client().find(ids[1]))["timeline"]
    assert {entry["detail"] for entry in timeline if entry["what"] == "nacked"} == {"no good"}
    assert {entry["detail"].split(",")[0] for entry in timeline if entry["what"] == "leased"} == {
        {"python": "sevq.py", "node": "sevq.mjs"}[talker.name]}


def test_a_temporary_failure_counts_no_attempt(server, talker):
    event_id, = posted(server, "later 100")
    with talker.run(server, sessionKey=MAIN, backoffMs=1) as runner:
        assert [runner.says() for _ in range(3)] == [["later 100"]] * 3
    assert server.client().timeline(event_id)[:5] == ["queued", "leased", "returned", "leased", "returned"]
    stamps = [entry["ts"] for entry in ok(server.client().find(event_id))["timeline"]]
    assert stamps[3] - stamps[2] >= 95


def test_the_lease_is_extended_while_the_handler_runs(server, talker):
    event_id, = posted(server, "slow 4500")
    with talker.run(server, sessionKey=MAIN, leaseMs=3000) as runner:
        assert [runner.says(), runner.says()] == [["slow 4500"], "done"]
        assert "lapsed" not in ended(server, event_id)
    timeline = ok(server.client().find(event_id))["timeline"]
    assert sum(entry.get("times", 1) for entry in timeline if entry["what"] == "extended") >= 3


def test_a_handler_learns_that_its_lease_is_lost(server, talker):
    event_id, = posted(server, "slow 2500")
    with talker.run(server, sessionKey=MAIN, leaseMs=3000) as runner:
        assert runner.says() == ["slow 2500"]
        lease = [e["leaseId"] for e in ok(server.client().find(event_id))["timeline"] if e["what"] == "leased"][-1]
        ok(server.client().nack(lease, delayMs=60000))
        assert runner.says() == "lost"
        waits(server)
    assert server.client().timeline(event_id)[-1] == "nacked"


def test_a_signal_ends_a_waiting_runner_at_once(server, talker):
    with talker.run(server, sessionKey=MAIN) as runner:
        waits(server)
        began = time.monotonic()
        runner.process.send_signal(signal.SIGTERM)
        assert runner.says() == "stopped" and runner.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < 5


def test_a_signal_lets_the_handler_finish(server, talker):
    event_id, other = posted(server, "slow 700", "b")
    with talker.run(server, sessionKey=MAIN, limit=1) as runner:
        assert runner.says() == ["slow 700"]
        runner.process.send_signal(signal.SIGTERM)
        assert [runner.says(), runner.says()] == ["done", "stopped"] and runner.process.wait(PATIENCE) == 0
    assert server.client().timeline(event_id)[-1] == "acked"
    assert server.client().timeline(other) == ["queued"]


def test_a_signal_ends_a_runner_whose_server_is_away(server, talker):
    with talker.run(server, sessionKey=MAIN) as runner:
        waits(server)
        server.kill()
        with nobody_answers(server.port) as see_attempts:
            see_attempts()
            runner.process.send_signal(signal.SIGTERM)
        assert runner.says() == "stopped" and runner.process.wait(PATIENCE) == 0


def test_a_second_signal_ends_the_process(server, talker):
    event_id, = posted(server, "slow 60000")
    with talker.run(server, sessionKey=MAIN) as runner:
        assert runner.says() == ["slow 60000"]
        # signals that come close together may be one
        wait_until(lambda: runner.process.send_signal(signal.SIGTERM) or runner.process.poll() is not None, "its end")
        assert runner.process.wait(PATIENCE) == -signal.SIGTERM
    assert server.client().timeline(event_id) == ["queued", "leased"]


def test_the_runner_waits_for_a_server_that_is_away(make, talker):
    server = make().start()
    server.flags = ["--listen", f"127.0.0.1:{server.port}"]
    event_id, = posted(server, "slow 700")
    with talker.run(server, sessionKey=MAIN) as runner:
        assert runner.says() == ["slow 700"]
        server.kill()
        assert runner.says() == "done"
        with nobody_answers(server.port) as see_attempts:
            see_attempts()
        server.start()
        assert "lapsed" not in ended(server, event_id)
        more, = posted(server, "b")
        assert runner.says() == ["b"]
        ended(server, more)


def test_what_a_killed_runner_had_comes_again(server, talker):
    event_id, = posted(server, "slow 60000")
    with talker.run(server, sessionKey=MAIN, leaseMs=300) as runner:
        assert runner.says() == ["slow 60000"]
    ended(server, event_id, "lapsed")
    assert ok(server.client().lease(MAIN))["events"][0]["id"] == event_id


@pytest.mark.parametrize("answers", ([{"ready": "yes"}], [{"ready": True}, {"leaseId": 5, "events": []}],
    [{"ready": True}, {"leaseId": "5"}]), ids=("wait", "lease id", "events"))
def test_a_runner_ends_where_no_sevqd_answers(talker, answers):
    with FakeServer(*map(answer, answers)) as fake, talker.run_at(fake.url, "x", sessionKey=MAIN) as runner:
        assert runner.process.wait(PATIENCE) is not None
        assert "is no sevqd" in runner.process.stdout.read() + runner.process.stderr.read()


def test_the_fields_of_a_lease_alone_are_not_asked_of_a_wait(server, talker):
    event_id, = posted(server, "a")
    fields = {"exact": True, "exclusive": True, "consumer": "me", "format": "prompt", "execCompletions": "include"}
    with talker.run(server, sessionKey=MAIN, **fields) as runner:
        assert runner.says() == ["a"]
        ended(server, event_id)


def test_a_runner_that_is_refused_ends_with_an_error(server, talker):
    with talker.run(server, sessionKey=" ") as runner:
        assert runner.process.wait(PATIENCE) == 1 or talker.name == "node"
        assert "blank" in runner.process.stdout.read() + runner.process.stderr.read()
