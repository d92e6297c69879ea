"""The commands that tell an operator what is queued where, why, and who does not take it."""
import re
import signal
import subprocess

import pytest

from fake_server import CLOSE, FakeServer, answer
from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import PATIENCE, Client, binary, ok, wait_until
from shell import DONE, FAILED, NOTHING, NOT_ALLOWED, TRY_AGAIN, USAGE, Shell

OTHER = "agent:other:main"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture
def server(start):
    return start("--no-watch-policy", "--no-rekey-on-reload", "--unattended-ms", "50", "--max-pending", "10", policy=ONE_OWNER)


@pytest.fixture
def sevq(server):
    return Shell(server)


@pytest.fixture
def api(server):
    return server.client()


def rows(out):
    """The lines of a table under their titles, as dictionaries: columns of the same width."""
    titles = [(m[0], m.start()) for m in re.finditer(r"\S+(?: \S+)*", out.splitlines()[0])]
    return titles, out.splitlines()[1:]


# sessions.

def test_sessions_show_the_problems_first_and_the_key_last(sevq, api, server):
    ok(api.enqueue("1", "agent:delayed:main", delayMs=3600000), 201)
    ok(api.enqueue("1", MAIN), 201), ok(api.enqueue("2", MAIN), 201), ok(api.enqueue("3", MAIN), 201)
    ok(api.lease(MAIN, limit=1, consumer="bob"))
    ok(api.batch(*({"text": str(n), "sessionKey": "agent:full:main", "delayMs": 3600000} for n in range(9))))
    wait_until(lambda: "unattended" in sevq("sessions")[0], "nobody to take it")
    out, err = sevq("sessions")
    titles, lines = rows(out)
    assert [title for title, _ in titles] == ["READY", "LEASED", "DELAYED", "UNATTENDED", "LAST TAKEN", "PROBLEM", "SESSION"] and err == ""
    assert [line.split()[-1] for line in lines] == ["agent:full:main", MAIN, "agent:delayed:main"]
    assert re.fullmatch(rf" +2 +1 +{TIME} +{TIME}  unattended  {MAIN}", lines[1]), lines[1]
    assert re.fullmatch(r" +0 +9 +full +agent:full:main", lines[0])
    assert sevq("sessions", "--problem", "full")[0].splitlines()[1:] == ["    0        9  full     agent:full:main"]
    assert [line.split()[-1] for line in sevq("sessions", "--sort", "key", "--contains", "l")[0].splitlines()[1:]] == ["agent:delayed:main", "agent:full:main"]
    waiting = server.client()
    waiting.send("GET", "/v1/wait", query={"sessionKey": "agent:delayed:main", "timeoutMs": 60000})
    wait_until(lambda: "WAITERS" in sevq("sessions")[0], "the wait")
    waiting.close()


def test_sessions_fit_a_terminal_of_80_columns(sevq, api):
    key = "agent:main:telegram:default:direct:123456789"
    for n in range(3):
        ok(api.enqueue(str(n), key), 201)
    ok(api.enqueue("later", key, delayMs=3600000), 201)
    ok(api.lease(key, limit=1))
    wait_until(lambda: "unattended" in sevq("sessions")[0], "nobody to take it")
    screen = sevq.on_terminal("sessions", width=80)
    assert max(map(len, screen.splitlines())) <= 80 and "LAST TAKEN" in screen and "unattended" in screen
    assert "unattended  agent" in screen


def test_every_table_fits_a_terminal_of_80_columns(sevq, api):
    keys = [f"agent:main:telegram:default:group:-100123456789:topic:{n}" for n in range(2)]
    for key in keys:
        ok(api.enqueue("wide " * 30, key, contextKey="cron:" + "nightly-" * 8, source="cron-event"), 201)
        ok(api.lease(key, limit=1, consumer="a runner with a name, somewhere"))
    event = ok(api.enqueue("moved " * 30, "agent:main:other"), 201)["event"]
    ok(api.drain("agent:main:other"))
    for words in (("sessions",), ("leases",), ("consumers",), ("peek", keys[0]), ("history",), ("show", event["id"]), ("policy",), ("route", keys[0])):
        lines = sevq.on_terminal(*words, width=80).splitlines()
        assert max(map(len, lines)) <= 80, (words, lines)
    # of keys both ends are left, and elsewhere everything
    assert re.search(r" agent:main\S*>\S*topic:1  agent:main\S*>\S*topic:1$", sevq.on_terminal("consumers", width=100), re.M)
    assert re.search(r"wide wide .*>$", sevq.on_terminal("peek", keys[0], width=100), re.M)
    assert all(key in sevq("consumers")[0] and key in sevq("leases")[0] for key in keys)


@pytest.mark.parametrize("env, painted", [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": ""}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False),
    ({"TERM": "dumb"}, False), ({}, False)], ids=str)
def test_problems_are_red_on_a_terminal_that_has_colours(sevq, api, env, painted):
    ok(api.enqueue("1", MAIN), 201)
    wait_until(lambda: "unattended" in sevq("sessions")[0], "nobody to take it")
    sevq.env = {k: v for k, v in sevq.env.items() if k not in ("TERM", "NO_COLOR")} | env
    screen = sevq.on_terminal("sessions", width=80)
    assert ("\x1b[31munattended\x1b[0m" in screen, "\x1b[1mREADY\x1b[0m" in screen, "\x1b" in screen) == (painted,) * 3
    assert "\x1b" not in sevq("sessions")[0]


# peek and show.

def test_peek_shows_the_state_of_each_event(sevq, api):
    ok(api.enqueue("1", MAIN), 201), ok(api.enqueue("2", MAIN), 201), ok(api.enqueue("3", MAIN, delayMs=3600000), 201)
    ok(api.lease(MAIN, limit=1))
    titles, lines = rows(sevq("peek", MAIN)[0])
    assert [title for title, _ in titles] == ["ID", "TIME", "STATE", "TEXT"]
    assert [line.split()[2:] for line in lines] == [["leased", "1"], ["queued", "2"], ["delayed", "3"]]
    assert "STATE" not in sevq("drain", MAIN)[0]


def test_a_long_word_is_cut_as_fast_as_it_is_read(sevq, api):
    for n in range(9):
        ok(api.enqueue(f"{n}" + "x\u6f22" * 16000 + "end", MAIN), 201)
    rows = sevq.on_terminal("peek", MAIN, width=60).splitlines()[1:]
    assert [re.search(r"  (\d)x[x\u6f22]+>[x\u6f22]+end$", row)[1] for row in rows] == [str(n) for n in range(9)]
    assert {len(row) + row.count("\u6f22") for row in rows} <= {59, 60}


def test_show_tells_all_and_cuts_nothing(sevq, api):
    text = "".join(f"{n:04}-" for n in range(100))
    event = ok(api.enqueue(text, DIRECT, contextKey="cron:backup", source="hook", wake="now", traceparent="00-a-b-01", delayMs=1, ttlMs=3600000,
        deliveryContext={"channel": "telegram", "to": "1", "accountId": "default", "threadId": "t"}), 201)["event"]
    wait_until(lambda: api.session(MAIN)["ready"] == 1, "the delay to end")
    lease = ok(api.lease(MAIN, consumer="bob"))
    ok(api.call("POST", f"/v1/leases/{lease['leaseId']}/nack", {"reason": "x" * 200, "delayMs": 3600000}))
    out = dict(re.split(r"  +", line, maxsplit=1) for line in sevq("show", event["id"])[0].split("\n\n")[0].splitlines())
    assert {k: v for k, v in out.items() if not re.fullmatch(TIME, v)} == {"event": event["id"], "queue": MAIN, "sent to": DIRECT, "rule": "direct-main", "state": "delayed",
        "attempts": "1", "context key": "cron:backup", "source": "hook", "wake": "now", "delivery": "channel telegram to 1 account default thread t",
        "traceparent": "00-a-b-01", "text": text}
    assert {k for k, v in out.items() if re.fullmatch(TIME, v)} == {"queued", "available", "expires"}
    for width in 40, 80, 133:
        screen = sevq.on_terminal("show", event["id"], width=width)
        assert max(map(len, screen.splitlines())) <= width and ">" not in screen
        unwrapped = re.sub(r"\n +", "", screen)
        assert text in unwrapped and "x" * 200 in unwrapped


# Why there is nothing.

@pytest.mark.parametrize("take, said", [("drain", "nothing in"), ("lease", "nothing to lease in")])
def test_what_gets_nothing_says_why(sevq, api, take, said):
    assert sevq(take, MAIN, exit=NOTHING) == ("", f"{said} {MAIN}\n")
    for n in range(2):
        ok(api.enqueue(str(n), MAIN), 201)
    ok(api.lease(MAIN, consumer="bob", leaseMs=600000))
    assert re.fullmatch(rf"{said} {MAIN}: 2 leased by bob until {TIME}\n", sevq(take, MAIN, exit=NOTHING)[1])
    later = ok(api.enqueue("later", MAIN, delayMs=7200000), 201)["event"]["availableAt"]
    first = ok(api.enqueue("sooner", MAIN, delayMs=3600000), 201)["event"]["availableAt"]
    assert first < later
    err = sevq(take, MAIN, exit=NOTHING)[1]
    assert re.fullmatch(rf"{said} {MAIN}: 2 delayed, the first until {TIME}, 2 leased by bob until {TIME}\n", err)
    assert api.session(MAIN)["depth"] == 4


def test_one_that_is_delayed_is_told_with_its_time(sevq, api):
    event = ok(api.enqueue("later", MAIN, delayMs=3600000), 201)["event"]
    err = sevq("drain", MAIN, exit=NOTHING)[1]
    assert re.fullmatch(rf"nothing in {MAIN}: 1 delayed until {TIME}\n", err)
    assert err.split("until ")[1].strip() in sevq("show", event["id"])[0]


def test_who_may_not_look_is_told_how_many_there_are(make):
    server = make().start()
    ok(server.client().enqueue("later", MAIN, delayMs=3600000), 201)
    tokens = server.directory / "token"
    tokens.write_text(tokens.read_text() + "a-token-that-consumes consume\n")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: Client(server.port, "a-token-that-consumes").drain("agent:none:main").status == 200, "the token")
    sevq = Shell(server, SEVQ_TOKEN="a-token-that-consumes", SEVQ_TOKEN_FILE="")
    assert sevq("drain", MAIN, exit=NOTHING)[1] == f"nothing in {MAIN}: 1 delayed, leased or of another kind\n"
    sevq("why", MAIN, exit=NOT_ALLOWED)


# consumers, leases, policy.

def test_consumers_show_both_keys(sevq, api):
    assert sevq("consumers", exit=NOTHING) == ("", "nobody has asked since the server started\n")
    ok(api.enqueue("1", MAIN), 201)
    ok(api.lease(DIRECT, consumer="bob"))
    out, _ = sevq("consumers")
    assert re.fullmatch(rf" *TIME  KIND   WAITING  TAKEN  CONSUMER  RULE         QUEUE            ASKED FOR\n{TIME}  lease        0      1  bob       direct-main  {MAIN}  {DIRECT}\n", out), out
    assert [a["consumer"] for a in sevq.json("consumers", DIRECT)["consumers"]] == ["bob"]
    assert [a["consumer"] for a in sevq.json("consumers", MAIN, "--exact")["consumers"]] == ["bob"]
    sevq("consumers", MAIN, exit=NOTHING), sevq("consumers", DIRECT, "--exact", exit=NOTHING), sevq("consumers", "--exact", exit=USAGE)


def test_leases_show_who_holds_what(sevq, api):
    assert sevq("leases", exit=NOTHING) == ("", "no leases hold events\n")
    ok(api.enqueue("1", MAIN), 201), ok(api.enqueue("2", MAIN), 201), ok(api.enqueue("1", OTHER), 201)
    lease, other = ok(api.lease(MAIN, consumer="bob", leaseMs=120000)), ok(api.lease(OTHER, exclusive=True, leaseMs=60000))
    out, _ = sevq("leases")
    assert [line.split() for line in out.splitlines()] == [["LEASE", "UNTIL", "EVENTS", "EXCLUSIVE", "CONSUMER", "QUEUE"],
        [other["leaseId"], out.splitlines()[1].split()[1], "1", "yes", OTHER], [lease["leaseId"], out.splitlines()[2].split()[1], "2", "bob", MAIN]]
    assert [x["leaseId"] for x in sevq.json("leases", MAIN)["leases"]] == [x["leaseId"] for x in sevq.json("leases", "--consumer", "bob")["leases"]] == [lease["leaseId"]]
    _, err = sevq("leases", "--limit", "1")
    assert [x["leaseId"] for x in sevq.json("leases", "--cursor", err.split()[-1])["leases"]] in ([lease["leaseId"]], [other["leaseId"]])
    sevq("leases", "--consumer", "ann", exit=NOTHING)


def test_policy_shows_what_is_in_force(sevq, api, server):
    out, err = sevq("policy")
    said = ok(api.call("GET", "/v1/policy"))
    assert sevq.json("policy") == said and err == ""
    shown = dict(re.split(r"  +", line, maxsplit=1) for line in out.split("\n\n")[0].splitlines())
    assert (shown["file"], shown["hash"], shown["dmScope"], shown["default agent"]) == (said["file"], said["hash"], "main", said["agents"]["default"])
    assert re.fullmatch(TIME, shown["loaded"]) and "last error" not in shown
    assert re.search(r"^telegram +\S.* 123$", out, re.M), out
    server.write_policy("{ nonsense")
    api.call("POST", "/v1/policy/reload", {})
    assert re.search(r"^last error  +\S", sevq("policy")[0], re.M)


# status and version.

def test_status_tells_what_there_is(sevq, api, server):
    ok(api.enqueue("1", MAIN), 201), ok(api.enqueue("2", MAIN), 201), ok(api.enqueue("3", MAIN, delayMs=3600000), 201)
    ok(api.lease(MAIN, limit=1))
    out, err = sevq("status")
    told = dict(re.split(r"  +", line, maxsplit=1) for line in out.splitlines())
    version = sevq("--version")[0].split()[1]
    assert err == "" and told == {"server": f"http://127.0.0.1:{server.port}", "version": version, "ready": "yes", "token": "produce, consume, read, admin",
        "policy": str(server.policy), "to take": "1", "leased": "1", "delayed": "1", "stranded": "0", "sessions": "1"}
    said = sevq.json("status")
    assert said["ready"] is True and said["server"] == {"version": version} and said["stats"]["leased"] == 1 and said["policy"] == ok(api.call("GET", "/v1/policy"))


def test_status_leaves_out_what_the_token_may_not_read(make):
    server = make().start()
    tokens = server.directory / "token"
    tokens.write_text(tokens.read_text() + "a-token-that-produces produce name=ci\n")
    server.process.send_signal(signal.SIGHUP)
    sevq = Shell(server, SEVQ_TOKEN="a-token-that-produces", SEVQ_TOKEN_FILE="")
    wait_until(lambda: Client(server.port, "a-token-that-produces").call("GET", "/v1/whoami").status == 200, "the token")
    assert [line.split("  ")[0] for line in sevq("status")[0].splitlines()] == ["server", "version", "ready", "token"]
    assert re.search("^token +ci: produce$", sevq("status")[0], re.M)
    sevq("status", exit=NOT_ALLOWED, SEVQ_TOKEN="wrong")


def test_status_tells_why_a_server_is_not_ready():
    full = answer({"code": "storage-full", "detail": "the disk is full"}, "507 Insufficient Storage", "application/problem+json")
    answers = [full, answer({"version": "9"}), answer({"name": None, "scopes": ["read"], "agents": None}), answer({"ready": 7}), answer({})]
    with FakeServer(*answers) as fake:
        done = subprocess.run([binary("SEVQ"), "status"], env={"SEVQ_URL": fake.url, "SEVQ_TOKEN": "t"}, stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert done.returncode == TRY_AGAIN and re.search("^ready +the disk is full$", done.stdout, re.M) and re.search("^to take +7$", done.stdout, re.M)


def problem(code, status):
    return answer({"code": code, "detail": f"it is {code}"}, status, "application/problem+json")


FAILURES = [(problem("storage-failed", "503 Service Unavailable"), TRY_AGAIN, "sevq: it is storage-failed"), (answer({}, "404 Not Found"), FAILED, "is no sevqd"),
    (CLOSE, FAILED, "carried out")]


@pytest.mark.parametrize("failure, exit, said", FAILURES, ids=["problem", "another server", "no answer"])
@pytest.mark.parametrize("which", range(1, 5), ids=["version", "token", "stats", "policy"])
def test_status_hides_no_failure(make, which, failure, exit, said):
    answers = [answer({}), answer({"version": "9"}), answer({"name": None, "scopes": ["read"], "agents": None}), answer({"ready": 7}), answer({"file": None})]
    answers[which] = failure
    with FakeServer(*answers, *[failure] * 2) as fake:
        out, err = Shell(make(), SEVQ_URL=fake.url, SEVQ_TOKEN="t")("status", exit=exit)
    assert out == "" and said in err


def test_version_is_that_of_both(sevq, server):
    version = sevq("--version")[0].split()[1]
    assert sevq("version") == (f"sevq {version}\nsevqd {version} at http://127.0.0.1:{server.port}\n", "")
    assert sevq.json("version") == {"version": version}
    out, err = sevq("version", exit=TRY_AGAIN, SEVQ_URL="http://127.0.0.1:1")
    assert out == f"sevq {version}\n" and "Connection refused" in err


# why.

def test_why_puts_both_sides_of_a_key_together(sevq, api, server):
    """An event that was posted under two owners is looked for under one: found, moved, drained."""
    server.write_policy(TWO_OWNERS)
    ok(api.call("POST", "/v1/policy/reload", {}))
    ok(api.enqueue("1", DIRECT), 201)
    server.write_policy(ONE_OWNER)
    ok(api.call("POST", "/v1/policy/reload", {}))
    ok(api.lease(DIRECT, consumer="bob"))
    out, _ = sevq("why", DIRECT)
    assert f"{DIRECT} routes to {MAIN} by direct-main\n" in out
    assert f"\n{MAIN} has no events\n" in out
    assert f"\n{DIRECT} has 1 event: 1 to take, 0 leased, 0 delayed\n" in out
    assert re.search(rf"^  bob asked for {DIRECT}, which led to {MAIN} by direct-main \(lease, 0 taken, last at {TIME}\)$", out, re.M)
    command = re.search(r"^do: sevq (rekey \S+) ", out, re.M)[1]
    sevq(*command.split())
    out, _ = sevq("why", DIRECT)
    assert f"\n{MAIN} has 1 event: 1 to take, 0 leased, 0 delayed\n" in out and f"{DIRECT} has" not in out
    command = re.search(rf"^do: .*: sevq (drain {MAIN})$", out, re.M)[1]
    assert "1" in sevq(*command.split(), exit=DONE)[0]
    assert f"do: see what became of the events: sevq history {MAIN}\n" in sevq("why", DIRECT)[0]


def test_why_tells_who_holds_what_and_until_when(sevq, api):
    ok(api.enqueue("1", MAIN), 201), ok(api.enqueue("2", MAIN, delayMs=3600000), 201)
    lease = ok(api.lease(MAIN, consumer="bob"))
    out, _ = sevq("why", MAIN)
    assert re.search(rf"^  bob holds 1 until {TIME} \(lease {lease['leaseId']}\)$", out, re.M)
    assert re.search(rf"^  1 delayed until {TIME}, 1 leased by bob until {TIME}$", out, re.M)
    assert re.search(rf"^  bob took something last, at {TIME}$", out, re.M)
    assert "do: wait for the ends of the leases" in out
    ok(api.ack(lease["leaseId"]))
    assert "do: wait until the delays are over" in sevq("why", MAIN)[0]


def test_why_says_that_nobody_asks(sevq, api):
    ok(api.enqueue("1", MAIN), 201)
    out, _ = sevq("why", "main")
    assert f"nobody has asked for {MAIN} since the server started\n" in out and f"do: start a consumer of {MAIN}" in out
    assert re.search(rf"^  there is something to take since {TIME}$", out, re.M)


def test_sessions_and_why_tell_of_dead_letters(start):
    server = start("--max-attempts", 1)
    api, sevq = server.client(), Shell(server)
    ok(api.enqueue("fails", MAIN), 201)
    ok(api.nack(ok(api.lease(MAIN))["leaseId"]))
    sevq("sessions", exit=NOTHING)
    out, _ = sevq("sessions", "--problem", "dead")
    assert out.splitlines()[1].split()[-2:] == ["dead", MAIN]
    out, _ = sevq("why", MAIN)
    assert f"{MAIN} has no events\n  1 dead letter: sevq dead-letters {MAIN}\n" in out
    ok(api.enqueue("more", MAIN), 201)
    assert f"{MAIN} has 1 event: 1 to take, 0 leased, 0 delayed\n  1 dead letter: " in sevq("why", MAIN)[0]
    assert "dead" in sevq("sessions")[0]


def test_why_names_commands_that_find_the_dead_letters(make):
    """Of a queue, and of one whose key leads elsewhere by now."""
    server = make("--max-attempts", 1, "--no-watch-policy", policy=TWO_OWNERS).start()
    api, sevq = server.client(), Shell(server)
    ok(api.enqueue("fails", DIRECT), 201)
    ok(api.nack(ok(api.lease(DIRECT))["leaseId"]))
    for policy, exact, queue in (TWO_OWNERS, "", DIRECT), (ONE_OWNER, "--exact ", MAIN):
        server.write_policy(policy)
        ok(api.call("POST", "/v1/policy/reload", {}))
        out, _ = sevq("why", DIRECT)
        look = re.search(rf"^  1 dead letter: sevq (dead-letters {exact}{DIRECT})$", out, re.M)[1]
        assert "fails" in sevq(*look.split())[0]
        mend = re.search(rf"^do: enqueue them anew: sevq (dead-letters --requeue-all {exact}{DIRECT})$", out, re.M)[1]
        assert sevq(*mend.split())[0] == "requeued 1\n"
        assert api.texts(queue) == ["fails"]
        ok(api.nack(ok(api.lease(queue))["leaseId"]))


def test_why_as_json_has_all_answers(sevq, api):
    ok(api.enqueue("1", MAIN), 201)
    said = sevq.json("why", DIRECT)
    assert set(said) == {"route", "queue", "underKey", "queueAskers", "keyAskers", "leases"}
    assert said["route"]["sessionKey"] == MAIN and said["queue"]["sessions"][0]["sessionKey"] == MAIN and said["underKey"]["sessions"] == []
    sevq("why", exit=USAGE)
