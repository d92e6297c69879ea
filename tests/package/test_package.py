"""The Debian packages, built by packaging/package: lintian has nothing to say, and on a bare Debian
they install, serve, reload, upgrade and go away again.

Installing needs root and debootstrap, whose base system is made once, in build/bookworm.
"""
import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from policies import MAIN

SOURCES = Path(os.environ["SOURCES"])
BASE = SOURCES / "build/bookworm"
NAMES = ("sevqd", "sevq", "libsevq0", "libsevq-dev")
MINUTES = 60
NEEDED = [tool for tool in ("dpkg-buildpackage", "dh", "lintian", "debootstrap", "unshare") if not shutil.which(tool)]
pytestmark = [
    pytest.mark.skipif(bool(NEEDED), reason=f"not installed: {' '.join(NEEDED)}"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root can install packages"),
]


def run(*words, code=0, **options):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=20 * MINUTES, **options)
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def packages():
    """The directory with the packages."""
    run(SOURCES / "packaging/package")
    return SOURCES / "build/package"


def test_lintian_has_nothing_to_say(packages):
    said = run("lintian", "--fail-on", "error,warning", *packages.glob("*.changes"))
    assert not re.findall(r"^[EW]: .*", said, re.M)


def test_the_version_is_that_of_the_program(packages):
    version = re.search(r"version: '(.*)'", (SOURCES / "meson.build").read_text())[1]
    assert sorted(path.name.split("_")[:2] for path in packages.glob("*.deb")) == sorted([name, version] for name in NAMES)


def newer(packages, directory):
    """The same packages with a higher version."""
    for path in packages.glob("*.deb"):
        run("dpkg-deb", "-R", path, directory / "tree")
        control = directory / "tree/DEBIAN/control"
        control.write_text(re.sub(r"^(Version: \S+|.*\(= [^)]+)", r"\1+1", control.read_text(), flags=re.M))
        run("dpkg-deb", "-b", directory / "tree", directory / path.name)
        shutil.rmtree(directory / "tree")
    return directory


class Debian:
    """A bare Debian 12 in a directory, and a user of it."""

    def __init__(self, root):
        self.root = root
        run("cp", "-a", BASE, root)
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        self("apt-get", "update")
        self("useradd", "--create-home", "alice")

    def words(self, *words, user="root", **env):
        """The command line for a command inside, which sees the processes of the machine."""
        home = "/root" if user == "root" else f"/home/{user}"
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "DEBIAN_FRONTEND": "noninteractive", **env}
        enter = 'mount -t proc proc "$1/proc" && exec chroot --userspec="$0" "$@"'
        return ["unshare", "--mount", "sh", "-c", enter, user, self.root, "env", "-i", *(f"{k}={v}" for k, v in env.items()), *words]

    def __call__(self, *words, code=0, **options):
        return run(*self.words(*words, **options), code=code)

    def install(self, directory):
        """Changed files in /etc are kept, as an administrator would say when asked."""
        for path in directory.glob("*.deb"):
            shutil.copy(path, self.root / "tmp")
        self("apt-get", "install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold",
            *(f"/tmp/{path.name}" for path in directory.glob("*.deb")))

    def path(self, name):
        return self.root / name.lstrip("/")


@pytest.fixture
def debian(tmp_path):
    if not BASE.exists():
        making = BASE.with_name("bookworm.new")
        shutil.rmtree(making, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "bookworm", making)
        making.rename(BASE)
    made = Debian(tmp_path / "root")
    yield made
    shutil.rmtree(made.root)


def lines(debian, key):
    """What the user's unit runs."""
    unit = debian.path("/usr/lib/systemd/user/sevqd.service").read_text()
    return [line.split() for line in re.findall(rf"^{key}=(.*)", unit, re.M)]


@contextlib.contextmanager
def serving(debian):
    """The server, as the user's unit starts it, but for its port; the end of what it says."""
    start, = lines(debian, "ExecStart")
    words = debian.words(*start, user="alice", SEVQ_LISTEN="127.0.0.1:0")
    process = subprocess.Popen([str(word) for word in words], stderr=subprocess.PIPE, text=True)
    try:
        until(process, '"listening"')
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=MINUTES)
    assert process.returncode == 0


def until(process, wanted):
    for line in process.stderr:
        if wanted in line:
            return
    raise AssertionError(f"the server ended before it said {wanted}")


def test_an_installation_serves_reloads_upgrades_and_goes_away(packages, debian, tmp_path):
    sevq = lambda *words, **options: debian("sevq", *words, user="alice", **options)
    debian.install(packages)
    config, policy = debian.path("/etc/sevq/openclaw.json"), debian.path("/home/alice/.openclaw/openclaw.json")
    assert "sevqd:" in debian.path("/etc/passwd").read_text() and config.stat().st_mode & 0o777 == 0o600
    assert not list(debian.path("/etc/systemd").rglob("*.wants/sevqd.service"))
    assert "libsevq.so.0" in debian("ldconfig", "-p")

    debian("install", "-d", "/home/alice/.openclaw", user="alice")
    policy.write_text("{}")
    with serving(debian) as server:
        sevq("event", "before the upgrade", "--session-key", MAIN)
        check, hup = lines(debian, "ExecReload")
        policy.write_text("{ session: ")
        said = debian(*check, user="alice", code=78)
        assert "/home/alice/.openclaw/openclaw.json" in said and "line" in said
        assert "before the upgrade" in sevq("peek", MAIN)
        policy.write_text("{ session: { dmScope: 'main' } }")
        debian(*check, user="alice")
        debian(*[str(server.pid) if word == "$MAINPID" else word for word in hup])
        until(server, '"reloaded"')

        config.write_text("{ /* an administrator's */ }")
        (tmp_path / "newer").mkdir()
        debian.install(newer(packages, tmp_path / "newer"))
        assert re.fullmatch(r"(\S+\+1 ){4}", debian("dpkg-query", "-W", "-f", "${Version} ", *NAMES))
        assert "administrator" in config.read_text() and config.stat().st_mode & 0o777 == 0o600
        assert "before the upgrade" in sevq("peek", MAIN)
    with serving(debian):
        assert "before the upgrade" in sevq("drain", MAIN)

    state, own = debian.path("/var/lib/private/sevq/sevq.db"), debian.path("/home/alice/.local/state/sevq/sevq.db")
    state.parent.mkdir(parents=True)
    state.write_text("")
    debian("apt-get", "remove", "-y", *NAMES)
    assert state.exists() and config.exists() and not debian.path("/usr/bin/sevqd").exists()
    debian("dpkg", "--purge", "sevqd")
    assert own.exists() and not state.parent.exists() and not config.parent.exists()
