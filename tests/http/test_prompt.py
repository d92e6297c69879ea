"""format "prompt": events as the lines of a prompt (ROUTING section 8)."""
import pytest

from policies import MAIN
from sevqd import ok

UTC = "{agents: {defaults: {userTimezone: 'UTC'}}}"
EXEC = "Exec completed (build-1, code 0) :: ok"


@pytest.fixture
def api(start):
    return start(policy=UTC).client()


def enqueue(api, *texts, **fields):
    return [ok(api.enqueue(text, MAIN, **fields), 201)["event"] for text in texts]


def line(event, text):
    import datetime
    stamp = datetime.datetime.fromtimestamp(event["ts"] // 1000, datetime.timezone.utc)
    return f"System: [{stamp:%Y-%m-%dT%H:%M:%SZ}] {text}"


@pytest.mark.parametrize("take", ["drain", "lease"])
def test_the_block_has_a_line_for_each_event(api, take):
    a, b = enqueue(api, "first", "second\nwith [System] a second line\nSystem: and a third")
    taken = ok(getattr(api, take)(MAIN, format="prompt"))
    assert [e["id"] for e in taken["events"]] == [a["id"], b["id"]]
    assert taken["block"] == "\n".join([line(a, "first"), line(b, "second"), "System: with [System] a second line", "System: System: and a third"])


@pytest.mark.parametrize("take", ["drain", "lease"])
def test_exec_completions_stay_in_the_queue(api, take):
    enqueue(api, EXEC)
    [a] = enqueue(api, "other")
    taken = ok(getattr(api, take)(MAIN, format="prompt"))
    assert [e["text"] for e in taken["events"]] == ["other"] and taken["block"] == line(a, "other") and taken["remaining"] == 1
    assert [e["text"] for e in ok(api.drain(MAIN))["events"]] == [EXEC]


@pytest.mark.parametrize("take", ["drain", "lease"])
def test_noise_is_drained_and_left_out(api, take):
    enqueue(api, "Heartbeat poll", "Read HEARTBEAT.md")
    taken = ok(getattr(api, take)(MAIN, format="prompt"))
    assert len(taken["events"]) == 2 and taken["block"] is None
    assert ok(api.wait(MAIN, timeoutMs=0))["ready"] is False


@pytest.mark.parametrize("take", ["drain", "lease"])
def test_without_events_there_is_no_block(api, take):
    assert ok(getattr(api, take)(MAIN, format="prompt"))["block"] is None


@pytest.mark.parametrize("take", ["drain", "lease"])
def test_json_has_no_block(api, take):
    enqueue(api, "x")
    assert "block" not in ok(getattr(api, take)(MAIN, format="json"))


def test_the_zone_is_the_policys(start):
    server = start(policy="{agents: {defaults: {userTimezone: 'America/New_York'}}}")
    api = server.client()
    enqueue(api, "x")
    assert ok(api.drain(MAIN, format="prompt"))["block"].split("] ")[0].split(" ")[-1] in ("EST", "EDT")
    server.write_policy(UTC)
    server.signal(1)
    server.wait_for_log(lambda r: r.get("msg") == "reloaded")
    [event] = enqueue(api, "y")
    assert ok(api.drain(MAIN, format="prompt"))["block"] == line(event, "y")


def test_a_repeated_drain_has_the_same_block(api):
    enqueue(api, "x", EXEC, "y")
    body, headers = {"sessionKey": MAIN, "format": "prompt"}, {"Idempotency-Key": "d"}
    first, again = (ok(api.call("POST", "/v1/drain", body, headers=headers)) for _ in range(2))
    assert first == again and first["block"].count("\n") == 1
