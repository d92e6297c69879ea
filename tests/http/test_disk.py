"""A full disk: accepted events can be drained, and none is lost. Most tests need permission to
mount a small disk, and are skipped without it.
"""
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import ok, pages, problem, wait_until

DISK_BYTES, MIN_FREE = 64 << 20, 8 << 20


def mounted(place, size):
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "sevq", place], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no right to mount a disk")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    yield from mounted(tmp_path / "disk", DISK_BYTES)


@pytest.fixture
def another_disk(tmp_path):
    yield from mounted(tmp_path / "another disk", 36 << 20)


@pytest.fixture
def memory():
    """A directory in memory where there is one: most of a test would be waiting for syncs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as place:
        yield Path(place)


@pytest.fixture
def full(disk, make):
    """A server whose disk takes no more events, and how many it has."""
    server = make("--db-min-free-bytes", MIN_FREE, name="disk/server").start()
    api = server.client()
    count = 0
    while (reply := api.batch(*[{"text": f"{count + n} " + "x" * 50000, "sessionKey": MAIN} for n in range(20)])).status == 200:
        count += 20
    problem(reply, 507, "storage-full")
    return server, count


def free(disk):
    return shutil.disk_usage(disk).free


def fill_up(disk):
    """Another program fills the rest of the disk."""
    with open(disk / "another", "ab", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass
    assert free(disk) == 0


def fill(api, size, first=0):
    """Enqueues events of this size until one is refused; answers how many were accepted."""
    count = 0
    while (reply := api.enqueue(f"{first + count} " + "x" * size, MAIN)).status == 201:
        count += 1
    problem(reply, 507, "storage-full")
    return count


def drain_all(api):
    texts = []
    while events := ok(api.drain(MAIN, limit=100))["events"]:
        texts += [e["text"].split()[0] for e in events]
    return texts


def is_taken(api, size=50000):
    """Whether an event is accepted; takes it out again."""
    reply = api.enqueue("probe " + "x" * size, MAIN)
    if reply.status != 201:
        problem(reply, 507, "storage-full")
        return False
    return drain_all(api) == ["probe"]


def warnings(server, since=0):
    """Going full and getting well, as the log tells it: (which, limit)."""
    return [("full" if "refused" in r["msg"] else "well", r["limit"]) for r in server.log[since:] if "room" in r["msg"] and "limit" in r]


def take_one(api):
    lease = ok(api.lease(MAIN, limit=1))
    ok(api.ack(lease["leaseId"]))
    return lease["events"][0]["text"].split()[0]


def test_enqueues_are_refused_while_there_is_room_for_drains(disk, full):
    server, count = full
    assert count > 100 and free(disk) > MIN_FREE // 2
    assert [take_one(server.client()) for _ in range(count)] == [f"{n}" for n in range(count)]


def test_many_events_of_one_turn_do_not_use_up_the_reserve(disk, make):
    """They arrive in one turn, and a turn is one commit."""
    server = make("--db-min-free-bytes", MIN_FREE, name="disk/server").start()
    body = {"events": [{"text": f"{n} " + "x" * 60000, "sessionKey": MAIN, "allowDuplicate": True} for n in range(15)]}

    def post(_):
        api = server.client()
        while (reply := api.call("POST", "/v1/events", body)).status == 200:
            pass
        return reply.json["code"]

    with ThreadPoolExecutor(30) as threads:
        assert set(threads.map(post, range(30))) == {"storage-full"}
    assert free(disk) > MIN_FREE // 2
    ok(server.client().drain(MAIN))


def test_a_batch_that_does_not_fit_does_not_block_smaller_ones(disk, make):
    server = make("--db-min-free-bytes", MIN_FREE, name="disk/server").start()
    with open(disk / "another", "wb") as f:
        f.write(bytes(free(disk) - MIN_FREE - (1 << 20)))
    api, large = server.client(), [{"text": f"{n} " + "x" * 60000, "sessionKey": MAIN} for n in range(15)]
    for n in range(100):
        problem(api.batch(*large), 507, "storage-full")
        ok(api.enqueue(f"{n}", MAIN), 201)


def test_events_can_be_drained_from_a_disk_that_others_filled(disk, full):
    server, count = full
    fill_up(disk)
    api = server.client()
    assert [take_one(api) for _ in range(50)] == [f"{n}" for n in range(50)]
    fill_up(disk)  # also what the reserve gave back
    assert [take_one(api) for _ in range(50)] == [f"{n}" for n in range(50, 100)]
    wait_until(lambda: api.call("GET", "/readyz").status == 507, "the server to look at the disk")
    problem(api.enqueue("no room", MAIN), 507, "storage-full")
    assert ok(api.drain(MAIN, limit=1))["remaining"] == count - 101


def test_a_server_starts_on_a_full_disk(disk, full):
    server, count = full
    fill_up(disk)
    server.kill()
    server.start()
    assert take_one(server.client()) == "0"
    server.stop()
    server.start()
    assert take_one(server.client()) == "1"
    (disk / "another").unlink()
    server.restart()
    assert ok(server.client().peek(MAIN, limit=1))["depth"] == count - 2


def test_the_reserve_is_restored_when_there_is_room_again(disk, make):
    server = make("--db-min-free-bytes", MIN_FREE, name="disk/server").start()
    reserve = server.db.with_name("sevq.db.reserve")
    api = server.client()
    ok(api.batch(*({"text": f"{n}", "sessionKey": MAIN} for n in range(1000))))
    fill_up(disk)
    while reserve.exists(): # a chore may cut the log in time, again and again
        take_one(api)
    take_one(api)
    (disk / "another").unlink()
    wait_until(reserve.exists, "the reserve")


def test_a_file_that_may_not_grow_is_a_full_disk(make):
    server = make()
    server.spawn("prlimit", "--fsize=3000000:unlimited")
    server.await_listening()
    api = server.client()
    count = 0
    while (reply := api.enqueue(f"{count} " + "x" * 20000, MAIN)).status == 201:
        count += 1
    problem(reply, 507, "storage-full")
    assert count > 10 and ok(api.peek(MAIN, limit=1))["depth"] == count
    reserve = server.db.with_name("sevq.db.reserve")
    assert not reserve.exists() or reserve.stat().st_size == 0
    subprocess.run(["prlimit", "--pid", str(server.process.pid), "--fsize=unlimited:unlimited"], check=True)
    wait_until(lambda: reserve.exists() and reserve.stat().st_size > 0, "the reserve, which could not be made before")
    server.restart()
    assert [e["text"].split()[0] for e in ok(server.client().drain(MAIN))["events"]] == [f"{n}" for n in range(count)]


# History gives way, and a disk that was full gets well by itself.

ROUNDS, WAL_MAX = 20, 8 << 20

# What ends a fill, how the log calls it, and how large the database may become.
LIMITS = {
    "max-bytes": (["--db-max-bytes", 3 << 20], "--db-max-bytes", 3.5 * (1 << 20)),
    "min-free-bytes": (["--db-min-free-bytes", DISK_BYTES - (12 << 20)], "--db-min-free-bytes", 12 << 20),
    "a small disk": (["--db-min-free-bytes", DISK_BYTES - (6 << 20)], "--db-min-free-bytes", 6 << 20),
    "the disk": (["--db-min-free-bytes", 0], "the end of the disk", DISK_BYTES),
}


class Filled:
    """A server that is filled to its limit, emptied, and filled again."""

    def __init__(self, server, limit, database_max):
        self.server, self.limit, self.database_max = server, limit, database_max
        self.next, self.queued = 0, []
        self.start()

    def start(self):
        self.api = self.server.start().client()

    def post(self, events):
        texts = [f"{self.next + n}" for n in range(events)]
        reply = self.api.batch(*[{"text": f"{t} " + "x" * 30000, "sessionKey": MAIN} for t in texts])
        if reply.status == 200:
            self.next += events
            self.queued += texts
        else:
            assert self.limit in problem(reply, 507, "storage-full")["detail"]
        self.look()
        return reply.status == 200

    def look(self):
        """The files stay within their bounds, whatever is going on."""
        sizes = [file.stat().st_size if file.exists() else 0 for file in (self.server.db, self.server.db.with_name("sevq.db-wal"))]
        assert sizes[0] <= self.database_max and sizes[1] <= WAL_MAX, sizes

    def fill(self, at_least=0):
        """There is room for so many, perhaps after a moment; and then for all that still fits."""
        while len(self.queued) < at_least:
            wait_until(lambda: self.post(5), "room for events")
        while self.post(5):
            pass
        while self.post(1):
            pass
        return len(self.queued)

    def empty(self):
        taken = []
        while events := ok(self.api.drain(MAIN, limit=50))["events"]:
            assert all(len(e["text"]) > 30000 for e in events)
            taken += [e["text"].split()[0] for e in events]
            self.look()
        assert taken == self.queued
        self.queued = []

    def start_again(self, how):
        getattr(self.server, how)()
        self.start()


@pytest.fixture(params=LIMITS)
def filled(request, make, memory):
    flags, limit, database_max = LIMITS[request.param]
    place = memory if request.param == "max-bytes" else request.getfixturevalue("disk")
    server = make(*flags, name=place / "server")
    if request.param == "the disk":
        with open(place / "another", "wb") as f:
            os.posix_fallocate(f.fileno(), 0, DISK_BYTES - (16 << 20))
    return Filled(server, limit, database_max)


def test_what_was_full_gets_well_by_itself_again_and_again(filled):
    """Nothing that was accepted is lost, and each round has its two records in the log. It may have
    a few more: on a slow machine room runs short again while the last of it is filled.
    """
    first = filled.fill()
    assert first > 40
    for _ in range(ROUNDS):
        filled.empty()
        filled.fill(at_least=first // 2)
    filled.empty()
    filled.server.wait_for_log(lambda r: warnings(filled.server)[-1][0] == "well", "the record that all is well")
    told = warnings(filled.server)
    assert told == [(which, filled.limit) for _ in range(len(told) // 2) for which in ("full", "well")]
    assert ROUNDS < len(told) // 2 < 3 * ROUNDS
    for how in ("kill", "stop"):
        filled.fill()
        filled.start_again(how)
        filled.empty()
        filled.start_again(how)
        filled.fill(at_least=first // 2)
        filled.empty()


@pytest.mark.parametrize("batch", [1, 10])
@pytest.mark.parametrize("size, limit", [(300, 400 << 10), (10000, 4 << 20), (60000, 8 << 20), (60000, 4 << 20)])
def test_history_gives_way_before_an_event_is_refused(make, memory, size, limit, batch):
    """None is refused, however much passes through, and however large it is for its database."""
    server = make("--db-max-bytes", limit, name=memory / "server").start()
    api = server.client()
    for n in range(3 * limit // size // 10):
        events = [{"sessionKey": MAIN, "text": f"{n} {i} " + "x" * size} for i in range(10)]
        for at in range(0, 10, batch):
            results = ok(api.batch(*events[at : at + batch]))["results"]
            assert [result["outcome"] for result in results] == ["queued"] * batch
        assert len(ok(api.drain(MAIN))["events"]) == 10
    assert api.stats()["store"]["swept"] > 0 and api.stats()["store"]["deadLettersLost"] == 0
    assert warnings(server) == []
    newest = ok(api.history(limit=1))["events"][0]["event"]["id"]
    assert len(ok(api.history(limit=1000))["events"]) > 10, "no more of the history goes than has to"
    assert api.timeline(newest) == ["queued", "drained"]


def test_dead_letters_give_way_last_and_oldest_first(make, memory):
    server = make("--db-max-bytes", 4 << 20, "--max-attempts", 1, name=memory / "server").start()
    api = server.client()
    dead = []
    for n in range(40):
        dead.append(ok(api.enqueue(f"dead {n} " + "x" * 30000, MAIN), 201)["event"]["id"])
        ok(api.nack(ok(api.lease(MAIN, limit=1))["leaseId"], reason="test"))

    def letters():
        return [i["event"]["id"] for i in pages(api.dead_letters, limit=1000)][::-1]

    for n in range(300):
        ok(api.enqueue(f"{n} " + "x" * 30000, MAIN), 201)
        ok(api.drain(MAIN))
    assert letters() == dead and api.stats()["store"]["swept"] > 100
    assert api.stats()["store"]["deadLettersLost"] == 0
    fill(api, 30000)
    wait_until(lambda: api.enqueue("more " + "x" * 30000, MAIN).status == 507 and len(letters()) < 40, "dead letters to go")
    fill(api, 30000)
    lost = wait_until(lambda: api.stats()["store"]["deadLettersLost"], "the count")
    wait_until(lambda: letters() == dead[api.stats()["store"]["deadLettersLost"]:], "the oldest to be gone")
    server.wait_for_log(lambda r: "dead letters were forgotten" in r["msg"] and r["level"] == "warn" and r["count"] > 0)
    assert lost > 0 and b"sevq_dead_letters_lost_total" in api.call("GET", "/metrics").body


@pytest.mark.parametrize("limit", ["--db-max-bytes", "--db-min-free-bytes"])
def test_going_full_and_getting_well_are_logged_once(disk, make, limit):
    flags = (limit, 4 << 20, "--db-min-free-bytes", MIN_FREE) if limit == "--db-max-bytes" else (limit, 50 << 20)
    server = make(*flags, name="disk/server").start()
    api = server.client()
    count = fill(api, 50000)
    for n in range(20):
        problem(api.enqueue("no room " + "x" * 60000, MAIN), 507, "storage-full")
    assert limit in problem(api.enqueue("no room " + "x" * 60000, MAIN), 507, "storage-full")["detail"]
    assert warnings(server) == [("full", limit)]
    assert len(drain_all(api)) == count
    server.wait_for_log(lambda r: "room" in r["msg"] and "again" in r["msg"], "the record that all is well")
    assert warnings(server) == [("full", limit), ("well", limit)]
    assert all(r["level"] == "warn" for r in server.log if "limit" in r)
    assert is_taken(api)


def test_a_disk_that_others_keep_full_gets_well_when_events_are_taken(disk, full):
    """What the database has free inside its file is room enough."""
    server, count = full
    fill_up(disk)
    api = server.client()
    assert len(drain_all(api)) == count
    wait_until(lambda: is_taken(api), "room for events")
    assert fill(api, 50000) > count // 4
    server.restart()
    assert len(drain_all(server.client())) > count // 4


def test_the_reserve_is_made_again_a_little_above_the_watermark(disk, make):
    server = make("--db-min-free-bytes", MIN_FREE, name="disk/server").start()
    reserve = server.db.with_name("sevq.db.reserve")
    api = server.client()
    for n in range(200):
        ok(api.enqueue(f"{n}", MAIN), 201)
    fill_up(disk)
    while reserve.exists():
        take_one(api)
    os.truncate(disk / "another", (disk / "another").stat().st_size - MIN_FREE - (2 << 20))
    wait_until(lambda: reserve.exists() and reserve.stat().st_size > 0, "the reserve")
    assert free(disk) > MIN_FREE
    ok(api.enqueue("there is room", MAIN), 201)


def test_the_log_is_cut_as_soon_as_nobody_reads_it(make, memory):
    server = make("--db-max-bytes", 2 << 20, name=memory / "server").start()
    api, wal = server.client(), server.db.with_name("sevq.db-wal")
    count = 0
    while api.enqueue(f"{count} " + "x" * 5000, MAIN).status == 201:
        count += 1
    assert count > 200
    reader = sqlite3.connect(f"file:{server.db}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM event").fetchone()
    lease = ok(api.lease(MAIN, limit=1))["leaseId"]
    for _ in range(300):  # so many pages that the log would be cut several times
        ok(api.extend(lease))
    api.stats()  # by its answer the turn with the last commit has ended
    assert wal.stat().st_size > 1 << 20
    reader.close()
    wait_until(lambda: wal.stat().st_size == 0, "the log to be cut")
    assert len(drain_all(api)) == count - 1


def test_a_server_that_nobody_calls_forgets_as_well(make):
    server = make().start()
    ok(server.client().enqueue("1", MAIN), 201)
    ok(server.client().drain(MAIN))
    server.stop()
    server.flags += ["--retention-ms", 0]
    server.start()

    def rows():
        db = sqlite3.connect(f"file:{server.db}?mode=ro", uri=True)
        try:
            return db.execute("SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM outcome)").fetchone()[0]
        finally:
            db.close()

    wait_until(lambda: rows() == 0, "the sweep")


def back_up(api, name):
    """Answers how it ended."""
    assert api.call("POST", "/v1/backups", {"name": name}).status == 202
    wait_until(lambda: ok(api.call("GET", "/v1/backups"))["backup"]["state"] != "running")
    return ok(api.call("GET", "/v1/backups"))["backup"]


@pytest.fixture
def stored(disk, make):
    """A server with its backups on the same small disk; stores so many MiB of events."""
    backups = disk / "backups"
    backups.mkdir()
    server = make("--db-min-free-bytes", MIN_FREE, "--backup-dir", backups, name="disk/server").start()

    def store(mib):
        api = server.client()
        for n in range(mib):
            ok(api.batch(*[{"text": f"{n} {m} " + "x" * 52000, "sessionKey": MAIN} for m in range(20)]))
        return api

    return server, backups, store


def test_a_backup_takes_nothing_that_is_kept_free_for_events(stored, disk):
    server, backups, store = stored
    api = store(24)
    reply = api.call("POST", "/v1/backups", {"name": "x"})
    assert "--backup-dir has too little room" in problem(reply, 507, "storage-full")["detail"]
    assert os.listdir(backups) == [] and free(disk) > MIN_FREE
    ok(api.enqueue("x" * 50000, MAIN), 201)


def test_a_backup_on_another_disk_needs_room_for_itself_alone(disk, another_disk, make):
    server = make("--db-min-free-bytes", MIN_FREE, "--backup-dir", another_disk, name="disk/server").start()
    api = server.client()
    for n in range(30):
        ok(api.batch(*[{"text": f"{n} {m} " + "x" * 52000, "sessionKey": MAIN} for m in range(20)]))
    assert back_up(api, "x")["state"] == "done"


def test_a_backup_ends_where_another_program_takes_the_room(stored, disk):
    server, backups, store = stored
    api = store(16)
    for n in range(20):
        assert api.call("POST", "/v1/backups", {"name": f"b{n}"}).status == 202
        server.signal(signal.SIGSTOP)
        if (backups / f"b{n}.partial").exists():
            break
        server.signal(signal.SIGCONT)
        (backups / f"b{n}").unlink()
    with open(disk / "another", "wb") as f:
        os.posix_fallocate(f.fileno(), 0, free(disk) - MIN_FREE - (4 << 20))
    server.signal(signal.SIGCONT)
    wait_until(lambda: ok(api.call("GET", "/v1/backups"))["backup"]["state"] != "running")
    told = ok(api.call("GET", "/v1/backups"))["backup"]
    assert told["state"] == "failed" and "--backup-dir has too little room" in told["error"], told
    assert os.listdir(backups) == [] and free(disk) >= MIN_FREE
