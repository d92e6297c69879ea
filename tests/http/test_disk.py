"""A full disk: accepted events can be drained, and none is lost. Most tests need permission to
mount a small disk, and are skipped without it.
"""
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from policies import MAIN
from sevqd import ok, problem, wait_until

DISK_BYTES, MIN_FREE = 64 << 20, 8 << 20


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "sevq", place], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no right to mount a disk")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


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
    with open(disk / "another", "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass
    assert free(disk) == 0


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
    assert [take_one(api) for _ in range(100)] == [f"{n}" for n in range(100)]
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
    for n in range(100):
        ok(api.enqueue(f"{n}", MAIN), 201)
    fill_up(disk)
    while reserve.exists():
        take_one(api)
    take_one(api)
    (disk / "another").unlink()
    wait_until(reserve.exists, "the reserve")


def test_a_file_that_may_not_grow_is_a_full_disk(make):
    server = make()
    server.spawn("prlimit", "--fsize=3000000")
    server.await_listening()
    api = server.client()
    count = 0
    while (reply := api.enqueue(f"{count} " + "x" * 20000, MAIN)).status == 201:
        count += 1
    problem(reply, 507, "storage-full")
    assert count > 10 and ok(api.peek(MAIN, limit=1))["depth"] == count
    server.restart()
    assert [e["text"].split()[0] for e in ok(server.client().drain(MAIN))["events"]] == [f"{n}" for n in range(count)]
