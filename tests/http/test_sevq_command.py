"""The sevq command against a real server: what people see and what scripts depend on."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from fake_server import CLOSE, FakeServer, answer
from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import PATIENCE, Server, binary, ok, wait_until
from shell import DONE, FAILED, NOTHING, NOT_ALLOWED, TRY_AGAIN, USAGE, Shell


@pytest.fixture
def sevq(start):
    """The command beside a server whose policy has one owner."""
    return Shell(start(policy=ONE_OWNER))


def ids(out):
    return re.findall(r"^(?:queued|replaced by|already queued as) (\S+) in", out, re.M)


# Rekeying.

def test_an_event_for_a_direct_key_is_drained_from_the_main_key(sevq):
    out, err = sevq("event", "--text", "Exec completed (build, code 0)", "--session-key", DIRECT)
    assert re.fullmatch(rf"queued \S+ in {MAIN} \(direct-main from {DIRECT}\)\n", out) and err == ""
    out, err = sevq("drain", MAIN)
    assert re.fullmatch(r"ID +TIME  TEXT\n *\S+  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  Exec completed \(build, code 0\)\n", out), out
    assert err == ""
    assert sevq("drain", MAIN, exit=NOTHING) == ("", f"nothing in {MAIN}\n")


def test_with_two_owners_it_stays_where_it_was(start):
    sevq = Shell(start(policy=TWO_OWNERS))
    out, _ = sevq("event", "x", "--session-key", DIRECT)
    assert re.fullmatch(rf"queued \S+ in {DIRECT}\n", out)
    sevq("drain", MAIN, exit=NOTHING)
    assert len(sevq.json("drain", DIRECT)["events"]) == 1


# event.

def test_event_sends_the_fields_of_its_options(sevq):
    said = sevq.json("event", "--text", " hello ", "--agent", "Ops", "--context-key", "C", "--source", "hook", "--wake", "now",
        "--delivery", "channel=lark", "--delivery", "to=1,2", "--delivery", "threadId=5", "--traceparent", "00-a-b-01")
    event = said["event"]
    assert said["outcome"] == "queued"
    assert event["text"] == "hello" and event["sessionKey"] == "agent:ops:main" and event["contextKey"] == "c"
    assert event["source"] == "hook" and event["wake"] == "now" and event["traceparent"] == "00-a-b-01"
    assert event["deliveryContext"] == {"channel": "feishu", "to": "1,2", "threadId": "5"}


def test_old_names_of_options_are_still_understood(sevq):
    event = sevq.json("event", "x", "--agent", "main", "--mode", "now", "--account", "a", "--delivery", "account=b", "--delivery", "thread=5")["event"]
    assert event["wake"] == "now" and event["deliveryContext"] == {"accountId": "b", "threadId": "5"}
    sevq("drain", MAIN, "--context-prefix", "none", exit=NOTHING)
    assert "--mode" not in sevq("help", "event")[0]


def test_an_event_without_a_key_goes_where_the_webhook_sends_it(start):
    policy = """{ agents: { entries: { ops: { default: true }, other: {} } }, session: { mainKey: "work" } }"""
    server = start(policy=policy)
    sevq = Shell(server)
    ok(server.client().call("POST", "/hooks/wake", {"text": "by the webhook"}))
    sevq("event", "by the command")
    sevq("event", "-", "--lines", stdin="one\ntwo\n")
    assert [e["text"] for e in sevq.json("drain", "agent:ops:work")["events"]] == ["by the webhook", "by the command", "one", "two"]


def test_event_takes_a_key_before_the_text(sevq):
    for words in ((DIRECT, "x"), (MAIN, "x"), ("main", "x"), (MAIN, "--text", "x"), ("main", "--text", "x"), ("--text", "x", "main")):
        assert f" in {MAIN}" in sevq("event", *words, "--allow-duplicate")[0]
    sevq("event", "agent:main:other", "-", "--lines", stdin="1\n2\n")
    assert [e["text"] for e in sevq.json("peek", "agent:main:other")["events"]] == ["1", "2"]
    sevq("event", "--text", "agent:main:main")  # a text like any other
    assert [e["text"] for e in sevq.json("drain", MAIN)["events"]] == ["x"] * 6 + ["agent:main:main"]


def test_event_prints_its_outcome(sevq):
    first, = ids(sevq("event", "a", "--agent", "main", "--context-key", "c")[0])
    out, _ = sevq("event", "a", "--agent", "main", "--context-key", "c")
    assert out.startswith(f"already queued as {first} in {MAIN}")
    out, _ = sevq("event", "a", "--agent", "main", "--context-key", "c", "--allow-duplicate")
    assert out.startswith("queued ") and ids(out) != [first]
    assert sevq("event", "b", "--agent", "main", "--context-key", "c", "--replace")[0].startswith("replaced by ")
    assert [e["text"] for e in sevq.json("peek", MAIN)["events"]] == ["b"]


def test_event_reads_standard_input(sevq):
    sevq("event", "-", "--session-key", MAIN, stdin="two\nlines\n")
    sevq("event", "--text", "-", "--session-key", MAIN, stdin="again\n")
    assert [e["text"] for e in sevq.json("drain", MAIN)["events"]] == ["two\nlines", "again"]


def test_lines_are_one_batch(sevq):
    out, _ = sevq("event", "-", "--lines", "--session-key", MAIN, stdin="one\n\ntwo\r\nthree")
    assert len(ids(out)) == 3
    assert [e["text"] for e in sevq.json("drain", MAIN)["events"]] == ["one", "two", "three"]
    # all or none
    sevq("event", "-", "--lines", "--session-key", MAIN, stdin="one\n \ntwo", exit=FAILED)
    sevq("peek", MAIN, exit=NOTHING)
    sevq("event", "-", "--lines", "--session-key", MAIN, stdin="\n\n", exit=NOTHING)


def test_a_nul_in_standard_input_is_refused(sevq):
    _, err = sevq("event", "-", "--session-key", MAIN, stdin="a\0b", exit=FAILED)
    assert "NUL" in err and "--lossy" in err


BROKEN = [b"a\0b", b"caf\xe9 ", b"\xff\xfe", b"\xed\xa0\xbd", b"\xe2\x82", b"\xf0\x9f\x98!", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe0\x9f\xbf", b"\xf5", b"\x80\xbf", "ok é€😀".encode()]


@pytest.mark.parametrize("lossy", [True, False])
def test_what_no_event_can_hold_is_replaced_on_request(sevq, lossy):
    flags = ("--lossy",) if lossy else ()
    for text in BROKEN:
        valid = text == text.decode(errors="replace").encode() and b"\0" not in text
        stored = text.decode(errors="replace").replace("\0", "\ufffd").strip()
        ways = [("-", text)] + ([(os.fsdecode(text), None)] if b"\0" not in text else [])
        for argument, stdin in ways:
            sevq("event", argument, "--session-key", MAIN, *flags, stdin=None if stdin is None else os.fsdecode(stdin), exit=0 if lossy or valid else FAILED)
            sevq.json("peek", MAIN, exit=0) if lossy or valid else sevq("peek", MAIN, exit=NOTHING)
            if lossy or valid:
                assert [e["text"] for e in sevq.json("drain", MAIN)["events"]] == [stored], text


def test_lines_can_be_lossy(sevq):
    sevq("event", "-", "--lines", "--lossy", "--session-key", MAIN, stdin=os.fsdecode(b"a\0\n\xff\nb"))
    assert [e["text"] for e in sevq.json("drain", MAIN)["events"]] == ["a\ufffd", "\ufffd", "b"]



def test_a_bad_field_is_named(sevq):
    assert sevq("event", "  ", "--session-key", MAIN, exit=FAILED) == ("", "sevq: the text is blank\n")
    assert sevq("event", "x", "--session-key", "agent:", exit=FAILED)[1].startswith("sevq: ")


def test_event_may_come_later_expire_and_be_sent_twice(sevq):
    event = sevq.json("event", "later", "--session-key", MAIN, "--delay", "1h", "--ttl", "2h")["event"]
    assert event["state"] == "delayed" and event["expiresAt"] > event["availableAt"] > event["ts"] + 3599_000
    sevq("drain", MAIN, exit=NOTHING)
    said = [sevq("event", "x", "--session-key", DIRECT, "--idempotency-key", "k", "--allow-duplicate")[0] for _ in range(2)]
    assert said[0] == said[1]
    assert "idempotency" in sevq("event", "-", "--lines", "--session-key", MAIN, "--idempotency-key", "k", stdin="1\n", exit=USAGE)[1]
    assert "key" in sevq("event", "other", "--session-key", DIRECT, "--idempotency-key", "k", exit=FAILED)[1]


# Drain, lease and peek.

def test_peek_leaves_and_pages(sevq):
    out, _ = sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n3\n")
    first, second, third = ids(out)
    out, err = sevq("peek", MAIN, "--limit", "2")
    assert [line.split()[0] for line in out.splitlines()] == ["ID", first, second]
    assert err == f"more in {MAIN}: --after {second}\n"
    assert [e["id"] for e in sevq.json("peek", MAIN, "--after", second)["events"]] == [third]
    assert sevq.json("peek", "--agent", "main")["depth"] == 3


def test_drain_obeys_its_options(sevq):
    for n in range(4):
        sevq("event", str(n), "--session-key", MAIN, *(("--context-key", "even") if n % 2 == 0 else ()))
    out, err = sevq("drain", MAIN, "--context-key-prefix", "EV", "--limit", "1")
    assert out.splitlines()[1].split()[2:] == ["even", "0"] and err == f"3 more in {MAIN}\n"
    assert [e["text"] for e in sevq.json("drain", "--agent", "main")["events"]] == ["1", "2", "3"]


def test_drain_writes_a_prompt(sevq):
    sevq("event", "-", "--session-key", MAIN, stdin="one\ntwo")
    sevq("event", "Exec completed (build, code 0)", "--session-key", MAIN)
    out, err = sevq("drain", MAIN, "--format", "prompt")
    assert re.fullmatch(r"System: \[[^]]+\] one\nSystem: two\n", out) and err == f"1 more in {MAIN}\n"
    sevq("event", "-", "--session-key", MAIN, stdin="a\x1bb\nc")
    assert re.fullmatch(r"System: \[[^]]+\] a\\u\{1b\}b\nSystem: c\n1 more in .*\n", sevq.on_terminal("drain", MAIN, "--format", "prompt"))


@pytest.mark.parametrize("call", ["drain", "lease"])
def test_a_repeated_call_with_the_same_key_has_the_same_answer(sevq, call):
    sevq("event", "one", "--session-key", MAIN)
    first, second = [sevq.json(call, MAIN, "--idempotency-key", 'a "key"\\') for _ in range(2)]
    assert first["events"] and first["events"][0]["id"] == second["events"][0]["id"] and first.get("leaseId") == second.get("leaseId")
    assert "idempotency key" in sevq(call, MAIN, "--idempotency-key", "\u00e9", exit=FAILED)[1]


def test_lines_that_are_evicted_at_once_say_so(start):
    sevq = Shell(start("--max-pending", 2, "--overflow", "drop-oldest"))
    lines = sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n3\n")[0].splitlines()
    assert [line.partition(", ")[2] for line in lines] == ["evicted", "", ""]


def test_a_lease_can_be_acked_in_parts(sevq):
    first, second, third, fourth = ids(sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n3\n4\n")[0])
    out, err = sevq("lease", DIRECT, "--limit", "3", "--for", "5m", "--consumer", "me")
    assert [line.split()[0] for line in out.splitlines()] == ["ID", first, second, third]
    lease = re.fullmatch(rf"lease (\S+) on {MAIN} until \S+Z, 1 more\n", err).group(1)
    assert sevq("ack", lease, second) == (f"acked 1 of lease {lease}, 2 left\n", "")
    assert sevq("nack", lease, first, "--reason", "not now", "--delay", "1h")[0] == f"gave back 1 of lease {lease}, 1 left\n"
    assert sevq("extend", lease, "--for", "10m")[0] == f"extended 1 of lease {lease}, 1 left\n"
    assert sevq.json("ack", lease) == {"leaseId": lease, "acked": 1, "remaining": 0, "gone": []}
    assert sevq.json("peek", MAIN)["events"][0]["state"] == "delayed"
    assert [e["id"] for e in sevq.json("lease", MAIN, "--limit", "5")["events"]] == [fourth]
    assert sevq("lease", MAIN, exit=NOTHING)[1].startswith(f"nothing to lease in {MAIN}: 1 delayed until ")
    assert sevq("ack", lease, first, exit=FAILED)[1].startswith("sevq: ")
    sevq("ack", "999999", exit=NOTHING)


@pytest.mark.parametrize("call, says", [(("ack",), "acked 1 of lease {}, 0 left; gone: {} {}\n"), (("nack",), "gave back 1 of lease {}, 0 left; gone: {} {}\n"),
    (("extend", "--for", "5m"), "extended 1 of lease {}, 1 left; gone: {} {}\n")], ids=["ack", "nack", "extend"])
def test_what_is_gone_is_printed(sevq, call, says):
    one, two, three = ids(sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n3\n")[0])
    lease = sevq.json("lease", MAIN)["leaseId"]
    sevq("withdraw", one)
    sevq("consume", MAIN, three)
    assert sevq(call[0], lease, three, two, one, *call[1:])[0] == says.format(lease, one, three)


def test_a_lease_for_a_prompt(sevq):
    sevq("event", "one", "--session-key", MAIN)
    out, err = sevq("lease", "--agent", "main", "--format", "prompt", "--exclusive")
    assert re.fullmatch(r"System: \[[^]]+\] one\n", out) and err.startswith("lease ")
    sevq("event", "two", "--session-key", MAIN)
    sevq("drain", MAIN, exit=NOTHING)  # exclusive


def test_a_nack_need_not_count_and_says_what_dies(start):
    sevq = Shell(start("--max-attempts", "1", policy=ONE_OWNER))
    event_id, = ids(sevq("event", "x", "--session-key", MAIN)[0])
    sevq("nack", sevq.json("lease", MAIN)["leaseId"], "--no-count")
    lease = sevq.json("lease", MAIN)["leaseId"]
    assert sevq("nack", lease, "--reason", "broken")[0] == f"gave back 1 of lease {lease}, 1 of them dead, 0 left\n"
    out, _ = sevq("dead-letters")
    assert out.splitlines()[1].split()[2:] == ["dead", MAIN, "lease", lease + ":", "broken", "x"] and event_id in out


# Wait and tail.

def test_wait_is_over_when_something_comes(sevq):
    assert sevq("wait", MAIN, "--timeout", "50ms", exit=NOTHING) == ("", "")
    waiter = subprocess.Popen([binary("SEVQ"), "wait", DIRECT], env=sevq.env, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: sevq.json("stats")["waiters"] == 1, "the waiter")
    sevq("event", "x", "--session-key", MAIN)
    assert (waiter.communicate(timeout=PATIENCE)[0], waiter.returncode) == (f"1 in {MAIN}\n", DONE)
    assert sevq.json("wait", "--agent", "main") == {"sessionKey": MAIN, "ready": True, "depth": 1}


def test_wait_takes_the_options_of_a_lease(sevq):
    sevq("event", "Exec completed (build, code 0)", "--session-key", MAIN, "--context-key", "ci:1")
    choices = [("--format", "prompt"), ("--context-key-prefix", "cron:"), ("--wake", "now")]
    assert [sevq("wait", MAIN, "--timeout", "50ms", *c, exit=NOTHING)[0] for c in choices] == [""] * 3
    assert sevq("wait", MAIN, "--context-key-prefix", "ci:", "--exclusive")[0] == f"1 in {MAIN}\n"
    sevq("event", "x", "--session-key", MAIN, "--wake", "now")
    sevq("lease", MAIN, "--limit", "1")
    assert sevq("wait", MAIN, "--wake", "now")[0] == f"1 in {MAIN}\n"
    assert sevq("wait", MAIN, "--exclusive", "--timeout", "50ms", exit=NOTHING) == ("", "")


def test_a_short_wait_lets_a_slow_server_answer(start):
    server = start()
    with server.held_still():
        waiter = subprocess.Popen([binary("SEVQ"), "wait", MAIN, "--timeout", "1ms"], env=Shell(server).env)
        with pytest.raises(subprocess.TimeoutExpired):
            waiter.wait(0.5)
    assert waiter.wait(PATIENCE) == NOTHING


class Tail:
    """A `sevq tail` whose lines are read as they come."""

    def __init__(self, shell, *words):
        self.process = subprocess.Popen([binary("SEVQ"), "tail", *words], env=shell.env, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()

    def line(self):
        return self.process.stdout.readline()


def test_tail_says_what_is_there_and_what_comes(sevq):
    sevq("event", "x", "--session-key", MAIN)
    with Tail(sevq) as tail:
        assert re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\S+Z  {MAIN}  1 waiting  -  next-heartbeat\n", tail.line())
        sevq("event", "y", "--agent", "ops", "--source", "hook", "--wake", "now")
        assert tail.line().split("  ")[1:] == ["agent:ops:main", "1 waiting", "hook", "now\n"]


def test_tail_is_for_programs_too_and_ends(sevq):
    for agent in ("a", "b", "c"):
        sevq("event", "x", "--agent", agent)
    with Tail(sevq, "--json", "--prefix", "agent:b", "--limit", "1") as tail:
        assert json.loads(tail.line())["sessionKey"] == "agent:b:main"
        assert tail.process.wait(PATIENCE) == DONE


def stream(*events, id=1):
    """The bytes of a stream that ends after these."""
    lines = b"retry: 2000\n\n: ping\n\n"
    for n, event in enumerate(events):
        lines += f"event: wake\r\nid: {id + n}\r\ndata: {json.dumps(event)}\r\n\r\n".encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + lines


def wake(key, depth=1):
    return {"sessionKey": key, "depth": depth, "source": None, "wake": "now", "ts": 1700000000000}


def test_tail_goes_on_where_it_was_when_the_connection_is_lost(make):
    with FakeServer(stream(wake("a"), wake("b"), id=41), CLOSE, stream(wake("c"))) as fake:
        with Tail(Shell(make(), SEVQ_URL=fake.url), "--limit", "3") as tail:
            assert [tail.line().split("  ")[1] for _ in range(3)] == ["a", "b", "c"]
            assert tail.process.wait(PATIENCE) == DONE
            assert tail.process.stderr.read() == "sevq: the stream has ended; trying again\n"
    assert [r[2].get("last-event-id") for r in fake.requests] == [None, "42", "42"]
    assert fake.requests[0][2]["accept"] == "text/event-stream"


def test_tail_escapes_text_from_the_server(make):
    with FakeServer(stream(wake("\x1b[2J"))) as fake, Tail(Shell(make(), SEVQ_URL=fake.url), "--limit", "1") as tail:
        assert "\\u{1b}[2J" in tail.line()


def test_tail_without_a_server_or_a_token_ends(start, make):
    assert "start a server" in Shell(make(), SEVQ_URL="http://127.0.0.1:1")("tail", exit=TRY_AGAIN)[1]
    Shell(start(), SEVQ_TOKEN_FILE="")("tail", exit=NOT_ALLOWED, SEVQ_TOKEN="wrong")


# History.

def test_show_prints_the_timeline_of_an_event(sevq):
    event_id, = ids(sevq("event", "hello\n", "--session-key", DIRECT)[0])
    lease = sevq.json("lease", MAIN, "--consumer", "me")["leaseId"]
    sevq("ack", lease)
    out, _ = sevq("show", event_id)
    assert [line.split(maxsplit=1) for line in out.splitlines()[:2]] == [["event", event_id], ["queue", MAIN]] and re.search("^text +hello$", out, re.M)
    assert re.search(rf"Z  queued  from {DIRECT} by direct-main\n.*Z  leased  lease {lease}: me\n.*Z  acked   lease {lease}\n$", out)
    sevq("show", "999999999", exit=NOTHING)
    page, rest = sevq("show", event_id, "--limit", "2")
    cursor = re.fullmatch(r"the next page: --cursor (\d+)\n", rest)[1]
    next_page = sevq("show", event_id, "--cursor", cursor)[0]
    assert page.split() + next_page.splitlines()[-1].split() == out.split() and next_page.split("\n\n")[1].count("Z") == 1


def test_history_is_filtered_and_paged(sevq):
    assert sevq("history", exit=NOTHING) == ("", "no events in the history\n")
    first, second, third = ids(sevq("event", "-", "--lines", "--session-key", MAIN, "--source", "hook", stdin="1\n2\n3\n")[0])
    sevq("withdraw", second)
    sevq("drain", MAIN)
    def found(*words, exit=DONE):
        return [past["event"]["id"] for past in sevq.json("history", *words, exit=exit)["events"]]
    assert sorted(found()) == sorted([first, second, third])
    assert found("--state", "withdrawn") == [second] and found(DIRECT, "--source", "hook", "--state", "drained") == [third, first]
    assert found("--until", "1h", exit=NOTHING) == found("--since", "1ms", exit=NOTHING) == [] and len(found("--since", "1h")) == 3
    assert len(found("--since", "36500d")) == 3 and found("--until", "36500d", exit=NOTHING) == []
    assert len(found("--since", "2020-02-29", "--until", "2999-12-31T23:59:59Z")) == 3
    assert found("--since", "2999-12-31T23:59", exit=NOTHING) == found("--until", "2020-02-29T12:00:00", exit=NOTHING) == []
    out, err = sevq("history", "--limit", "1")
    assert len(out.splitlines()) == 2
    cursor = re.fullmatch(r"the next page: --cursor (\S+)\n", err).group(1)
    assert len(found("--cursor", cursor)) == 2


def test_dead_letters_are_queued_anew(start):
    sevq = Shell(start("--max-attempts", "1", policy=ONE_OWNER))
    assert sevq("dead-letters", exit=NOTHING) == ("", "no dead letters\n")
    dead = []
    for agent in ("main", "main", "ops"):
        dead += ids(sevq("event", f"text {len(dead)}", "--agent", agent)[0])
        sevq("nack", sevq.json("lease", "--agent", agent)["leaseId"], "--reason", "broken")
    assert len(sevq.json("dead-letters", MAIN)["events"]) == 2
    assert len(sevq.json("history", "--reason", "brok")["events"]) == 3
    assert sevq.json("history", "--reason", "roken", exit=NOTHING)["events"] == []
    assert len(sevq.json("dead-letters", "--reason", "brok")["events"]) == 3
    assert sevq.json("dead-letters", MAIN, "--exact", "--reason", "roken", exit=NOTHING)["events"] == []
    assert sevq("dead-letters", "--requeue", dead[0], "999999", "--dry-run")[0] == "would requeue 1, skipped 1 that are no dead letters\n"
    assert sevq("dead-letters", "--requeue", dead[0])[0] == "requeued 1\n"
    assert [e["text"] for e in sevq.json("drain", MAIN)["events"]] == ["text 0"]
    assert "--yes" in sevq("dead-letters", "--requeue-all", exit=USAGE)[1]
    assert "Requeue the dead letters of all sessions? [y/N]" in sevq.on_terminal("dead-letters", "--requeue-all", typed="n\n", exit=FAILED)
    assert sevq("dead-letters", MAIN, "--requeue-all", "--rate", "10")[0] == "requeued 1\n"
    assert sevq.json("dead-letters", "--requeue-all", "--yes")["requeued"] == 1
    sevq("dead-letters", "--requeue-all", "--yes", exit=NOTHING)


def test_dead_letters_are_discarded(start):
    sevq = Shell(start("--max-attempts", "1", policy=ONE_OWNER))
    dead = []
    for agent in ("main", "main", "main", "ops"):
        dead += ids(sevq("event", f"text {len(dead)}", "--agent", agent)[0])
        sevq("nack", sevq.json("lease", "--agent", agent)["leaseId"], "--reason", f"broken {len(dead)}")
    assert sevq("dead-letters", "--discard", dead[0], "999999", "--dry-run")[0] == "would discard 1, skipped 1 that are no dead letters\n"
    assert sevq("dead-letters", "--discard", dead[0])[0] == "discarded 1\n"
    sevq("dead-letters", "--discard", dead[0], exit=NOTHING)
    assert "discarded" in sevq("show", dead[0])[0]
    assert "--yes" in sevq("dead-letters", MAIN, "--discard-all", exit=USAGE)[1]
    assert "Discard the dead letters of the session? [y/N]" in sevq.on_terminal("dead-letters", MAIN, "--discard-all", typed="n\n", exit=FAILED)
    assert sevq("dead-letters", MAIN, "--exact", "--discard-all", "--reason", "broken 2", "--yes")[0] == "discarded 1\n"
    assert "of all sessions? [y/N]" in sevq.on_terminal("dead-letters", "--discard-all", typed="n\n", exit=FAILED)
    assert sevq.json("dead-letters", "--discard-all", "--yes")["discarded"] == 2
    assert "give one of" in sevq("dead-letters", "--discard", "--requeue", "1", exit=USAGE)[1]


@pytest.fixture(scope="module")
def dead_letter(tmp_path_factory):
    """The command beside a server with one dead letter, and its id."""
    server = Server(tmp_path_factory.mktemp("server"), "--max-attempts", "1", policy=ONE_OWNER).start()
    sevq = Shell(server)
    dead, = ids(sevq("event", "x", "--session-key", MAIN)[0])
    sevq("nack", sevq.json("lease", MAIN)["leaseId"])
    yield sevq, dead
    server.stop()


HALF_SESSIONS = [("--exact",), ("--channel", "telegram"), ("--account-id", "default"), (MAIN, "agent:ops:main"), (MAIN, "--session-key", MAIN),
    ("--agent", "main", "--exact")]
ALL_SESSIONS = [("history",), ("dead-letters",), ("dead-letters", "--discard-all", "--yes"), ("dead-letters", "--requeue-all", "--yes"), ("tail", "--limit", "1")]


@pytest.mark.parametrize("words", [(*way, *half) for way in ALL_SESSIONS for half in HALF_SESSIONS if way[0] != "tail" or "--exact" not in half], ids=" ".join)
def test_half_a_session_is_not_taken_for_all(words, dead_letter):
    sevq, dead = dead_letter
    out, err = sevq(*words, exit=USAGE)
    assert out == "" and err.startswith(f"sevq {words[0]}: ")
    assert sevq("dead-letters", "--quiet")[0] == f"{dead}\n"


@pytest.mark.parametrize("words", [("--exact",), ("--channel", "telegram"), ("--account-id", "default"), ("--session-key", MAIN), ("--agent", "main")], ids=" ".join)
@pytest.mark.parametrize("way", ["--discard", "--requeue"])
def test_ids_of_dead_letters_go_with_no_session(way, words, dead_letter):
    sevq, dead = dead_letter
    assert f"{way} takes ids, and no session" in sevq("dead-letters", way, dead, *words, exit=USAGE)[1]
    assert sevq("dead-letters", "--quiet")[0] == f"{dead}\n"


@pytest.mark.parametrize("words", [("--limit", "1"), ("--cursor", "x")], ids=" ".join)
@pytest.mark.parametrize("way", ["--discard", "--requeue", "--discard-all", "--requeue-all"])
def test_a_page_of_dead_letters_is_not_taken_for_all(way, words, dead_letter):
    sevq, dead = dead_letter
    sevq("dead-letters", way, *([] if way.endswith("-all") else [dead]), "--yes", *words, exit=USAGE)
    assert sevq("dead-letters", "--quiet")[0] == f"{dead}\n"


def test_a_session_key_may_be_exact_as_an_option_too(dead_letter):
    sevq, dead = dead_letter
    assert sevq("dead-letters", "--session-key", MAIN, "--exact", "--quiet")[0] == f"{dead}\n"
    assert sevq("history", "--session-key", MAIN, "--exact", "--quiet")[0] == f"{dead}\n"
    sevq("dead-letters", "--session-key", DIRECT, "--exact", exit=NOTHING)
    sevq("dead-letters", "--session-key", DIRECT, "--exact", "--discard-all", "--yes", exit=NOTHING)
    assert sevq("dead-letters", "--session-key", MAIN, "--exact", "--discard-all", "--yes")[0] == "discarded 1\n"


def test_consume_takes_exactly_these(sevq):
    first, second, third = ids(sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n3\n")[0])
    assert [e["text"] for e in sevq.json("consume", MAIN, third, "999999999999", first)["events"]] == ["3", "1"]
    assert sevq("consume", MAIN, third, exit=NOTHING) == ("", f"1 more in {MAIN}\n")
    assert sevq.json("consume", MAIN, third, exit=NOTHING)["events"] == []


def test_withdraw_takes_one_back(sevq):
    event_id, = ids(sevq("event", "oops", "--session-key", DIRECT)[0])
    assert sevq("withdraw", event_id)[0] == f"withdrew {event_id} from {MAIN}: oops\n"
    sevq("withdraw", event_id, exit=NOTHING)
    sevq("withdraw", "../sessions", exit=NOTHING)


def test_purge_removes_events(sevq):
    sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n")
    sevq("event", "3", "--session-key", MAIN, "--context-key", "c")
    assert sevq("purge", MAIN, "--context-key", "c")[0] == f"purged 1 from {MAIN}, 2 left\n"
    assert MAIN in sevq("purge", DIRECT, "--yes", exit=FAILED)[1]
    assert "--yes" in sevq("purge", MAIN, exit=USAGE)[1]
    assert sevq.json("purge", MAIN, "--yes") == {"sessionKey": MAIN, "purged": 2, "remaining": 0}
    sevq("purge", MAIN, "--yes", exit=NOTHING)


def test_purge_asks_on_a_terminal(sevq):
    sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n")
    assert f"Throw away 2 events of {MAIN}? [y/N]" in sevq.on_terminal("purge", DIRECT, typed="n\n", exit=FAILED)
    assert sevq.json("peek", MAIN)["depth"] == 2
    assert "purged 2" in sevq.on_terminal("purge", MAIN, typed="y\n")
    sevq("event", "1", "--session-key", MAIN)
    assert "?" not in sevq.on_terminal("purge", MAIN, "--yes")


def test_sessions_lists_what_is_queued_where(sevq):
    assert sevq("sessions", exit=NOTHING) == ("", "nothing is queued\n")
    sevq("event", "1", "--session-key", DIRECT)
    sevq("event", "2", "--session-key", MAIN)
    sevq("event", "3", "--session-key", "agent:ops:main", "--context-key", "c")
    out, err = sevq("sessions")
    head, *rows = [line.split() for line in out.splitlines()]
    assert head == ["READY", "UNATTENDED", "SESSION"]
    assert [(r[0], r[2]) for r in rows] == [("2", MAIN), ("1", "agent:ops:main")]
    assert err == ""
    assert [s["sessionKey"] for s in sevq.json("sessions", "--agent", "ops")["sessions"]] == ["agent:ops:main"]
    assert [s["sessionKey"] for s in sevq.json("sessions", "--sort", "depth", "--prefix", "agent:")["sessions"]] == [MAIN, "agent:ops:main"]
    sevq("sessions", "--min-age", "1h", exit=NOTHING)


def test_quiet_prints_ids_only(start):
    sevq = Shell(start("--max-attempts", "1", policy=ONE_OWNER))
    first, second, third = [sevq("event", text, "--quiet")[0].strip() for text in "abc"]
    assert sevq("event", "-", "--lines", "--quiet", stdin="d\na\n") == (f"{int(third) + 1}\n{int(third) + 2}\n", "")
    assert sevq("event", "c", "--context-key", "k", "--quiet")[0] == sevq("event", "c", "--context-key", "k", "--quiet")[0]
    assert sevq("peek", MAIN, "--quiet", "--limit", "2") == (f"{first}\n{second}\n", "")
    assert sevq("sessions", "--quiet") == (MAIN + "\n", "")
    lease, err = sevq("lease", MAIN, "--limit", "1", "--quiet")
    assert err == "" and sevq("leases", "--quiet") == (lease, "")
    sevq("nack", lease.strip())
    assert sevq("dead-letters", "--quiet") == sevq("history", "--quiet") == (first + "\n", "")
    assert sevq("consume", MAIN, third, "--quiet") == (third + "\n", "")
    assert sevq("drain", MAIN, "--limit", "1", "--quiet") == (second + "\n", "")
    sevq("drain", MAIN)
    for words in (("drain", MAIN), ("peek", MAIN), ("lease", MAIN), ("sessions",), ("leases",)):
        assert sevq(*words, "--quiet", exit=NOTHING) == ("", "")
    sevq("peek", MAIN, "--quiet", "--json", exit=USAGE)


def problem_of(err):
    """The problem object that a failure with --json is."""
    assert err.count("\n") == 1
    return json.loads(err)


def test_with_json_a_failure_is_a_problem(sevq, start):
    out, err = sevq("event", " ", "--json", exit=FAILED)
    problem = problem_of(err)
    assert out == "" and problem["code"] == "invalid-field" and problem["status"] == 400 and problem["errors"][0]["pointer"] == "/text"
    assert problem_of(sevq("show", "999", "--json", exit=NOTHING)[1])["code"] == "not-found"
    assert problem_of(sevq("peek", MAIN, "--json", exit=NOT_ALLOWED, SEVQ_TOKEN="wrong")[1])["code"] == "unauthorized"
    away = problem_of(sevq("peek", MAIN, "--json", exit=TRY_AGAIN, SEVQ_URL="http://127.0.0.1:1")[1])
    assert away["code"] == "unreachable" and away["detail"] == "cannot connect to http://127.0.0.1:1: Connection refused"
    assert away["type"] == "urn:sevq:problem:unreachable" and away["title"]
    for words in (("--json", "evnet"), ("event", "--json"), ("--json", "peek", MAIN, "--nonsense"), ("--json", "history", "--since", "soon")):
        problem = problem_of(sevq(*words, exit=USAGE)[1])
        assert problem["code"] == "usage" and problem["detail"]
    assert problem_of(sevq("event", "-", "--json", stdin="a\0b", exit=FAILED)[1])["code"] == "failed"


@pytest.mark.parametrize("words", [("--json",), ("evnet", "--json"), ("help", "evnet", "--json"), ("--nonsense", "peek", "--json"), ("peek", MAIN, "--nonsense", "--json"),
    ("history", "--since", "soon", "--json"), ("wait", MAIN, "--js", "--timeout"), ("peek", MAIN, "--quiet", "--json"), ("drain", "--json"), ("ack", "--json"),
    ("sessions", "x", "--json"), ("dead-letters", "--requeue", "--json"), ("completion", "tcsh", "--json"), ("token", "add", "--json")], ids=" ".join)
def test_with_json_wherever_it_stands_a_mistake_is_a_problem_too(make, words):
    problem = problem_of(Shell(make())(*words, exit=USAGE)[1])
    assert problem["code"] == "usage" and problem["detail"]


@pytest.mark.parametrize("words", [("event", "--text", "--json", "--nonsense"), ("event", "--nonsense", "--", "--json"), ("run", MAIN, "--json"),
    ("run", MAIN, "--nonsense", "--json")], ids=" ".join)
def test_without_json_a_mistake_is_a_sentence(make, words):
    assert Shell(make())(*words, exit=USAGE)[1].startswith(f"sevq {words[0]}: ")


def test_sessions_names_the_next_page(sevq):
    for agent in "abc":
        sevq("event", "x", "--agent", agent)
    _, err = sevq("sessions", "--limit", "2")
    cursor = re.fullmatch(r"2 of 3 sessions; the next page: --cursor (\S+)\n", err).group(1)
    assert [s["agentId"] for s in sevq.json("sessions", "--limit", "2", "--cursor", cursor)["sessions"]] == ["c"]


def test_route_prints_the_reasons(sevq):
    out, _ = sevq("route", DIRECT)
    assert out.startswith(f"queue  {MAIN}\nrule   direct-main\nowner  main\n\nSTEP ")
    assert re.search(r"^direct-main +yes +\S", out, re.M)
    assert sevq.json("route", DIRECT)["rekeyed"] is True
    sevq("route", "agent:", exit=FAILED)


def test_stats_are_counters_by_name(sevq):
    sevq("event", "x", "--session-key", MAIN)
    counters = dict(line.rsplit(None, 1) for line in sevq("stats")[0].splitlines())
    flat = sevq.json("stats")
    assert counters and all(flat[k] is not None for k in flat)
    assert any(value == "1" for value in counters.values())


# Terminals.

def test_on_a_terminal_times_are_ages_and_texts_are_cut(sevq):
    sevq("event", "wide " * 40, "--session-key", MAIN)
    screen = sevq.on_terminal("peek", MAIN, width=50)
    head, row, *_ = screen.splitlines()
    assert head.split() == ["ID", "AGE", "STATE", "TEXT"]
    assert re.match(r" *\d+ +\d+s  queued  wide wide", row) and row.endswith(">") and len(row) == 50
    # without a terminal the text is complete
    assert "wide " * 40 in sevq("peek", MAIN)[0].replace("wide\n", "wide \n")


def test_text_is_escaped_on_a_terminal(sevq):
    sevq("event", "-", "--session-key", MAIN, stdin="\x1b]0;owned\x07\n\u202egnp")
    for said in (sevq("peek", MAIN)[0], sevq.on_terminal("peek", MAIN, width=200)):
        assert "\x1b" not in said and "\x07" not in said and "\u202e" not in said
        assert "\\u{1b}]0;owned\\u{7}\\n\\u{202e}gnp" in said


def test_wide_characters_are_measured(sevq):
    sevq("event", "\u6f22" * 100, "--session-key", MAIN)
    row = sevq.on_terminal("peek", MAIN, width=40).splitlines()[1]
    assert 38 <= sum(2 if c == "\u6f22" else 1 for c in row) <= 40


# The command line.

@pytest.mark.parametrize("words", [(), ("nonsense",), ("peek",), ("peek", "a", "b"), ("peek", "a", "--session-key", "b"), ("consume", "a"),
    ("drain", "a", "--yes"), ("--nonsense",), ("event",), ("event", "a", "--text", "b"), ("event", "a", "--lines"),
    ("event", "a", "--mode", "later"), ("drain", "a", "--limit", "0"), ("help", "nonsense"), ("sessions", "a"), ("ack",), ("wait",), ("show",), ("lease", "a", "--format", "json"),
    ("nack", "1", "--delay", "soon"), ("dead-letters", "--requeue"), ("dead-letters", "--discard"), ("dead-letters", "a", "b"), ("history", "a", "b")], ids=" ".join)
def test_invalid_arguments_are_a_usage_error(make, words):
    out, err = Shell(make())(*words, exit=USAGE)
    assert out == "" and err != ""


def test_a_wrong_option_is_said_by_the_command_as_it_was_called(make):
    assert Shell(make())("wait", MAIN, "--nonsense", exit=USAGE)[1].startswith("sevq wait: ")


def commands(sevq):
    """The names of all commands, as the help has them from the table of commands."""
    names = re.findall(r"^  ([a-z][a-z-]*) ", sevq("help")[0], re.M)
    assert len(names) == len(set(names)) and {"event", "completion", "help"} <= set(names)
    return names


def test_help_explains_every_command(make):
    sevq = Shell(make())
    overview, _ = sevq("--help")
    assert overview == sevq("help")[0] == sevq("-h")[0] == sevq("help", "help")[0]
    for name in set(commands(sevq)) - {"help"}:
        assert sevq("help", name)[0] == sevq(name, "--help")[0]
        assert sevq("help", name)[0].startswith(f"usage: sevq {name} ")
    assert re.fullmatch(r"sevq \d+\.\d+\.\d+\n", sevq("--version")[0])


def test_the_manual_names_every_command_and_no_other(make):
    source = (Path(os.environ["SOURCES"]) / "client/man/sevq.1").read_text()
    assert {name for name in re.findall(r"^\.It Nm Cm ([a-z-]+)", source, re.M)} == set(commands(Shell(make())))


def options_of_manual(page):
    source = (Path(os.environ["SOURCES"]) / page).read_text()
    return {"--" + name for line in source.splitlines() if line.startswith(".It Fl") for name in re.findall(r"Fl -([a-z-]+)", line)}


def options_of_help(text):
    return {name for names in re.findall(r"^ +((?:--[a-z-]+(?:, )?)+)", text, re.M) for name in names.split(", ") if name}


def test_the_manuals_name_every_option_and_no_other(make):
    sevq = Shell(make())
    assert options_of_manual("client/man/sevq.1") == set().union(*(options_of_help(sevq("help", name)[0]) for name in commands(sevq)))
    done = subprocess.run([binary(), "--help"], stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE)
    assert options_of_manual("server/man/sevqd.8") == options_of_help(done.stdout)


def test_the_variables_of_the_command_are_no_mistake_of_the_server(make):
    lines = re.findall(r"^\.It Ev (.*)$", (Path(os.environ["SOURCES"]) / "client/man/sevq.1").read_text(), re.M)
    names = set(re.findall("SEVQ_[A-Z_]+", " ".join(lines))) - {"SEVQ_TOKEN_FILE"}  # the server's
    assert "SEVQ_URL" in names
    done = make(env=dict.fromkeys(names, "x")).run("--print-config")
    assert done.returncode == 0, done.stderr


def test_the_help_the_manual_and_the_operators_guide_name_the_same_exit_codes():
    done = subprocess.run([binary(), "--help"], stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE)
    told = re.findall(r"(?:^Exit status:|;)\s+(\d+) ", done.stdout[done.stdout.index("Exit status:"):])
    sources = Path(os.environ["SOURCES"])
    manual = (sources / "server/man/sevqd.8").read_text().split(".Sh EXIT STATUS")[1].split(".Sh ")[0]
    guide = (sources / "doc/OPERATING.md").read_text().split("`sevqd` exits")[1].split("\n## ")[0]
    assert {"0", "69", "78"} <= set(told)
    assert re.findall(r"^\.It (\d+)$", manual, re.M) == told
    assert re.findall(r"^\| (\d+) \|", guide, re.M) == told


def test_a_full_standard_output_is_a_failure(sevq):
    sevq("event", "x", "--session-key", MAIN)
    with open("/dev/full", "w") as full:
        done = subprocess.run([binary("SEVQ"), "peek", MAIN], env=sevq.env, stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == FAILED and b"standard output" in done.stderr


# Finding the server.

def by_itself(server):
    """A shell without any setting that names the server."""
    return Shell(server, SEVQ_URL="", SEVQ_TOKEN_FILE="")


def on_default_database(make, *flags, **options):
    """A server whose database is at the default path, where the command looks for it."""
    server = make(*flags, **options)
    server.db = server.directory / "state/sevq/sevq.db"
    return server


def test_a_server_is_found_by_itself_until_it_ends(make):
    server = on_default_database(make).start()
    sevq = by_itself(server)
    sevq("event", "x", "--session-key", MAIN)
    found = json.loads(server.db.with_name("sevqd.json").read_text())
    started = int(open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()[19])
    url = f"http://127.0.0.1:{server.port}"
    assert found == {"address": url, "listens": [url], "tokenFile": str(server.db.with_name("token")), "pid": server.process.pid,
        "startTime": started}
    assert server.db.with_name("sevqd.json").stat().st_mode & 0o777 == 0o600
    server.stop()
    assert not server.db.with_name("sevqd.json").exists()


@pytest.mark.parametrize("left", ("nothing", "a dead server", "a server whose pid was given to another process"))
def test_whoever_listens_without_a_running_server_is_given_no_token(make, left):
    server = on_default_database(make).start()
    runtime = json.loads(server.db.with_name("sevqd.json").read_text())
    server.stop()
    with FakeServer(answer({"sessionKey": MAIN, "events": [], "depth": 0, "more": False})) as fake:
        if left != "nothing":
            pid = os.getpid() if "another" in left else runtime["pid"]
            server.db.with_name("sevqd.json").write_text(json.dumps({**runtime, "address": fake.url, "listens": [fake.url], "pid": pid}))
        sevq = by_itself(server)
        sevq("peek", MAIN, "--base-url", fake.url, exit=NOTHING)
        assert server.db.with_name("token").exists() and "authorization" not in fake.requests[0][2]


def test_a_server_without_tokens_is_found_too(make):
    server = on_default_database(make, "--no-auth").start()
    by_itself(server)("event", "x", "--session-key", MAIN)


def test_another_servers_port_is_not_trusted_when_the_file_is_open_to_others(make):
    server = on_default_database(make).start()
    server.db.with_name("sevqd.json").chmod(0o666)
    assert "open to others" in by_itself(server)("peek", MAIN, exit=FAILED)[1]


def test_a_server_is_named_by_options_before_the_environment(start, tmp_path):
    server = start()
    sevq = by_itself(server)
    secret = tmp_path / "secret"
    secret.write_text(server.token + "\n")
    secret.chmod(0o600)
    named = ("--base-url", f"http://127.0.0.1:{server.port}", "--token-file", str(secret))
    sevq(*named, "event", "x", "--session-key", MAIN)
    sevq("peek", MAIN, *named, SEVQ_URL="http://127.0.0.1:1", SEVQ_TOKEN="wrong")
    sevq("peek", MAIN, SEVQ_URL=f"http://127.0.0.1:{server.port}", SEVQ_TOKEN_FILE=str(secret))
    sevq("peek", MAIN, "--token", server.token, SEVQ_URL=f"http://127.0.0.1:{server.port}", SEVQ_TOKEN="wrong")
    secret.chmod(0o644)
    assert "open to others" in sevq("peek", MAIN, *named, exit=FAILED)[1]


def test_no_token_or_a_wrong_one_is_not_allowed(start):
    sevq = Shell(start(), SEVQ_TOKEN_FILE="")
    for token in ("", "wrong"):
        assert "--token-file" in sevq("peek", MAIN, exit=NOT_ALLOWED, SEVQ_TOKEN=token)[1]


def test_it_speaks_over_a_unix_socket(make):
    server = on_default_database(make)
    path = server.directory / "s"
    server.flags = ["--listen", f"unix:{path}"]
    sevq = by_itself(server.start())
    sevq("event", "x", "--session-key", MAIN)
    assert sevq.json("drain", MAIN, "--base-url", f"unix:{path}")["events"][0]["text"] == "x"


# Failures.

def test_a_full_queue_is_to_be_tried_again(start):
    sevq = Shell(start("--max-pending", "1"))
    sevq("event", "1", "--session-key", MAIN)
    assert re.search(r"try again in \d+ s$", sevq("event", "2", "--session-key", MAIN, exit=TRY_AGAIN)[1])


def test_a_lost_answer_is_not_to_be_tried_again(make):
    with FakeServer(CLOSE) as fake:
        _, err = Shell(make(), SEVQ_URL=fake.url)("event", "x", "--session-key", MAIN, exit=FAILED)
    assert "may have been carried out" in err


def test_error_messages_from_the_server_are_escaped(make):
    with FakeServer(answer({"code": "conflict", "detail": "\x1b[2J"}, "409 Conflict", "application/problem+json")) as fake:
        _, err = Shell(make(), SEVQ_URL=fake.url)("peek", MAIN, exit=FAILED)
    assert err == "sevq: \\u{1b}[2J\n"
