"""format "prompt": events as the lines of a prompt (ROUTING section 8)."""
import pytest

from policies import MAIN
from sevqd import ok, problem

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
def test_what_the_prompt_leaves_out_is_named(api, take):
    a, b, c = enqueue(api, "Reason periodic backup failed: disk full", "shown", "read heartbeat.md was deleted")
    taken = ok(getattr(api, take)(MAIN, format="prompt"))
    assert taken["leftOut"] == [a["id"], c["id"]] and taken["block"] == line(b, "shown")
    assert "leftOut" not in ok(getattr(api, take)(MAIN))


def test_a_drain_tells_in_history_what_it_left_out(api):
    a, b = enqueue(api, "shown", "Pager: heartbeat poll of db01 failed 3 times")
    ok(api.drain(MAIN, format="prompt"))
    ends = [ok(api.find(e["id"]))["timeline"][-1] for e in (a, b)]
    assert [(end["what"], end.get("detail")) for end in ends] == [("drained", None), ("drained", "left out of the prompt")]


def test_a_drain_without_prompt_leaves_nothing_out(api):
    a, = enqueue(api, "Heartbeat poll")
    ok(api.drain(MAIN))
    assert "detail" not in ok(api.find(a["id"]))["timeline"][-1]


@pytest.mark.parametrize("take", ["drain", "lease"])
def test_exec_completions_can_be_included(api, take):
    a, = enqueue(api, EXEC)
    b, = enqueue(api, "other")
    assert [e["text"] for e in ok(getattr(api, take)(MAIN, format="prompt", execCompletions="leave", limit=1))["events"]] == ["other"]
    taken = ok(getattr(api, take)(MAIN, format="prompt", execCompletions="include"))
    assert taken["block"].splitlines()[0] == line(a, EXEC) and taken["leftOut"] == []


@pytest.mark.parametrize("take", ["drain", "lease"])
def test_another_word_for_exec_completions_is_refused(api, take):
    assert problem(getattr(api, take)(MAIN, execCompletions="yes"), 400, "invalid-field")["errors"][0]["pointer"] == "/execCompletions"


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


def test_an_event_of_every_kind_is_read_back_from_the_disk(start):
    """With lines or without, an exec completion or not."""
    server = start()
    texts = ["plain", EXEC, "heartbeat poll", EXEC + " heartbeat poll"]
    ok(server.client().batch(*({"text": text, "sessionKey": MAIN} for text in texts)))
    server.restart()
    api = server.client()
    assert api.texts(MAIN) == texts
    taken = ok(api.drain(MAIN, format="prompt", execCompletions="include"))
    assert [e["text"] for e in taken["events"]] == texts and len(taken["leftOut"]) == 2
