"""Somebody with the sqlite3 shell, while the server works: reads everything that was acknowledged, and changes nothing."""
import subprocess
import threading

from policies import MAIN
from sevqd import ok

PRODUCERS, EACH = 4, 60


def shell(server, sql, *flags):
    return subprocess.run(["sqlite3", *flags, str(server.directory / "sevq.db"), sql], text=True, timeout=60, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


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
