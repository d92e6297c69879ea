"""kill -9 at random moments under load from several connections, again and again on one database.

After each restart every acknowledged event that was not taken is there once, in order, under its
queue key, byte for byte; taken events stay taken; batches are whole or absent (history.py has the
exact promises). SEVQ_CRASH_CYCLES sets the number of cycles; SEVQ_CRASH_SEED repeats the choices of
a run, not its timing.
"""
import random
import signal
import sqlite3
import time

import pytest

from cycles import DRAIN_CYCLES, SEED
from history import History, after, check
from load import Load, look, take_all
from sevqd import Server, wait_until


def kill_at_a_random_moment(server, load, rng):
    """Kills the server under load; sometimes while it is stopping, sometimes again while it starts.
    """
    enough = rng.choice((1, 10, 50, 200))
    wait_until(lambda: load.acknowledged >= enough or load.errors, "acknowledged posts")
    time.sleep(rng.random() * 0.1)  # waits until a random moment
    if rng.random() < 0.15:
        server.signal(signal.SIGTERM)
        time.sleep(rng.random() * 0.005)
    server.kill()
    load.join()
    while rng.random() < 0.25:
        server.spawn()
        time.sleep(rng.random() * 0.05)
        server.kill()


def cycle(server, name, rng, history):
    """Load, crash, restart and read: the history with what happened and what is found."""
    load = Load(server, name, rng)
    load.start()
    kill_at_a_random_moment(server, load, rng)
    assert not load.errors, load.errors
    server.start()
    return history._replace(posts=history.posts + tuple(load.posts), takes=tuple(load.takes), peeks=tuple(load.peeks), found=look(server.client()))


def test_no_acknowledged_event_is_lost_by_a_kill(server):
    print(f"SEVQ_CRASH_SEED={SEED}")
    rng, history, posts, events = random.Random(SEED), History(()), 0, 0
    server.start()
    for n in range(DRAIN_CYCLES):
        history = cycle(server, f"k{n}", rng, history)
        broken = check(history)
        assert not broken, f"cycle {n}: {broken[:10]}"
        posts += sum(p.ids is not None for p in history.posts)
        events += len(history.found)
        history = after(history)
        if rng.random() < 0.4:  # otherwise the next run begins with pending events
            api = server.client()
            found = look(api)
            takes = take_all(api, found)
            assert sorted(s for t in takes for s in t.answer) == sorted(found)
            history = after(history._replace(takes=takes, found=()))
    print(f"{DRAIN_CYCLES} kills, {posts} acknowledged posts, {events} events found again")
    assert posts > DRAIN_CYCLES
    server.stop()


def test_a_kill_during_the_very_first_start_leaves_nothing_half(tmp_path):
    rng = random.Random(SEED)
    for n in range(15):
        server = Server(tmp_path / str(n))
        server.spawn()
        time.sleep(rng.random() * 0.03)
        server.kill()
        assert look(server.start().client()) == ()
        server.stop()


@pytest.fixture
def crashed(server):
    """A server killed under load and not restarted, with the history of its clients; no event was
    taken.
    """
    server.start()
    load = Load(server, "x", random.Random(SEED), producers=3, consumers=0)
    load.start()
    wait_until(lambda: load.acknowledged >= 50 or load.errors, "acknowledged posts")
    server.kill()
    load.join()
    assert not load.errors, load.errors
    return server, History(tuple(load.posts), tuple(load.takes))


def found_after(server, history, *statements):
    """Restarts with these changes made to the file; returns the broken promises."""
    db = sqlite3.connect(server.db)
    with db:
        for statement, values in statements:
            assert db.execute(statement, values).rowcount == 1, statement
    db.close()
    server.start()
    return check(history._replace(found=look(server.client())))


def an_acknowledged_event(history):
    """The text of an event that is neither taken nor replaced."""
    taken = {i for take in history.takes for i in take.ids}
    return next((post.events[0], post.ids[0]) for post in history.posts if post.ids and not post.events[0].chain and post.ids[0] not in taken)


def test_the_checker_accepts_the_untouched_file(crashed):
    assert found_after(*crashed) == []


def test_the_checker_finds_an_event_deleted_from_the_file(crashed):
    """The negative control: the checker notices a lost event."""
    event, number = an_acknowledged_event(crashed[1])
    assert found_after(*crashed, ("DELETE FROM event WHERE id = ?", (number,))) == [("lost", event.text)]


def test_the_checker_finds_a_drain_deleted_from_the_file(server):
    """Without its outcome a taken event is pending again."""
    server.start()
    load = Load(server, "x", random.Random(SEED), producers=1, consumers=0)
    load.start()
    wait_until(lambda: load.acknowledged >= 20 or load.errors, "acknowledged posts")
    server.stop()
    load.join()
    assert not load.errors, load.errors
    api = server.start().client()
    history = History(tuple(load.posts), tuple(load.takes), found=())
    number, text = next((s.id, s.text) for s in look(api) if s.queue == "agent:quiet:main")
    assert api.consume("agent:quiet:main", [str(number)]).json["events"][0]["text"] == text
    server.stop()
    broken = found_after(server, after(history._replace(found=())), ("DELETE FROM outcome WHERE id = (SELECT max(id) FROM outcome)", ()))
    assert ("returned", text) in broken
