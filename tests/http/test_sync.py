"""Promise C1 under strace: every answer to a post is sent after exactly one sync of the WAL with
its event.

With one connection each post has a sync of its own. With many, posts share syncs; none is answered
before its sync, and each waits for one only. A checkpoint syncs the database, or a WAL without new
frames. When there is much to write, the kernel was told to begin before the sync.
"""
import re
import shutil
import signal
import threading

import pytest

from policies import MAIN
from sevqd import ok, request, wait_until

STRACE = shutil.which("strace")
CALLS = "listen,fdatasync,fsync,sync_file_range,pwrite64,pwritev,write,writev,sendto,sendmsg,read,readv,recvfrom,recvmsg"
LINE = re.compile(r"^(?:\d+ +)?(\w+)\((\d+)<([^>]*)>(.*)\) += (-?\d+)")
# a write of this length at this offset restarts the WAL; its header is synced before any commit
LOG_HEADER = ", 32, 0"
CONNECTIONS, ROUNDS = 64, 20

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


def spawn_traced(server):
    server.trace = server.directory / "trace"
    server.spawn(STRACE, "-D", "-y", "-s", "64", "-e", "trace=" + CALLS, "-o", server.trace)
    server.await_listening()


@pytest.fixture
def traced(make):
    """A server traced by a grandchild, so that the server is still the process we started."""
    server = make(env={"ASAN_OPTIONS": "detect_leaks=0"})
    spawn_traced(server)
    return server


def trace(server):
    """The traced events, in order: ("listen", fd), ("dirty",), ("begun",), ("sync",),
    ("checkpoint begun",), ("checkpoint",), ("request", fd), ("answer", fd), ("stop",).
    """
    server.stop()
    wait_until(lambda: "+++ exited" in server.trace.read_text(errors="replace"), "the trace to be complete")
    for line in server.trace.read_text(errors="replace").splitlines():
        if "--- SIGTERM" in line:
            yield "stop", None
        found = LINE.match(line)
        if not found:
            continue
        call, fd, path, arguments, result = found.groups()
        if call in ("fdatasync", "fsync"):
            assert result == "0", line
        if path.endswith("-wal"):
            if call in ("fdatasync", "fsync"):
                yield "sync", None
            elif call == "sync_file_range":
                yield "begun", None
            elif call.startswith("pwrite") and not arguments.endswith(LOG_HEADER):
                yield "dirty", None
        elif path.endswith(".db") and call in ("fdatasync", "fsync"):
            yield "checkpoint", None
        elif path.endswith(".db") and call == "sync_file_range":
            yield "checkpoint begun", None
        elif path.startswith(("socket:", "TCP:")):
            if "HTTP/1.1 201 " in arguments and call in ("write", "writev", "sendto", "sendmsg"):
                yield "answer", fd
            elif call == "listen":
                yield "listen", fd
            elif call in ("read", "readv", "recvfrom", "recvmsg") and int(result) > 0:
                yield "request", fd


def judge(events):
    """The number of answers after each sync of new WAL frames, and the number of checkpoints. Fails
    on an answer that did not wait for exactly one sync. The server stores the time when it stops,
    with a sync that is not counted.
    """
    dirty, stopping, syncs_since, batches, checkpoints = False, False, {}, [], 0
    for what, fd in events:
        if what == "dirty":
            dirty = True
        elif what == "sync" and dirty:
            dirty = False
            if not stopping:
                batches.append(0)
            syncs_since = {asked: syncs + 1 for asked, syncs in syncs_since.items()}
        elif what == "checkpoint":
            assert not dirty, "the database was synced before the log"
            checkpoints += 1
        elif what == "stop":
            stopping = True
        elif what == "request":
            syncs_since[fd] = 0
        elif what == "answer":
            syncs = syncs_since.pop(fd, 0)
            assert syncs == 1, f"answer {sum(batches)} was written after {syncs} syncs"
            assert not dirty, f"answer {sum(batches)} was written while the log was not yet synced"
            batches[-1] += 1
    assert all(batches), f"a sync answered nobody: {batches}"
    return batches, checkpoints


def posted(make, error):
    """A server whose sync_file_range fails with this error, and a connection that has posted enough
    to make the server call it.
    """
    server = make(env={"ASAN_OPTIONS": "detect_leaks=0"})
    server.spawn(STRACE, "-D", "-o", server.directory / "trace", "-e", "inject=sync_file_range:error=" + error)
    server.await_listening()
    api = server.raw()
    api.send(request("POST", "/v1/events", server.token, {"sessionKey": MAIN, "text": "x" * 60000}))
    return server, api


def test_one_connection_has_a_sync_for_every_post(traced):
    api = traced.client()
    for n in range(30):
        ok(api.enqueue(f"event {n}", MAIN), 201)
    api.close()
    events = list(trace(traced))
    assert judge(events)[0] == [1] * 30
    # the first commit writes the session and the clock too, and the last the time
    assert ("begun", None) not in events[events.index(("sync", None), events.index(("dirty", None))):events.index(("stop", None))]


def test_posts_in_flight_at_once_have_one_sync_a_batch(traced):
    connections = [traced.raw() for _ in range(CONNECTIONS)]
    for n in range(ROUNDS):
        traced.signal(signal.SIGSTOP)
        for name, api in enumerate(connections):
            api.send(request("POST", "/v1/events", traced.token, {"sessionKey": MAIN, "text": f"{n} {name} " + "x" * 4000}))
        traced.signal(signal.SIGCONT)
        for api in connections:
            ok(api.answer(), 201)
    events = list(trace(traced))
    batches, checkpoints = judge(events)
    assert sum(batches) == ROUNDS * CONNECTIONS
    assert events.count(("begun", None)) >= ROUNDS
    assert len(batches) <= 2 * ROUNDS, f"the server was not stopped, or does not batch: {batches}"
    assert checkpoints >= 3, "one when the database is made, one when the server ends, and at least one between"
    assert events.count(("checkpoint begun", None)) >= checkpoints - 2, "the kernel is not told to begin before a sync"


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
    batches, _ = judge(trace(traced))
    assert sum(batches) == 640
    assert len(batches) < 320, batches


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EUCLEAN"])
def test_a_post_whose_sync_fails_is_not_answered(make, error):
    server, api = posted(make, error)
    assert server.wait() == 70
    assert api.closed()


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
def test_early_writing_is_optional(make, error):
    server, api = posted(make, error)
    ok(api.answer(), 201)
    server.stop()


def test_the_wal_of_a_killed_server_is_rewritten_and_synced_first(traced):
    api = traced.client()
    ok(api.enqueue("event", MAIN), 201)
    traced.kill()
    spawn_traced(traced)
    ok(traced.client().enqueue("another", MAIN), 201)
    happened = [what for what, _ in trace(traced)]
    assert happened[:3] == ["dirty", "sync", "listen"]


@pytest.mark.parametrize("inject", ["pwrite64:error=ENOSPC", "fdatasync:error=EIO"])
def test_a_wal_that_cannot_be_rewritten_ends_the_start(make, inject):
    server = make(env={"ASAN_OPTIONS": "detect_leaks=0"}).start()
    ok(server.client().enqueue("event", MAIN), 201)
    server.kill()
    server.spawn(STRACE, "-D", "-o", server.directory / "trace", "-e", "inject=" + inject)
    assert server.wait() == 74
    server.start()
    assert ok(server.client().sessions())["total"] == 1
    server.stop()


def lives_on(server, api):
    """Whether it answers for some turns, which are more than a checkpoint has steps."""
    try:
        for _ in range(10):
            api.send(request("GET", "/livez", server.token))
            if api.answer() is None:
                return False
    except OSError:
        return False
    return True


@pytest.mark.parametrize("call", ["fdatasync", "sync_file_range"])
def test_a_checkpoint_whose_sync_fails_ends_the_server_at_once(make, call):
    """It must not wait for the next commit, since until then it would report itself healthy. The
    same is so when it cannot begin to write: the kernel may tell that only once.
    """
    server = make(env={"ASAN_OPTIONS": "detect_leaks=0"}).start()
    server.stop()
    server.spawn(STRACE, "-D", "-o", server.directory / "trace", "-P", str(server.db), "-e", f"inject={call}:error=EIO")
    server.await_listening()
    api, texts, well = server.raw(), [], True
    while well:
        new = [f"{len(texts) + n} " + "x" * 60000 for n in range(10)]
        post = request("POST", "/v1/events", server.token, {"events": [{"sessionKey": MAIN, "text": text} for text in new]})
        api.send(post)
        ok(api.answer())
        texts += new
        well = lives_on(server, api)
    assert server.wait() == 70
    server.start()
    assert server.client().texts(MAIN) == texts
    server.stop()


ASKED, NEW, SYNC, ANSWER = ("request", 1), ("dirty", None), ("sync", None), ("answer", 1)


@pytest.mark.parametrize("events, complaint", [
    ([ASKED, NEW, ANSWER, SYNC], "after 0 syncs"),
    ([ASKED, NEW, SYNC, ("request", 2), ANSWER, ("answer", 2)], "answer 1 was written after 0 syncs"),
    ([ASKED, SYNC, ANSWER], "after 0 syncs"),
    ([ASKED, NEW, ("checkpoint", None), ANSWER], "before the log"),
    ([ASKED, NEW, SYNC, NEW, ANSWER], "not yet synced"),
    ([ASKED, NEW, SYNC, NEW, SYNC, ANSWER], "after 2 syncs"),
    ([ASKED, NEW, SYNC, ANSWER, NEW, SYNC], "answered nobody"),
], ids=["before", "another's", "nothing new", "the database's", "dirty again", "twice", "for nothing"])
def test_the_judge_finds_an_answer_without_a_sync_of_its_own(events, complaint):
    with pytest.raises(AssertionError, match=complaint):
        judge(events)
