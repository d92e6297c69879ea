"""The command against a server that chooses every text and number of every answer: whatever is
printed shows what it is, and acts on no terminal.

Each answer has all fields that the client reads (client/answer.c). Each is asked for without a
terminal and on one, as a table and as JSON, and refused with every kind of problem.
"""
import json
import os
import re
import unicodedata
from pathlib import Path

import pytest

from fake_server import FakeServer, answer
from sevqd import REPORT, Server
from shell import ANY, Shell

UNSEEN = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) in ("Cc", "Cf", "Zl", "Zp")]
SEEN_FORMAT = [chr(c) for c in (*range(0x600, 0x606), 0x6dd, 0x70f, 0x890, 0x891, 0x8e2, 0x110bd, 0x110cd)]
UNSEEN = sorted({*UNSEEN, *"\u034f\u115f\u1160\u17b4\u17b5\u180b\u3164\uffa0"} - {*SEEN_FORMAT, "\0"})
# Every text of an answer. RAW stands for bytes that are put into the JSON as they are.
RAW = "@raw@"
TEXT = "".join(UNSEEN) + RAW + "\x1b[2J\x1b]0;owned\x07 \r\n\u202eend"
RAW_BYTES = b"\x1b[2J\x9b\xff\xc3(\xed\xa0\x80\xc2\x9b\r"
MOST = 1 << 53

DELIVERY = {"channel": TEXT, "to": TEXT, "accountId": TEXT, "threadId": TEXT}
EVENT = {"id": TEXT, "sessionKey": TEXT, "originalSessionKey": TEXT, "rule": TEXT, "text": TEXT, "ts": MOST, "contextKey": TEXT,
    "deliveryContext": DELIVERY, "source": TEXT, "wake": TEXT, "attempts": MOST, "availableAt": -MOST, "expiresAt": MOST,
    "traceparent": TEXT, "state": TEXT}
HAPPENING = {"what": TEXT, "ts": -MOST, "until": MOST, "leaseId": TEXT, "times": MOST, "detail": TEXT, "originalSessionKey": TEXT, "rule": TEXT, "from": TEXT, "to": TEXT}
SESSION = {"sessionKey": TEXT, "agentId": TEXT, "depth": MOST, "leased": MOST, "delayed": MOST, "waiters": MOST, "oldestTs": MOST,
    "newestTs": -MOST, "lastContextKey": TEXT, "deliveryContext": DELIVERY, "rekeyedFrom": [{"key": TEXT, "count": MOST}] * 2, "rekeyedFromMore": True,
    "ready": MOST, "readySinceTs": -MOST, "streams": MOST, "deadLetters": MOST, "lastTakenTs": MOST, "lastTakenBy": TEXT, "routesTo": TEXT,
    "problems": [TEXT, TEXT]}
SESSIONS = {"sessions": [SESSION], "total": MOST, "nextCursor": TEXT}
CONSUMERS = {"consumers": [{"askedKey": TEXT, "queueKey": TEXT, "rule": TEXT, "kind": TEXT, "consumer": TEXT, "token": TEXT, "lastTs": MOST,
    "waitingNow": MOST, "taken": MOST}]}
LEASES = {"leases": [{"leaseId": TEXT, "sessionKey": TEXT, "consumer": TEXT, "exclusive": True, "expiresAt": MOST, "leased": MOST}], "nextCursor": TEXT}
POLICY = {"file": TEXT, "hash": TEXT, "loadedAt": MOST, "reloads": TEXT, "lastError": {"detail": TEXT}, "session": {"dmScope": TEXT, "scope": [TEXT], "mainKey": {TEXT: TEXT}},
    "agents": {"ids": [TEXT, MOST], "default": TEXT, "ownership": TEXT}, "allowlists": [{"channel": TEXT, "account": TEXT, "where": TEXT, "entries": MOST, "owner": TEXT}, TEXT],
    "bindings": MOST, "timezone": TEXT, "warnings": [TEXT], "includes": [TEXT], "stranded": {"sessions": MOST, "events": TEXT}}
TAKEN = {"sessionKey": TEXT, "events": [EVENT], "remaining": MOST, "block": f"System: {TEXT}\nSystem: {TEXT}"}
EMPTY = {"sessionKey": TEXT, "events": [], "remaining": 0, "block": None, "depth": 0, "more": False}
PEEKED = {"sessionKey": TEXT, "events": [EVENT], "depth": MOST, "more": True}
LEASE = {**TAKEN, "leaseId": TEXT, "expiresAt": MOST, "leftOut": [TEXT]}
CHANGE = {"leaseId": TEXT, "acked": MOST, "nacked": MOST, "extended": MOST, "dead": MOST, "expiresAt": -MOST, "remaining": MOST,
    "gone": [TEXT, TEXT]}
HISTORY = {"events": [{"event": EVENT, "outcome": HAPPENING}], "nextCursor": TEXT}
READY = {"sessionKey": TEXT, "ready": True, "depth": MOST}
WAKEUP = {"sessionKey": TEXT, "depth": MOST, "source": TEXT, "wake": TEXT, "ts": MOST}
PURGED = {"sessionKey": TEXT, "purged": MOST, "remaining": MOST}
RECEIPTS = [{"outcome": outcome, "event": EVENT} for outcome in ("queued", "replaced", "duplicate")]
DISCARDED = {"discarded": MOST, "passedOver": MOST, "more": True, "dryRun": False}
REQUEUED = {"requeued": MOST, "passedOver": MOST, "more": True, "dryRun": False}
BACKUP = {"directory": TEXT, "backup": {"name": "K", "state": "done", "startedTs": MOST, "endedTs": MOST, "bytes": MOST, "copied": MOST, "error": TEXT}}
REKEYED = {"dryRun": False, "moved": MOST, "leased": MOST, "more": True,
    "sessions": [{"from": TEXT, "to": to, "rule": TEXT, "moved": MOST, "leased": MOST} for to in (TEXT, None)]}
DECISION = {"sessionKey": TEXT, "rule": TEXT, "rekeyed": True, "owner": TEXT, "steps": [{"rule": TEXT, "applied": True, "why": TEXT}]}
STATS = {TEXT: TEXT, "a": {TEXT: MOST, "b": {TEXT: [TEXT, {TEXT: TEXT}]}}}

# The command, and the answers to its requests.
COMMANDS = [
    *((["event", "x", "--session-key", "K"], [receipt]) for receipt in RECEIPTS),
    (["event", "-", "--lines", "--session-key", "K"], [{"results": RECEIPTS}]),
    (["drain", "K"], [TAKEN]),
    (["drain", "K"], [EMPTY]),
    (["drain", "K"], [{**EMPTY, "remaining": 1}, SESSIONS, PEEKED, LEASES]),
    (["drain", "K", "--format", "prompt"], [TAKEN]),
    (["lease", "K"], [LEASE]),
    (["lease", "K"], [{**EMPTY, "leaseId": None}]),
    (["lease", "K"], [{**EMPTY, "leaseId": None, "remaining": 1}, SESSIONS, PEEKED, LEASES]),
    (["lease", "K", "--format", "prompt"], [LEASE]),
    (["ack", "1"], [CHANGE]),
    (["nack", "1"], [CHANGE]),
    (["extend", "1"], [CHANGE]),
    (["run", "K", "--once", "--", "true"], [LEASE, CHANGE]),
    (["run", "K", "--once", "--", "false"], [LEASE, CHANGE]),
    (["run", "K", "--once", "--", "/does/not/exist"], [LEASE, CHANGE]),
    (["wait", "K"], [READY]),
    (["peek", "K"], [PEEKED]),
    (["peek", "K"], [EMPTY]),
    (["show", "1"], [{"event": EVENT, "timeline": [HAPPENING, HAPPENING], "nextCursor": TEXT}]),
    (["consume", "K", "1"], [TAKEN]),
    (["withdraw", "1"], [{"event": EVENT}]),
    (["purge", "K", "--yes"], [PURGED]),
    (["purge", "K"], [PEEKED, PURGED]),
    *(([*words, "--quiet"], [answer]) for words, answer in ((["event", "x"], RECEIPTS[0]), (["drain", "K"], TAKEN), (["lease", "K"], LEASE), (["sessions"], SESSIONS),
        (["leases"], LEASES), (["history"], HISTORY))),
    (["sessions"], [SESSIONS]),
    (["why", "K"], [DECISION, SESSIONS, SESSIONS, CONSUMERS, CONSUMERS, LEASES, SESSIONS, {**PEEKED, "events": [{**EVENT, "state": "delayed"}]}, LEASES]),
    (["consumers"], [CONSUMERS]),
    (["leases"], [LEASES]),
    (["policy"], [POLICY]),
    (["policy"], [{"file": [TEXT], "session": TEXT, "agents": [TEXT], "allowlists": {TEXT: TEXT}, "lastError": TEXT, "includes": TEXT, "stranded": [TEXT]}]),
    (["history"], [HISTORY]),
    (["dead-letters"], [HISTORY]),
    (["dead-letters", "--requeue", "1"], [REQUEUED]),
    (["dead-letters", "--discard", "1"], [DISCARDED]),
    (["route", "K"], [DECISION]),
    (["rekey"], [REKEYED]),
    (["backup", "K"], [BACKUP]),
    (["page", "--print"], [{"code": TEXT, "scopes": [TEXT], "expiresAt": MOST}]),
    (["stats"], [STATS]),
    (["version"], [{"version": TEXT}]),
    (["version"], [{"version": [TEXT]}]),
    (["status"], [{"status": TEXT}, {"version": TEXT}, {"name": TEXT, "scopes": [TEXT, TEXT, MOST], "agents": [TEXT]}, {TEXT: TEXT, "ready": TEXT, "leased": -MOST}, POLICY]),
    (["tail", "--limit", "1"], [WAKEUP]),
]
PROBLEM = {"type": TEXT, "title": TEXT, "status": 409, "detail": TEXT, "code": TEXT, "errors": [{"pointer": TEXT, "detail": TEXT}]}
PROBLEMS = [
    answer({**PROBLEM, "errors": []}, "409 Conflict", "application/problem+json"),
    answer({**PROBLEM, "code": "conflict", "errors": []}, "409 Conflict", "application/problem+json"),
    answer({**PROBLEM, "code": "unauthorized"}, "401 Unauthorized", "application/problem+json"),
    answer({**PROBLEM, "code": "invalid-field"}, "400 Bad Request", "application/problem+json", [("Retry-After", "9" * 30)]),
    answer({"title": TEXT, "code": "conflict"}, "409 Conflict", "application/problem+json"),
    answer({"code": TEXT}, "500 " + "\x1b[2J", "application/problem+json"),
    answer(TEXT.encode(errors="replace"), "200 OK", "text/html; \x1b[2J"),
    answer(TEXT.encode(errors="replace"), "302 Found", "text/html", [("Location", "http://127.0.0.1:1/\x1b[2J")]),
    b"HTTP/1.1 \x1b[2J 200\r\n\r\n",
    b"\x1b[2J" + RAW_BYTES,
]


def test_every_command_and_every_field_is_tried_here():
    sources = Path(os.environ["SOURCES"])
    table = re.search(r"commands\[\] = \{(.*?)\n\};", (sources / "client/command/main.c").read_text(), re.S)[1]
    assert {words[0] for words, _ in COMMANDS} == set(re.findall(r'\{ "([a-z-]+)",', table)) - {"token", "completion"}, "which ask no server"
    read = set(re.findall(r'(?:NEED|MAY)\w*\(sevq_\w+, "(\w+)"', (sources / "client/answer.c").read_text()))
    assert read and read <= set(re.findall(r'"(\w+)": ', json.dumps(COMMANDS)))


def encode(doc, raw):
    return json.dumps(doc, ensure_ascii=False).encode().replace(RAW.encode(), RAW_BYTES if raw else b"")


def said(words, docs, raw):
    """The bytes of the answers. A stream is one answer without an end."""
    if words[0] != "tail":
        return [answer(encode(doc, raw)) for doc in docs]
    lines = b"".join(b"data: " + line + b"\n" for line in re.split(rb"\r\n|\r|\n", encode(docs[0], raw)))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return [head + b"event: wake\nid: " + b"\x1b[2J" + b"\n" + lines + b"\n"]


def check(output):
    """Nothing but lines of characters that are seen."""
    assert not REPORT.search(output), output
    found = {f"U+{ord(c):04X}" for c in output if c != "\n" and c in UNSEEN or "\ud800" <= c <= "\udfff"}
    assert not found, (found, output[:300])


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    nobody = Server(tmp_path_factory.mktemp("nobody"))
    return lambda fake: Shell(nobody, SEVQ_URL=fake.url, SEVQ_TOKEN="token")


@pytest.mark.parametrize("raw", [False, True], ids=["escaped", "raw"])
@pytest.mark.parametrize("words, docs", COMMANDS, ids=[" ".join(words) for words, _ in COMMANDS])
def test_what_a_server_chooses_acts_on_no_terminal(shell, words, docs, raw):
    for more in [[], *([["--json"]] if "--quiet" not in words else [])] if "-" not in words else []:
        placed, typed = [words[0], *more, *words[1:]], "y\n" if words[0] == "purge" else ""
        with FakeServer(*said(words, docs, raw)) as fake:
            screen = shell(fake).on_terminal(*placed, typed=typed, width=400, exit=ANY)
        check(screen.replace("\r", ""))
        if more and not raw and words[0] != "run" and len(docs) == 1:
            assert json.loads(screen[screen.index("{"):]) == json.loads(encode(docs[0], False))
    with FakeServer(*said(words, docs, raw)) as fake:
        out, err = shell(fake)(*words, stdin="x\n", exit=ANY)
    check(err)
    if "prompt" not in words:
        check(out)


@pytest.mark.parametrize("problem", PROBLEMS, ids=range(len(PROBLEMS)))
def test_what_a_refusal_says_acts_on_no_terminal(shell, problem):
    for words, _ in COMMANDS:
        for raw in [b"", RAW_BYTES] if words[0] not in ("run", "tail") else []:  # those try again
            with FakeServer(problem.replace(RAW.encode(), raw)) as fake:
                check("".join(shell(fake)(*words, stdin="x\n", exit=ANY)))
    with FakeServer(problem.replace(RAW.encode(), RAW_BYTES)) as fake:
        check(shell(fake).on_terminal("peek", "K", "--json", exit=ANY).replace("\r", ""))


def test_a_lost_lease_acts_on_no_terminal(shell):
    gone = answer({**PROBLEM, "code": "conflict"}, "409 Conflict", "application/problem+json")
    for raw in False, True:
        with FakeServer(answer(encode(LEASE, raw)), gone) as fake:
            screen = shell(fake).on_terminal("run", "K", "--once", "--", "true", exit=ANY)
        assert "lost lease" in screen
        check(screen)
