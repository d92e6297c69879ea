"""Backups: made while the server is in use, put back by `sevqd restore`, refused where they are
wrong.
"""
import os
import random
import re
import signal
import sqlite3
import stat
import subprocess
import threading

import pytest

from policies import MAIN
from shell import FAILED, Shell
from sevqd import PATIENCE, Server, binary, ok, problem, wait_until

LOCKED, BAD, IO = 75, 78, 74
KEYS = [f"agent:main:k{n}" for n in range(4)]


@pytest.fixture
def keeping(make):
    """A server with a directory for backups, not started."""
    server = make()
    server.backups = server.directory / "backups"
    server.backups.mkdir()
    server.flags += ["--backup-dir", server.backups]
    return server


def begin(api, name):
    return api.call("POST", "/v1/backups", {"name": name})


def last(api):
    return ok(api.call("GET", "/v1/backups"))["backup"]


def make_backup(server, name):
    api = server.client()
    assert begin(api, name).status == 202
    wait_until(lambda: last(api)["state"] != "running", "the end of the backup")
    assert last(api)["state"] == "done", last(api)
    return server.backups / name


def restore(server, path, *more):
    return subprocess.run([binary(), "restore", "--db", server.db, *more, path], env=server.environment(), cwd=server.directory, timeout=PATIENCE,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def everything(api):
    """The texts of all pending events, of every session."""
    return [text for session in ok(api.sessions(limit=1000))["sessions"] for text in api.texts(session["sessionKey"])]


def test_a_backup_is_a_whole_database_for_its_owner_alone(keeping):
    api = keeping.start().client()
    assert last(api) is None
    for n in range(300):
        ok(api.enqueue(f"event {n} " + "x" * 2000, KEYS[n % 4]), 201)
    reply = begin(api, "nightly-1.db")
    assert reply.status == 202 and reply.json["directory"] == str(keeping.backups) and reply.json["backup"]["name"] == "nightly-1.db"
    wait_until(lambda: last(api)["state"] == "done")
    told, path = last(api), keeping.backups / "nightly-1.db"
    assert told["bytes"] == told["copied"] == path.stat().st_size and told["error"] is None and told["endedTs"] >= told["startedTs"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and os.listdir(keeping.backups) == ["nightly-1.db"]
    assert restore(keeping, path, "--check").returncode == 0
    assert os.listdir(keeping.backups) == ["nightly-1.db"]
    keeping.wait_for_log(lambda r: r.get("msg") == "backup made" and r["bytes"] == told["bytes"])
    assert api.stats()["lastBackupTs"] == told["endedTs"]
    assert f'sevq_last_backup_timestamp_seconds {told["endedTs"] / 1000:.3f}\n' in api.call("GET", "/metrics").body.decode()
    keeping.restart()
    assert keeping.client().stats()["lastBackupTs"] == path.stat().st_mtime_ns // 10**6


def test_a_name_is_that_of_a_new_file_in_the_directory(keeping):
    api = keeping.start().client()
    for name in ("../up", "a/b", "/tmp/x", ".hidden", "", "a b", "x" * 101, "é"):
        problem(begin(api, name), 400, "invalid-field", "/name")
    for end in (".partial", "-wal", "-shm", "-journal", ".lock", ".restore", ".restoring", ".new", ".reserve"):
        problem(begin(api, "one" + end), 400, "invalid-field", "/name")
    make_backup(keeping, "one")
    problem(begin(api, "one"), 409, "conflict")
    assert os.listdir(keeping.backups) == ["one"]


def test_without_a_directory_there_are_no_backups(server):
    problem(begin(server.client(), "x"), 409, "conflict")


def test_a_backup_into_a_missing_directory_fails_and_events_are_still_taken(keeping):
    api = keeping.start().client()
    keeping.backups.rmdir()
    problem(begin(api, "x"), 503, "storage-failed")
    ok(api.enqueue("y", MAIN), 201)


def test_what_another_backup_has_left_is_removed_and_not_followed(keeping):
    api = keeping.start().client()
    ok(api.enqueue("x", MAIN), 201)
    os.symlink("/dev/full", keeping.backups / "x.partial")
    make_backup(keeping, "x")
    assert not (keeping.backups / "x").is_symlink()
    ok(api.enqueue("y", MAIN), 201)


def test_only_one_backup_is_made_at_a_time(keeping):
    api = keeping.start().client()
    for n in range(40):
        ok(api.batch(*({"text": f"{n} {m} " + "x" * 15000, "sessionKey": KEYS[m % 4]} for m in range(50))))
    assert begin(api, "a").status == 202
    replies = [begin(api, f"b{n}") for n in range(3)]
    assert problem(replies[0], 409, "conflict")["detail"].startswith("another backup")
    wait_until(lambda: last(api)["state"] == "done")


def test_a_backup_never_replaces_a_file_that_appeared_meanwhile(keeping):
    api = keeping.start().client()
    for n in range(40):
        ok(api.batch(*({"text": f"{n} {m} " + "x" * 15000, "sessionKey": KEYS[m % 4]} for m in range(50))))
    for n in range(20):  # one of them is stopped before its end
        assert begin(api, "a").status == 202
        keeping.signal(signal.SIGSTOP)
        if (keeping.backups / "a.partial").exists():
            break
        keeping.signal(signal.SIGCONT)
        (keeping.backups / "a").unlink()
    (keeping.backups / "a").write_text("mine")
    keeping.signal(signal.SIGCONT)
    wait_until(lambda: last(api)["state"] != "running")
    assert last(api)["state"] == "failed" and "exists" in last(api)["error"]
    assert os.listdir(keeping.backups) == ["a"] and (keeping.backups / "a").read_text() == "mine"


def test_a_stop_breaks_a_backup_off_and_leaves_nothing(keeping):
    api = keeping.start().client()
    for n in range(40):
        ok(api.batch(*({"text": f"{n} {m} " + "x" * 15000, "sessionKey": KEYS[m % 4]} for m in range(50))))
    assert begin(api, "a").status == 202
    keeping.signal(signal.SIGTERM)
    keeping.wait()
    assert os.listdir(keeping.backups) in ([], ["a"])


class Load(threading.Thread):
    """Posts, drains and acks until it is told to stop; knows what was acknowledged, in order."""

    def __init__(self, server, seed):
        super().__init__(daemon=True)
        self.api, self.random, self.seed = server.client(), random.Random(seed), seed
        self.posted, self.taken, self.over, self.lock = [], set(), False, threading.Lock()

    def run(self):
        n = 0
        while not self.over:
            key = self.random.choice(KEYS)
            if self.random.random() < 0.8:
                texts = [f"{self.seed}-{n}-{m} " + "x" * self.random.choice((10, 500, 9000)) for m in range(self.random.randint(1, 20))]
                ok(self.api.batch(*({"text": text, "sessionKey": key} for text in texts)))
                with self.lock:
                    self.posted += texts
            else:
                taken = ok(self.api.drain(key, limit=self.random.randint(1, 10)))["events"]
                with self.lock:
                    self.taken |= {event["text"] for event in taken}
            n += 1


@pytest.mark.parametrize("seed", range(20))
def test_a_backup_under_load_has_all_that_was_acknowledged_before_it(keeping, make, seed):
    """What it has beyond that was committed while it was made; what was settled before is gone."""
    keeping.start()
    loads = [Load(keeping, f"{seed}.{n}") for n in range(3)]
    for load in loads:
        load.start()
    wait_until(lambda: sum(len(load.posted) for load in loads) > 150)
    before, gone = set(), set()
    for load in loads:
        with load.lock:
            before |= set(load.posted)
            gone |= load.taken
    path = make_backup(keeping, "copy")
    for load in loads:
        load.over = True
    for load in loads:
        load.join(PATIENCE)
    posted, taken = ({text for load in loads for text in what(load)} for what in (lambda load: load.posted, lambda load: load.taken))
    keeping.stop()
    done = restore(keeping, path)
    assert done.returncode == 0 and "the old database is " in done.stderr, done
    api = keeping.start().client()
    held = everything(api)
    assert len(held) == len(set(held)), "none is there twice"
    assert set(held) <= posted and not set(held) & gone
    assert before - taken <= set(held), "nothing that was acknowledged is missing"
    aside = kept(keeping)
    assert len(aside) == 1
    keeping.stop()
    old = Server(keeping.directory / "old")
    (keeping.directory / aside[0]).rename(old.db)
    assert sorted(everything(old.start().client())) == sorted(posted - taken), "the old one is whole"
    old.stop()


def test_the_command_waits_for_a_backup_and_checks_it(keeping):
    api = keeping.start().client()
    ok(api.enqueue("x", MAIN), 201)
    sevq = Shell(keeping)
    out, err = sevq("backup", "one.db", PATH=os.path.dirname(binary()))
    assert out.startswith(f"{keeping.backups}/one.db\n") and "nothing is damaged" in out and err == ""
    out, _ = sevq("backup", PATH=os.path.dirname(binary()))
    assert re.match(rf"{keeping.backups}/sevq-\d{{8}}T\d{{6}}Z.db\n", out)
    assert sevq.json("backup", "three")["backup"]["state"] == "done"
    assert "there already" in sevq("backup", "one.db", exit=FAILED)[1]
    assert "letters" in sevq("backup", "../x", exit=FAILED)[1]
    assert sorted(os.listdir(keeping.backups))[:2] == ["one.db", "sevq-" + out.split("/sevq-")[1].split("\n")[0]]


# Restore.

def kept(server):
    """What restores have kept, without their logs."""
    return sorted(name for name in os.listdir(server.directory) if name.startswith("sevq.db.before-") and not name.endswith(("-wal", "-shm")))


def traced_restore(server, path, *inject):
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", *(word for what in inject for word in ("-e", f"inject={what}"))]
    return subprocess.run([*trace, binary(), "restore", "--db", server.db, path], env=server.environment() | {"ASAN_OPTIONS": "detect_leaks=0"},
        cwd=server.directory, timeout=PATIENCE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def saved(keeping):
    """A stopped server with events a, b and a backup that has only a."""
    api = keeping.start().client()
    ok(api.enqueue("a", MAIN), 201)
    path = make_backup(keeping, "copy")
    ok(api.enqueue("b", MAIN), 201)
    keeping.stop()
    return keeping, path


def files(server):
    return {path.name: path.read_bytes() for path in server.directory.iterdir() if path.is_file() and not path.name.endswith(".lock")}


def test_a_live_server_is_not_restored_over(saved):
    server, path = saved
    server.start()
    done = restore(server, path)
    assert done.returncode == LOCKED, done
    assert server.client().texts(MAIN) == ["a", "b"]


def test_a_live_file_is_no_backup(saved):
    server, path = saved
    other = Server(server.directory / "other").start()
    before = files(server)
    assert restore(server, other.db).returncode == BAD
    assert restore(server, other.db, "--check").returncode == BAD
    other.stop()
    assert files(server) == before


@pytest.mark.parametrize("damage, code", [("foreign", BAD), ("newer", BAD), ("not SQLite", BAD), ("damaged", BAD), ("missing", IO), ("cut", BAD)])
def test_what_is_no_whole_backup_of_ours_is_refused_and_nothing_changed(saved, damage, code):
    server, path = saved
    if damage in ("foreign", "newer"):
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA application_id = 7" if damage == "foreign" else "PRAGMA user_version = 1000")
        db.commit()
        db.close()
    elif damage == "not SQLite":
        path.write_bytes(b"hello" * 3000)
    elif damage == "damaged":
        data = bytearray(path.read_bytes())
        data[4096 * 3:] = bytes(len(data) - 4096 * 3)
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.unlink()
    before = files(server)
    for more in ([], ["--check"]):
        done = restore(server, path, *more)
        assert done.returncode == code and (done.stderr or "damaged" in done.stdout), done
    assert files(server) == before
    assert server.start().client().texts(MAIN) == ["a", "b"]


def test_a_backup_with_the_name_of_the_copy_is_refused_and_whole(saved):
    server, path = saved
    path = path.rename(server.db.with_name("sevq.db.restore"))
    before = files(server)
    done = restore(server, path)
    assert done.returncode == BAD and "another name" in done.stderr, done
    assert files(server) == before


def test_a_check_changes_nothing(saved):
    server, path = saved
    before = files(server)
    assert restore(server, path, "--check").returncode == 0
    assert files(server) == before


def test_a_restore_keeps_the_old_database_with_its_log(saved):
    server, path = saved
    server.start()
    ok(server.client().enqueue("c", MAIN), 201)
    server.kill()  # so that its last event is in the WAL only
    assert (server.directory / "sevq.db-wal").stat().st_size > 0
    done = restore(server, path)
    assert done.returncode == 0, done
    assert server.start().client().texts(MAIN) == ["a"]
    server.stop()
    kept = server.directory / done.stderr.split("the old database is ")[1].split(" now")[0]
    old = Server(server.directory / "old")
    for suffix in ("", "-wal"):
        kept.with_name(kept.name + suffix).rename(old.db.with_name(old.db.name + suffix))
    assert old.start().client().texts(MAIN) == ["a", "b", "c"]
    old.stop()


def test_a_restore_where_there_was_nothing(saved, make):
    server, path = saved
    other = make()
    done = restore(other, path)
    assert done.returncode == 0 and "the old database" not in done.stderr, done
    assert other.start().client().texts(MAIN) == ["a"]


@pytest.mark.parametrize("call, at", [("rename", 1), ("renameat2", 1), ("renameat2", 2), ("rename", 2)])
def test_an_interrupted_restore_is_noticed_and_completed(saved, call, at):
    """Killed before each renaming in turn: no server starts on half of it."""
    server, path = saved
    server.start()
    ok(server.client().enqueue("c", MAIN), 201)
    server.kill()
    done = traced_restore(server, path, f"{call}:signal=KILL:when={at}")
    assert done.returncode == -9, done
    if (call, at) != ("rename", 1):
        started = server.run()
        assert started.returncode == BAD and "restore" in started.stderr, started
    assert restore(server, path).returncode == 0
    assert server.start().client().texts(MAIN) == ["a"]


@pytest.mark.parametrize("old", ["whole", "in the WAL", "damaged", "missing"])
def test_ids_given_after_the_backup_are_not_given_again(saved, old):
    """Not by one restore, nor by a second of the same backup."""
    server, path = saved
    events, leases = set(), []
    for _ in range(3):
        api = server.start().client()
        for lease in leases:
            assert api.ack(lease).status == 404
        event = ok(api.enqueue("of " + old, KEYS[0]), 201)["event"]["id"]
        lease = ok(api.lease(KEYS[0]))
        assert event not in events and lease["leaseId"] not in leases
        events.add(event)
        leases.append(lease["leaseId"])
        server.kill() if old == "in the WAL" else server.stop()
        if old == "damaged":
            server.db.write_bytes(b"x" * 9000)
        elif old == "missing":
            server.db.unlink()
        assert restore(server, path).returncode == 0
        assert restore(server, path, "--check").returncode == 0
        assert subprocess.run([binary(), "check", "--db", server.db], stdout=subprocess.DEVNULL).returncode == 0


def test_restores_in_one_second_keep_all_that_they_replace(saved):
    server, path = saved
    for _ in range(4):
        done = restore(server, path)
        assert done.returncode == 0, done
    assert len(kept(server)) == 4
    assert server.start().client().texts(MAIN) == ["a"]


@pytest.mark.parametrize("inject", ["renameat2:error=EIO:when=1", "fsync:error=EIO:when=2", "rename:error=EIO:when=1"])
def test_a_restore_that_has_moved_nothing_leaves_the_server_as_it_was(saved, inject):
    server, path = saved
    before = files(server)
    done = traced_restore(server, path, inject)
    assert done.returncode == IO, done
    after = files(server)
    assert {name: after[name] for name in before} == before and "sevq.db.restoring" not in after
    assert server.start().client().texts(MAIN) == ["a", "b"]


def test_a_restore_where_the_file_system_knows_no_renameat2(saved):
    server, path = saved
    done = traced_restore(server, path, "renameat2:error=EINVAL")
    assert done.returncode == 0, done
    assert len(kept(server)) == 1 and server.start().client().texts(MAIN) == ["a"]


def test_a_restore_completed_keeps_the_log_beside_its_database(saved):
    """Killed between the two moves, and run again in another second."""
    server, path = saved
    server.start()
    ok(server.client().enqueue("c", MAIN), 201)
    server.kill()
    assert traced_restore(server, path, "renameat2:signal=KILL:when=2").returncode == -9
    server.db.with_name(kept(server)[0]).rename(server.db.with_name("sevq.db.before-20200101T000000Z"))
    assert not traced_restore(server, path, "renameat2:error=EIO:when=1").returncode == 0
    assert server.run().returncode == BAD, "what an earlier restore has moved is still away"
    done = restore(server, path)
    assert done.returncode == 0 and "before-20200101T000000Z now" in done.stderr, done
    assert kept(server) == ["sevq.db.before-20200101T000000Z"]
    assert (server.directory / "sevq.db.before-20200101T000000Z-wal").stat().st_size > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("there", [True, False])
def test_what_root_restores_belongs_to_the_owner_of_the_database(saved, there):
    server, path = saved
    if there:
        os.chown(server.db, 1234, 2345)
    else:
        server.db.unlink()
        os.chown(server.directory, 1234, 2345)
    assert restore(server, path).returncode == 0
    for file in (server.db, server.db.with_name("sevq.db.lock")):
        assert (file.stat().st_uid, file.stat().st_gid) == (1234, 2345), file
