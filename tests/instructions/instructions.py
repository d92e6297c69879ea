#!/usr/bin/python3
"""Counts the instructions of a real sevqd per post, per event of a batch and per removed event,
with valgrind's callgrind.

    instructions.py [--sevqd SEVQD]             prints the figures beside those of baseline.json
    instructions.py [--sevqd SEVQD] --report    also prints the most expensive functions of a post
                                                on 64 connections, without their callees
    instructions.py [--sevqd SEVQD] --update    also writes the figures to baseline.json

The load is always the same: the server is stopped while every connection writes its request, so
that one turn has them all; sizes, sessions and their order are fixed. callgrind starts a new count
at each SIGHUP, so that each phase has its own and none includes starting or stopping. Two runs
differ by less than 0.1%. Neither the kernel nor waiting is counted. The rounds of SHA-256 are left
out: valgrind knows no SHA instructions, so they would take 15,000 others instead.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "http"))
from sevqd import Server, request  # noqa: E402

BASELINE = HERE / "baseline.json"
HEARS_SIGHUP = "reload"  # in server/serve.c
CONNECTIONS, SESSIONS, TAKEN = 64, 100, 20
WARM_UP, ROUNDS, SINGLES, TAKES = 4, 30, 600, 5
BATCH = TAKES * TAKEN
POST, POST_ALONE, POST_BATCH = "post, 64 connections", "post, 1 connection", f"event of a batch of {BATCH}"
DRAIN, LEASE = f"event of a drain of {TAKEN}", f"event of a lease and ack of {TAKEN}"
# Debian's packages
BUILT_OF = ("gcc", "libc6", "libevent-core-2.1-7", "libsqlite3-0", "libssl3", "valgrind")
TEXT = "Exec completed (build 4711, code 0) " + "event " * 20
SHA = re.compile(r"0x\w+ \[libcrypto")  # its assembler has no names
NAME = re.compile(r"(c?ob|c?fn)=\((\d+)\)(?: (.*))?")
TOTAL = re.compile(r"totals: (\d+)")
COST = re.compile(r"[-+*\d]\S* \d+$")


class Counted:
    """A sevqd under callgrind, and the instructions of each phase."""

    def __init__(self, directory):
        self.server, self.phases = Server(directory), []
        self.counts = self.server.directory / "count"

    def start(self):
        self.server.spawn("valgrind", "--tool=callgrind", f"--log-file={self.server.directory}/valgrind.log",
            f"--callgrind-out-file={self.counts}", f"--dump-before={HEARS_SIGHUP}")
        self.server.await_listening()
        self.connections = [self.server.raw() for _ in range(CONNECTIONS)]
        return self

    def ends(self, phase, units):
        """Ends a phase that did this many units of work; None discards what was counted since the
        last phase.
        """
        since = len(self.server.log)
        self.server.signal(signal.SIGHUP)
        self.server.wait_for_log(lambda r: r["msg"] == "reloaded", "the reload", since)
        self.phases.append((phase, units))

    def call(self, connection, path, body):
        connection.send(request("POST", path, self.server.token, body))

    def together(self, path, bodies):
        """Makes one call on each connection, all in one turn; returns the answers."""
        with self.server.held_still():
            for connection, body in zip(self.connections, bodies):
                self.call(connection, path if isinstance(path, str) else path.pop(0), body)
        return [answer(connection) for connection in self.connections]

    def alone(self, path, body):
        self.call(self.connections[0], path, body)
        return answer(self.connections[0])

    def costs(self):
        """For each phase the instructions per unit, by function."""
        found = {}
        for n, (phase, units) in enumerate(self.phases, 1):
            if units:
                with open(f"{self.counts}.{n}", encoding="utf-8") as count:
                    found[phase] = {name: cost / units for name, cost in functions(count).items()}
        return found


def answer(connection):
    reply = connection.answer()
    assert reply is not None and reply.status in (200, 201), reply
    return reply.json


def functions(count):
    """Reads a callgrind file: the instructions of each function without its callees. A name is
    spelled out only once in the file.
    """
    costs, names, function, library, of_call = {}, {}, None, None, False
    for line in count:
        name = NAME.match(line)
        if name:
            kind, number, new = name.groups()
            where = kind.endswith("ob"), number
            names[where] = new or names[where]
            library = names[where] if kind == "ob" else library
            function = f"{names[where]} [{Path(library).name}]" if kind == "fn" else function
        elif COST.match(line) and not of_call:
            costs[function] = costs.get(function, 0) + int(line.split()[1])
        elif TOTAL.match(line):
            assert sum(costs.values()) == int(line.split()[1]), "what was read is not what callgrind counted"
        of_call = line.startswith("calls=")  # the next line has the cost of the callee
    return costs


def event(n):
    return {"sessionKey": f"agent:main:count:{n % SESSIONS:03}", "text": f"{n:06} {TEXT}"}


def taken_sessions():
    return [f"agent:main:taken:{n:03}" for n in range(CONNECTIONS)]


def post(counted):
    for n in range(WARM_UP + ROUNDS):
        if n == WARM_UP:
            counted.ends("warm up", None)
        counted.together("/v1/events", [event(n * CONNECTIONS + c) for c in range(CONNECTIONS)])
    counted.ends(POST, ROUNDS * CONNECTIONS)


def post_alone(counted):
    for n in range(SINGLES):
        counted.alone("/v1/events", event(n))
    counted.ends(POST_ALONE, SINGLES)


def fill(counted):
    """Enqueues the events that are taken later."""
    texts = [f"{n:06} {TEXT}" for n in range(BATCH)]
    counted.together("/v1/events", [{"events": [{"sessionKey": session, "text": text} for text in texts]} for session in taken_sessions()])
    counted.ends(POST_BATCH, CONNECTIONS * BATCH)


def take(counted, path, many):
    """Takes from every session; returns the answers."""
    answers = counted.together(path, [{"sessionKey": session, many: TAKEN} for session in taken_sessions()])
    assert all(len(a["events"]) == TAKEN for a in answers)
    return answers


def drain(counted):
    fill(counted)
    for _ in range(TAKES):
        take(counted, "/v1/drain", "limit")
    counted.ends(DRAIN, TAKES * CONNECTIONS * TAKEN)


def lease(counted):
    fill(counted)
    for _ in range(TAKES):
        leases = take(counted, "/v1/leases", "limit")
        counted.together([f"/v1/leases/{a['leaseId']}/ack" for a in leases], [{}] * CONNECTIONS)
    counted.ends(LEASE, TAKES * CONNECTIONS * TAKEN)


def count():
    """Runs all phases; returns for each figure the instructions per unit, by function."""
    with tempfile.TemporaryDirectory(prefix="sevq-instructions-") as directory:
        counted = Counted(directory).start()
        try:
            for phase in (post, post_alone, drain, lease):
                phase(counted)
        except BaseException:
            counted.server.kill()
            raise
        counted.server.stop()
        return counted.costs()


def total(by_function):
    return round(sum(cost for name, cost in by_function.items() if not SHA.match(name)))


def most_expensive(by_function, most):
    """A table of functions with their own instructions per unit."""
    lines = [f"{cost:10,.0f}  {name}{' (left out)' * bool(SHA.match(name))}" for name, cost in by_function.items()]
    return "\n".join(sorted(lines, reverse=True)[:most])


def baseline():
    return json.loads(BASELINE.read_text())["instructions"]


def update(figures):
    """Writes the baseline, with the versions of the tools."""
    said = subprocess.run(["dpkg-query", "--show", *BUILT_OF], check=True, text=True, stdout=subprocess.PIPE).stdout
    flags = Path("/proc/cpuinfo").read_text().split()
    about = {**dict(line.split("\t") for line in said.splitlines()), "processor": "with AVX2" if "avx2" in flags else "without AVX2"}
    BASELINE.write_text(json.dumps({"countedWith": about, "instructions": figures}, indent=2) + "\n")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sevqd", default=os.environ.get("SEVQD", HERE.parents[1] / "build/release/server/sevqd"), help="a release build's ($SEVQD)")
    parser.add_argument("--report", action="store_true", help="print the 40 most expensive functions")
    parser.add_argument("--update", action="store_true", help="write the baseline anew")
    return parser.parse_args()


def main():
    given = arguments()
    os.environ["SEVQD"] = str(Path(given.sevqd).resolve())
    costs = count()
    figures = {name: total(by_function) for name, by_function in costs.items()}
    known = baseline() if BASELINE.exists() else {}
    for name, figure in figures.items():
        print(f"{figure:10,}  {name}; baseline: {known.get(name)}")
    if given.report:
        print(most_expensive(costs[POST], 40))
    if given.update:
        update(figures)


if __name__ == "__main__":
    main()
