"""C1 seen from below: strace shows that every answer to a post was written after the log was synced to the disk.

One connection: a sync for each post. Many connections: posts share syncs, and still none is answered before its own.
"""
import re
import shutil
import threading

import pytest

from policies import MAIN
from sevqd import ok, wait_until

STRACE = shutil.which("strace")
CALLS = "fdatasync,fsync,pwrite64,pwritev,write,writev,sendto,sendmsg,read,readv,recvfrom,recvmsg"
LINE = re.compile(r"^(?:\d+ +)?(\w+)\((\d+)<([^>]*)>(.*)\) += (-?\d+)")

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


@pytest.fixture
def traced(make):
    """A server with strace as its grandchild, so that it is still the process we started."""
    server = make(env={"ASAN_OPTIONS": "detect_leaks=0"})
    server.trace = server.directory / "trace"
    server.spawn(STRACE, "-D", "-y", "-s", "64", "-e", "trace=" + CALLS, "-o", server.trace)
    server.await_listening()
    return server


def trace(server):
    """What happened, in order: ("dirty",), ("sync",), ("request", fd), ("answer", fd)."""
    server.stop()
    wait_until(lambda: "+++ exited" in server.trace.read_text(errors="replace"), "the trace to be complete")
    for line in server.trace.read_text(errors="replace").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        call, fd, path, arguments, result = found.groups()
        if path.endswith("-wal"):
            if call in ("fdatasync", "fsync"):
                assert result == "0", line
                yield "sync", None
            elif call.startswith("pwrite"):
                yield "dirty", None
        elif path.startswith(("socket:", "TCP:")):
            if "HTTP/1.1 201 " in arguments and call in ("write", "writev", "sendto", "sendmsg"):
                yield "answer", fd
            elif call in ("read", "readv", "recvfrom", "recvmsg") and int(result) > 0:
                yield "request", fd


def judge(events):
    """Counts answers and syncs; fails where an answer came before its sync."""
    dirty, synced_since, answers, syncs = False, {}, 0, 0
    for what, fd in events:
        if what == "dirty":
            dirty = True
        elif what == "sync":
            dirty = False
            syncs += 1
            synced_since = dict.fromkeys(synced_since, True)
        elif what == "request":
            synced_since[fd] = False
        else:
            assert synced_since[fd], f"answer {answers} was written before its sync"
            assert not dirty, f"answer {answers} was written while the log was not yet synced"
            synced_since[fd] = False
            answers += 1
    return answers, syncs


def test_one_connection_has_a_sync_for_every_post(traced):
    api = traced.client()
    for n in range(30):
        ok(api.enqueue(f"event {n}", MAIN), 201)
    api.close()
    answers, syncs = judge(trace(traced))
    assert answers == 30 and 30 <= syncs <= 40


def test_many_connections_share_syncs_and_none_is_missing(traced):
    ready = threading.Barrier(32)

    def client(name):
        api = traced.client()
        api.connect()
        ready.wait()
        for n in range(20):
            api.enqueue(f"{name} {n}", MAIN)
        api.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(32)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    answers, syncs = judge(trace(traced))
    assert answers == 640
    assert syncs < answers / 2, f"{syncs} syncs for {answers} posts"


@pytest.mark.parametrize("events", [
    [("request", 1), ("dirty", None), ("answer", 1), ("sync", None)],
    [("request", 1), ("dirty", None), ("sync", None), ("request", 2), ("answer", 1), ("answer", 2)],
    [("request", 1), ("dirty", None), ("sync", None), ("dirty", None), ("answer", 1)],
], ids=["before", "another's", "dirty again"])
def test_the_judge_finds_an_answer_before_its_sync(events):
    with pytest.raises(AssertionError):
        judge(events)
