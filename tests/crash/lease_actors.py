"""A producer or a consumer of leases: a process that outlives servers and may be killed at any
time.

lease_actors.py produce|consume NAME DIRECTORY SEED

It finds the running server in DIRECTORY/place. In DIRECTORY/NAME.journal it records each request
before sending it, and each answer before doing anything else; so when it is killed, at most one
request has an unknown outcome. Not here: which answers are right (lease_history.py).
"""
import http.client
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from load import FILLER
from sevqd import Client

# The key as sent, and the queue key under the policy of one owner.
KEYS = {
    "agent:main:main": "agent:main:main",
    "agent:main:telegram:default:direct:123": "agent:main:main",
    "agent:ops:main": "agent:ops:main",
    "agent:main:telegram:group:5": "agent:main:telegram:group:5",
}
LOST = (OSError, http.client.HTTPException)


class Place:
    """The address of the running server: written at each start, read by all actors."""

    def __init__(self, directory):
        self.path = Path(directory) / "place"

    def write(self, life, server):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps([life, server.port, server.token]))
        new.replace(self.path)

    def after(self, life):
        """Waits until the server has been started again after this start."""
        while True:
            found = json.loads(self.path.read_text())
            if found[0] > life:
                return found
            time.sleep(0.005)


class Journal:
    """A file of records that are durable against a kill of the writer once write has returned."""

    def __init__(self, path):
        self.file, self.count = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 0

    def write(self, record):
        os.write(self.file, (json.dumps(record) + "\n").encode())

    def ask(self, **request):
        self.count += 1
        self.write({"n": self.count, "asked": time.monotonic(), **request})
        return self.count

    def hear(self, n, reply, tries):
        self.write({"n": n, "answered": time.monotonic(), "status": reply.status, "answer": reply.json, "tries": tries})


class Line:
    """A connection to the running server."""

    def __init__(self, place):
        self.place, self.life, self.client = place, 0, None

    def call(self, *args, **kwargs):
        """Raises one of LOST when there is no answer, because the server was killed or is stopping.
        """
        if self.client is None:
            self.life, port, token = self.place.after(self.life)
            self.client = Client(port, token, once=True)
        try:
            reply = self.client.call(*args, **kwargs)
            # 401: another server has the dead one's port
            if reply.status == 401 or reply.status == 503 and reply.json["code"] == "closing":
                raise ConnectionError(reply)
        except LOST:
            self.client.close()
            self.client = None
            raise
        return reply

    def hang_up(self, *args, **kwargs):
        """Sends a request and closes without waiting for the answer."""
        if self.client is not None:
            self.client.send(*args, **kwargs)
            self.client.close()
            self.client, self.life = None, self.life - 1


class Actor:
    def __init__(self, name, directory, rng):
        self.name, self.rng = name, rng
        self.line, self.journal = Line(Place(directory)), Journal(Path(directory) / f"{name}.journal")
        self.keys = 0

    def key(self):
        self.keys += 1
        return f"{self.name}-{self.keys}"

    def ask(self, path, body, key=None, again=True, **what):
        """Sends the request until there is an answer, or only once; None when there was none. With
        a key every repetition is the same request.
        """
        headers = [("Idempotency-Key", f'"{key}"')] if key else []
        text = json.dumps(body, ensure_ascii=False)
        n, tries = self.journal.ask(path=path, body=text, key=key, **what), 0
        while again or tries == 0:
            tries += 1
            try:
                if again and self.rng.random() < 0.02:
                    tries += 1
                    self.line.hang_up("POST", path, text, headers=headers)
                reply = self.line.call("POST", path, text, headers=headers)
            except LOST:
                continue
            self.journal.hear(n, reply, tries)
            return reply
        return None


class Producer(Actor):
    """Posts with idempotency keys, and repeats posts that were not answered; now and then also
    answered ones.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.sent, self.sequence = [], 0

    def event(self, session_key, own_key):
        self.sequence += 1
        size = self.rng.choice((0, 0, 10, 100, 300, 3000 if self.rng.random() < 0.1 else 50))
        text = f"{self.name} #{self.sequence} {(FILLER * (size // len(FILLER) + 1))[:size]}."
        # Only the key prevents a second event.
        return {"text": text, "sessionKey": session_key, "allowDuplicate": True} | ({"idempotencyKey": self.key()} if own_key else {})

    def turn(self):
        time.sleep(self.rng.random() * 0.006)
        if self.sent and self.rng.random() < 0.1:
            body, key, *rest = self.rng.choice(self.sent[-30:])
            reply = self.post(body, key, *rest)
            if key or "idempotencyKey" in body:
                assert reply.headers.get("idempotency-replayed") == "true", reply
            return
        session_key, own_key, count = self.rng.choice(list(KEYS)), self.rng.random() < 0.5, self.rng.choice((1, 1, 1, self.rng.randint(2, 10)))
        events = [self.event(session_key, own_key) for _ in range(count)]
        post = {"events": events} if count > 1 else events[0], None if own_key else self.key(), session_key, [e["text"] for e in events]
        self.post(*post)
        self.sent.append(post)

    def post(self, body, key, session_key, texts):
        reply = self.ask("/v1/events", body, key, what="post", session_key=session_key, texts=texts)
        assert reply.status == (200 if "events" in body else 201), reply
        return reply


class Consumer(Actor):
    """Takes leases and ends them in all the ways that consumers do."""

    FATES = {
        "ack": 40, "ack_twice": 6, "ack_by_parts": 6, "ack_some": 6, "nack": 8, "nack_uncounted": 4, "nack_some": 6, "nack_then_ack": 3,
        "take_time": 6, "extend": 8, "extend_and_leave": 3, "leave": 6, "come_late": 5, "die": 3,
    }

    def turn(self):
        session_key = self.rng.choice(list(KEYS))
        self.take(session_key, self.rng.randint(1, 12), self.rng.uniform(0.2, 0.5))
        if not self.ids:
            self.wait(session_key)
            return
        time.sleep(self.rng.random() * 0.008)  # simulates the work on the events
        some = set(self.rng.sample(self.ids, self.rng.randint(1, len(self.ids))))
        fate = self.rng.choices(list(self.FATES), self.FATES.values())[0]
        getattr(self, fate)(self.ids, [i for i in self.ids if i in some], [i for i in self.ids if i not in some])

    def take(self, session_key, limit, seconds):
        """A lease; ids is empty when no event was deliverable."""
        body = {"sessionKey": session_key, "limit": limit, "leaseMs": round(seconds * 1000), "consumer": self.name}
        reply = self.ask("/v1/leases", body, self.key(), what="lease", ms=body["leaseMs"])
        assert reply.status == 200, reply
        self.lease, self.ids, self.seconds = reply.json["leaseId"], [e["id"] for e in reply.json["events"]], seconds

    def wait(self, session_key):
        try:
            reply = self.line.call("GET", "/v1/wait", query={"sessionKey": session_key, "timeoutMs": self.rng.randint(1, 30)})
            assert reply.status == 200, reply
        except LOST:
            pass

    def do(self, what, ids, named=True, **fields):
        body = {"ids": ids} if named else {}
        if what == "extend":
            fields.setdefault("leaseMs", 500)
        # Only an ack can be repeated: it gets the same answer.
        return self.ask(f"/v1/leases/{self.lease}/{what}", body | fields, again=what == "ack", what=what, lease=self.lease, ids=ids,
            counts=fields.get("countAttempt", True), ms=fields.get("leaseMs", 0))

    def ack(self, ids, some, rest):
        self.do("ack", ids, named=self.rng.random() < 0.5)

    def ack_twice(self, ids, some, rest):
        self.do("ack", ids)
        self.do("ack", some)

    def ack_by_parts(self, ids, some, rest):
        self.do("ack", some)
        if rest:
            self.do("ack", rest)

    def ack_some(self, ids, some, rest):
        self.do("ack", some)

    def nack(self, ids, some, rest):
        self.do("nack", ids, reason="not now", delayMs=self.rng.choice((0, 0, 30)))

    def nack_uncounted(self, ids, some, rest):
        self.do("nack", ids, countAttempt=False)

    def nack_some(self, ids, some, rest):
        self.do("nack", some)
        if rest:
            self.do("ack", rest)

    def nack_then_ack(self, ids, some, rest):
        self.do("nack", some)
        self.do("ack", ids)

    def take_time(self, ids, some, rest):
        time.sleep(self.seconds * self.rng.uniform(0.5, 0.9))
        self.do("ack", ids)

    def extend(self, ids, some, rest):
        self.do("extend", ids, leaseMs=self.rng.randint(200, 500))
        time.sleep(self.rng.random() * 0.2)
        self.do("ack", ids)

    def extend_and_leave(self, ids, some, rest):
        self.do("extend", some, leaseMs=self.rng.randint(1, 300))

    def leave(self, ids, some, rest):
        pass

    def come_late(self, ids, some, rest):
        time.sleep(self.seconds + self.rng.random() * 0.1)
        self.do(self.rng.choice(("ack", "nack", "extend")), ids)

    def die(self, ids, some, rest):
        os.kill(os.getpid(), signal.SIGKILL)


def main(kind, name, directory, seed):
    actor = {"produce": Producer, "consume": Consumer}[kind](name, directory, random.Random(int(seed)))
    while True:
        actor.turn()


if __name__ == "__main__":
    main(*sys.argv[1:])
