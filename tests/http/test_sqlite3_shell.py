"""The sqlite3 shell beside a working server: it reads every acknowledged event and can change
nothing.

A server that starts later ignores the WAL-index that a shell has kept alive.
"""
import shutil
import subprocess
import threading

import pytest

from policies import MAIN
from sevqd import ok, request

PRODUCERS, EACH = 4, 60


def shell(server, sql, *flags):
    return subprocess.run(["sqlite3", *flags, str(server.directory / "sevq.db"), sql], text=True, timeout=60, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class OpenShell:
    """A shell that stays open, idle between queries."""

    def __init__(self, server):
        self.process = subprocess.Popen(["sqlite3", str(server.db)], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, sql):
        self.process.stdin.write(sql + ";\n")
        self.process.stdin.flush()

    def ask(self, sql):
        self.tell(sql)
        return self.process.stdout.readline().strip()

    def quit(self):
        """Closes the database, which checkpoints it if no other process has it open."""
        self.process.communicate(".quit\n")


@pytest.fixture
def opened():
    """Opens a shell beside a server."""
    shells = []

    def open_one(server):
        shells.append(OpenShell(server))
        return shells[-1]

    yield open_one
    for each in shells:
        each.process.kill()
        each.process.communicate()


def pending(server):
    seen = shell(server, "SELECT count(*) FROM pending", "-readonly")
    assert seen.stderr == "" and seen.returncode == 0, seen
    return int(seen.stdout)


def test_a_shell_reads_while_producers_post(start):
    server = start()
    answered = []

    def produce(name):
        api = server.client()
        for n in range(EACH):
            ok(api.enqueue(f"{name} {n}", MAIN), 201)
            answered.append(n)
        api.close()

    producers = [threading.Thread(target=produce, args=(name,)) for name in range(PRODUCERS)]
    for p in producers:
        p.start()
    while any(p.is_alive() for p in producers):
        before = len(answered)
        assert pending(server) >= before
    for p in producers:
        p.join()
    assert len(answered) == PRODUCERS * EACH == pending(server)


def test_a_shell_sees_an_idle_server_whole(api, server):
    assert pending(server) == 0
    for n in range(5):
        ok(api.enqueue(str(n), MAIN), 201)
        assert pending(server) == pending(server) == n + 1


def test_a_shell_cannot_change_anything(api, server):
    for n in range(3):
        ok(api.enqueue(str(n), MAIN), 201)
        refused = shell(server, "DELETE FROM event")
        assert "database is locked" in refused.stderr, refused
        assert pending(server) == n + 1


def test_a_shell_cannot_checkpoint(api, server):
    """SQLite 3.40 may lose a WAL when two processes checkpoint it (its WAL-reset bug)."""
    for n in range(3):
        ok(api.enqueue(str(n), MAIN), 201)
        assert shell(server, "PRAGMA wal_checkpoint").stdout.startswith("1|")
        server.restart()
        api = server.client()
    assert pending(server) == 3


def test_a_writing_shell_keeps_a_server_from_starting(make, opened):
    """Otherwise the shell's events would be in the database but not in the server's memory."""
    server = make().start()
    ok(server.client().enqueue("event", MAIN), 201)
    server.stop()
    writer = opened(server)
    assert writer.ask("BEGIN IMMEDIATE; DELETE FROM event; SELECT count(*) FROM event") == "0"
    refused = server.run()
    assert refused.returncode == 75
    assert "writing" in refused.stderr
    writer.tell("ROLLBACK")
    assert writer.ask("SELECT count(*) FROM event") == "1"
    server.start()
    assert "database is locked" in shell(server, "DELETE FROM event").stderr
    assert server.client().texts(MAIN) == ["event"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("quits", [False, True], ids=["stays", "quits"])
def test_no_shell_brings_back_what_a_failed_sync_lost(make, opened, quits):
    """After a failed fsync the kernel drops the pages it could not write. The WAL-index that an
    open shell keeps alive still lists them.
    """
    server = make(env={"ASAN_OPTIONS": "detect_leaks=0"}).start()
    server.stop()
    server.spawn("strace", "-D", "-o", server.directory / "trace", "-e", "inject=fdatasync:error=EIO:when=6+")
    server.await_listening()
    log = server.directory / "sevq.db-wal"
    idle, api, answered, on_disk = opened(server), server.raw(), [], b""
    while True:
        text = f"event {len(answered)} " + "x" * 5000
        api.send(request("POST", "/v1/events", server.token, {"sessionKey": MAIN, "text": text}))
        answer = api.answer()
        if answer is None:
            break
        ok(answer, 201)
        answered.append(text)
        assert idle.ask("SELECT count(*) FROM pending") == str(len(answered))
        on_disk = log.read_bytes()
    assert server.wait() == 70 and len(answered) > 2
    size = log.stat().st_size
    assert size > len(on_disk)
    with log.open("r+b") as file:
        file.write(on_disk + bytes(size - len(on_disk)))
    if quits:
        idle.quit()
    api = server.start().client()
    assert api.texts(MAIN) == answered
    for n in range(3):
        ok(api.enqueue(f"later {n}", MAIN), 201)
    server.kill()
    assert server.start().client().texts(MAIN) == [*answered, "later 0", "later 1", "later 2"]
    server.stop()
    assert shell(server, "PRAGMA integrity_check").stdout == "ok\n"
