"""Clients that load a server until it is killed, and record what they saw.

Here: producers, consumers, reading what is there after a restart. Not here: the checks
(history.py).

Every client is a thread with one keep-alive connection. It completes a record before it sends the
next request, so that a kill leaves at most one request per client with an unknown outcome.
"""
import http.client
import json
import threading

from history import Post, Seen, Sent, Take
from sevqd import ok

# The key as sent, and the queue key under the policy of one owner.
KEYS = {
    "agent:main:main": "agent:main:main",
    "agent:main:telegram:default:direct:123": "agent:main:main",
    "agent:main:cron:nightly:run:1": "agent:main:main",
    "agent:ops:main": "agent:ops:main",
    "agent:ops:telegram:direct:123": "agent:ops:main",
    "agent:main:telegram:group:5": "agent:main:telegram:group:5",
    "agent:quiet:main": "agent:quiet:main",
}
TAKEN_FROM = [key for key in KEYS if key != "agent:quiet:main"]


class Closing(Exception):
    """The server answered that it is stopping."""


LOST = (OSError, http.client.HTTPException, Closing)
FILLER = "Zeile \u00e9\u4e2d\U0001f600\n\t\"\\/ \u2028 end "


def said(reply, *statuses):
    """The document of an answer with one of these statuses."""
    if reply.status == 503 and reply.json["code"] == "closing":
        raise Closing
    assert reply.status in statuses, reply
    return reply.json


def seen(events):
    return tuple(Seen(int(e["id"]), e["text"], e["originalSessionKey"], e["sessionKey"]) for e in events)


class Load:
    """Producers and consumers on one server; run() until it is gone."""

    def __init__(self, server, name, rng, producers=6, consumers=3):
        self.server, self.name, self.rng = server, name, rng
        self.posts, self.takes, self.peeks, self.errors = [], [], [], []
        self.acknowledged = 0
        actors = [(self.produce, f"{name}/p{n}") for n in range(producers)] + [(self.consume, f"{name}/c{n}") for n in range(consumers)]
        self.threads = [threading.Thread(target=self.act, args=(f, who, rng.randrange(1 << 30))) for f, who in actors]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def act(self, turn, who, seed):
        """Calls turn() until the connection is lost."""
        rng = type(self.rng)(seed)
        api = self.server.client(once=True)
        memory = {"seq": 0, "mine": []}
        try:
            while True:
                turn(api, who, rng, memory)
        except LOST:
            pass
        except BaseException as e:
            self.errors.append(e)
        finally:
            api.close()

    # Producers.

    def produce(self, api, who, rng, memory):
        what = rng.random()
        if what < 0.70:
            self.post(api, [self.event(who, rng, memory)])
        elif what < 0.80:
            self.post(api, [self.event(who, rng, memory) for _ in range(rng.randint(2, 20))])
        elif what < 0.85:
            self.post(api, [self.event(who, rng, memory) for _ in range(rng.randint(2, 20))], lines=True)
        elif what < 0.93:
            self.post(api, [self.event(who, rng, memory, chain=True)])
        elif memory["mine"]:
            queue, event_id = memory["mine"].pop()
            self.withdraw(api, queue, event_id)
        if self.posts and rng.random() < 0.2:
            memory["mine"] = memory["mine"][-5:]
            mine = [p for p in self.posts[-20:] if p.ids and p.events[0].producer == who and not p.events[0].chain]
            memory["mine"] += [(p.events[0].queue, p.ids[0]) for p in mine[-1:]]

    def event(self, who, rng, memory, chain=False):
        memory["seq"] += 1
        key = "agent:ops:main" if chain else rng.choice(list(KEYS))
        size = rng.choice((0, 0, 10, 100, 300, 3000, 20000 if rng.random() < 0.05 else 50))
        text = f"{who} #{memory['seq']} {(FILLER * (size // len(FILLER) + 1))[:size]}."
        return Sent(text, key, KEYS[key], who, memory["seq"], who if chain else None)

    def post(self, api, events, lines=False):
        drafts = [{"text": e.text, "sessionKey": e.key} | ({"contextKey": e.chain, "replace": True} if e.chain else {}) for e in events]
        place = self.record(self.posts, Post(tuple(events), None))
        if len(drafts) == 1 and not lines:
            reply = api.call("POST", "/v1/events", drafts[0])
            results = [said(reply, 201)]
        else:
            results = said(api.ndjson("\n".join(json.dumps(d, ensure_ascii=False) for d in drafts)) if lines else api.batch(*drafts), 200)["results"]
        assert all(r["outcome"] in ("queued", "replaced") for r in results), results
        assert [(r["event"]["text"], r["event"]["sessionKey"]) for r in results] == [(e.text, e.queue) for e in events]
        self.posts[place] = Post(tuple(events), tuple(int(r["event"]["id"]) for r in results))
        self.acknowledged += 1

    def withdraw(self, api, queue, event_id):
        place = self.record(self.takes, Take(queue, 1, frozenset([event_id]), None))
        reply = api.withdraw(str(event_id))
        answer = said(reply, 200, 404)
        self.takes[place] = self.takes[place]._replace(answer=seen([answer["event"]]) if reply.status == 200 else ())

    # Consumers.

    def consume(self, api, who, rng, memory):
        key = rng.choice(TAKEN_FROM)
        if rng.random() < 0.5:
            limit = rng.randint(1, 12)
            place = self.record(self.takes, Take(KEYS[key], limit, None, None))
            answer = seen(said(api.drain(key, limit=limit), 200)["events"])
        else:
            shown = seen(said(api.peek(key, limit=30), 200)["events"])
            self.peeks.append(shown)
            ids = [s.id for s in shown if rng.random() < 0.3]
            place = self.record(self.takes, Take(KEYS[key], len(ids), frozenset(ids), None))
            answer = seen(said(api.consume(key, [str(i) for i in rng.sample(ids, len(ids))]), 200)["events"])
        self.takes[place] = self.takes[place]._replace(answer=answer)

    lock = threading.Lock()

    def record(self, list_, entry):
        """Appends the record and returns its index; the same thread completes it when the answer
        comes.
        """
        with self.lock:
            list_.append(entry)
            return len(list_) - 1


def look(api):
    """All pending events as the server lists them: session by session, page by page."""
    queues, cursor = [], {}
    while True:
        page = ok(api.sessions(limit=1000, **cursor))
        queues += [(s["sessionKey"], s["depth"]) for s in page["sessions"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    found = []
    for queue, depth in queues:
        events, more = [], {}
        while True:
            page = ok(api.peek(queue, limit=1000, **more))
            events += page["events"]
            if not page["more"]:
                break
            more = {"after": page["events"][-1]["id"]}
        assert len(events) == depth, (queue, len(events), depth)
        found += seen(events)
    return tuple(found)


def take_all(api, found):
    """Drains every queue that is not empty; returns the takes."""
    takes = []
    for queue in dict.fromkeys(s.queue for s in found):
        while True:
            answer = ok(api.drain(queue))
            takes.append(Take(queue, len(answer["events"]), None, seen(answer["events"])))
            if not answer["remaining"]:
                break
    return tuple(takes)
