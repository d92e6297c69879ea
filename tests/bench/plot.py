"""One figure: throughput against connections, and the latency of a post. Needs Debian's
python3-matplotlib.
"""
import statistics

from contenders import CONTENDERS
from rounds import POSTS, SYNC

COLOURS = {who: f"C{n}" for n, who in enumerate(CONTENDERS)}
LATENCIES = (("p50", "50%"), ("p90", "90%"), ("p99", "99%"), ("p999", "99.9%"), ("max", "all"))


def is_possible():
    try:
        import matplotlib  # noqa: F401
        return True
    except ImportError:
        return False


def median(found, key, figure):
    return statistics.median(found[key][figure])


def finish(axes):
    axes.yaxis.set_major_formatter("{x:,.10g}")
    axes.yaxis.set_minor_formatter("")
    axes.grid(alpha=0.3, which="both", axis="y")
    axes.legend()


def draw_throughput(axes, found):
    from matplotlib.ticker import NullLocator
    for who, contender in CONTENDERS.items():
        keys = sorted(key for key in found if key[:2] == (POSTS, who))
        if keys:
            calls = [found[key]["calls"] for key in keys]
            middle = [statistics.median(c) for c in calls]
            spread = [[m - min(c) for m, c in zip(middle, calls)], [max(c) - m for m, c in zip(middle, calls)]]
            axes.errorbar([key[2] for key in keys], middle, yerr=spread, marker="o", capsize=3, color=COLOURS[who], label=contender.title)
    if (SYNC, "disk", 1) in found:
        axes.axhline(median(found, (SYNC, "disk", 1), "calls"), color="grey", linestyle="--", label="bare fdatasync, one after the other")
    axes.set(xscale="log", yscale="log", xlabel="connections", ylabel="posts a second", title="Throughput: median, smallest and largest")
    axes.xaxis.set_minor_locator(NullLocator())
    counts = sorted({key[2] for key in found if key[0] == POSTS})
    axes.set_xticks(counts, [str(n) for n in counts])
    finish(axes)


def draw_latency(axes, found):
    for who in ("sevq", "redis"):
        if (POSTS, who, 64) in found:
            milliseconds = [median(found, (POSTS, who, 64), figure) / 1000 for figure, _ in LATENCIES]
            axes.plot([label for _, label in LATENCIES], milliseconds, marker="o", color=COLOURS[who], label=CONTENDERS[who].title)
    axes.set(yscale="log", xlabel="of the posts took no longer than", ylabel="ms", title="Latency of a post, 64 connections: median of the rounds")
    finish(axes)


def draw(found, file):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 5.5), layout="constrained")
    draw_throughput(left, found)
    draw_latency(right, found)
    figure.savefig(file)
