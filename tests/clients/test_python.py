"""What only the client in Python has: interrupt(), threads that share a client, its package."""
import os
import re
import signal
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest

from fake_server import CLOSE, FakeServer
from policies import MAIN
from sevqd import ok, wait_until

FOLDER = Path(os.environ["SOURCES"]) / "client/python"
sys.path.insert(0, str(FOLDER))

import sevq


@pytest.fixture
def queue(server):
    return sevq.Client(f"http://127.0.0.1:{server.port}", token=server.token)


def code_of(call):
    with pytest.raises(sevq.Error) as caught:
        call()
    return caught.value.code


def in_thread(work):
    """Runs work in a thread; returns the thread and where its results come."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def waiting(server):
    """How many waits and streams the server has."""
    stats = server.client().stats()
    return stats["waiters"] + stats["http"]["streams"]


@pytest.mark.parametrize("kind", ("wait", "stream"))
def test_another_thread_ends_a_wait_or_a_stream(server, queue, kind):
    work = {"wait": lambda: queue.wait(MAIN, timeout_ms=300000), "stream": lambda: next(queue.stream(MAIN))}[kind]
    thread, results = in_thread(lambda: code_of(work))
    wait_until(lambda: waiting(server) == 1, "the wait")
    queue.interrupt()
    thread.join()
    assert results == ["interrupted"]
    wait_until(lambda: waiting(server) == 0, "the server to notice")
    assert not queue.wait(MAIN, timeout_ms=0)["ready"]  # one interruption ends one wait


def test_a_signal_handler_ends_a_wait(server, queue):
    before = signal.signal(signal.SIGUSR1, lambda *_: queue.interrupt())
    thread, _ = in_thread(lambda: (wait_until(lambda: waiting(server) == 1), os.kill(os.getpid(), signal.SIGUSR1)))
    assert code_of(lambda: queue.wait(MAIN, timeout_ms=300000)) == "interrupted"
    thread.join()
    signal.signal(signal.SIGUSR1, before)


def test_an_interruption_before_the_wait_ends_the_next_one(queue):
    queue.interrupt()
    queue.interrupt()
    ok_before = queue.enqueue("x", MAIN)
    assert ok_before["outcome"] == "queued"  # other calls are carried out
    assert code_of(lambda: queue.wait(MAIN)) == "interrupted"
    assert queue.wait(MAIN)["ready"]


def test_an_interruption_ends_the_pause_between_attempts():
    with FakeServer(*[CLOSE] * 50) as fake:
        queue = sevq.Client(fake.url, retry_for=3600)
        thread, results = in_thread(lambda: code_of(lambda: queue.wait(MAIN)))
        wait_until(lambda: len(fake.requests) >= 2, "a second attempt")
        queue.interrupt()
        thread.join()
    assert results == ["interrupted"]


def test_interrupt_ends_a_runner_in_a_thread(server, queue):
    thread, results = in_thread(lambda: queue.run(print, MAIN))
    wait_until(lambda: waiting(server) == 1, "the runner to wait")
    queue.interrupt()
    thread.join()
    assert results == [None]


def test_an_interrupt_from_the_keyboard_leaves_the_handler_and_gives_its_events_back(server, queue):
    event_id = ok(server.client().enqueue("x", MAIN), 201)["event"]["id"]

    def handle(_lease):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        queue.run(handle, MAIN)
    assert signal.getsignal(signal.SIGINT) == before
    assert server.client().timeline(event_id) == ["queued", "leased", "returned"]


def test_threads_share_a_client(server, queue):
    def post(name):
        return [queue.enqueue(f"{name} {n}", MAIN)["outcome"] for n in range(25)]

    threads = [in_thread(lambda name=name: post(name)) for name in "abcd"]
    for thread, _ in threads:
        thread.join()
    assert [results for _, results in threads] == [[["queued"] * 25]] * 4
    assert sorted(server.client().texts(MAIN)) == sorted(f"{name} {n}" for name in "abcd" for n in range(25))


def test_a_connection_that_the_server_has_closed_is_not_used_again(make):
    server = make().start()
    server.flags = ["--listen", f"127.0.0.1:{server.port}"]
    queue = sevq.Client(f"http://127.0.0.1:{server.port}", token=server.token, retry_for=0)
    queue.enqueue("x", MAIN)
    server.restart()
    # a nack must not be sent twice, so it would be lost on the old connection
    assert code_of(lambda: queue.nack("999999")) == "not-found"


def test_it_is_the_version_of_the_server_and_a_package_of_that_version(server, queue):
    assert queue.call("GET", "/version")["version"] == sevq.__version__
    described = tomllib.loads((FOLDER / "pyproject.toml").read_text())
    assert described["tool"]["setuptools"]["py-modules"] == ["sevq"]
    assert described["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "sevq.__version__"}


@pytest.mark.parametrize("client", ("client/python/sevq.py", "client/node/sevq.mjs"))
def test_a_client_needs_its_language_alone(client):
    text = (Path(os.environ["SOURCES"]) / client).read_text()
    imported = set(re.findall(r"^import (\w+)", text, re.M)) if client.endswith(".py") else set(re.findall(r"^import .* from '(.*)';", text, re.M))
    assert len(imported) > 5
    assert all(name in sys.stdlib_module_names or name.startswith("node:") for name in imported)
