"""sevqd check and sevqd salvage: what is wrong with a damaged database, and what can be had of
it.
"""
import json
import sqlite3
import subprocess

import pytest

from policies import MAIN
from sevqd import binary, ok

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
