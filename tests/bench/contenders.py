"""The measured servers: sevqd, a sevqd that queues nothing, and the peers that are installed.

Here: finding each, starting it on loopback in its own directory, and stopping it. Not here: the
measurements. A peer's data is discarded, so peers are killed, not stopped. All servers end with the
driver, even if that is killed. Services that the distribution started from the same packages are
not touched.
"""
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess

from sevqd import Server, wait_until

UNLIMITED = 1000000000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_answering(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def said(*line):
    """The output of a command. A failing command ends the run with its message on standard error.
    """
    done = subprocess.run(line, stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, line[:2]))} ended with {done.returncode}")
    return done.stdout.strip()


def cpu_seconds(pid):
    """User and system time of one process."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Sevq:
    """sevqd. Runs with one session post all events to it, so its limit of 10,000 is raised."""

    name, title = "sevq", "sevqd"
    jobs = {"post": "post", "batch": "batch", "drain": "drain", "lease": "lease", "wake": "wake"}
    fill, fill_size = "batch", 100
    settings = ["--max-pending", UNLIMITED, "--max-pending-total", UNLIMITED]
    server_type = Server

    def __init__(self, directory):
        self.server = self.server_type(directory, *self.settings)

    @staticmethod
    def absent(_directory):
        return None

    @classmethod
    def version(cls):
        return said(os.environ[cls.server_type.program], "--version")

    def start(self):
        self.server.spawn("setpriv", "--pdeathsig", "KILL")
        self.server.await_listening()
        return self

    def stop(self):
        self.server.stop()

    def kill(self):
        if self.server.process is not None:
            self.server.kill()

    def flags(self):
        return {"port": self.server.port, "token": self.server.token}

    def cpu_seconds(self):
        return cpu_seconds(self.server.process.pid)

    def memory_bytes(self):
        """Resident memory."""
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii", errors="replace") as f:
            return int(next(line for line in f if line.startswith("VmRSS:")).split()[1]) * 1024

    def stats(self):
        """Uses a new connection, since an idle one would have been closed."""
        client = self.server.client()
        try:
            return client.stats()
        finally:
            client.close()

    def counters(self):
        """The server's counters of events and commits, against which a load is checked."""
        stats = self.stats()
        return sum(stats["events"][name] for name in ("enqueued", "drained", "acked")), stats["engine"]["commits"]


class NoopServer(Server):
    program = "SEVQ_NOOP"


class Noop(Sevq):
    name, title = "noop", "sevqd without a queue"
    jobs = {"post": "post"}
    server_type = NoopServer

    def counters(self):
        return None


class Peer:
    """A program from Debian in the foreground."""

    death = "KILL"
    identity = ()  # options of setpriv: the user it runs as

    def __init__(self, directory):
        self.directory, self.port, self.process = directory, free_port(), None

    @classmethod
    def absent(cls, _directory):
        """Why it cannot be measured here, or None."""
        return None if shutil.which(cls.program) else f"not installed (Debian: {cls.package})"

    @classmethod
    def version(cls):
        return said(cls.program, cls.version_flag).splitlines()[0]

    def start(self):
        self.directory.mkdir()
        self.prepare()
        with open(self.log_file(), "wb") as log:
            line = ["setpriv", "--pdeathsig", self.death, *self.identity, *map(str, self.command())]
            self.process = subprocess.Popen(line, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.is_ready, f"{self.title} to listen")
        self.furnish()
        return self

    def log_file(self):
        return self.directory.with_suffix(".log")

    def prepare(self):
        """Prepares the directory before the start."""

    def furnish(self):
        """Creates the tables once it listens."""

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.title} ended with {self.process.returncode}: {self.log_file().read_text(errors='replace')[-2000:]}")
        return is_answering(self.port)

    def stop(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.title} ended by itself with {self.process.returncode}")
        self.kill()

    def kill(self):
        if self.process is not None:
            self.process.send_signal(getattr(signal, "SIG" + self.death))
            self.process.wait(30)

    def flags(self):
        return {"port": self.port}

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def counters(self):
        return None


class Redis(Peer):
    name, title, program, package, version_flag = "redis", "Redis", "redis-server", "redis-server", "--version"
    jobs = {"post": "xadd", "drain": "lpop"}
    fill, fill_size = "rpush", 20
    settings = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0"]

    def command(self):
        return [self.program, "--bind", "127.0.0.1", "--port", self.port, "--dir", self.directory, *self.settings]


class Beanstalkd(Peer):
    name, title, program, package, version_flag = "beanstalkd", "beanstalkd", "beanstalkd", "beanstalkd", "-v"
    jobs = {"post": "put"}
    settings = ["-f0"]

    def command(self):
        return [self.program, "-l", "127.0.0.1", "-p", self.port, "-b", self.directory, *self.settings]


class Postgres(Peer):
    """PostgreSQL refuses to run as root; its package creates a user for it."""

    name, title, program, package, version_flag = "postgres", "PostgreSQL", "postgres", "postgresql", "--version"
    jobs = {"post": "insert"}
    settings = ["-c", "fsync=on", "-c", "synchronous_commit=on"]
    table = ("CREATE TABLE event (id bigserial PRIMARY KEY, ts timestamptz NOT NULL DEFAULT now(), "
             "session text NOT NULL, text text NOT NULL)")
    death = "QUIT"  # SIGKILL would leave shared memory behind
    user = "postgres"
    identity = ("--reuid", user, "--regid", user, "--clear-groups") if os.geteuid() == 0 else ()

    @classmethod
    def binary(cls, name):
        """Debian keeps each version's programs in a directory of its own."""
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/" + name), key=lambda path: int(path.split("/")[4]))
        return found[-1] if found else shutil.which(name)

    @classmethod
    def absent(cls, directory):
        if not all(map(cls.binary, ("postgres", "initdb", "psql", "pg_isready"))):
            return f"not installed (Debian: {cls.package})"
        if cls.identity and cls.user not in (user.pw_name for user in pwd.getpwall()):
            return f"no user {cls.user} to run it as"
        if subprocess.run(["setpriv", *cls.identity, "test", "-x", directory], check=False).returncode != 0:
            return f"the user {cls.user} may not enter the directory of --dir"
        return None

    @classmethod
    def version(cls):
        return said(cls.binary("postgres"), "--version")

    def prepare(self):
        if self.identity:
            shutil.chown(self.directory, self.user, self.user)
        self.call("initdb", "-D", self.directory, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")

    def call(self, name, *arguments):
        subprocess.run(["setpriv", *self.identity, self.binary(name), *map(str, arguments)], cwd=self.directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, check=True)

    def command(self):
        return [self.binary("postgres"), "-D", self.directory, "-c", "listen_addresses=127.0.0.1", "-p", self.port,
            "-c", "unix_socket_directories=", *self.settings]

    def is_ready(self):
        return super().is_ready() and subprocess.run([self.binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
            check=False).returncode == 0

    def furnish(self):
        self.call("psql", "-X", "-q", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-d", "postgres", "-c", self.table)

    def cpu_seconds(self):
        return None  # PostgreSQL has many processes


CONTENDERS = {c.name: c for c in (Sevq, Noop, Redis, Beanstalkd, Postgres)}
