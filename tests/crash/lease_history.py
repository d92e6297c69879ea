"""What clients of leases saw over several runs of a server, and a check of the server's promises.

Here: plain records and one pure function, check. Not here: servers, processes, waiting.

Times are seconds on one clock that all clients of the machine share. A client knows when it sent a
request and when it got the answer; the server acted at some time in between. So each lease has a
time until which it surely holds, and one from which it is surely over, and a promise is broken only
if every time in between breaks it. A request that was repeated until an answer came is one record,
with the time of the first request and of the last answer.

    lost        a posted event is acked, or a dead letter, or still pending; a batch as a whole (C2)
    twice       one idempotency key makes one event, however often it was sent (C3);
                an event ends in one way, by one lease (C2)
    overlap     no two leases hold an event at the same time (C4)
    late        an event that has left a lease cannot be acked, nacked or extended by it (C4)
    refused     while a lease holds, also over a restart, these calls are not refused;
                nor is a repeated ack (C4)
    order       first deliveries follow the order of the queue; an answer is oldest first (C5);
                the ids of leases ascend
    returned    an acked event is never delivered again (C6)
    attempts    every failed delivery counts an attempt, except those that a restart ended and
                nacks that do not count; after the last attempt the event is a dead letter
    key         an event stays under its queue key, with the key it was sent with
    unknown     every text is one that was sent, byte for byte (C9)
"""
from collections import Counter, defaultdict
from itertools import combinations
from math import inf
from typing import NamedTuple, Optional

# for rounded milliseconds, and for the wall clock replacing the steady clock over a restart
MARGIN = 0.02


class Post(NamedTuple):
    texts: tuple
    key: str  # as sent
    queue: str  # where it must be
    answers: tuple = ()  # tuple of tuples of ids, one for each answer


class Seen(NamedTuple):
    id: int
    text: str
    key: str
    queue: str
    attempts: int


class Lease(NamedTuple):
    id: int
    asked: float
    answered: float
    seconds: float
    events: tuple  # of Seen
    again: bool = False  # sent more than once: the answer may belong to an earlier request


class Call(NamedTuple):
    lease: int
    what: str  # ack, nack, extend
    ids: frozenset
    asked: float
    answered: float = inf
    status: Optional[int] = None  # None: no answer
    counts: bool = True  # nack
    seconds: float = 0  # extend
    gone: frozenset = frozenset()  # ids that were settled under the lease before


class Life(NamedTuple):
    """One run of the server: bounds of its start (not yet, surely) and of its end (not yet,
    surely).
    """

    spawned: float
    listening: float
    killed: float = inf
    dead: float = inf


class History(NamedTuple):
    posts: tuple
    leases: tuple = ()
    calls: tuple = ()
    lives: tuple = (Life(0, 0),)
    dead: tuple = ()  # tuple of Seen: the dead letters
    left: tuple = ()  # tuple of Seen: the events pending in the end
    attempts_max: int = 8


class Hold:
    """One event under one lease, and the calls about it in the order of their requests."""

    def __init__(self, lease, event, calls):
        self.lease, self.event, self.calls = lease, event, calls

    def before(self, call):
        return Hold(self.lease, self.event, [c for c in self.calls if c.asked < call.asked])

    def did(self, what, *statuses):
        return [c for c in self.calls if c.what == what and c.status in (statuses or (200,)) and self.event.id not in c.gone]

    def was_gone(self):
        return any(self.event.id in c.gone for c in self.calls)

    def lasts_until(self):
        """The time until which the hold surely lasts."""
        end = self.lease.asked + self.lease.seconds
        for call in self.calls:
            if call.status not in (200, None):
                continue
            if call.what != "extend":
                return min(end, call.asked)
            end = call.asked + call.seconds if call.status == 200 else min(end, call.asked + call.seconds)
        return end

    def is_over_at(self):
        """The time at which the hold is surely over."""
        nacked = [c.answered for c in self.did("nack")]
        return min([max([self.lease.answered + self.lease.seconds, *(c.answered + c.seconds for c in self.did("extend", 200, None))]), *nacked])


def holds_of(history):
    """The holds of each event id, in the order of the leases."""
    calls, holds = defaultdict(list), defaultdict(list)
    for call in sorted(history.calls, key=lambda c: c.asked):
        for event in call.ids:
            calls[call.lease, event].append(call)
    for lease in sorted(history.leases, key=lambda l: l.id):
        for event in lease.events:
            holds[event.id].append(Hold(lease, event, calls[lease.id, event.id]))
    return holds


def check(history):
    """The broken promises as a set of (promise, text or lease id); empty when all hold."""
    holds = holds_of(history)
    every = (check_identity(history), check_end(history, holds), check_leases(holds), check_calls(history, holds),
        check_order(history, holds), check_attempts(history, holds))
    return {broken for some in every for broken in some}


def sightings(history):
    return [*history.dead, *history.left, *(event for lease in history.leases for event in lease.events)]


def check_identity(history):
    """Every sighting is of an event as it was sent; a text has one id in all answers, and an id one
    text.
    """
    sent = {text: post for post in history.posts for text in post.texts}
    said = [(i, text) for post in history.posts for answer in post.answers for i, text in zip(answer, post.texts)]
    id_of, text_of = {}, {}
    for number, text in [*said, *((s.id, s.text) for s in sightings(history))]:
        if id_of.setdefault(text, number) != number or text_of.setdefault(number, text) != text:
            yield "twice", text
    for seen in sightings(history):
        if seen.text not in sent:
            yield "unknown", seen.text
        elif (seen.key, seen.queue) != (sent[seen.text].key, sent[seen.text].queue):
            yield "key", seen.text
    yield from (("twice", lease) for lease, n in Counter(lease.id for lease in history.leases).items() if n > 1)


def check_end(history, holds):
    """Every event that was answered or seen ends in exactly one way."""
    ends = Counter(seen.text for seen in (*history.dead, *history.left))
    ends.update(hold.event.text for of_one in holds.values() for hold in of_one if hold.did("ack"))
    seen = {s.text for s in sightings(history)}
    for post in history.posts:
        if post.answers or not seen.isdisjoint(post.texts):
            yield from (("lost", text) for text in post.texts if not ends[text])
    yield from (("twice", text) for text, n in ends.items() if n > 1)


def check_leases(holds):
    """Two holds of an event never overlap, and none follows an ack."""
    for of_one in holds.values():
        for a, b in combinations(of_one, 2):
            if b.lease.answered < a.lasts_until() - MARGIN:
                yield "overlap", a.event.text
            acks = a.did("ack")
            # after the next lease began the ack was late; before, the next lease should not exist
            if a.was_gone():
                yield "late", a.event.text
            if acks:
                yield "returned" if acks[0].answered < b.lease.asked else "late", a.event.text


def check_calls(history, holds):
    """Calls are refused if and only if the hold is over."""
    by_lease = {(hold.lease.id, hold.event.id): hold for of_one in holds.values() for hold in of_one}
    for call in history.calls:
        found = [by_lease[call.lease, i].before(call) for i in call.ids - call.gone if (call.lease, i) in by_lease]
        for hold in found:
            repeated = call.what == "ack" and hold.did("ack")
            if call.status == 200 and not repeated and call.asked > hold.is_over_at() + MARGIN:
                yield "late", hold.event.text
        if call.status not in (200, None) and all(is_entitled(hold, call) for hold in found):
            yield "refused", call.lease


def is_entitled(hold, call):
    return call.what == "ack" and hold.did("ack") or call.answered < hold.lasts_until() - MARGIN


def check_order(history, holds):
    for lease in history.leases:
        yield from (("order", b.text) for a, b in zip(lease.events, lease.events[1:]) if a.id >= b.id)
    # per queue: the latest of the leases that delivered an event for the first time
    latest = defaultdict(int)
    for number in sorted(holds):
        first = holds[number][0]
        if first.lease.id < latest[first.event.queue]:
            yield "order", first.event.text
        latest[first.event.queue] = max(latest[first.event.queue], first.lease.id)
    heard = inf  # the earliest start among the leases of higher ids
    for lease in sorted(history.leases, key=lambda l: -l.id):
        if heard < lease.asked:
            yield "order", lease.id
        heard = min(heard, lease.answered)


def check_attempts(history, holds):
    """The attempts in a delivery match the failures before it; a dead letter failed as often as the
    limit says.
    """
    for of_one in holds.values():
        low = high = 0
        for hold, later in zip(of_one, [*of_one[1:], None]):
            said = hold.event.attempts  # a repeated request shows the attempts at that time
            if not hold.lease.again and not low <= said <= min(high, history.attempts_max - 1):
                yield "attempts", hold.event.text
            fewest, most = failures(history, hold, later)
            low, high = low + fewest, high + most
        if of_one[0].event.text in {seen.text for seen in history.dead} and high < history.attempts_max:
            yield "attempts", of_one[0].event.text
    yield from (("attempts", seen.text) for seen in history.dead if seen.id not in holds)


def failures(history, hold, later):
    """The least and the most attempts that the end of this hold counts. later: the next hold, or
    None.
    """
    nacks = hold.did("nack")
    if nacks:
        return (1, 1) if nacks[0].counts else (0, 0)
    if hold.did("nack", None):
        return 0, 1
    begin, end = hold.lasts_until() - MARGIN, hold.is_over_at() + MARGIN
    if later and any(life.listening <= begin and later.lease.answered <= life.killed for life in history.lives):
        return 1, 1
    if any(a.dead <= begin and end <= b.spawned for a, b in zip(history.lives, history.lives[1:])):
        return 0, 0
    return 0, 1
