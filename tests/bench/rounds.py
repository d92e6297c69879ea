"""What is measured: one round of everything.

In a round all contenders are measured in turn, each for a short slice, so that a drift of the disk hits all alike; every
second round goes through them the other way round. Each round has its own servers and databases.
Not here: what it comes to (report).
"""
import contextlib
import json
import shutil
import statistics
import sys
import time

from contenders import CONTENDERS, Noop, Sevq, said
from sevqd import request, wait_until

SESSIONS = 1000
MANY_SESSIONS = 5000
BATCH, DRAIN = 100, 20
WAITERS = 2000
POSTERS = {"sevq": (1, 8, 64, 256), "noop": (1, 8, 64, 256), "redis": (1, 8, 64, 256), "beanstalkd": (1, 8, 64), "postgres": (1, 8, 64)}
CONNECTIONS = (1, 8, 64, 256)

# The rows, as they are called in every table and file.
SYNC, POSTS, BATCHES, ROWS = "fdatasync of 4 KiB", "posts", f"batches of {BATCH}", f"rows, {BATCH} a transaction"
DRAINS, LEASES, WAKES = f"drains of {DRAIN}", f"lease and ack of {DRAIN}", "201 to the waiter's answer"
TAKERS = {(DRAINS, "sevq", "drain"): (1, 64), (DRAINS, "redis", "drain"): (64,), (LEASES, "sevq", "lease"): (1, 64)}
AT_RANDOM, ONE = f"posts, {MANY_SESSIONS:,} sessions at random", "posts, 1 session"

SUMS = ("rounds", "requests", "events", "seconds", "cpuSeconds", "commits")
MEDIANS = ("p50Us", "p90Us", "p99Us", "p999Us", "maxUs")


def merged(reports):
    """Several slices as one."""
    known = {name: [r[name] for r in reports] for name in reports[0] if None not in [r[name] for r in reports]}
    return {**reports[0], **{n: sum(known[n]) for n in SUMS if n in known}, **{n: statistics.median(known[n]) for n in MEDIANS}}


def bare_load(given, mode, **flags):
    """What the load generator reports."""
    words = [word for name, value in flags.items() for word in ("--" + name, str(value))]
    return json.loads(said(given.load, mode, *words))


class Round:
    def __init__(self, given, directory, number, absent):
        self.given, self.directory, self.number, self.absent = given, directory, number, absent
        self.rows, self.running = [], {}
        self.memory = self.idle = None

    # Whom.

    def contender(self, name):
        """Started when it is first needed."""
        if name not in self.running:
            self.running[name] = CONTENDERS[name](self.directory / name)
            self.running[name].start()
        return self.running[name]

    @contextlib.contextmanager
    def fresh(self):
        """A sevqd that has done nothing yet."""
        server = Sevq(self.directory / "fresh")
        self.running["fresh"] = server
        yield server.start()
        server.stop()
        del self.running["fresh"]
        shutil.rmtree(self.directory / "fresh")

    def in_turn(self, things):
        """In the order of this round; things name their contender, or begin with what is measured and then name it."""
        present = [thing for thing in things if (thing if isinstance(thing, str) else thing[1]) not in self.absent]
        return present if self.number % 2 == 0 else present[::-1]

    # How.

    def add(self, what, who, connections, report, **more):
        self.rows.append({"what": what, "who": who, "connections": connections, **report, **more})

    def say(self, *words):
        print(f"round {self.number + 1} of {self.given.rounds}:", *words, file=sys.stderr, flush=True)

    def load(self, contender, mode, **flags):
        """The report of a load, and what it cost the server. Every event it speaks of must be one in the server's books too."""
        flags = {"sessions": SESSIONS, "size": 1, **contender.flags(), **flags}
        before, cpu = contender.counters(), contender.cpu_seconds()
        report = bare_load(self.given, mode, **flags)
        after, used = contender.counters(), contender.cpu_seconds()
        report["size"] = flags["size"]
        report["cpuSeconds"] = used - cpu if used is not None else None
        report["commits"] = after[1] - before[1] if after is not None else None
        if after is not None and mode != "wake":
            assert after[0] - before[0] == report["rounds"] * flags["size"], f"{mode}: the server counted {after[0] - before[0]} events, {report}"
        return report

    def slice(self, what, who, job, connections, part=1, **flags):
        """One job for the time of one measurement."""
        self.say(f"{what}, {connections} connections: {who}")
        contender = self.contender(who)
        report = self.load(contender, contender.jobs[job], connections=connections, seconds=self.given.seconds * part, warmup=0.2, **flags)
        self.add(what, who, connections, report)

    # What.

    def sync(self, beside):
        self.add(SYNC, "disk", 1, bare_load(self.given, "sync", dir=self.directory, seconds=self.given.seconds / 2), beside=beside)

    def posts(self):
        for connections in CONNECTIONS:
            self.sync(connections)
            for who in self.in_turn(who for who, counts in POSTERS.items() if connections in counts):
                self.slice(POSTS, who, "post", connections)

    def batches(self):
        self.sync(BATCHES)
        for connections in (1, 64):
            for who in self.in_turn(("sqlite", "sevq")):
                if who == "sqlite":
                    self.sqlite()
                else:
                    self.slice(BATCHES, who, "batch", connections, size=BATCH)

    def sqlite(self):
        self.say(f"{ROWS}: SQLite")
        self.add(ROWS, "sqlite", 1, bare_load(self.given, "rows", dir=self.directory, size=BATCH, seconds=self.given.seconds / 2))

    def drains(self):
        """Of sessions that were filled for it just before. Several short times, each of all in turn."""
        self.sync(DRAINS)
        for connections in (1, 64):
            found = {}
            for _ in range(self.given.repeats):
                for what, who, job in self.in_turn(key for key, counts in TAKERS.items() if connections in counts):
                    found.setdefault((what, who), []).append(self.take(what, who, job, connections))
            for (what, who), reports in found.items():
                self.add(what, who, connections, merged(reports))

    def take(self, what, who, job, connections):
        self.say(f"{what}, {connections} connections: {who}")
        contender, calls = self.contender(who), SESSIONS * (2 if connections > 1 else 1)
        flags = {"prefix": f"agent:main:{job}-{connections}:", "connections": connections}
        self.load(contender, contender.fill, size=contender.fill_size, count=calls * DRAIN // contender.fill_size, **flags)
        return self.load(contender, contender.jobs[job], size=DRAIN, count=calls, **flags)

    def sessions(self):
        self.sync(AT_RANDOM)
        for what, who in self.in_turn(((AT_RANDOM, "sevq"), (ONE, "sevq"))):
            flags = {"sessions": MANY_SESSIONS, "random": 1} if what == AT_RANDOM else {"sessions": 1}
            self.slice(what, who, "post", 64, prefix=f"agent:main:of-{flags['sessions']}:", **flags)

    def wakes(self):
        self.sync(WAKES)
        self.slice(WAKES, "sevq", "wake", 64, prefix="agent:main:wake:")

    def pending_memory(self):
        """What more pending events cost, when what is allocated but once already is."""
        first, more = self.given.pending
        self.say(f"memory of {more:,} pending events")
        with self.fresh() as server:
            self.fill(server, first)
            resident, catalog = server.memory_bytes(), server.stats()["engine"]["catalogBytes"]
            self.fill(server, more)
            self.memory = {"events": more, "residentBytes": server.memory_bytes() - resident,
                "catalogBytes": server.stats()["engine"]["catalogBytes"] - catalog}

    def fill(self, server, events):
        self.load(server, "batch", size=BATCH, connections=8, count=events // BATCH)

    def idle_waiters(self):
        """What they cost in memory, connections included; and in processor time while nothing happens."""
        self.say(f"{WAITERS} idle waiters")
        with self.fresh() as server:
            before = server.memory_bytes()
            waiters = [server.server.raw() for _ in range(WAITERS)]
            for n, waiter in enumerate(waiters):
                waiter.send(request("GET", f"/v1/wait?timeoutMs=300000&sessionKey=agent:main:idle:{n}", server.server.token))
            wait_until(lambda: server.stats()["waiters"] == WAITERS, "the waiters to wait")
            memory, cpu, begun = server.memory_bytes() - before, server.cpu_seconds(), time.monotonic()
            time.sleep(self.given.seconds)
            self.idle = {"memoryBytes": memory, "cpuSeconds": server.cpu_seconds() - cpu, "seconds": time.monotonic() - begun}
            for waiter in waiters:
                waiter.close()

    def check_noop(self):
        """A ceiling is one only if as many bytes go through it."""
        event = {"sessionKey": "agent:main:bench:00000000", "text": "x" * 148}
        sizes = [len(self.contender(c.name).server.client().call("POST", "/v1/events", event).body) for c in (Sevq, Noop)]
        assert abs(sizes[0] - sizes[1]) <= 8, f"the answer of noop.c has {sizes[1]} bytes, the real one {sizes[0]}"

    def measure(self):
        """Everything asked for; whatever happens, nothing is left running."""
        try:
            self.check_noop()
            for name in self.given.only:
                KINDS[name](self)
            for server in self.running.values():
                server.stop()
        except BaseException:
            for server in self.running.values():
                server.kill()
            raise
        return self


KINDS = {"idle": Round.idle_waiters, "memory": Round.pending_memory, "posts": Round.posts, "batches": Round.batches, "drains": Round.drains,
    "sessions": Round.sessions, "wakes": Round.wakes}
