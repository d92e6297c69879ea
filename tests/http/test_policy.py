"""Which policy is in force, what it says, what it strands; what a check of a config tells."""
import hashlib
import json
import os
import signal
import threading
from pathlib import Path

import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import ok, problem, request, wait_until


def policy_of(api):
    return ok(api.call("GET", "/v1/policy"))


def judged(api):
    """The policy in force, once every queue has been judged by it."""
    return wait_until(lambda: (said := policy_of(api))["stranded"]["complete"] and said, "all queues to be judged")


def reload(server, policy):
    """Has the server read another policy; returns the log record that ends the reload."""
    seen = len(server.log)
    server.write_policy(policy)
    server.signal(signal.SIGHUP)
    return server.wait_for_log(lambda r: "reloaded" in r["msg"], "the end of the reload", seen)


def test_the_policy_in_force_is_told(start):
    server = start(policy="""{
      session: { dmScope: 'main', scope: 'per-sender', mainKey: ' Hub ' },
      agents: { defaults: { userTimezone: 'UTC' }, list: [{ id: 'Ops' }, { id: 'main', default: true }] },
      channels: {
        telegram: { allowFrom: [123], accounts: { work: { dm: { allowFrom: ['*', 7] } }, home: {} } },
        signal: { dm: { allowFrom: ['+1', '+2', ' '] } },
        slack: { enabled: true },
      },
      bindings: [{ agentId: 'ops', match: { channel: 'telegram' } }],
    }""")
    said = judged(server.client())
    source = server.policy.read_bytes()
    assert isinstance(said.pop("loadedAt"), int)
    assert said == {
        "file": str(server.policy), "hash": hashlib.sha256(source).hexdigest(), "reloads": 0, "lastError": None,
        "session": {"dmScope": "main", "scope": "per-sender", "mainKey": "hub"},
        "agents": {"ids": ["ops", "main"], "default": "main", "ownership": None},
        "allowlists": [
            {"channel": "signal", "account": None, "where": "channels.signal.dm.allowFrom", "entries": 2, "wildcard": False, "owner": None},
            {"channel": "telegram", "account": None, "where": "channels.telegram.allowFrom", "entries": 1, "wildcard": False, "owner": "123"},
            {"channel": "telegram", "account": "work", "where": "channels.telegram.accounts.work.dm.allowFrom", "entries": 2,
             "wildcard": True, "owner": None},
        ],
        "bindings": 1, "timezone": "UTC", "includes": [], "stranded": {"sessions": 0, "events": 0, "complete": True}, "more": False,
        "warnings": [
            "the allowlist of channels.signal names more than one person, so it has no single owner and its direct chats keep sessions of their own",
            "the allowlist of channels.telegram.accounts.work lets anybody in, so it has no single owner and its direct chats keep sessions of their own",
        ],
    }


def test_without_a_file_the_empty_policy_is_told(api):
    said = judged(api)
    assert (said["file"], said["hash"], said["agents"], said["allowlists"], said["warnings"]) == \
        (None, None, {"ids": [], "default": "main", "ownership": None}, [], [])
    assert said["session"] == {"dmScope": "main", "scope": "per-sender", "mainKey": "main"}


def test_owners_given_by_the_operator_are_told(start):
    server = start("--owner", "Telegram:9", "--owner", "signal:8", policy="{ channels: { telegram: { allowFrom: [] } } }")
    assert [(row["channel"], row["where"], row["owner"], row["entries"]) for row in policy_of(server.client())["allowlists"]] == \
        [("telegram", "channels.telegram.allowFrom", "9", 1), ("signal", "--owner", "8", 1)]


def test_included_files_are_told_and_hashed(start, make):
    server = make(policy="{ session: { $include: 'part.json' } }")
    (server.directory / "part.json").write_text("{ mainKey: 'hub' }")
    said = policy_of(server.start().client())
    assert said["includes"] == [str(server.directory / "part.json")] and said["session"]["mainKey"] == "hub"
    assert said["hash"] == hashlib.sha256(server.policy.read_bytes() + b"{ mainKey: 'hub' }").hexdigest()


def test_long_lists_end_at_a_thousand(start):
    lists = {f"c{n:04}": {"allowFrom": [n]} for n in range(1001)}
    said = policy_of(start(policy=json.dumps({"channels": lists})).client())
    assert len(said["allowlists"]) == 1000 and said["more"] is True


def test_a_new_policy_tells_what_it_strands(start):
    """The operator sees it in the answer, in the metrics, and in the log line of the change."""
    server = start("--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    for n in range(4):
        ok(api.enqueue(f"{n}", DIRECT), 201)
    assert judged(api)["stranded"] == {"sessions": 0, "events": 0, "complete": True}
    before, seen = policy_of(api), len(server.log)
    assert reload(server, ONE_OWNER)["msg"] == "reloaded"
    said = judged(api)
    assert said["stranded"] == {"sessions": 1, "events": 4, "complete": True}
    assert (said["reloads"], said["hash"] != before["hash"]) == (1, True)
    line = server.wait_for_log(lambda r: r["msg"] == "policy read", "the policy's line", seen)
    assert {k: line[k] for k in ("file", "hash", "dmScope", "agents", "owners", "strandedSessions", "strandedEvents")} == \
        {"file": str(server.policy), "hash": said["hash"], "dmScope": "main", "agents": "", "owners": "signal:+15550001, telegram:123",
         "strandedSessions": 1, "strandedEvents": 4}
    stats = api.stats()
    assert (stats["strandedSessions"], stats["strandedEvents"]) == (1, 4)
    assert reload(server, TWO_OWNERS)["msg"] == "reloaded"
    assert judged(api)["stranded"]["events"] == 0


def test_a_restart_finds_what_is_stranded(start):
    server = start(policy=TWO_OWNERS)
    ok(server.client().enqueue("x", DIRECT), 201)
    server.stop()
    server.write_policy(ONE_OWNER)
    assert judged(server.start().client())["stranded"] == {"sessions": 1, "events": 1, "complete": True}


def test_a_failed_reload_says_only_that_it_failed(start):
    server = start(policy=ONE_OWNER)
    api = server.client()
    before, seen = judged(api), len(server.log)
    failed = reload(server, "{\n session: { dmScope: main },\n}")
    assert failed["level"] == "error" and (failed["line"], failed["column"]) == (2, 22)
    said = judged(api)
    assert {**said, "lastError": None} == before
    assert said["lastError"]["detail"] and (said["lastError"]["line"], said["lastError"]["column"]) == (2, 22)
    assert said["lastError"]["ts"] >= said["loadedAt"]
    assert reload(server, ONE_OWNER)["msg"] == "reloaded"
    assert policy_of(api)["lastError"] is None
    assert [r["msg"] for r in server.log[seen:] if "reloaded" in r["msg"]] == ["policy not reloaded, the old one stays", "reloaded"]


def test_a_reload_of_the_same_files_changes_nothing(start):
    server = start(policy=ONE_OWNER)
    api = server.client()
    before, seen = judged(api), len(server.log)
    assert reload(server, ONE_OWNER)["msg"] == "reloaded"
    assert judged(api) == before
    assert not [r for r in server.log[seen:] if r["msg"] == "policy read"]


# POST /v1/policy/reload.

def post(api, **fields):
    return api.call("POST", "/v1/policy/reload", fields)


def test_a_reload_that_is_asked_for_tells_what_it_strands(start):
    server = start("--no-watch-policy", "--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    for n in range(4):
        ok(api.enqueue(f"{n}", DIRECT), 201)
    server.write_policy(ONE_OWNER)
    said = ok(post(api))
    assert ok(api.route(DIRECT))["sessionKey"] == MAIN
    now = policy_of(api)
    assert said == {"changed": True, "hash": hashlib.sha256(server.policy.read_bytes()).hexdigest(), "loadedAt": now["loadedAt"],
        "stranded": {"sessions": 1, "events": 4, "complete": True}}
    assert ok(post(api)) == {**said, "changed": False}
    server.write_policy(TWO_OWNERS)
    assert ok(post(api))["stranded"] == {"sessions": 0, "events": 0, "complete": True}


def test_a_dry_run_tells_what_would_strand_and_adopts_nothing(start):
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    api = server.client()
    for n in range(4):
        ok(api.enqueue(f"{n}", DIRECT), 201)
    ok(api.enqueue("stands", "agent:main:telegram:default:direct:456"), 201)
    before = judged(api)
    server.write_policy(ONE_OWNER)
    said = ok(post(api, dryRun=True))
    assert said == {"changed": True, "hash": hashlib.sha256(server.policy.read_bytes()).hexdigest(), "loadedAt": before["loadedAt"],
        "stranded": {"sessions": 1, "events": 4, "complete": True}, "wouldStrand": [{"queueKey": DIRECT, "to": MAIN, "events": 4}]}
    assert policy_of(api) == before
    assert ok(api.route(DIRECT))["sessionKey"] == DIRECT


def test_a_dry_run_lists_at_most_a_hundred(start):
    server = start("--no-watch-policy")
    api = server.client()
    events = [{"text": "x", "sessionKey": f"agent:a{n}:main"} for n in range(1500)]
    ok(api.batch(*events[:1000])), ok(api.batch(*events[1000:]))
    server.stop()
    server.write_policy("{}")
    server.start()
    server.write_policy("{ session: { mainKey: 'hub' } }")
    said = ok(post(server.client(), dryRun=True))
    assert said["stranded"] == {"sessions": 1500, "events": 1500, "complete": True}
    keys = [row["queueKey"] for row in said["wouldStrand"]]
    assert len(set(keys)) == len(keys) == 100
    assert all(row["to"] == row["queueKey"].replace(":main", ":hub") for row in said["wouldStrand"])


@pytest.mark.parametrize("dry", [False, True])
def test_a_policy_that_cannot_be_used_is_refused_with_its_place(start, dry):
    server = start("--no-watch-policy", policy=ONE_OWNER)
    api = server.client()
    before = judged(api)
    server.write_policy("{\n session: { dmScope: main },\n}")
    errors = problem(post(api, dryRun=dry), 422, "policy-invalid")["errors"]
    assert errors == [{"file": str(server.policy), "line": 2, "column": 22, "detail": errors[0]["detail"]}]
    said = policy_of(api)
    assert {**said, "lastError": None} == before and (said["lastError"] is None) == dry


def test_a_wrong_include_is_named(start):
    server = start("--no-watch-policy", policy=ONE_OWNER)
    (server.directory / "part.json").write_text("{ a: }")
    server.write_policy("{ session: { $include: 'part.json' } }")
    error, = problem(post(server.client()), 422, "policy-invalid")["errors"]
    assert (error["file"], error["line"]) == (str(server.directory / "part.json"), 1)


def test_one_reload_at_a_time(start):
    server = start("--no-watch-policy", policy=ONE_OWNER)
    first, second = server.client(), server.client()
    with server.held_still():  # both arrive in one turn
        first.send("POST", "/v1/policy/reload", {})
        second.send("POST", "/v1/policy/reload", {"dryRun": True})
    replies = [first.receive(), second.receive()]
    assert sorted(reply.status for reply in replies) == [200, 409], replies
    problem(next(r for r in replies if r.status == 409), 409, "conflict")
    ok(post(first))


def test_a_reload_whose_client_hangs_up_is_over(start):
    server = start("--no-watch-policy", policy=ONE_OWNER)
    for dry in (True, False):
        raw = server.raw()
        with server.held_still():
            raw.send(request("POST", "/v1/policy/reload", server.token, {"dryRun": dry}))
            raw.close()
        wait_until(lambda: post(server.client()).status == 200, "the reload to be over")


def test_a_reload_needs_the_scope_admin(start, tmp_path):
    server = start()
    (server.directory / "token").write_text("a" * 40 + "\n" + "b" * 40 + " read,produce,consume\n")
    seen = len(server.log)
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: r["msg"] == "reloaded", "the tokens", seen)
    api = server.client("b" * 40)
    problem(post(api), 403, "forbidden")
    assert policy_of(api)["reloads"] == 0


def test_a_hundred_reloads_under_load_fail_no_request(start):
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    stop, wrong, served = threading.Event(), [], []

    def call_on(number):
        api = server.client()
        while not stop.is_set():
            for reply, status in ((api.enqueue("x", DIRECT, allowDuplicate=True), 201), (api.drain(DIRECT, limit=5), 200), (api.peek(MAIN), 200)):
                (served if reply.status == status else wrong).append(reply)

    callers = [threading.Thread(target=call_on, args=(n,)) for n in range(3)]
    for caller in callers:
        caller.start()
    api = server.client()
    for n in range(100):
        server.write_policy((ONE_OWNER, TWO_OWNERS)[n % 2])
        assert ok(post(api, dryRun=n % 3 == 0))["changed"] is True or n % 3 == 1
    stop.set()
    for caller in callers:
        caller.join()
    assert not wrong and len(served) > 100, wrong[:3]


# The files are watched.

def replaced(path, text):
    """As OpenClaw rewrites its config."""
    fresh = path.with_name("fresh.tmp")
    fresh.write_text(text)
    fresh.rename(path)


def told(server, reloads, since=0):
    """The policy, once it has been adopted so many times."""
    api = server.client()
    return wait_until(lambda: (said := policy_of(api))["reloads"] == reloads and said, "the policy to be adopted")


@pytest.mark.parametrize("change", [lambda path, text: path.write_text(text), replaced], ids=["written", "renamed"])
def test_a_change_of_the_file_is_adopted(start, change):
    server = start(policy=TWO_OWNERS)
    change(server.policy, ONE_OWNER)
    assert told(server, 1)["hash"] == hashlib.sha256(ONE_OWNER.encode()).hexdigest()
    change(server.policy, TWO_OWNERS)
    told(server, 2)
    assert ok(server.client().route(DIRECT))["sessionKey"] == DIRECT


def test_a_change_of_an_included_file_is_adopted(make):
    server = make(policy="{ session: { $include: 'parts/session.json' } }")
    (server.directory / "parts").mkdir()
    part = server.directory / "parts/session.json"
    part.write_text("{ mainKey: 'a' }")
    server.start()
    replaced(part, "{ mainKey: 'b' }")
    assert told(server, 1)["session"]["mainKey"] == "b"
    other = server.directory / "other.json"
    other.write_text("{ mainKey: 'c' }")
    replaced(server.policy, "{ session: { $include: 'other.json' } }")
    assert told(server, 2)["session"]["mainKey"] == "c"
    other.write_text("{ mainKey: 'd' }")
    assert told(server, 3)["session"]["mainKey"] == "d"


def test_a_link_that_leads_elsewhere_is_adopted(make):
    """As a container mounts a directory: config -> ..data/config, ..data -> ..1, then ..2."""
    server = make()
    for name, text in (("..1", TWO_OWNERS), ("..2", ONE_OWNER)):
        (server.directory / name).mkdir()
        (server.directory / name / "openclaw.json").write_text(text)
    (server.directory / "..data").symlink_to("..1")
    server.policy.symlink_to("..data/openclaw.json")
    server.start()
    (server.directory / "..new").symlink_to("..2")
    (server.directory / "..new").rename(server.directory / "..data")
    told(server, 1)
    assert ok(server.client().route(DIRECT))["sessionKey"] == MAIN


def test_a_broken_change_is_told_once_and_the_next_one_adopted(start):
    server = start(policy=TWO_OWNERS)
    replaced(server.policy, "{")
    failed = lambda: [r for r in server.log if r["msg"].startswith("policy not reloaded")]
    wait_until(failed, "the failure")
    replaced(server.policy, ONE_OWNER)
    told(server, 1)
    assert len(failed()) == 1


def test_without_watching_a_change_waits_for_a_signal(start):
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    assert not [link for fd in Path(f"/proc/{server.process.pid}/fd").iterdir() if "inotify" in (link := os.readlink(fd))]
    assert reload(server, ONE_OWNER)["msg"] == "reloaded"
    told(server, 1)


# --check-config and --print-config.

def checked(make, policy, *more):
    done = make(policy=policy).run("--check-config", *more)
    assert done.returncode == 0, done
    return done.stdout.splitlines()


def test_check_config_prints_what_it_understood(make):
    lines = checked(make, """{ session: { dmScope: 'per-peer', mainKey: 'Hub' }, agents: { list: [{ id: 'a' }, { id: 'b' }] },
        channels: { telegram: { allowFrom: [1], accounts: { work: { allowFrom: [2, 3] } } } }, bindings: [{}] }""", "--owner", "signal:7")
    assert [line for line in lines if not line.startswith("policy: ")] == [
        "dmScope: per-peer", "scope: per-sender", "mainKey: hub", "agents: a, b", "agent of keys that name none: none: they are refused",
        "channel telegram: owner 1", "channel telegram/work: no single owner among 2 entries", "channel signal: owner 7 (given)", "bindings: 1"]


@pytest.mark.parametrize("policy, warning", {
    "unknown dmScope": ("{ session: { dmScope: 'per-pear' } }", "session.dmScope is \"per-pear\", which is none of"),
    "dmScope of another case": ("{ session: { dmScope: 'Main' } }", "session.dmScope is \"Main\", which is none of"),
    "dmScope of another type": ("{ session: { dmScope: true } }", "session.dmScope is \"true\", which is none of"),
    "unknown scope": ("{ session: { scope: 'globl' } }", "session.scope is \"globl\", which is neither"),
    "unknown member": ("{ session: { dmscope: 'main' } }", "session.dmscope is not known and means nothing"),
    "no object": ("{ session: 'main' }", "session is no object"),
    "two owners": ("{ channels: { telegram: { allowFrom: [1, 2] } } }", "the allowlist of channels.telegram names more than one person"),
    "nobody": ("{ channels: { telegram: { allowFrom: [] } } }", "the allowlist of channels.telegram names nobody"),
    "anybody": ("{ channels: { telegram: { allowFrom: ['*'] } } }", "the allowlist of channels.telegram lets anybody in"),
    "an account's": ("{ channels: { telegram: { accounts: { a: { allowFrom: [1, 2] } } } } }", "the allowlist of channels.telegram.accounts.a names"),
    "a capital": ("{ channels: { Telegram: { allowFrom: [1] } } }", "channels.Telegram is never found"),
}.values())
def test_check_config_warns_of_what_means_nothing(make, policy, warning):
    assert [line for line in checked(make, policy) if line.startswith("warning: " + warning)]


@pytest.mark.parametrize("policy", [ONE_OWNER, "{}", "{ session: { idleMinutes: 5, identityLinks: {} } }",
    "{ session: { dmScope: 'per-peer' }, channels: { telegram: { allowFrom: [1, 2] } } }"])
def test_check_config_does_not_warn_of_what_is_right(make, policy):
    assert not [line for line in checked(make, policy) if line.startswith("warning")]


def test_warnings_are_bounded(make):
    lines = checked(make, json.dumps({"session": {f"x{n}" + "é" * 2000: 1 for n in range(500)}}))
    warnings = [line for line in lines if line.startswith("warning")]
    assert len(warnings) == 100 and max(map(len, warnings)) < 400


def test_print_config_names_the_policy(make):
    server = make()
    (server.directory / ".openclaw").mkdir()
    (server.directory / ".openclaw/openclaw.json").write_text("{}")
    done = server.run("--print-config")
    assert json.loads(done.stdout)["policy"] == str(server.directory / ".openclaw/openclaw.json")
