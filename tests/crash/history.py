"""What clients saw before a crash and what is found after it, and a check that the two agree.

Here: plain records and one pure function, check. Not here: servers, threads, time.

A history has the posted events, each post with its ids or, if its answer was lost, without; the
takes with their answers, if any; what peeks showed meanwhile; and the events found in each queue
after the restart. The promises (C1, C2, C5, C6, C9):

    lost        an event that was acknowledged or seen, and not taken, is found
    half        a batch is found as a whole or not at all
    returned    an event that was taken, or absent after an earlier crash, is not found
    twice       an event is found once, taken once, and has one id; an id belongs to one event
    order       by id, each producer's events are in the order sent; answers are oldest first
    passed      a drain takes the oldest: no event older than a drained one is found
    key         an event is found under its queue key, with the key it was sent with
    unknown     every text is one that was sent, byte for byte
    replaced    of a chain of replacements only the newest is found

A take whose answer was lost may or may not have happened. It excuses missing events of its queue,
but only those it could have taken (a drain the oldest up to its limit, a consume its ids).
"""
from collections import Counter, defaultdict
from typing import NamedTuple, Optional


class Sent(NamedTuple):
    text: str
    key: str  # as sent
    queue: str  # where it must be
    producer: str
    seq: int
    chain: Optional[str] = None  # events of one chain replace each other


class Seen(NamedTuple):
    id: int
    text: str
    key: str
    queue: str


class Post(NamedTuple):
    events: tuple  # tuple of Sent; several are a batch
    ids: Optional[tuple]  # None: no answer


class Take(NamedTuple):
    queue: str
    limit: int  # at most so many
    ids: Optional[frozenset]  # only these; None: a drain, the oldest
    answer: Optional[tuple]  # tuple of Seen; None: no answer


class History(NamedTuple):
    posts: tuple
    takes: tuple = ()
    peeks: tuple = ()  # each a tuple of Seen
    found: tuple = ()  # tuple of Seen, queue by queue, in the order of the answers
    gone: frozenset = frozenset()  # texts that were absent after an earlier crash


def check(history):
    """The broken promises as a list of (promise, text or id); empty when all hold."""
    taken = [seen for take in history.takes for seen in take.answer or ()]
    sightings = [*history.found, *taken, *(seen for peek in history.peeks for seen in peek)]
    return [*check_identity(history, sightings), *check_once(history, taken), *check_order(history, sightings), *check_there(history, sightings, taken)]


def check_identity(history, sightings):
    """Every sighting is of an event as it was sent, under one id."""
    sent = {e.text: e for post in history.posts for e in post.events}
    id_of = {e.text: i for post in history.posts if post.ids for e, i in zip(post.events, post.ids)}
    text_of = {i: text for text, i in id_of.items()}
    for seen in sightings:
        if seen.text in history.gone:
            yield "returned", seen.text
        elif seen.text not in sent:
            yield "unknown", seen.text
        elif (seen.key, seen.queue) != (sent[seen.text].key, sent[seen.text].queue):
            yield "key", seen.text
        if id_of.setdefault(seen.text, seen.id) != seen.id or text_of.setdefault(seen.id, seen.text) != seen.text:
            yield "twice", seen.text


def check_once(history, taken):
    """Found at most once, taken at most once, never both."""
    found = Counter(seen.text for seen in history.found)
    took = Counter(seen.text for seen in taken)
    yield from (("twice", text) for counts in (found, took) for text, n in counts.items() if n > 1)
    yield from (("returned", text) for text in found.keys() & took.keys())


def check_order(history, sightings):
    """Oldest first in every answer, producers' order in all, and drains take from the front."""
    sent = {e.text: e for post in history.posts for e in post.events}
    by_queue = defaultdict(list)
    for seen in history.found:
        by_queue[seen.queue].append(seen)
    drained = [take.answer for take in history.takes if take.ids is None and take.answer]
    for answer in (*by_queue.values(), *history.peeks, *drained):
        yield from (("order", b.text) for a, b in zip(answer, answer[1:]) if a.id >= b.id)
    last = {}
    for seen in sorted({s for s in sightings if s.text in sent}, key=lambda s: s.id):
        event = sent[seen.text]
        if last.get((event.producer, event.queue), -1) > event.seq:
            yield "order", seen.text
        last[event.producer, event.queue] = event.seq
    front = {answer[0].queue: 0 for answer in drained}
    for answer in drained:
        front[answer[0].queue] = max(front[answer[0].queue], max(seen.id for seen in answer))
    yield from (("passed", seen.text) for seen in history.found if seen.id < front.get(seen.queue, 0))


def check_there(history, sightings, taken):
    """Every event that was acknowledged or seen is found, unless it was taken or replaced, or a
    lost take may have taken it.
    """
    seen_texts = {seen.text for seen in sightings}
    stored = [post for post in history.posts if post.ids or any(e.text in seen_texts for e in post.events)]
    there = {e.text: e for post in stored for e in post.events}
    whole = {e.text for post in stored if post.ids or len(post.events) == 1 for e in post.events}
    # per chain: the newest event found, and the latest sent
    newest, latest = defaultdict(int), defaultdict(int)
    for post in history.posts:
        for e in post.events:
            if e.chain:
                latest[e.chain] = max(latest[e.chain], e.seq)
                if e.text in there:
                    newest[e.chain] = max(newest[e.chain], e.seq)
    found = {seen.text for seen in history.found}
    yield from (("replaced", text) for text in found if text in there and there[text].seq < newest.get(there[text].chain, 0))

    ids = {seen.text: seen.id for seen in sightings}
    ids.update((e.text, i) for post in history.posts if post.ids for e, i in zip(post.events, post.ids))
    room = Counter()  # how many events the lost drains of a queue may have taken
    lost_ids, lost_queues = set(), set()
    for take in history.takes:
        if take.answer is None:
            lost_queues.add(take.queue)
            lost_ids |= take.ids or set()
            room[take.queue] += take.limit if take.ids is None else 0
    oldest = {}
    for seen in history.found:
        oldest[seen.queue] = min(oldest.get(seen.queue, seen.id), seen.id)
    first = {}  # per producer and queue: the first of its events that is found
    for e in (there[text] for text in found if text in there):
        first[e.producer, e.queue] = min(first.get((e.producer, e.queue), e.seq), e.seq)
    for text in there.keys() - found - {seen.text for seen in taken}:
        e = there[text]
        if e.chain and (e.seq < newest[e.chain] or e.seq < latest[e.chain] and e.queue in lost_queues):
            continue
        if ids.get(text) in lost_ids or not ids.get(text) and lost_ids and e.queue in lost_queues:
            continue
        in_front = ids.get(text, 0) < oldest.get(e.queue, 1 << 63) and e.seq < first.get((e.producer, e.queue), 1 << 63)
        if room[e.queue] > 0 and in_front:
            room[e.queue] -= 1
            continue
        yield "lost" if text in whole else "half", text


def after(history):
    """The start of the next history: the found events are pending, all others must never return."""
    sent = {e.text: e for post in history.posts for e in post.events}
    posts = tuple(Post((sent[seen.text],), (seen.id,)) for seen in history.found)
    return History(posts, gone=history.gone | (sent.keys() - {seen.text for seen in history.found}))
