"""kill -9 of the server and of its consumers at random moments, again and again on one database,
with leases.

In the end all remaining events are leased and acked; then the whole history is checked against the
promises of lease_history.py. The environment variables are those of test_crash.py.
"""
import random
import signal
import sqlite3
import time

import pytest

from cycles import LEASE_CYCLES, SEED
from lease_actors import Consumer, Producer
from lease_history import Life, check
from lease_load import Crowd, Story, dead_letters
from policies import ONE_OWNER
from sevqd import Server, ok, wait_until

ATTEMPTS = 3
# pending events of a session: producers are faster than consumers, so many cycles could fill it
MANY = 1000000


def start(server, crowd):
    spawned = time.monotonic()
    server.start()
    crowd.greet(Life(spawned, time.monotonic()), server)


def kill(server, crowd, rng):
    """Kills the server, sometimes while it is stopping."""
    crowd.lives[-1] = crowd.lives[-1]._replace(killed=time.monotonic())
    if rng.random() < 0.15:
        server.signal(signal.SIGTERM)
        time.sleep(rng.random() * 0.005)
    server.kill()
    crowd.lives[-1] = crowd.lives[-1]._replace(dead=time.monotonic())


def cycle(server, crowd, rng):
    """Load, perhaps a kill of a client, a crash. Sometimes leases end before the next start, or
    that start is killed too.
    """
    start(server, crowd)
    enough = crowd.written() + rng.choice((1, 20000, 100000))
    wait_until(lambda: crowd.written() >= enough, "requests")
    time.sleep(rng.random() * 0.1)  # waits until a random moment
    if rng.random() < 0.5:
        crowd.kill_one()
        time.sleep(rng.random() * 0.05)
    kill(server, crowd, rng)
    while rng.random() < 0.25:
        begun = time.monotonic()
        server.spawn()
        time.sleep(rng.random() * 0.05)
        killed = time.monotonic()
        server.kill()
        # the killed start may or may not have listened
        crowd.lives.append(Life(begun, killed, killed, time.monotonic()))
    if rng.random() < 0.25:
        time.sleep(rng.random() * 0.5)


def test_leases_keep_their_promises_over_kills(tmp_path):
    print(f"SEVQ_CRASH_SEED={SEED}")
    rng, server = random.Random(SEED), Server(tmp_path / "server", "--max-attempts", ATTEMPTS, "--max-pending", MANY, policy=ONE_OWNER)
    crowd = Crowd(tmp_path / "crowd", rng)
    try:
        for _ in range(LEASE_CYCLES):
            cycle(server, crowd, rng)
        crowd.end()
        story, history = finish(server, crowd)
    finally:
        if server.process is not None:
            server.kill()
        crowd.end()  # fails when a client failed
    broken = check(history._replace(attempts_max=ATTEMPTS))
    assert not broken, sorted(map(str, broken))[:10]
    acks = sum(call.what == "ack" and call.status == 200 for call in story.calls)
    refused = sum(call.status == 409 for call in story.calls)
    print(f"{LEASE_CYCLES} kills, {crowd.killed} clients killed, {len(history.posts)} posts, {len(history.leases)} leases, "
        f"{acks} acks, {refused} calls refused, {len(history.dead)} dead letters")
    assert len(history.posts) > LEASE_CYCLES and acks > LEASE_CYCLES


def finish(server, crowd):
    """After the last start, repeats all open requests and drains everything; one more crash brings
    nothing back.
    """
    spawned = time.monotonic()
    api = server.start().client()
    crowd.lives.append(Life(spawned, time.monotonic()))
    story = Story(crowd)
    story.ask_to_the_end(api)
    story.take_all(api)
    server.kill()
    api = server.start().client()
    assert ok(api.sessions())["sessions"] == []
    history = story.history(crowd.lives, dead=dead_letters(api))
    server.stop()
    return story, history


# what the consumer does, the outcome deleted from the file, and the promise that this breaks
CONTROLS = {
    "a lease": ("extend", "SELECT min(id) FROM outcome", "overlap"),
    "an ack": ("ack", "SELECT max(id) FROM outcome", "returned"),
}


@pytest.mark.parametrize("act, which, promise", CONTROLS.values(), ids=CONTROLS.keys())
@pytest.mark.parametrize("forgets", [False, True], ids=["kept", "forgotten"])
def test_the_checker_finds_an_outcome_deleted_from_the_file(server, tmp_path, act, which, promise, forgets):
    """The negative control: the checker notices a record that was deleted from the file."""
    rng = random.Random(SEED)
    crowd = Crowd(tmp_path / "crowd", rng, producers=0, consumers=0)
    start(server, crowd)
    Producer("p", crowd.directory, rng).turn()
    consumer = Consumer("c", crowd.directory, rng)
    consumer.take(ok(server.client().sessions())["sessions"][0]["sessionKey"], 100, 0.5)
    consumer.do(act, consumer.ids)
    kill(server, crowd, rng)
    if forgets:
        db = sqlite3.connect(server.db)
        with db:
            assert db.execute(f"DELETE FROM outcome WHERE id = ({which})").rowcount == 1
        db.close()
    _, history = finish(server, crowd)
    broken = {name for name, _ in check(history)}
    assert promise in broken if forgets else not broken
