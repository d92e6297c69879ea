"""Tests of the checker of leases: it accepts every allowed history and finds each broken promise.
"""
from math import inf

import pytest

import lease_history
from lease_history import Call, History, Lease, Life, Post, Seen, check

Q = "agent:main:main"
DIRECT = "agent:main:telegram:default:direct:123"


def seen(n, attempts=0):
    return Seen(n, f"event {n}", DIRECT, Q, attempts)


def posts(count, *more_answers):
    return tuple(Post((f"event {n}",), DIRECT, Q, ((n,), *more_answers)) for n in range(1, count + 1))


def lease(number, asked, *events, seconds=0.3, took=0.01, again=False):
    return Lease(number, asked, asked + took, seconds, tuple(seen(e) if isinstance(e, int) else e for e in events), again)


def call(what, number, asked, *ids, status=200, **fields):
    return Call(number, what, frozenset(ids), asked, inf if status is None else asked + 0.01, status, **fields)


def ack(*args, **fields):
    return call("ack", *args, **fields)


def nack(*args, **fields):
    return call("nack", *args, **fields)


def extend(*args, **fields):
    return call("extend", *args, **fields)


ONE = posts(1)
BATCH = Post(("event 1", "event 2"), DIRECT, Q)
ACKED = History(ONE, (lease(7, 0, 1),), (ack(7, 0.1, 1),))
TWICE = lease(7, 0, 1), lease(8, 0.5, seen(1, 1))  # the first ran out
# killed while the first lease held, and started when it was over
DOWN = Life(-1, -1, 0.2, 0.21), Life(0.45, 0.47)
CUT = Life(-1, -1, 0.1, 0.11), Life(0.15, 0.17)  # started again while it held

MAY_HAPPEN = {
    "nothing": History(()),
    "leased and acked": ACKED,
    "acked again": ACKED._replace(calls=(ack(7, 0.1, 1), ack(7, 5, 1))),
    "still there": History(ONE, left=(seen(1),)),
    "posted again": History(posts(1, (1,)), *ACKED[1:]),
    "a post without an answer that never arrived": History((Post(("event 1",), DIRECT, Q),)),
    "a post without an answer that arrived": ACKED._replace(posts=(Post(("event 1",), DIRECT, Q),)),
    "a batch without an answer that arrived": History((BATCH,), (lease(7, 0, 1, 2),), (ack(7, 0.1, 1, 2),)),
    "a lease that ran out": History(ONE, TWICE, (ack(8, 0.6, 1),)),
    "a lease that ran out, refused": History(ONE, TWICE, (ack(7, 0.4, 1, status=409), ack(8, 0.6, 1))),
    "a lease that ran out, refused after the next": History(ONE, TWICE, (ack(7, 0.55, 1, status=409), ack(8, 0.6, 1))),
    "a late ack that nobody contradicts in time": History(ONE, (lease(7, 0, 1),), (ack(7, 0.31, 1),)),
    "acked by halves": History(posts(2), (lease(7, 0, 1, 2),), (ack(7, 0.1, 1), ack(7, 0.2, 2))),
    "given back": History(ONE, (lease(7, 0, 1), lease(8, 0.15, seen(1, 1))), (nack(7, 0.1, 1), ack(8, 0.2, 1))),
    "given back uncounted": History(ONE, (lease(7, 0, 1), lease(8, 0.15, 1)), (nack(7, 0.1, 1, counts=False), ack(8, 0.2, 1))),
    "perhaps given back": History(ONE, (lease(7, 0, 1), lease(8, 0.15, seen(1, 1))), (nack(7, 0.1, 1, status=None), ack(8, 0.2, 1))),
    "given back, then refused": History(ONE, (lease(7, 0, 1), lease(8, 0.2, seen(1, 1))),
        (nack(7, 0.1, 1), ack(7, 0.15, 1, status=409), ack(8, 0.3, 1))),
    "extended": History(ONE, (lease(7, 0, 1),), (extend(7, 0.2, 1, seconds=0.5), ack(7, 0.6, 1))),
    "perhaps extended": History(ONE, TWICE, (extend(7, 0.2, 1, status=None, seconds=0.2), ack(8, 0.6, 1))),
    "shortened": History(ONE, (lease(7, 0, 1), lease(8, 0.2, seen(1, 1))), (extend(7, 0.1, 1, seconds=0.05), ack(8, 0.25, 1))),
    "asked again, with an old answer": History(ONE, (lease(7, 0, 1, took=1, again=True), TWICE[1]), (ack(7, 1.1, 1, status=409), ack(8, 0.6, 1))),
    "asked again, refused in time of the second answer": History(ONE, (lease(7, 0, 1, took=0.5, again=True),),
        (ack(7, 0.6, 1, status=409),), left=(seen(1, 1),)),
    "a second lease beside the first": History(posts(2), (lease(7, 0, 1), lease(8, 0.1, 2)), (ack(8, 0.15, 2), ack(7, 0.2, 1))),
    "kept over a restart": ACKED._replace(lives=CUT, calls=(ack(7, 0.2, 1),)),
    "ran out after a restart, counted": History(ONE, TWICE, (ack(8, 0.6, 1),), CUT),
    "ran out while down, not counted": History(ONE, (TWICE[0], lease(8, 0.5, 1)), (ack(8, 0.6, 1),), DOWN),
    "gone when it was acked": History(ONE, TWICE, (ack(8, 1, 1, gone=frozenset({1})),), dead=(seen(1, 2),), attempts_max=2),
    "dead after two": History(ONE, TWICE, (nack(8, 0.6, 1),), dead=(seen(1, 2),), attempts_max=2),
}


@pytest.mark.parametrize("history", MAY_HAPPEN.values(), ids=MAY_HAPPEN.keys())
def test_what_may_happen_is_accepted(history):
    assert check(history) == set()


MUST_NOT_HAPPEN = {
    "lost": {
        "an event was never delivered": History(posts(2), *ACKED[1:]),
        "an event was delivered, and then nothing": History(ONE, (lease(7, 0, 1),)),
        "an event was given back, and then nothing": History(ONE, (lease(7, 0, 1),), (nack(7, 0.1, 1),)),
        "an ack was refused, and then nothing": History(ONE, (lease(7, 0, 1),), (ack(7, 0.5, 1, status=409),)),
        "half a batch": History((BATCH,), (lease(7, 0, 1),), (ack(7, 0.1, 1),)),
    },
    "twice": {
        "one key made two events": History(posts(1, (2,)), *ACKED[1:]),
        "one text is two events": History(ONE, (lease(7, 0, 1, Seen(2, "event 1", DIRECT, Q, 0)),), (ack(7, 0.1, 1, 2),)),
        "one id is two events": History(posts(2), (lease(7, 0, 1, Seen(1, "event 2", DIRECT, Q, 0)),), (ack(7, 0.1, 1),)),
        "two leases acked it": History(ONE, TWICE, (ack(7, 0.1, 1), ack(8, 0.6, 1))),
        "acked and dead": ACKED._replace(dead=(seen(1),)),
        "acked and still there": ACKED._replace(left=(seen(1),)),
        "two leases are one": History(posts(2), (lease(7, 0, 1), lease(7, 0.1, 2)), (ack(7, 0.2, 1, 2),)),
    },
    "overlap": {
        "leased while leased": History(ONE, (lease(7, 0, 1), lease(8, 0.1, 1)), (ack(8, 0.2, 1),)),
        "leased while leased, and acked at once": History(ONE, (lease(7, 0, 1), lease(8, 0.1, 1)), (ack(8, 0.111, 1),)),
        "in a lease of several": History(posts(2), (lease(7, 0, 1, 2), lease(8, 0.1, 2)), (ack(7, 0.2, 1), ack(8, 0.2, 2))),
        "leased while extended": History(ONE, TWICE, (extend(7, 0.2, 1, seconds=1), ack(8, 0.6, 1))),
        "a restart forgot the lease": History(ONE, (lease(7, 0, 1), lease(8, 0.2, 1)), (ack(8, 0.25, 1),), CUT),
        "another was given back": History(posts(2), (lease(7, 0, 1, 2), lease(8, 0.2, seen(1, 1))),
            (nack(7, 0.1, 2), ack(8, 0.25, 1)), left=(seen(2, 1),)),
    },
    "late": {
        "acked when it was over": History(ONE, (lease(7, 0, 1),), (ack(7, 0.5, 1),)),
        "extended when it was over": History(ONE, (lease(7, 0, 1),), (extend(7, 0.5, 1, seconds=1), ack(7, 0.6, 1))),
        "given back when it was over": History(ONE, TWICE, (nack(7, 0.4, 1), ack(8, 0.6, 1))),
        "acked when another had it": History(ONE, TWICE, (ack(7, 0.52, 1),)),
        "acked after it was given back": History(ONE, (lease(7, 0, 1),), (nack(7, 0.1, 1), ack(7, 0.2, 1))),
        "gone, and leased again": History(ONE, TWICE, (ack(7, 0.4, 1, gone=frozenset({1})), ack(8, 0.6, 1))),
        "acked after its shorter end": History(ONE, (lease(7, 0, 1),), (extend(7, 0.1, 1, seconds=0.3), ack(7, 0.5, 1))),
    },
    "refused": {
        "an ack in time": ACKED._replace(calls=(ack(7, 0.1, 1, status=409), ack(7, 0.15, 1))),
        "an extend in time": ACKED._replace(calls=(extend(7, 0.1, 1, status=409, seconds=1), ack(7, 0.15, 1))),
        "an ack in extended time": History(ONE, (lease(7, 0, 1),), (extend(7, 0.2, 1, seconds=0.5), ack(7, 0.5, 1, status=409)), left=(seen(1),)),
        "an ack in time after a restart": ACKED._replace(lives=CUT, calls=(ack(7, 0.2, 1, status=404),), left=(seen(1),)),
        "an ack repeated": ACKED._replace(calls=(ack(7, 0.1, 1), ack(7, 0.6, 1, status=409))),
    },
    "order": {
        "an answer is not oldest first": History(posts(2), (lease(7, 0, 2, 1),), (ack(7, 0.1, 1, 2),)),
        "a younger was delivered first": History(posts(2), (lease(7, 0, 2), lease(8, 0.1, 1)), (ack(7, 0.1, 2), ack(8, 0.2, 1))),
        "a lease's number was used before": History(posts(2), (lease(8, 0, 1), lease(7, 0.1, 2)), (ack(8, 0.1, 1), ack(7, 0.2, 2))),
        "one was passed over": History(posts(3), (lease(7, 0, 1, 3), lease(8, 0.1, 2)), (ack(7, 0.1, 1, 3), ack(8, 0.2, 2))),
    },
    "returned": {
        "delivered after its ack": History(ONE, (lease(7, 0, 1), lease(8, 0.2, 1)), (ack(7, 0.1, 1), nack(8, 0.3, 1))),
        "delivered after its ack and a restart": History(ONE, (lease(7, 0, 1), lease(8, 0.2, 1)), (ack(7, 0.05, 1), nack(8, 0.3, 1)), CUT),
        "one of several": History(posts(2), (lease(7, 0, 1, 2), lease(8, 0.5, seen(1, 1), 2)), (ack(7, 0.1, 2), ack(8, 0.6, 1))),
    },
    "attempts": {
        "a first delivery that counts": ACKED._replace(leases=(lease(7, 0, seen(1, 1)),)),
        "a lease that ran out is forgotten": History(ONE, (TWICE[0], lease(8, 0.5, 1)), (ack(8, 0.6, 1),)),
        "forgotten over a restart": History(ONE, (TWICE[0], lease(8, 0.5, 1)), (ack(8, 0.6, 1),), CUT),
        "a restart counted": History(ONE, TWICE, (ack(8, 0.6, 1),), DOWN),
        "what was given back without": History(ONE, (lease(7, 0, 1), lease(8, 0.2, seen(1, 1))), (nack(7, 0.1, 1, counts=False), ack(8, 0.3, 1))),
        "what was given back does not": History(ONE, (lease(7, 0, 1), lease(8, 0.2, 1)), (nack(7, 0.1, 1), ack(8, 0.3, 1))),
        "delivered more often than allowed": History(ONE, TWICE, (ack(8, 0.6, 1),), attempts_max=1),
        "dead too early": History(ONE, TWICE, (nack(8, 0.6, 1),), dead=(seen(1, 2),), attempts_max=3),
        "dead without a delivery": History(ONE, dead=(seen(1),)),
    },
    "key": {
        "filed under another key": ACKED._replace(leases=(lease(7, 0, seen(1)._replace(queue=DIRECT)),)),
        "the original key was forgotten": ACKED._replace(leases=(lease(7, 0, seen(1)._replace(key=Q)),)),
    },
    "unknown": {
        "a text was changed": ACKED._replace(leases=(lease(7, 0, seen(1)._replace(text="event")),)),
        "a dead letter's text was cut": History(ONE, dead=(seen(1)._replace(text=""),)),
    },
}


@pytest.mark.parametrize("promise, history", [pytest.param(promise, history, id=f"{promise}: {what}")
    for promise, cases in MUST_NOT_HAPPEN.items() for what, history in cases.items()])
def test_what_must_not_happen_is_found(promise, history):
    assert promise in {p for p, _ in check(history)}


def test_no_promise_is_without_a_control():
    named = {line.split()[0] for line in lease_history.__doc__.splitlines() if line.startswith("    ") and not line.startswith("     ")}
    assert named == set(MUST_NOT_HAPPEN)
