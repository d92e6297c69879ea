"""Tests of the checker: it accepts every allowed history and finds each broken promise."""
import pytest

from history import History, Post, Seen, Sent, Take, after, check

Q = "agent:main:main"
DIRECT = "agent:main:telegram:default:direct:123"


def sent(n, producer="p", queue=Q, key=None, chain=None):
    return Sent(f"{producer}{n}", key or queue, queue, producer, n, chain)


def seen(event, number):
    return Seen(number, event.text, event.key, event.queue)


EVENTS = [sent(n, key=DIRECT) for n in range(6)]
SEEN = [seen(e, 10 + n) for n, e in enumerate(EVENTS)]
POSTS = tuple(Post((e,), (s.id,)) for e, s in zip(EVENTS, SEEN))
BATCH = Post(tuple(sent(n, "b") for n in range(3)), None)
BATCH_SEEN = [seen(e, 20 + n) for n, e in enumerate(BATCH.events)]


def drain(answer, limit=2):
    return Take(Q, limit, None, answer)


def consume(ids, answer):
    return Take(Q, len(ids), frozenset(ids), answer)


CHAIN = tuple(Post((sent(n, "c", chain="c"),), (30 + n,) if n < 2 else None) for n in range(3))
CHAIN_SEEN = [seen(p.events[0], 30 + n) for n, p in enumerate(CHAIN)]

MAY_HAPPEN = {
    "nothing": History(()),
    "all acknowledged are found": History(POSTS, found=tuple(SEEN)),
    "a drained prefix": History(POSTS, (drain(tuple(SEEN[:2])),), found=tuple(SEEN[2:])),
    "a consumed middle": History(POSTS, (consume({12}, (SEEN[2],)),), found=tuple(SEEN[:2] + SEEN[3:])),
    "a lost drain that happened": History(POSTS, (drain(None),), found=tuple(SEEN[2:])),
    "a lost drain that did not happen": History(POSTS, (drain(None),), found=tuple(SEEN)),
    "a lost drain of a queue that was shorter": History(POSTS, (drain(None, 100),)),
    "a lost consume that happened": History(POSTS, (consume({13, 11}, None),), found=tuple(s for s in SEEN if s.id not in (11, 13))),
    "an unacknowledged event that is there": History(POSTS[:5] + (Post((EVENTS[5],), None),), found=tuple(SEEN)),
    "an unacknowledged event that is not": History(POSTS[:5] + (Post((EVENTS[5],), None),), found=tuple(SEEN[:5])),
    "an unacknowledged batch that is there": History((BATCH,), found=tuple(BATCH_SEEN)),
    "an unacknowledged batch that is not": History((BATCH,)),
    "an unacknowledged batch half drained": History((BATCH,), (drain(tuple(BATCH_SEEN[:2])),), found=(BATCH_SEEN[2],)),
    "an unacknowledged batch half lost in a drain": History((BATCH,), (drain(None),), found=(BATCH_SEEN[2],)),
    "a replaced event is gone": History(CHAIN, found=(CHAIN_SEEN[1],)),
    "an unacknowledged replacement": History(CHAIN, found=(CHAIN_SEEN[2],)),
    "an unacknowledged replacement lost in a drain": History(CHAIN, (drain(None),)),
}


@pytest.mark.parametrize("history", MAY_HAPPEN.values(), ids=MAY_HAPPEN.keys())
def test_what_may_happen_is_accepted(history):
    assert check(history) == []


MUST_NOT_HAPPEN = {
    "an acknowledged event is lost": ("lost", History(POSTS, found=tuple(SEEN[:3] + SEEN[4:]))),
    "everything is lost": ("lost", History(POSTS)),
    "a drain's answer lost more than its limit": ("lost", History(POSTS, (drain(None),), found=tuple(SEEN[3:]))),
    "a lost drain took from the middle": ("lost", History(POSTS, (drain(None),), found=tuple([SEEN[0]] + SEEN[2:]))),
    "a lost consume took what it was not asked for": ("lost", History(POSTS, (consume({11}, None),), found=tuple(SEEN[:2] + SEEN[3:]))),
    "a lost drain of another queue": ("lost", History(POSTS, (Take("agent:ops:main", 5, None, None),), found=tuple(SEEN[1:]))),
    "an event that was peeked is lost": ("lost", History((Post((EVENTS[0],), None),), peeks=((SEEN[0],),))),
    "an event is found twice": ("twice", History(POSTS, found=tuple(SEEN + [SEEN[2]]))),
    "an event has two ids": ("twice", History(POSTS, found=tuple(SEEN + [SEEN[5]._replace(id=99)]))),
    "an id has two events": ("twice", History(POSTS[:5] + (Post((EVENTS[5],), None),), found=tuple(SEEN[:5] + [SEEN[5]._replace(id=14)]))),
    "an event is taken twice": ("twice", History(POSTS, (drain(tuple(SEEN[:2])), drain((SEEN[1], SEEN[2]))), found=tuple(SEEN[3:]))),
    "a drained event returns": ("returned", History(POSTS, (drain((SEEN[0],)),), found=tuple(SEEN))),
    "an event of an earlier life returns": ("returned", History(POSTS, found=tuple(SEEN) + (Seen(5, "old", Q, Q),), gone=frozenset({"old"}))),
    "answers are not oldest first": ("order", History(POSTS, found=tuple(SEEN[1:] + SEEN[:1]))),
    "a producer's events changed places": ("order", History(tuple(Post(p.events, None) for p in POSTS), found=tuple(seen(EVENTS[n], 10 + i) for i, n in enumerate((0, 2, 1, 3, 4, 5))))),
    "a drain was not oldest first": ("order", History(POSTS, (drain((SEEN[1], SEEN[0])),), found=tuple(SEEN[2:]))),
    "a drain passed an older event": ("passed", History(POSTS, (drain(tuple(SEEN[1:3])),), found=tuple(SEEN[:1] + SEEN[3:]))),
    "a batch is half there": ("half", History((BATCH,), found=tuple(BATCH_SEEN[:2]))),
    "a batch is half there, its end": ("half", History((BATCH,), found=tuple(BATCH_SEEN[1:]))),
    "an event is under its original key": ("key", History(POSTS, found=tuple([s._replace(queue=DIRECT) for s in SEEN[:1]] + SEEN[1:]))),
    "an original key was forgotten": ("key", History(POSTS, found=tuple([s._replace(key=Q) for s in SEEN[:1]] + SEEN[1:]))),
    "a text was changed": ("unknown", History(POSTS, found=tuple(SEEN[:5] + [SEEN[5]._replace(text="p5 ")]))),
    "a text was cut": ("unknown", History(POSTS, found=tuple(SEEN[:5] + [SEEN[5]._replace(text="p")]))),
    "a replaced event is still there": ("replaced", History(CHAIN, found=tuple(CHAIN_SEEN[:2]))),
    "an unacknowledged replacement beside the old": ("replaced", History(CHAIN, found=tuple(CHAIN_SEEN[1:]))),
    "a replacement took the old and left nothing": ("lost", History(CHAIN)),
}


@pytest.mark.parametrize("promise, history", MUST_NOT_HAPPEN.values(), ids=MUST_NOT_HAPPEN.keys())
def test_what_must_not_happen_is_found(promise, history):
    assert promise in {p for p, _ in check(history)}


def test_the_next_history_starts_with_what_was_found():
    first = History(POSTS, (drain(tuple(SEEN[:2])),), found=tuple(SEEN[2:]))
    second = after(first)
    assert check(second._replace(found=tuple(SEEN[2:]))) == []
    assert ("lost", "p3") in check(second._replace(found=tuple(SEEN[2:3] + SEEN[4:])))
    assert ("returned", "p0") in check(second._replace(found=tuple([SEEN[0]] + SEEN[2:])))
