"""The results of the rounds: a table of figures and a table of goals.

Here: medians, ratios, text. Ratios are taken within each round, and then their median, because the
disk drifts between rounds. Not here: measuring (rounds).
"""
import statistics

from rounds import AT_RANDOM, BATCHES, DRAINS, LEASES, ONE, POSTS, ROWS, SYNC, WAITERS


class Figures:
    """The rows of one round, by name. A row that was not measured raises LookupError."""

    def __init__(self, measured):
        self.rows, self.memory = measured["rows"], measured["memory"]

    def all(self, what, who, connections, beside=None):
        found = [r for r in self.rows if (r["what"], r["who"], r["connections"]) == (what, who, connections) and beside in (None, r.get("beside"))]
        if not found:
            raise LookupError(f"{what}, {who}, {connections}")
        return found

    def calls(self, *row, **more):
        """Per second."""
        found = self.all(*row, **more)
        return sum(r["requests"] for r in found) / sum(r["seconds"] for r in found)

    def events(self, *row):
        found = self.all(*row)
        return sum(r["events"] for r in found) / sum(r["seconds"] for r in found)

    def p99(self, *row, **more):
        return statistics.median(r["p99Us"] for r in self.all(*row, **more))

    def cpu_us(self, *row):
        """Processor time of the server per event."""
        found = self.all(*row)
        return sum(r["cpuSeconds"] for r in found) * 1e6 / sum(r["rounds"] * r["size"] for r in found)

    def memory_bytes(self):
        """Memory per pending event."""
        if self.memory is None:
            raise LookupError("memory")
        return self.memory["residentBytes"] / self.memory["events"]


def posts(connections, who="sevq"):
    return POSTS, who, connections


AT_LEAST, AT_MOST = ">=", "<="

# The goals: in words, the bound, and the figure of a round.
GOALS = (
    *((f"posts, {n} connection{'s' * (n > 1)} / Redis, always synced", AT_LEAST, 2.0 if n == 64 else 1.0,
       lambda f, n=n: f.calls(*posts(n)) / f.calls(*posts(n, "redis"))) for n in (1, 8, 64, 256)),
    ("posts, 64 connections / beanstalkd -f0", AT_LEAST, 15, lambda f: f.calls(*posts(64)) / f.calls(*posts(64, "beanstalkd"))),
    ("posts, 64 connections / the same without a queue", AT_LEAST, 0.65, lambda f: f.calls(*posts(64)) / f.calls(*posts(64, "noop"))),
    ("posts, 1 connection / fdatasync", AT_LEAST, 0.85, lambda f: f.calls(*posts(1)) / f.calls(SYNC, "disk", 1, beside=1)),
    ("p99 of posts, 64 connections / p99 of fdatasync", AT_MOST, 6, lambda f: f.p99(*posts(64)) / f.p99(SYNC, "disk", 1, beside=64)),
    (f"events in {BATCHES}, 1 connection / bare SQLite {ROWS}", AT_LEAST, 1.0, lambda f: f.events(BATCHES, "sevq", 1) / f.events(ROWS, "sqlite", 1)),
    (f"events in {BATCHES}, 64 connections / bare SQLite {ROWS}", AT_LEAST, 2.0, lambda f: f.events(BATCHES, "sevq", 64) / f.events(ROWS, "sqlite", 1)),
    (f"{DRAINS}, 64 connections / Redis LPOP of as many", AT_LEAST, 0.6, lambda f: f.calls(DRAINS, "sevq", 64) / f.calls(DRAINS, "redis", 64)),
    (f"events in {LEASES}, 64 connections / in {DRAINS}", AT_LEAST, 0.6, lambda f: f.events(LEASES, "sevq", 64) / f.events(DRAINS, "sevq", 64)),
    (f"{AT_RANDOM} / {ONE}", AT_LEAST, 0.85, lambda f: f.calls(AT_RANDOM, "sevq", 64) / f.calls(ONE, "sevq", 64)),
    ("resident bytes a pending event", AT_MOST, 48, Figures.memory_bytes),
    ("server us a post, user and system, 64 connections", AT_MOST, 10, lambda f: f.cpu_us(*posts(64))),
)


def reached(bound, goal, value):
    return value >= goal if bound == AT_LEAST else value <= goal


def goals(rounds):
    """For each goal one value per round; none when a row that it needs was not measured."""
    found = []
    for name, bound, goal, figure in GOALS:
        try:
            values = [figure(Figures(r)) for r in rounds]
        except LookupError:
            values = []
        found.append({"name": name, "bound": bound, "goal": goal, "values": values,
            "reached": reached(bound, goal, statistics.median(values)) if values else None})
    return found


# Text.

def shown(values, digits=0, is_spread=True):
    """The median and, in brackets, the smallest and the largest."""
    if not values or None in values:
        return ""
    low, mid, high = (f"{v:,.{digits}f}" for v in (min(values), statistics.median(values), max(values)))
    return f"{mid} ({low}-{high})" if is_spread and low != high else mid


def table(lines, left=1):
    """The first line is the heading; the first columns are left-aligned."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    ruled = [lines[0], ["-" * w for w in widths], *lines[1:]]
    return "\n".join("| " + " | ".join(c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))) + " |" for line in ruled)


def row_figures(row, bare):
    """The figures of one measurement."""
    calls, commits, cpu = row["requests"] / row["seconds"], row.get("commits"), row.get("cpuSeconds")
    sent = row["rounds"] * row.get("size", 1)
    return {
        "calls": calls,
        "events": row["events"] / row["seconds"],
        "p50": row["p50Us"],
        "p90": row["p90Us"],
        "p99": row["p99Us"],
        "p999": row["p999Us"],
        "max": row["maxUs"],
        "perCommit": sent / commits if commits else None,
        "ratio": calls / bare if bare else None,
        "cpu": cpu * 1e6 / sent if cpu is not None else None,
    }


def bare_rate(rows):
    """The rate of fdatasync in a round."""
    rates = [r["requests"] / r["seconds"] for r in rows if r["what"] == SYNC]
    return statistics.mean(rates) if rates else None


def summary(rounds):
    """For each kind of measurement a list with the figures of each measurement."""
    found = {}
    for measured in rounds:
        bare = bare_rate(measured["rows"])
        for row in measured["rows"]:
            figures = found.setdefault((row["what"], row["who"], row["connections"]), {})
            for name, value in row_figures(row, bare).items():
                figures.setdefault(name, []).append(value)
    return found


COLUMNS = (  # heading, figure, digits, whether the smallest and the largest are shown
    ("calls/s", "calls", 0, True),
    ("events/s", "events", 0, False),
    ("p50 us", "p50", 0, False),
    ("p99 us", "p99", 0, True),
    ("p99.9 us", "p999", 0, False),
    ("max us", "max", 0, False),
    ("events/commit", "perCommit", 1, False),
    ("calls/fdatasync", "ratio", 2, True),
    ("server us/event", "cpu", 1, True),
)


def figures_table(found, order):
    """Rows of one kind are together, contenders in order."""
    kinds = list(dict.fromkeys(what for what, _, _ in found))
    lines = [["", "of", "connections", *(heading for heading, _, _, _ in COLUMNS)]]
    for what, who, connections in sorted(found, key=lambda key: (kinds.index(key[0]), key[2], order.index(key[1]))):
        figures = found[what, who, connections]
        lines.append([what, who, str(connections), *(shown(figures[name], digits, spread) for _, name, digits, spread in COLUMNS)])
    return table(lines, left=2)


VERDICTS = {True: "yes", False: "no", None: "not measured"}


def goals_table(found):
    lines = [["goal", "", "measured", "reached"]]
    for goal in found:
        lines.append([goal["name"], f"{goal['bound']} {goal['goal']:g}", shown(goal["values"], 2), VERDICTS[goal["reached"]]])
    return table(lines)


def sentences(rounds):
    """Sentences on the cost of idle waiters and pending events."""
    idle, memory = [r["idle"] for r in rounds if r["idle"]], [r["memory"] for r in rounds if r["memory"]]
    if idle:
        yield (f"{WAITERS:,} idle waiters: {shown([i['memoryBytes'] / 2**20 for i in idle], 1)} MiB, "
               f"{shown([100 * i['cpuSeconds'] / i['seconds'] for i in idle], 2)}% of a processor.")
    if memory:
        yield (f"{memory[0]['events']:,} pending events more: {shown([m['residentBytes'] / m['events'] for m in memory], 1)} bytes of memory each, "
               f"of which the catalog says {shown([m['catalogBytes'] / m['events'] for m in memory], 1)}.")
