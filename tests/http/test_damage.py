"""A damaged database: nobody gets a changed event, and the server stays.

A flipped bit is found when the server starts, which it then refuses, or when the row is read.
"""
import random
import shutil
import sqlite3

import pytest

from policies import MAIN
from sevqd import Server, ok, problem, sanitized

CONFIG = 78
KEYS = [f"agent:main:k{n}" for n in range(4)]
FLIPS = 20 if sanitized() else 80


@pytest.fixture
def template(make):
    """A stopped server, and its events by their ids, as they were posted."""
    server, rng = make(name="template").start(), random.Random(4)
    api, events = server.client(), {}
    for n in range(60):
        fields = {"contextKey": f"c{n % 7}", "source": "test", "deliveryContext": {"channel": "telegram", "to": str(n)}}
        text = f"event {n} " + rng.choice("abcdé") * rng.choice([5, 50, 900, 5000])
        event = ok(api.enqueue(text, rng.choice(KEYS), **fields), 201)["event"]
        events[event["id"]] = event
        if n % 10 == 9:
            ok(api.drain(KEYS[n % 4], limit=2))
    server.stop()
    return server, events


def copy(template, directory, name, data):
    """A server on a copy of the template with that database."""
    server = Server(directory / name)
    for file in ("token", "sevq.db"):
        shutil.copy(template.directory / file, server.directory / file)
    server.db.write_bytes(data)
    return server


def runs(server):
    """Starts the server. False: it has refused the damaged database."""
    server.spawn()
    try:
        server.await_listening()
    except AssertionError:
        assert server.wait() == CONFIG, server.log
        assert "sevq.db" in server.log[-1]["detail"], server.log
        return False
    return True


def served(api, events):
    """Everything that the server says about these events; every answer must be UTF-8 and JSON."""
    for event_id in events:
        reply = api.find(event_id)
        assert reply.status in (200, 404, 503), reply
        if reply.status == 200:
            yield ok(reply)["event"]
        elif reply.status == 503:
            problem(reply, 503, "storage-failed")
    yield from (row["event"] for row in ok(api.history(limit=1000))["events"])
    for session in ok(api.sessions(limit=1000))["sessions"]:
        yield from ok(api.peek(session["sessionKey"], limit=1000))["events"]
        yield from ok(api.drain(session["sessionKey"], limit=1000))["events"]


def is_one_of(event, events):
    """Whether the text is the event's; or, where its id was damaged, that of another."""
    if event["id"] in events:
        return event["text"] == events[event["id"]]["text"]
    return event["text"] in [other["text"] for other in events.values()]


def test_a_flipped_bit_never_changes_a_text(template, tmp_path):
    stopped, events = template
    data, rng = stopped.db.read_bytes(), random.Random(5)
    used, ran = [at for at, byte in enumerate(data) if byte], 0
    for flip in range(FLIPS):
        at, bit, changed = rng.choice(used), rng.randrange(8), bytearray(data)
        changed[at] ^= 1 << bit
        server = copy(stopped, tmp_path, f"flip{flip}", bytes(changed))
        if runs(server):
            ran += 1
            for event in served(server.client(), events):
                assert is_one_of(event, events), f"bit {bit} of byte {at}"
            server.stop()
        shutil.rmtree(server.directory)
    assert ran > FLIPS / 4


def test_a_damaged_page_fails_only_what_needs_it(start):
    server = start()
    api = server.client()
    for n in range(150):  # a file of this size is not checked whole at the start
        ok(api.enqueue(f"{n} " + "x" * 60000, MAIN), 201)
    ok(api.drain(MAIN, limit=1))
    server.stop()
    db = sqlite3.connect(server.db)
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'outcome_session'").fetchone()[0]
    db.close()
    data = bytearray(server.db.read_bytes())
    assert len(data) > 8 << 20
    data[(page - 1) * 4096:page * 4096] = b"\x5a" * 4096
    server.db.write_bytes(data)
    api = server.start().client()
    reply = api.find("1")
    problem(reply, 503, "storage-failed")
    assert "retry-after" not in reply.headers  # trying again cannot help
    server.wait_for_log(lambda record: record.get("event") == 1)
    assert ok(api.peek(MAIN, limit=1))["events"][0]["text"].startswith("1 ")
    problem(api.find("1"), 503, "storage-failed")
