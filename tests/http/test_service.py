"""Under a service manager: what sevqd tells over NOTIFY_SOCKET, sockets that it is passed, and the
units that are installed.
"""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import PATIENCE, ok, wait_until

BUILD = Path(os.environ["BUILD"])


class Manager:
    """Hears what a server tells."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.settimeout(PATIENCE)

    def hear(self):
        """The next datagram, as a dictionary."""
        return dict(line.split("=", 1) for line in self.sock.recv(4096).decode().split("\n"))

    def is_silent(self, seconds):
        return not select.select([self.sock], [], [], seconds)[0]


@pytest.fixture(params=["a file", "a name without a file"])
def manager(request, tmp_path):
    address = str(tmp_path / "notify") if request.param == "a file" else f"\0sevq-test-{os.getpid()}"
    manager = Manager(address)
    manager.variables = {"NOTIFY_SOCKET": address.replace("\0", "@")}
    yield manager
    manager.sock.close()


def test_a_manager_hears_of_start_reload_and_end(make, manager):
    server = make(policy={}, env=manager.variables)
    server.start()
    assert manager.hear() == {"READY": "1", "STATUS": "serving"}
    ok(server.client().enqueue("x", MAIN), 201)
    server.signal(signal.SIGHUP)
    said = manager.hear()
    assert said["RELOADING"] == "1" and int(said["MONOTONIC_USEC"]) > 0
    assert manager.hear() == {"READY": "1", "STATUS": "serving"}
    server.policy.write_text("{")
    server.signal(signal.SIGHUP)
    assert manager.hear()["RELOADING"] == "1"
    said = manager.hear()
    assert said["READY"] == "1" and "wrong" in said["STATUS"]
    server.policy.write_text("{}")
    server.stop()
    assert manager.hear()["STOPPING"] == "1"


def test_a_start_that_loads_events_asks_for_time(make, manager):
    server = make().start()
    ok(server.client().enqueue("x", MAIN), 201)
    server.stop()
    server.extra_env |= manager.variables
    server.start()
    said = manager.hear()
    assert int(said["EXTEND_TIMEOUT_USEC"]) >= 10_000_000 and "READY" not in said
    assert manager.hear()["READY"] == "1"


def test_an_idle_loop_shows_the_watchdog_that_it_turns(make, manager):
    server = make(env=manager.variables | {"WATCHDOG_USEC": "400000"})
    server.start()
    assert manager.hear()["READY"] == "1"
    for _ in range(5):
        assert manager.hear() == {"WATCHDOG": "1"}
    server.signal(signal.SIGSTOP)
    while not manager.is_silent(1):
        manager.hear()
    server.signal(signal.SIGCONT)
    assert manager.hear() == {"WATCHDOG": "1"}


def test_the_watchdog_of_another_process_gets_no_signs(make, manager):
    server = make(env=manager.variables | {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    server.start()
    assert manager.hear()["READY"] == "1"
    assert manager.is_silent(0.5)


@pytest.mark.parametrize("address", ["nowhere", "/no/such/socket", "@" + "x" * 200, ""])
def test_a_manager_that_is_not_there_hinders_nothing(make, address):
    server = make(env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"})
    ok(server.start().client().enqueue("x", MAIN), 201)


# Sockets that are passed.

PASS = r"""
import os, socket, sys
sockets = eval(sys.argv[1])
for n, s in enumerate(sockets):
    os.dup2(s.fileno(), 20 + n)
for n in range(len(sockets)):
    os.dup2(20 + n, 3 + n)
    os.close(20 + n)
os.environ["LISTEN_PID"] = str(os.getpid() if sys.argv[2] == "ours" else 1)
os.environ["LISTEN_FDS"] = str(len(sockets))
os.execv(sys.argv[3], sys.argv[3:])
"""


def passing(sockets, to="ours"):
    return [sys.executable, "-c", PASS, sockets, to]


def ask(family, address, token):
    with socket.socket(family) as s:
        s.settimeout(PATIENCE)
        s.connect(address)
        s.sendall(f"GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode())
        return s.recv(12)


def test_passed_sockets_take_the_place_of_listen(make):
    server = make("--listen", "127.0.0.1:1")
    path = server.directory / "passed"
    unix = f"(lambda s: (s.bind({str(path)!r}), s.listen(), s)[2])(socket.socket(socket.AF_UNIX))"
    for _ in range(2):
        path.unlink(missing_ok=True)
        server.spawn(*passing(f"[socket.create_server(('127.0.0.1', 0)), {unix}, socket.create_server(('::1', 0), family=socket.AF_INET6)]"))
        server.await_listening()
        wait_until(lambda: len([r for r in server.log if r.get("msg") == "listening"]) == 3)
        addresses = [r["address"] for r in server.log if r.get("msg") == "listening"]
        assert addresses[0].startswith("127.0.0.1:") and addresses[1].startswith("unix:") and addresses[2].startswith("[::1]:")
        assert ask(socket.AF_INET, ("127.0.0.1", server.port), server.token) == b"HTTP/1.1 200"
        assert ask(socket.AF_UNIX, str(path), server.token) == b"HTTP/1.1 200"
        assert ask(socket.AF_INET6, ("::1", int(addresses[2].split(":")[-1])), server.token) == b"HTTP/1.1 200"
        server.stop()
        assert path.exists(), "the file is the manager's"


def test_sockets_for_another_process_are_not_taken(make):
    server = make()
    server.spawn(*passing("[socket.create_server(('127.0.0.1', 0))]", "another's"))
    server.await_listening()
    assert len([r for r in server.log if r.get("msg") == "listening"]) == 1


@pytest.mark.parametrize("sockets, why", [
    ("[socket.socket()]", "no stream socket"), ("[socket.socket(type=socket.SOCK_DGRAM)]", "no stream socket"), ("[open('/dev/null')]", "no stream socket"),
    ("[socket.create_server(('127.0.0.1', 0)), socket.create_server(('0.0.0.0', 0))]", "behind-proxy")])
def test_what_is_no_socket_of_ours_is_refused(make, sockets, why):
    server = make()
    done = subprocess.run([*passing(sockets), os.environ["SEVQD"], *server.arguments()], env=server.environment(), cwd=server.directory,
        timeout=PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 71 and why in done.stderr, done


# The units.

UNITS = ["sevqd.service", "sevqd-user.service"]


def unit(name):
    return (BUILD / "packaging" / name).read_text()


@pytest.mark.parametrize("name", UNITS)
def test_a_reload_with_a_bad_policy_fails_before_the_server_is_asked(make, name):
    checks, asks = re.findall(r"^ExecReload=(.*)", unit(name), re.M)
    assert "Type=notify\n" in unit(name) and "HUP $MAINPID" in asks
    server = make(policy="{")
    words = checks.replace("${STATE_DIRECTORY}", str(server.directory)).split()
    assert words[0].endswith("/sevqd") and "--check-config" in words
    run = lambda: subprocess.run([os.environ["SEVQD"], *words[1:]], env=server.environment() | {"SEVQ_POLICY": str(server.policy)},
        timeout=PATIENCE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run().returncode == 78
    server.policy.write_text("{}")
    assert run().returncode == 0


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_the_system_unit_exposes_little():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", BUILD / "packaging/sevqd.service"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    level = re.search(r"exposure level for sevqd.service: ([\d.]+)", done.stdout)
    if level is None:
        pytest.skip("this systemd analyses no unit offline")
    assert float(level.group(1)) <= 1.5, done.stdout


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line(tmp_path, name):
    path = tmp_path / "sevqd.service"
    path.write_text(re.sub(r"=\S+/sevqd(?= )", f"={os.environ['SEVQD']}", unit(name)))
    manager = ["--user"] if "user" in name else []
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *manager, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=PATIENCE, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    assert (done.returncode, done.stdout) == (0, "")
