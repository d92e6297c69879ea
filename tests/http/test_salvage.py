"""sevqd check and sevqd salvage: what is wrong with a damaged database, and what can be had of
it.
"""
import json
import random
import shutil
import sqlite3
import subprocess

import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import binary, ok, sanitized

HEADER, FRAME, PAGE = 32, 4120, 4096


def command(name, server, *more):
    return subprocess.run([binary(), name, "--db", server.db, *more], capture_output=True, text=True, timeout=60)


def report(name, server, code, *more):
    done = command(name, server, "--json", *more)
    assert done.returncode == code, done
    return json.loads(done.stdout)


def files(server):
    return {p.name: p.read_bytes() for p in server.db.parent.iterdir() if p.name.startswith("sevq.db") and not p.name.endswith(("-shm", ".lock"))}


def wal(server):
    return server.db.with_name(server.db.name + "-wal")


@pytest.fixture
def killed(start):
    """A server that was killed; its WAL has ten commits of one event each."""
    server = start()
    api = server.client()
    for n in range(10):
        ok(api.enqueue(f"event {n} " + "x" * 5000, MAIN), 201)
    server.kill()
    return server


@pytest.fixture
def large(start):
    """A stopped server with a database of many pages."""
    server = start()
    api = server.client()
    for batch in range(5):
        ok(api.batch(*({"text": f"event {batch} {n} " + "y" * 300, "sessionKey": MAIN} for n in range(200))))
    ok(api.drain(MAIN, limit=100))
    server.stop()
    return server


def salvaged(make, server, lost=()):
    """Salvages the database, and starts a server on the new one; returns the texts that it has."""
    other = make()
    other.directory.mkdir(exist_ok=True)
    done = report("salvage", server, 0, str(other.db))
    other.start()
    texts = [e["text"] for e in ok(other.client().drain(MAIN))["events"]]
    assert int(ok(other.client().enqueue("new", MAIN), 201)["event"]["id"]) > 10**10, "no id of a row that was lost"
    other.stop()
    assert report("check", other, 0)["whole"]
    return done, texts


def test_a_whole_database_is_said_to_be_whole_and_stays_as_it_is(killed):
    before = files(killed)
    told = report("check", killed, 0)
    assert told["whole"] and told["events"] == 10 and told["integrity"] == "ok" and told["wal"]["commits"] >= 10
    assert command("check", killed).stdout.endswith("nothing is damaged\n")
    assert files(killed) == before


def test_a_whole_database_is_salvaged_whole(make, large):
    done, texts = salvaged(make, large)
    assert done["whole"] and len(texts) == 900 and texts[0].startswith("event 0 100 ")


@pytest.mark.parametrize("commit", range(1, 8))
def test_a_flipped_bit_in_the_log_costs_the_events_of_its_page(make, killed, commit):
    data = bytearray(wal(killed).read_bytes())
    frames = [i for i in range((len(data) - HEADER) // FRAME)]
    ends = [i for i in frames if data[HEADER + i * FRAME + 4: HEADER + i * FRAME + 8] != bytes(4)]
    ends = ends[-10:]  # those before made the database
    data[HEADER + ends[commit] * FRAME + 24 + 100] ^= 4
    wal(killed).write_bytes(data)
    before = files(killed)
    done = killed.run()
    assert done.returncode == 78 and "sevqd salvage" in done.stderr and files(killed) == before
    told = report("check", killed, 78)
    assert not told["whole"] and told["wal"]["commitsBehind"] == 9 - commit
    assert "something is damaged" in command("check", killed).stdout
    done, texts = salvaged(make, killed)
    assert files(killed) == before
    numbers = [int(text.split()[1]) for text in texts]
    lost = set(range(10)) - set(numbers)  # some of those on the page
    assert numbers == sorted(numbers) and lost <= set(range(commit - 4, commit + 1))
    assert all(text == f"event {n} " + "x" * 5000 for n, text in zip(numbers, texts))


def test_a_changed_text_costs_its_event_and_is_named(make, large):
    data = large.db.read_bytes()
    large.db.write_bytes(data.replace(b"event 2 7 y", b"event 2 7 z"))
    told = report("check", large, 78)
    assert told["damagedIds"] == ["408"] and told["events"] == 999 and told["integrity"] == "ok"
    done, texts = salvaged(make, large)
    assert done["damagedIds"] == ["408"] and len(texts) == 899 and not any(text.startswith("event 2 7 ") for text in texts)


def leaves(server, table):
    db = sqlite3.connect(server.db)
    pages = [row[0] for row in db.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", [table])]
    db.close()
    return pages


@pytest.mark.parametrize("where", [[40], [-2], [20, 41, -3]])
def test_a_page_that_is_lost_costs_the_events_in_it(make, large, where):
    pages = leaves(large, "event") if has_dbstat() else pytest.skip("SQLite has no dbstat")
    data = bytearray(large.db.read_bytes())
    for page in [pages[at] for at in where]:
        data[(page - 1) * PAGE: page * PAGE] = b"\x5a" * PAGE
    large.db.write_bytes(data)
    told = report("check", large, 78)
    assert told["gaps"] == len(where)
    done, texts = salvaged(make, large)
    assert 860 <= len(texts) < 900
    assert all(text.startswith("event ") and text.endswith("y" * 300) for text in texts)


def has_dbstat():
    try:
        sqlite3.connect(":memory:").execute("SELECT * FROM dbstat")
    except sqlite3.OperationalError:
        return False
    return True


def test_a_server_that_runs_keeps_both_out(server, tmp_path):
    assert command("check", server).returncode == 75
    assert command("salvage", server, str(tmp_path / "new.db")).returncode == 75
    assert not (tmp_path / "new.db").exists()


def test_salvage_never_overwrites(killed, tmp_path):
    (tmp_path / "new.db").write_text("precious")
    assert command("salvage", killed, str(tmp_path / "new.db")).returncode == 78
    assert (tmp_path / "new.db").read_text() == "precious"
    assert not list(tmp_path.glob("new.db.*"))


@pytest.mark.parametrize("arguments", [["check", "more"], ["salvage"], ["salvage", "a", "b"], ["check", "--no-such"]])
def test_wrong_use_is_told(arguments):
    done = subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "usage: sevqd" in done.stderr


def test_without_a_database_there_is_nothing_to_check(make, tmp_path):
    assert command("check", make()).returncode == 74


# Any one bit.

FLIPS = 10 if sanitized() else 40


@pytest.fixture
def busy(start):
    """A server with events of each form, some settled; and the texts of all, by id. A page holds
    only a few of them.
    """
    server, texts = start(), {}
    api = server.client()
    for n in range(60):
        fields = {"contextKey": f"c{n % 7}", "deliveryContext": {"channel": "telegram", "to": str(n)}}
        event = ok(api.enqueue(f"event {n} " + "é" * (300 + n % 9), f"agent:main:k{n % 3}", **fields), 201)["event"]
        texts[event["id"]] = event["text"]
        if n % 10 == 9:
            ok(api.drain(f"agent:main:k{n % 2}", limit=2))
    return server, texts


def put_back(server, kept):
    for name, data in kept.items():
        (server.directory / name).write_bytes(data)


def flip(path, rng):
    data = bytearray(path.read_bytes())
    at = rng.choice([at for at, byte in enumerate(data) if byte])
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return at


def is_one_of(event, texts):
    """Whether the text is the event's; or, where its id was damaged, that of another."""
    return event["text"] == texts[event["id"]] if event["id"] in texts else event["text"] in texts.values()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_flipped_bit_anywhere_costs_little(make, busy, end):
    server, texts = busy
    getattr(server, end)()
    kept, rng, nothing = files(server), random.Random(6), 0
    for n in range(FLIPS):
        put_back(server, kept)
        at = flip(wal(server) if end == "kill" else server.db, rng)
        damaged, new = files(server), make()
        new.directory.mkdir(exist_ok=True)
        told = command("check", server, "--json")
        done = command("salvage", server, str(new.db))
        assert files(server) == damaged, at
        if done.returncode == 78 and "nothing can be read" in done.stderr:  # SQLite finds no table
            assert told.returncode == 78 and "nothing can be read" in told.stderr, at
            nothing += 1
            continue
        assert told.returncode in (0, 78) and json.loads(told.stdout)["whole"] == (told.returncode == 0), at
        assert done.returncode == 0, (at, done)
        new.start()
        api = new.client()
        got = [event for key in ok(api.sessions())["sessions"] for event in ok(api.drain(key["sessionKey"], limit=1000))["events"]]
        assert all(is_one_of(event, texts) for event in got), at
        assert len(got) >= 60 - 12 - 20, at  # a lost page of sessions costs the events of one
        new.stop()
        shutil.rmtree(new.directory)
    assert nothing <= FLIPS / 10


@pytest.mark.parametrize("statement", [b"CREATE TABLE event", b"text_hash INTEGER", b"CREATE INDEX outcome_session ", b"CREATE VIEW pending", b"PRIMARY KEY (event, outcome)"])
def test_a_damaged_schema_costs_nothing(make, large, statement):
    data = large.db.read_bytes()
    assert data.count(statement) == 1
    large.db.write_bytes(data.replace(statement, bytes([statement[0] ^ 1]) + statement[1:]))
    assert not report("check", large, 78)["whole"]
    done, texts = salvaged(make, large)
    assert done["events"] == 1000 and len(texts) == 900


def place_of_id(data, wanted):
    """Where a leaf of the file has the id of that row, of one byte or two."""
    number = bytes([wanted] if wanted < 128 else [0x80 | wanted >> 7, wanted & 0x7f])
    for page in range(0, len(data), PAGE):
        if data[page] == 13:
            for n in range(int.from_bytes(data[page + 3:page + 5], "big")):
                at = page + int.from_bytes(data[page + 8 + 2 * n:page + 10 + 2 * n], "big")
                while data[at] & 0x80:  # the length of the row
                    at += 1
                # the header of an event's row has 18 bytes
                if data[at + 1:at + 2 + len(number)] == number + bytes([18]):
                    yield at + 1


@pytest.mark.parametrize("event, byte, bit", [(110, 0, 0), (110, 0, 2), (110, 0, 7), (500, 0, 3), (500, 0, 5), (500, 0, 7), (500, 1, 2), (500, 1, 3)])
def test_a_damaged_id_costs_its_event_alone(make, large, event, byte, bit):
    data = bytearray(large.db.read_bytes())
    [at] = place_of_id(data, event)
    data[at + byte] ^= 1 << bit
    large.db.write_bytes(data)
    done, texts = salvaged(make, large)
    assert not done["whole"] and len(texts) >= 899
    numbers = [int(batch) * 200 + int(n) for _, batch, n, _ in map(str.split, texts)]
    assert all(a < b for a, b in zip(numbers, numbers[1:])), "no text stands under the id of another"


# Events that were moved.

@pytest.fixture
def moved(start):
    """A stopped server with three events that were moved from DIRECT to MAIN, and one of MAIN."""
    server = start("--no-watch-policy", "--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    for n in range(3):
        ok(api.enqueue(f"moved {n}", DIRECT), 201)
    ok(api.enqueue("own", MAIN), 201)
    server.write_policy(ONE_OWNER)
    ok(api.call("POST", "/v1/policy/reload", {}))
    assert ok(api.call("POST", "/v1/rekey", {"confirm": True}))["moved"] == 3
    ok(api.drain(MAIN, limit=1))
    server.stop()
    return server


def test_moved_events_are_salvaged_where_they_are(make, moved):
    assert report("check", moved, 0)["whole"]
    done, texts = salvaged(make, moved)
    assert done["whole"] and texts == ["moved 1", "moved 2", "own"]


@pytest.mark.parametrize("damage", {
    "a move to no session": "UPDATE outcome SET target = 99 WHERE kind = 16",
    "a move without a session": "UPDATE outcome SET target = NULL WHERE kind = 16",
    "a move from no session": "UPDATE outcome SET session = 99 WHERE kind = 16",
    "a move of no events": "UPDATE outcome SET events = '[' WHERE kind = 16",
    "a session that is none": f"UPDATE session SET key = 'agent' WHERE key = '{MAIN}'",
}.values())
def test_a_damaged_move_leaves_the_events_where_they_were(make, moved, damage):
    """Without the move the other events stand where they were stored."""
    with sqlite3.connect(moved.db) as db:
        db.execute(damage)
    db.close()
    told = report("check", moved, 78)
    assert not told["whole"] and told["damagedRows"] >= 1
    other = make("--no-watch-policy", policy=TWO_OWNERS)
    report("salvage", moved, 0, str(other.db))
    other.start()
    api = other.client()
    assert [e["text"] for e in ok(api.call("GET", "/v1/events", query={"queueKey": DIRECT}))["events"]] == ["moved 1", "moved 2"]
    ok(api.enqueue("goes on", MAIN), 201)
    assert "goes on" in api.texts(MAIN)
