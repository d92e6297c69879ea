"""Both servers are killed at random moments, while events are posted and turns go on. In the end
every event that sevq has taken was in a prompt and is acked once, and nothing is leased.

SEVQ_BRIDGE_KILLS says how often each is killed: 50 take most of an hour. Numbers are printed, and
SEVQ_BRIDGE_SEED repeats the moments.
"""
import collections
import http.client
import os
import random
import threading
import time

import pytest

from gateway import PATIENCE
from policies import DIRECT, MAIN
from sevqd import ok, wait_until

KILLS = int(os.environ.get("SEVQ_BRIDGE_KILLS", "2"))
SEED = int(os.environ.get("SEVQ_BRIDGE_SEED", str(random.randrange(10**6))))
PAUSE = 0.4  # seconds between two events
AWAY = (OSError, http.client.HTTPException, AssertionError)


class Load:
    """Posts events, each until it is taken, and lets a user speak."""

    def __init__(self, world):
        self.world, self.taken, self.ended = world, {}, threading.Event()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.post, self.speak)]
        for thread in self.threads:
            thread.start()

    def post(self):
        moments = random.Random(SEED + 1)
        while not self.ended.wait(PAUSE):
            text = f"event <{len(self.taken)}>"
            wake = "now" if moments.random() < 0.6 else "next-heartbeat"
            while text not in self.taken:
                try:
                    made = self.world.sevqd.client().enqueue(text, DIRECT, wake=wake, idempotencyKey=text)
                    assert made.status in (200, 201)
                    self.taken[text] = made.json["event"]["id"]
                except AWAY:  # the same again: it has a key
                    if self.ended.wait(0.05):
                        return

    def speak(self):
        while not self.ended.wait(0.5):
            try:
                self.world.gateway.user_says("What is new?")
            except AWAY:
                pass

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(PATIENCE)


def kill_both(world, moments):
    """At any moment: while the gateway starts, waits, or has a turn."""
    turns, since = moments.random() < 0.6, len(world.model.asked)
    if turns:
        wait_until(lambda: len(world.model.asked) > since, "a turn", PATIENCE)
    time.sleep(moments.uniform(0, 6 if turns else 20))
    world.sevqd.kill()
    time.sleep(moments.uniform(0, 1))
    world.sevqd.start()
    time.sleep(moments.uniform(0, 4))
    world.gateway.kill()
    world.gateway.start(wait=False)


def empty(world):
    """Whether nothing is pending; lets the user speak, so that what waits is shown."""
    sessions = ok(world.sevqd.client().sessions(sessionKey=MAIN))["sessions"]
    if sessions and not sessions[0]["leased"]:
        world.gateway.user_says("What is left?")
    return not sessions


@pytest.mark.parametrize("kills", [KILLS])
def test_every_event_is_shown_and_acked_once_whoever_is_killed(make_world, kills, capsys):
    world = make_world({"leaseMs": 10000})
    moments = random.Random(SEED)
    load = Load(world)
    for _ in range(kills):
        kill_both(world, moments)
    world.gateway.await_ready()
    load.end()
    wait_until(lambda: empty(world), "the queue to be empty", 3 * PATIENCE)
    api = world.sevqd.client()
    shown = collections.Counter(text for asked in world.model.asked for text in asked.events())
    acked = {text: api.timeline(event_id).count("acked") for text, event_id in load.taken.items()}
    with capsys.disabled():
        twice = [times for text, times in shown.items() if times > 1]
        print(f"\n{kills} kills of the gateway and {kills} of sevqd (seed {SEED}): {len(acked)} events, {sum(times == 1 for times in acked.values())} of them acked once; "
            f"{len(world.model.asked)} requests to the model; {len(twice)} were in more than one, {max(twice, default=1)} at most")
    assert len(acked) > 0
    assert {text for text, times in acked.items() if times != 1} == set()
    assert set(acked) - set(shown) == set()
    assert not any(each["leased"] for each in ok(api.sessions())["sessions"])
    assert ok(api.dead_letters())["events"] == []
