"""One round of all measurements.

In a round all contenders are measured in turn, in short slices, so that a drift of the disk affects
all of them; every second round has the reverse order. Each round has its own servers and databases.
Not here: the evaluation (report).
"""
import contextlib
import functools
import itertools
import json
import shutil
import sys
import time

from contenders import CONTENDERS, Noop, Sevq, said
from sevqd import request, wait_until

SESSIONS = 1000
MANY_SESSIONS = 5000
BATCH, DRAIN = 100, 20
WAITERS = 2000
# for each of the others: a slice of drains takes events that were just enqueued, from memory
SHORT_SLICES = 3
POSTERS = {"sevq": (1, 8, 64, 256), "noop": (1, 8, 64, 256), "redis": (1, 8, 64, 256), "beanstalkd": (1, 8, 64), "postgres": (1, 8, 64)}
CONNECTIONS = (1, 8, 64, 256)

# The names of the rows in every table and file.
SYNC, POSTS, BATCHES, ROWS = "fdatasync of 4 KiB", "posts", f"batches of {BATCH}", f"rows, {BATCH} a transaction"
DRAINS, LEASES, WAKES = f"drains of {DRAIN}", f"lease and ack of {DRAIN}", "201 to the waiter's answer"
TAKERS = {(DRAINS, "sevq", "drain"): (1, 64), (DRAINS, "redis", "drain"): (64,), (LEASES, "sevq", "lease"): (1, 64)}
AT_RANDOM, ONE = f"posts, {MANY_SESSIONS:,} sessions at random", "posts, 1 session"

SUMS = ("rounds", "requests", "events", "seconds", "cpuSeconds", "commits")
QUANTILES = {"p50Us": 0.5, "p90Us": 0.9, "p99Us": 0.99, "p999Us": 0.999}


def quantile(times, share):
    """The quantile of the counted times."""
    seen = itertools.accumulate(count for _, count in times)
    return next(us for (us, _), so_far in zip(times, seen) if so_far >= share * sum(count for _, count in times))


def merged(reports):
    """Merges the reports of several slices."""
    times = sorted(itertools.chain.from_iterable(r.pop("times") for r in reports))
    sums = {name: sum(r[name] for r in reports) for name in SUMS if reports[0].get(name) is not None}
    longest = max(r["maxUs"] for r in reports)
    return {**reports[0], **sums, **{name: min(quantile(times, share), longest) for name, share in QUANTILES.items()}, "maxUs": longest}


def bare_load(given, mode, **flags):
    """The report of the load generator."""
    words = [word for name, value in flags.items() for word in ("--" + name, str(value))]
    return json.loads(said(given.load, mode, *words))


class Round:
    def __init__(self, given, directory, number, absent):
        self.given, self.directory, self.number, self.absent = given, directory, number, absent
        self.rows, self.running = [], {}
        self.memory = self.idle = None

    # Contenders.

    def contender(self, name):
        """The contender, started at its first use."""
        if name not in self.running:
            self.running[name] = CONTENDERS[name](self.directory / name)
            self.running[name].start()
        return self.running[name]

    @contextlib.contextmanager
    def fresh(self):
        """A newly started sevqd."""
        server = Sevq(self.directory / "fresh")
        self.running["fresh"] = server
        yield server.start()
        server.stop()
        del self.running["fresh"]
        shutil.rmtree(self.directory / "fresh")

    # Slices.

    def say(self, *words):
        print(f"round {self.number + 1} of {self.given.rounds}:", *words, file=sys.stderr, flush=True)

    def alternate(self, jobs, repeats):
        """Runs jobs in turn, several times. A job is (row, contender, connections, function that
        measures one slice).
        """
        found = {}
        present = [job for job in jobs if job[1] not in self.absent][:: 1 if self.number % 2 == 0 else -1]
        for what, who, connections, measure in present * repeats:
            self.say(f"{what}, {connections} connections: {who}")
            found.setdefault((what, who, connections), []).append(measure())
        for (what, who, connections), reports in found.items():
            self.rows.append({"what": what, "who": who, "connections": connections, **merged(reports)})

    def load(self, contender, mode, **flags):
        """Runs a load; returns its report and the server's cost. The server's counters must agree
        with the report.
        """
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

    def seconds(self):
        return self.given.seconds / self.given.repeats

    def slice(self, what, who, job, connections, **flags):
        def measure():
            contender = self.contender(who)
            return self.load(contender, contender.jobs[job], connections=connections, seconds=self.seconds(), warmup=0.1, **flags)
        return what, who, connections, measure

    def sync(self, beside):
        """The bare disk, in turn with the measurements that are compared with it."""
        return SYNC, "disk", 1, lambda: {**bare_load(self.given, "sync", dir=self.directory, seconds=self.seconds()), "beside": beside}

    # Measurements.

    def posts(self):
        for connections in CONNECTIONS:
            jobs = [self.slice(POSTS, who, "post", connections) for who, counts in POSTERS.items() if connections in counts]
            self.alternate([self.sync(connections), *jobs], self.given.repeats)

    def batches(self):
        sqlite = ROWS, "sqlite", 1, lambda: bare_load(self.given, "rows", dir=self.directory, size=BATCH, seconds=self.seconds())
        for connections in (1, 64):
            batches = self.slice(BATCHES, "sevq", "batch", connections, size=BATCH)
            self.alternate([self.sync(BATCHES), sqlite, batches], self.given.repeats)

    def drains(self):
        """Drains sessions that were filled just before."""
        for connections in (1, 64):
            jobs = [(what, who, connections, functools.partial(self.take, who, job, connections))
                    for (what, who, job), counts in TAKERS.items() if connections in counts]
            self.alternate([self.sync(DRAINS), *jobs], self.given.repeats * SHORT_SLICES)

    def take(self, who, job, connections):
        contender, calls = self.contender(who), SESSIONS
        flags = {"prefix": f"agent:main:{job}-{connections}:", "connections": connections}
        self.load(contender, contender.fill, size=contender.fill_size, count=calls * DRAIN // contender.fill_size, **flags)
        return self.load(contender, contender.jobs[job], size=DRAIN, count=calls, **flags)

    def sessions(self):
        many = self.slice(AT_RANDOM, "sevq", "post", 64, prefix="agent:main:many:", sessions=MANY_SESSIONS, random=1)
        one = self.slice(ONE, "sevq", "post", 64, prefix="agent:main:one:", sessions=1)
        self.alternate([self.sync(AT_RANDOM), many, one], self.given.repeats)

    def wakes(self):
        """One slice only: the next would also drain events that an earlier one left in a session.
        """
        self.alternate([self.sync(WAKES), self.slice(WAKES, "sevq", "wake", 64, prefix="agent:main:wake:")], 1)

    def pending_memory(self):
        """The memory of additional pending events, after one-time allocations."""
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
        """The memory of idle waiters with their connections, and their processor time while nothing
        happens.
        """
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
        """Checks that the noop server's answers are as long as the real ones."""
        event = {"sessionKey": "agent:main:bench:00000000", "text": "x" * 148}
        sizes = [len(self.contender(c.name).server.client().call("POST", "/v1/events", event).body) for c in (Sevq, Noop)]
        assert abs(sizes[0] - sizes[1]) <= 8, f"the answer of noop.c has {sizes[1]} bytes, the real one {sizes[0]}"
        assert self.contender(Noop.name).stats()["events"]["enqueued"] == 0, "noop.c queues: its handler is not in the other's place"

    def measure(self):
        """Measures all given rows; stops every server at the end, also on an error."""
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
