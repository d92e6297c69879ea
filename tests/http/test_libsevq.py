"""libsevq, installed and linked: every call against a real server, and its errors for servers that
fail.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from fake_server import CLOSE, SILENCE, FakeServer, answer
from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import PATIENCE, PASSED_ON, ok, wait_until

STATS = answer({"pending": 0})
EVENT = {"id": "1", "sessionKey": MAIN, "text": "x", "ts": 1}
QUEUED = answer({"outcome": "queued", "event": EVENT}, "201 Created")


def talk(*calls, url, token="fake", **env):
    """Runs the dialogue; returns (call, code, status, retry-after, message) for each call."""
    kept = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
    done = subprocess.run([os.environ["LIBSEVQ_DIALOGUE"], *calls], timeout=PATIENCE, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**kept, "SEVQ_URL": url, "SEVQ_TOKEN": token, "http_proxy": "http://127.0.0.1:1", **env})
    assert (done.returncode, done.stderr) == (0, ""), done
    return [tuple(line.split(" ", 4)) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def speaking(*calls, url, token, **env):
    """A dialogue that is under way: its process, which is killed at the end."""
    kept = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
    process = subprocess.Popen([os.environ["LIBSEVQ_DIALOGUE"], *calls], text=True, stdout=subprocess.PIPE,
        env={**kept, "SEVQ_URL": url, "SEVQ_TOKEN": token, **env})
    yield process
    process.kill()
    process.communicate()


def test_every_call_does_what_the_header_says(start):
    server = start(policy=ONE_OWNER)
    talk("tour", url=f"http://127.0.0.1:{server.port}", token=server.token)
    assert ok(server.client().sessions())["total"] == 0


def test_contexts_of_several_threads_do_not_disturb_each_other(start):
    server = start(policy=ONE_OWNER)
    talk("threads", url=f"http://127.0.0.1:{server.port}", token=server.token)
    texts = server.client().texts(MAIN)
    assert sorted(texts) == sorted(f"{name} {n}" for name in "abcd" for n in range(50))
    for name in "abcd":
        assert [t for t in texts if t[0] == name] == [f"{name} {n}" for n in range(50)]


def test_a_wrong_token_is_unauthorized(server):
    assert talk("stats", url=f"http://127.0.0.1:{server.port}", token="wrong")[0][:3] == ("stats", "unauthorized", "401")


def test_a_context_outlives_its_connection():
    with FakeServer(STATS, answer({}, headers=[("Connection", "close")]), STATS) as fake:
        said = talk("stats", "stats", "stats", url=fake.url)
    assert [s[1] for s in said] == ["ok", "ok", "ok"]
    assert fake.connections == 2


def test_the_connection_is_kept_between_calls():
    with FakeServer(QUEUED, STATS, QUEUED) as fake:
        said = talk("enqueue", "stats", "enqueue", url=fake.url)
    assert [s[1] for s in said] == ["ok", "ok", "ok"]
    assert fake.connections == 1


def test_the_requests_on_the_wire():
    with FakeServer(QUEUED, STATS) as fake:
        talk("enqueue", "stats", url=fake.url + "/", token="a-token")
    (method, target, headers, body), (_, _, plain, none) = fake.requests
    assert (method, target) == ("POST", "/v1/events")
    assert headers["host"] == fake.url.removeprefix("http://")
    assert headers["authorization"] == "Bearer a-token"
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"].startswith("libsevq/")
    assert "expect" not in headers and "origin" not in headers and "cookie" not in headers
    assert json.loads(body) == {"sessionKey": DIRECT, "text": "x", "source": "exec-event",
        "deliveryContext": {"channel": "telegram", "threadId": "7"}}
    assert "content-type" not in plain and none == b""


def test_a_unix_socket_is_as_good(tmp_path):
    with FakeServer(STATS, path=tmp_path / "s") as fake:
        assert talk("stats", url=fake.url)[0][1] == "ok"
    assert fake.requests[0][2]["host"] == "localhost"


def test_without_a_server_the_error_is_unreachable_and_retryable():
    with FakeServer() as fake:
        pass
    assert talk("enqueue", url=fake.url)[0][:3] == ("enqueue", "unreachable", "0")
    assert talk("enqueue", url="unix:/nonexistent/s")[0][1] == "unreachable"


def test_a_call_whose_answer_is_lost_is_not_repeated():
    """Also on a kept connection, where libcurl by itself would send it again."""
    with FakeServer(QUEUED, CLOSE, QUEUED) as fake:
        said = talk("enqueue", "enqueue", url=fake.url)
    assert [s[1] for s in said] == ["ok", "lost"]
    assert len(fake.requests) == 2
    with FakeServer(CLOSE, QUEUED) as fake:
        assert talk("drain", url=fake.url)[0][1] == "lost"
    assert len(fake.requests) == 1


def test_a_read_on_a_kept_connection_that_was_closed_is_made_again():
    with FakeServer(STATS, CLOSE, STATS) as fake:
        assert [s[1] for s in talk("stats", "stats", url=fake.url)] == ["ok", "ok"]
    assert len(fake.requests) == 3


def test_a_slow_server_is_given_up():
    with FakeServer(SILENCE) as fake:
        assert talk("enqueue", url=fake.url, TIMEOUT_MS="200")[0][1] == "timed-out"


@pytest.mark.parametrize("said, code", [
    (answer({"pending": 0}, length=500), "lost"),
    (b"", "lost"),
    (b"HTTP/1.1 200 OK\r\nContent-Le", "bad-answer"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "bad-answer"),
    (answer(b"{", ), "bad-answer"),
    (answer(b"[]"), "bad-answer"),
    (answer(b""), "bad-answer"),
    (answer({}, kind="text/html"), "bad-answer"),
    (answer({}, kind="application/jsonp"), "bad-answer"),
    (answer({}, kind=None), "bad-answer"),
    (answer(b"<h1>no</h1>", "404 Not Found", "text/html"), "bad-answer"),
    (answer(b"", "302 Found", headers=[("Location", "/v1/stats")]), "bad-answer"),
    (answer({"detail": "x"}, "400 Bad Request", "application/problem+json"), "bad-answer"),
    (answer({"code": "queue-full"}, "200 OK", "application/problem+json"), "bad-answer"),
    (answer({}, kind="Application/JSON ; charset=utf-8"), "ok"),
], ids=repr)
def test_malformed_answers_have_distinct_errors(said, code):
    with FakeServer(said, STATS) as fake:
        assert talk("stats", url=fake.url)[0][1] == code
    assert len(fake.requests) == 1


def test_retry_after_is_passed_on():
    full = answer({"code": "queue-full", "detail": "the session is full"}, "429 Too Many Requests", "application/problem+json",
        [("Retry-After", "7")])
    with FakeServer(full, QUEUED) as fake:
        first, second = talk("enqueue", "enqueue", url=fake.url)
    assert first == ("enqueue", "queue-full", "429", "7", "the session is full")
    assert second == ("enqueue", "ok", "201", "0", "")


def test_an_ack_on_a_kept_connection_that_was_closed_is_made_again_and_a_nack_is_not():
    acked = answer({"leaseId": "7", "acked": 0, "remaining": 0})
    with FakeServer(STATS, CLOSE, acked) as fake:
        assert [s[1] for s in talk("stats", "ack", url=fake.url)] == ["ok", "ok"]
    assert [r[1] for r in fake.requests] == ["/v1/stats"] + ["/v1/leases/7/ack"] * 2
    with FakeServer(STATS, CLOSE, acked) as fake:
        assert [s[1] for s in talk("stats", "nack", url=fake.url)] == ["ok", "lost"]
    assert len(fake.requests) == 2


def test_a_wait_may_take_longer_than_other_calls(start):
    server = start(policy=ONE_OWNER)
    url = f"http://127.0.0.1:{server.port}"
    assert talk("wait", url=url, token=server.token, TIMEOUT_MS="300")[0][1] == "ok"
    with FakeServer(SILENCE) as fake:
        assert talk("wait", url=fake.url, TIMEOUT_MS="200")[0][1] == "timed-out"


def stream(body, kind="text/event-stream", status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode() + body


def wake(depth):
    return b'event: wake\nid: %d\ndata: {"sessionKey":"k","depth":%d,"source":null,"wake":"now","ts":1}\n\n' % (40 + depth, depth)


def test_wakeups_are_delivered_until_the_callback_stops():
    with FakeServer(stream(b"retry: 2000\n\n" + wake(1) + b": ping\n\nevent: other\ndata: x\n\n" + wake(2) + wake(8) + wake(3))) as fake:
        said = talk("stream", url=fake.url, LAST_EVENT_ID="39")
    assert [s[1:] for s in said if s[0] == "wakeup"] == [("41", "k", "1"), ("42", "k", "2"), ("48", "k", "8")]
    assert said[-1][:3] == ("stream", "ok", "200")
    assert fake.requests[0][2]["last-event-id"] == "39" and fake.requests[0][2]["accept"] == "text/event-stream"


@pytest.mark.parametrize("said, code", [
    (stream(wake(1)), "lost"),
    (stream(b""), "lost"),
    (stream(wake(1)[:30]), "lost"),
    (stream(b"event: wake\ndata: {}\n\n"), "bad-answer"),
    (stream(b"event: wake\ndata: {\n\n"), "bad-answer"),
    (stream(b"data: " + b"x" * (2 << 20)), "bad-answer"),
    (stream(b"data: " + b"x" * 600000 + b"\ndata: " + b"x" * 600000 + b"\n\n"), "bad-answer"),
    (stream(wake(1), kind="text/html"), "bad-answer"),
    (answer({}), "bad-answer"),
    (answer({"code": "queue-full"}, "429 Too Many Requests", "application/problem+json"), "queue-full"),
    (answer({"code": "forbidden"}, "403 Forbidden", "application/problem+json"), "forbidden"),
    (CLOSE, "lost"),
], ids=lambda v: repr(v)[:60])
def test_streams_that_end_or_are_malformed_have_distinct_errors(said, code):
    with FakeServer(said, STATS) as fake:
        heard = talk("stream", "stats", url=fake.url)
    assert heard[-2][1] == code and heard[-1][1] == "ok"  # the context can still be used


def test_a_stream_that_falls_silent_is_lost():
    with FakeServer(SILENCE) as fake:
        said = talk("stream", url=fake.url, SILENCE_MS="200")
    assert said[0][1] == "lost" and "silent for too long" in said[0][4]


# Interruptions.


def listeners(server):
    """How many waits and streams the server has."""
    stats = server.client().stats()
    return stats["waiters"] + stats["http"]["streams"]


@pytest.mark.parametrize("call", ("long-wait", "stream"))
def test_a_signal_handler_ends_a_wait_or_a_stream_at_once(start, call):
    server = start(policy=ONE_OWNER)
    with speaking(call, "stats", "wait", url=f"http://127.0.0.1:{server.port}", token=server.token) as process:
        wait_until(lambda: listeners(server) == 1, "the call to be under way")
        process.send_signal(signal.SIGUSR1)
        said, _ = process.communicate(timeout=PATIENCE)
    heard = [tuple(line.split(" ", 4)) for line in said.splitlines()]
    assert heard == [(call, "interrupted", "0", "0", "interrupted"), ("stats", "ok", "200", "0", ""), ("wait", "ok", "200", "0", "")]
    wait_until(lambda: listeners(server) == 0, "the server to notice")


def test_an_interruption_in_a_thread_ends_the_next_wait_and_no_other_call(start):
    server = start(policy=ONE_OWNER)
    calls = ("interrupt", "enqueue", "drain", "long-wait", "wait", "interrupt", "stream", "stats")
    said = talk(*calls, url=f"http://127.0.0.1:{server.port}", token=server.token)
    codes = ["ok", "ok", "ok", "interrupted", "ok", "ok", "interrupted", "ok"]
    assert [(s[0], s[1]) for s in said] == list(zip(calls, codes))


def test_a_thread_ends_waits_at_once(start):
    server = start(policy=ONE_OWNER)
    talk("interrupt-waits", url=f"http://127.0.0.1:{server.port}", token=server.token)


def test_a_wait_on_a_server_that_says_nothing_is_interrupted():
    with FakeServer(SILENCE) as fake, speaking("long-wait", url=fake.url, token="fake") as process:
        wait_until(lambda: fake.requests, "the request")
        process.send_signal(signal.SIGUSR1)
        assert process.communicate(timeout=PATIENCE)[0].startswith("long-wait interrupted ")


def test_the_callback_of_a_stream_may_interrupt_it(start):
    server = start(policy=ONE_OWNER)
    ok(server.client().batch(*({"sessionKey": MAIN, "text": str(n)} for n in range(7))))
    said = talk("stream", "stats", url=f"http://127.0.0.1:{server.port}", token=server.token)
    assert [s[:2] for s in said[1:]] == [("stream", "interrupted"), ("stats", "ok")]
    assert said[0][0] == "wakeup" and said[0][3] == "7"


def test_a_stream_may_be_continued_with_the_id_of_its_last_wakeup(start):
    server = start(policy=ONE_OWNER)
    server.client().enqueue("x", MAIN)
    last = None
    for _ in range(2):
        env = {} if last is None else {"LAST_EVENT_ID": last}
        with speaking("stream", url=f"http://127.0.0.1:{server.port}", token=server.token, **env) as process:
            name, heard, key, _depth = process.stdout.readline().split(" ")
            assert (name, key) == ("wakeup", MAIN) and (last is None or int(heard) > int(last))
            last = heard
            process.send_signal(signal.SIGUSR1)
            assert process.communicate(timeout=PATIENCE)[0].startswith("stream interrupted ")
        server.restart()  # ids ascend over a restart, too


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The root of an installed tree."""
    root = tmp_path_factory.mktemp("installed")
    subprocess.run(["meson", "install", "-C", os.environ["BUILD"], "--no-rebuild", "--quiet", "--destdir", root], check=True,
        stdout=subprocess.DEVNULL)
    return root


@pytest.fixture(scope="module")
def flags(installed):
    """The flags that pkg-config gives for libsevq there."""
    (pc,) = installed.rglob("libsevq.pc")
    def ask(*what):
        done = subprocess.run(["pkg-config", *what, "libsevq"], check=True, text=True, stdout=subprocess.PIPE,
            env={**os.environ, "PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(installed)})
        return done.stdout.split()
    return ask


EXAMPLE = """
#include <sevq.h>
int main(void)
{
	struct sevq_client *client;
	struct sevq_draft draft;
	struct sevq_receipt *receipt = 0;
	sevq_draft_init(&draft);
	draft.address.session_key = "agent:main:main";
	draft.text = "hello";
	if (sevq_connect(0, &client) == SEVQ_OK && sevq_enqueue(client, &draft, &receipt) == SEVQ_OK)
		sevq_free(receipt);
	sevq_close(client);
	return sevq_version()[0] == 0;
}
"""


def test_the_header_is_clean_in_c_and_in_cxx(flags, tmp_path):
    cxx = next(filter(None, map(shutil.which, ("g++", "clang++", "clang++-14"))), None)
    assert cxx, "no C++ compiler"
    for compiler, name, standards in ((os.environ["CC"], "example.c", ("c99", "c11")), (cxx, "example.cc", ("c++11", "c++17"))):
        (tmp_path / name).write_text(EXAMPLE)
        for standard in standards:
            subprocess.run([compiler, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                *flags("--cflags"), name], cwd=tmp_path, check=True)


def test_a_program_is_linked_by_pkg_config_alone(flags, tmp_path):
    (tmp_path / "example.c").write_text(EXAMPLE)
    sanitizers = os.environ["SANITIZERS"].split()
    subprocess.run([os.environ["CC"], *sanitizers, "example.c", "-o", "example", *flags("--cflags", "--libs")], cwd=tmp_path, check=True)
    needed = subprocess.run(["readelf", "-d", "example"], cwd=tmp_path, check=True, text=True, stdout=subprocess.PIPE).stdout
    assert "libsevq.so.0]" in needed and "libcurl" not in needed


def examples():
    """The programs of the manual page."""
    page = (Path(os.environ["SOURCES"]) / "client/man/libsevq.3").read_text()
    return [program.replace("\\e", "\\") for program in re.findall(r"^\.Bd -literal\n(#include.*?)^\.Ed$", page, re.M | re.S)]


@pytest.fixture
def built(flags, tmp_path):
    """Compiles a program of the manual page, as its users do, and starts it."""
    def start(program, server):
        (tmp_path / "example.c").write_text(program)
        subprocess.run([os.environ["CC"], *os.environ["SANITIZERS"].split(), "-Wall", "-Wextra", "-Werror", "example.c", "-o", "example",
            *flags("--cflags", "--libs")], cwd=tmp_path, check=True)
        kept = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
        return subprocess.Popen(["./example"], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**kept, "SEVQ_URL": f"http://127.0.0.1:{server.port}", "SEVQ_TOKEN": server.token})
    return start


def test_the_producer_of_the_manual_page(built, server):
    producer, _ = examples()
    out, err = built(producer, server).communicate(timeout=PATIENCE)
    assert re.fullmatch(r"queued as \d+\n", out) and err == ""
    assert server.client().texts(MAIN) == ["Exec completed (build, code 0)"]


def test_the_runner_of_the_manual_page(built, start):
    server = start()
    server.flags = ["--listen", f"127.0.0.1:{server.port}"]
    _, runner = examples()
    assert len([line for line in runner.splitlines() if line]) <= 60
    process = built(runner, server)
    wait_until(lambda: server.client().stats()["waiters"] == 1, "the runner to wait")
    for text in ("a", "b"):
        event_id = ok(server.client().enqueue(text, MAIN), 201)["event"]["id"]
        assert process.stdout.readline() == f"handled {text}\n"
        wait_until(lambda: server.client().timeline(event_id) == ["queued", "leased", "acked"], "the ack")
        server.restart()  # it waits for a server that is away
    wait_until(lambda: server.client().stats()["waiters"] == 1, "the runner to wait")
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "")


def test_the_library_shows_only_its_api(installed):
    (library,) = (p for p in installed.rglob("libsevq.so.0"))
    done = subprocess.run(["readelf", "--dyn-syms", "--wide", library], check=True, text=True, stdout=subprocess.PIPE)
    symbols = [line.split()[-1] for line in done.stdout.splitlines() if " UND " not in line and " GLOBAL DEFAULT " in line]
    (header,) = installed.rglob("sevq.h")
    declared = header.read_text()
    assert "sevq_connect" in symbols
    assert [s for s in symbols if f" {s}(" not in declared and f"*{s}(" not in declared] == []
    assert "sevq_buffer_add" not in symbols and "sevq_url_read" not in symbols
