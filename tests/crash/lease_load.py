"""A crowd of producers and consumers of leases around one server, and their journals read as a
history.

Here: starting, killing and replacing the processes; reading their journals; repeating the requests
that they left open. Not here: what they do (lease_actors.py) and the checks (lease_history.py).
"""
import json
import subprocess
import sys
import time
from pathlib import Path

from lease_actors import KEYS, Place
from lease_history import Call, History, Lease, Life, Post, Seen
from sevqd import ok

ACTORS = Path(__file__).parent / "lease_actors.py"


class Crowd:
    def __init__(self, directory, rng, producers=4, consumers=7):
        self.directory, self.rng, self.place = Path(directory), rng, Place(directory)
        self.directory.mkdir()
        self.lives, self.spawned, self.killed = [], 0, 0
        self.wanted = ["produce"] * producers + ["consume"] * consumers
        self.running = []

    def greet(self, life, server):
        """Tells the actors the server's address, and replaces those that died."""
        self.lives.append(life)
        self.place.write(len(self.lives), server)
        self.look()
        self.running += [self.spawn(kind) for kind in self.missing()]

    def missing(self):
        kinds = [kind for kind, _ in self.running]
        return [kind for kind in sorted(set(self.wanted)) for _ in range(self.wanted.count(kind) - kinds.count(kind))]

    def spawn(self, kind):
        self.spawned += 1
        name = f"{kind[0]}{self.spawned}"
        command = [sys.executable, "-B", ACTORS, kind, name, self.directory, str(self.rng.randrange(1 << 30))]
        with open(self.directory / f"{name}.err", "wb") as err:
            return kind, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=err, stderr=err)

    def look(self):
        """Collects the actors that died: by a kill, or by an error, which fails the test."""
        for kind, process in self.running:
            if process.poll() is not None:
                self.killed += 1
                assert process.returncode == -9, "".join(f.read_text() for f in self.directory.glob("*.err"))
        self.running = [(kind, process) for kind, process in self.running if process.returncode is None]

    def kill(self, *which):
        for _, process in which:
            process.kill()
        for _, process in which:
            process.wait()

    def kill_one(self):
        self.kill(self.rng.choice(self.running))

    def end(self):
        self.kill(*self.running)
        self.look()

    def written(self):
        """The bytes in all journals; they grow while the actors work."""
        self.look()
        return sum(f.stat().st_size for f in self.directory.glob("*.journal"))


class Story:
    """The requests of all journals, in order."""

    def __init__(self, crowd):
        self.posts, self.leases, self.calls = [], [], []
        self.unanswered = []  # requests that can be repeated
        for file in sorted(crowd.directory.glob("*.journal")):
            requests = {}
            # a line that a killed writer has not finished is ignored
            for line in file.read_bytes().split(b"\n")[:-1]:
                record = json.loads(line)
                requests.setdefault(record["n"], {}).update(record)
            self.unanswered += [r for r in requests.values() if "answered" not in r and r["what"] in ("post", "lease", "ack")]
            for request in requests.values():
                self.add(request)

    def add(self, request):
        if request in self.unanswered:
            return
        add = {"post": self.add_post, "lease": self.add_lease}.get(request["what"], self.add_call)
        add(request)

    def add_post(self, r):
        answer = r["answer"]
        results = answer["results"] if "results" in answer else [answer]
        ids = tuple(int(result["event"]["id"]) for result in results)
        self.posts.append(Post(tuple(r["texts"]), r["session_key"], KEYS[r["session_key"]], (ids,)))

    def add_lease(self, r):
        if r["answer"]["leaseId"] is not None:
            self.leases.append(Lease(int(r["answer"]["leaseId"]), r["asked"], r["answered"], r["ms"] / 1000, seen(r["answer"]["events"]),
                r["tries"] > 1))

    def add_call(self, r):
        gone = frozenset(map(int, r.get("answer", {}).get("gone", [])))
        call = Call(int(r["lease"]), r["what"], frozenset(map(int, r["ids"])), r["asked"], counts=r["counts"], seconds=r["ms"] / 1000, gone=gone)
        self.calls.append(call._replace(answered=r["answered"], status=r["status"]) if "answered" in r else call)

    def ask_to_the_end(self, api):
        """Repeats the requests that killed actors left open, with the same key, so that the history
        is complete.
        """
        for request in self.unanswered:
            headers = [("Idempotency-Key", f'"{request["key"]}"')] if request["key"] else []
            reply = api.call("POST", request["path"], request["body"], headers=headers)
            request |= {"answered": time.monotonic(), "status": reply.status, "answer": reply.json, "tries": 2}
        open_ones, self.unanswered = self.unanswered, []
        for request in open_ones:
            self.add(request)

    def take_all(self, api):
        """Leases and acks until no event is pending."""
        while True:
            queues = [s["sessionKey"] for s in ok(api.sessions(limit=1000))["sessions"]]
            if not queues:
                return
            for queue in queues:
                ok(api.call("GET", "/v1/wait", query={"sessionKey": queue, "timeoutMs": 1000}))
                asked = time.monotonic()
                answer = ok(api.call("POST", "/v1/leases", {"sessionKey": queue, "leaseMs": 60000}))
                if answer["leaseId"] is None:
                    continue
                lease = Lease(int(answer["leaseId"]), asked, time.monotonic(), 60, seen(answer["events"]))
                asked = time.monotonic()
                reply = api.call("POST", f"/v1/leases/{lease.id}/ack")
                self.leases.append(lease)
                self.calls.append(Call(lease.id, "ack", frozenset(e.id for e in lease.events), asked, time.monotonic(), reply.status))

    def history(self, lives, **found):
        posts = {}  # a repeated post is one post with several answers
        for post in self.posts:
            posts[post.texts] = post._replace(answers=posts.get(post.texts, post._replace(answers=())).answers + post.answers)
        return History(tuple(posts.values()), tuple(self.leases), tuple(self.calls), tuple(lives), **found)


def seen(events):
    return tuple(Seen(int(e["id"]), e["text"], e["originalSessionKey"], e["sessionKey"], e["attempts"]) for e in events)


def dead_letters(api):
    found, more = [], {}
    while True:
        page = ok(api.call("GET", "/v1/dead-letters", query={"limit": 100, **more}))
        found += [item["event"] for item in page["events"]]
        if page["nextCursor"] is None:
            return seen(found)
        more = {"cursor": page["nextCursor"]}
