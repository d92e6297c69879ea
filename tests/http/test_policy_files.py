"""The policy is read as OpenClaw reads it, or not at all: $include, ${VAR}, its places, its owners.

What an include or a variable becomes is looked at in tests/unit/config_test.c. Here: that sevqd
refuses to start, or keeps what it had, says where, and names what it read.
"""
import hashlib
import itertools
import json
import os
import signal
import subprocess

import pytest
from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import binary, ok, wait_until

CONFIG = 78

# What cannot be resolved: how it is written, the files beside it, the file and the place that are
# to be named (None: in the config itself, at the value), and words of the reason.
FAULTS = {
    "missing": ("{ $include: './gone.json5' }", {}, None, "No such file"),
    "missing-of-several": ("{ $include: ['a.json5', './gone.json5'] }", {"a.json5": "{}"}, None, "No such file"),
    "directory": ("{ $include: 'd' }", {"d/x": "{}"}, None, "Is a directory"),
    "parent": ("{ $include: '../outside.json5' }", {"../outside.json5": "{}"}, None, "outside the config's directory"),
    "absolute": ("{ $include: '/etc/passwd' }", {}, None, "outside the config's directory"),
    "link": ("{ $include: 'link.json5' }", {"../outside.json5": "{}", "link.json5": os.symlink}, None, "outside the config's directory"),
    "circle": ("{ $include: 'openclaw.json' }", {}, None, "circle"),
    "circle-of-two": ("{ $include: 'a.json5' }", {"a.json5": "\n{ x: { $include: 'b.json5' } }", "b.json5": "{ $include: './a.json5' }"},
        ("b.json5", 1, 13), "circle"),
    "too-deep": ("{ $include: '0' }", {str(n): "{ $include: '%d' }" % (n + 1) for n in range(12)}, ("9", 1, 13), "levels"),
    "no-json5": ("{ $include: 'a.json5' }", {"a.json5": "{\n  x: [ }"}, ("a.json5", 2, 8), "unexpected"),
    "no-path": ("{ $include: 7 }", {}, None, "$include"),
    "siblings": ("{ $include: 'a.json5', x: 1 }", {"a.json5": "[]"}, None, "members beside"),
    "unset": ("{ x: '${SEVQ_TEST_UNSET_}' }", {}, None, "SEVQ_TEST_UNSET_ is not set"),
    "empty": ("{ x: '${NOTHING}' }", {}, None, "NOTHING is empty"),
    "unset-in-a-file": ("{ $include: 'a.json5' }", {"a.json5": "{\n  y: ['${UNSET}'] }"}, ("a.json5", 2, 7), "UNSET is not set"),
}

# Where it can stand.
PLACES = {
    "session": "{\n  session: %s,\n}",
    "agents": "{\n  agents: { list: [%s] },\n}",
    "channels": "{\n  channels: { telegram: { accounts: { a: %s } } },\n}",
    "bindings": "{\n  bindings: [ {}, %s ],\n}",
    "hooks": "{\n  hooks: %s,\n}",
}


def put(server, files):
    for name, text in files.items():
        path = server.directory / name
        path.parent.mkdir(exist_ok=True)
        if text is os.symlink:
            path.symlink_to("../outside.json5")
        else:
            path.write_text(text)


def value_place(config, value):
    """Line and column of what is wrong in a value: the included name, or the string."""
    at = config.index(value)
    at += next(value.index(mark) for mark in ("'./gone", "'${", "7", "'", "x") if mark in value)
    return config.count("\n", 0, at) + 1, at - config.rfind("\n", 0, at)


def wrong(fault, place):
    """A config with a fault, its files, and what is to be said."""
    value, files, at, why = FAULTS[fault]
    config = PLACES[place] % value
    name, line, column = at or ("openclaw.json", *value_place(config, value))
    return config, files, {"name": name, "line": line, "column": column, "why": why}


def check_complaint(server, record, said):
    assert record["code"] == "config" and record["level"] == "error", record
    assert record["detail"].startswith(f"policy {server.directory / said['name']}: "), record
    assert said["why"] in record["detail"], record
    assert (record["line"], record["column"]) == (said["line"], said["column"]), record


def last_record(text):
    return json.loads(text.strip().splitlines()[-1])


@pytest.mark.parametrize("fault, place", [(f, p) for n, (f, p) in enumerate(itertools.product(FAULTS, PLACES)) if n % 2 == 0 or p == "channels"])
def test_what_cannot_be_resolved_stops_the_start_with_its_place(make, fault, place):
    server = make(env={"NOTHING": ""})
    config, files, said = wrong(fault, place)
    put(server, files)
    server.write_policy(config)
    for more in ((), ("--check-config",)):
        done = server.run(*more)
        assert done.returncode == CONFIG, done
        check_complaint(server, last_record(done.stderr), said)
        assert done.stdout == ""
    assert not server.db.exists() and not (server.directory / "token").exists()


def test_what_cannot_be_resolved_keeps_the_old_policy(start):
    server = start(policy=ONE_OWNER, env={"NOTHING": ""})
    api = server.client()
    for fault, place in zip(FAULTS, itertools.cycle(PLACES)):
        config, files, said = wrong(fault, place)
        put(server, {n: t for n, t in files.items() if not (server.directory / n).is_symlink()})
        server.write_policy(config)
        seen = len(server.log)
        server.signal(signal.SIGHUP)
        check_complaint(server, server.wait_for_log(lambda r: r.get("level") == "error", f"the complaint about {fault}", seen), said)
        server.wait_for_log(lambda r: "reloaded" in r["msg"], "the end of the reload", seen)
        assert ok(api.route(DIRECT))["sessionKey"] == MAIN, fault
    server.write_policy(TWO_OWNERS)
    server.signal(signal.SIGHUP)
    wait_until(lambda: ok(api.route(DIRECT))["sessionKey"] == DIRECT, "the new policy")


ELSEWHERE = """{
  models: { $include: 'gone' }, gateway: { auth: { token: '${UNSET}' }, x: { $include: '../..' } }, tools: { $include: 7 },
  plugins: { $include: 'openclaw.json' },
  channels: { telegram: { allowFrom: [123] } },
}"""


def test_what_routing_does_not_need_is_not_resolved(start):
    server = start(policy=ELSEWHERE)
    assert ok(server.client().route(DIRECT))["sessionKey"] == MAIN
    assert not [r for r in server.log if r.get("level") in ("warn", "error")]


def test_an_env_block_that_cannot_be_resolved_is_a_warning(start):
    server = start(policy="{ env: {\n $include: 'gone' }, channels: { telegram: { allowFrom: [123] } } }")
    warning = server.wait_for_log(lambda r: r.get("level") == "warn", "the warning")
    assert (warning["line"], warning["column"]) == (2, 12) and "gone" in warning["detail"]
    assert ok(server.client().route(DIRECT))["sessionKey"] == MAIN


# A second owner, wherever it stands.

SECOND = "{ telegram: { allowFrom: ['456'] } }"
HIDDEN = {
    "channels-include": ("{ channels: { $include: './c.json5', telegram: { allowFrom: [123] } } }", {"c.json5": SECOND}),
    "channels-array": ("{ channels: { $include: ['a', 'c.json5'] } }", {"a": "{ telegram: { allowFrom: [123] } }", "c.json5": SECOND}),
    "top-level": ("{ $include: 'all', channels: { telegram: { allowFrom: [123] } } }", {"all": "{ channels: %s }" % SECOND}),
    "nested": ("{ $include: ['x/one'], channels: { telegram: { allowFrom: [123] } } }",
        {"x/one": "{ channels: { $include: '../two' } }", "two": "{ telegram: { $include: 'three' } }", "three": "{ allowFrom: [456] }"}),
    "list": ("{ channels: { telegram: { allowFrom: { $include: 'owners' } } } }", {"owners": "\ufeff[123, 456,] // two"}),
    "entry": ("{ channels: { telegram: { allowFrom: [123, { $include: 'owner' }] } } }", {"owner": "'456'"}),
    "account": ("{ channels: { telegram: { allowFrom: [123], accounts: { $include: 'a' } } } }", {"a": "{ default: { dm: { allowFrom: ['456', 123] } } }"}),
    "wildcard": ("{ channels: { telegram: { $include: 'a', allowFrom: [123] } } }", {"a": "{ allowFrom: ['*'] }"}),
    "variable": ("{ channels: { telegram: { allowFrom: [123, '${OTHER}'] } } }", {}),
    "env-block": ("{ env: { vars: { ONE: '456' } }, channels: { telegram: { allowFrom: [123, '${ONE}'] } } }", {}),
    "dotenv": ("{ channels: { telegram: { allowFrom: [123, '${ONE}'] } } }", {".env": "ONE='456' # another\n"}),
    "dmScope": ("{ session: { $include: 's' }, channels: { telegram: { allowFrom: [123] } } }", {"s": "{ dmScope: 'per-peer' }"}),
    "binding": ("{ bindings: { $include: 'b' }, channels: { telegram: { allowFrom: [123] } } }",
        {"b": "[{ match: { channel: 'telegram' }, session: { dmScope: 'per-account-channel-peer' } }]"}),
}


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_second_owner_is_seen_wherever_it_stands(make, hidden):
    config, files = HIDDEN[hidden]
    server = make(policy=config, env={"OTHER": "456"})
    put(server, files)
    assert ok(server.start().client().route(DIRECT))["sessionKey"] == DIRECT
    routed = route(server, DIRECT, "--policy", server.policy)
    assert routed == {"sessionKey": DIRECT, "rule": "keep", "rekeyed": False, "owner": "main"}


def route(server, key, *flags, **fields):
    done = subprocess.run([binary(), "route", *flags], input=json.dumps({"sessionKey": key, **fields}) + "\n", stdout=subprocess.PIPE, text=True,
        env=server.environment(), check=True, timeout=30)
    return json.loads(done.stdout)


def test_the_only_owner_may_stand_in_an_include_and_a_variable(make):
    server = make(policy="{ channels: { $include: 'c' } }", env={"OWNER": "123"})
    put(server, {"c": "{ telegram: { allowFrom: ['${OWNER}', ' 123 '] } }"})
    assert ok(server.start().client().route(DIRECT))["sessionKey"] == MAIN


# What was read.

def files_checked(done):
    """The lines by which --check-config names files."""
    return [line for line in done.stdout.splitlines() if line.startswith(("config: ", "policy: ", "tokens: "))]


def test_check_config_names_every_file_it_read(make):
    server = make(policy="{ agents: { $include: ['./a', 'sub/b'] }, hooks: { $include: 'a' }, models: { $include: 'm' } }")
    put(server, {"a": "{ x: { $include: 'sub/c' } }", "sub/b": "{}", "sub/c": "{}", "m": "{}", ".env": "A=1"})
    options = server.directory / "sevqd.json"
    options.write_text("{ maxPending: 7 }")
    done = server.run("--check-config", "--config", options)
    assert done.returncode == 0, done
    policy = [str(server.directory / name) for name in (".env", "openclaw.json", "a", "sub/c", "sub/b")]
    assert files_checked(done) == [f"config: {options}", *(f"policy: {path}" for path in policy)]


def test_the_log_names_the_policy_and_its_hash(start):
    server = start(policy=ONE_OWNER)
    digest = lambda *names: hashlib.sha256(b"".join((server.directory / n).read_bytes() for n in names)).hexdigest()
    read = server.wait_for_log(lambda r: r.get("msg") == "policy read", "the policy")
    assert (read["file"], read["files"], read["hash"]) == (str(server.policy), 1, digest("openclaw.json"))
    put(server, {"a": "{ $include: 'b' }", "b": "{}"})
    server.write_policy("{ agents: { $include: ['a', 'b', 'a'] } }")
    seen = len(server.log)
    server.signal(signal.SIGHUP)
    read = server.wait_for_log(lambda r: r.get("msg") == "policy read", "the new policy", seen)
    assert (read["file"], read["files"], read["hash"]) == (str(server.policy), 3, digest("openclaw.json", "a", "b"))


def test_many_reloads_open_nothing_that_stays(start):
    server = start(policy=ONE_OWNER)
    put(server, {"a": "{ x: '${HOME}' }", "b": "{ $include: 'a' }", "c": "{ $include: 'c' }"})
    count = lambda: len(os.listdir(f"/proc/{server.process.pid}/fd"))
    before = count()
    for n in range(30):
        server.write_policy("{ agents: { $include: ['a', '%s'] } }" % ("b", "c", "gone")[n % 3])
        seen = len(server.log)
        server.signal(signal.SIGHUP)
        server.wait_for_log(lambda r: "reloaded" in r["msg"], "the reload", seen)
    wait_until(lambda: count() == before, "the last reload to close its files")


# Where the config is.

def with_default(make, place, variables, content=ONE_OWNER):
    server = make()
    path = server.directory / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    server.policy = server.directory / "no-such-policy.json"  # so that --policy is not given
    server.extra_env.update({name: value.replace("HERE", str(server.directory)) for name, value in variables.items()})
    return server, path


DEFAULTS = {
    "home": (".openclaw/openclaw.json", {}),
    "old-name": (".openclaw/clawdbot.json", {}),
    "old-directory": (".clawdbot/openclaw.json", {}),
    "OPENCLAW_HOME": ("h/.openclaw/openclaw.json", {"OPENCLAW_HOME": "HERE/h"}),
    "OPENCLAW_HOME-tilde": ("h/.openclaw/openclaw.json", {"OPENCLAW_HOME": "~/h"}),
    "OPENCLAW_STATE_DIR": ("s/openclaw.json", {"OPENCLAW_STATE_DIR": " HERE/x/../s "}),
    "OPENCLAW_STATE_DIR-tilde": ("h/s/openclaw.json", {"OPENCLAW_STATE_DIR": "~/s", "OPENCLAW_HOME": "HERE/h"}),
    "OPENCLAW_STATE_DIR-relative": ("s/openclaw.json", {"OPENCLAW_STATE_DIR": "s"}),
    "OPENCLAW_CONFIG_PATH": ("c/any.json5", {"OPENCLAW_CONFIG_PATH": "HERE/c/any.json5", "OPENCLAW_STATE_DIR": "HERE/nowhere"}),
    "OPENCLAW_CONFIG_PATH-tilde": ("c/any.json5", {"OPENCLAW_CONFIG_PATH": "~/c/any.json5"}),
}


@pytest.mark.parametrize("place", DEFAULTS)
def test_the_config_is_found_where_openclaw_has_it(make, place):
    server, path = with_default(make, *DEFAULTS[place])
    assert files_checked(server.run("--check-config")) == [f"policy: {path}"]
    assert ok(server.start().client().route(DIRECT))["sessionKey"] == MAIN


def test_a_default_config_with_an_include_outside_is_refused(make):
    server, path = with_default(make, ".openclaw/openclaw.json", {}, "{ agents: { $include: '../a' } }")
    done = server.run()
    assert done.returncode == CONFIG and str(path) in done.stderr


def test_a_directory_of_includes_may_be_listed(make):
    server, path = with_default(make, ".openclaw/openclaw.json", {"OPENCLAW_INCLUDE_ROOTS": "~/shared:/nowhere"}, "{ agents: { $include: '../shared/a' } }")
    put(server, {"shared/a": "{}"})
    assert files_checked(server.run("--check-config"))[-1] == f"policy: {server.directory}/shared/a"


def test_without_a_config_the_policy_is_empty(make):
    server = make()
    assert files_checked(server.run("--check-config")) == ["policy: none, so the empty one"]
    assert ok(server.start().client().route(DIRECT))["sessionKey"] == DIRECT


@pytest.mark.parametrize("name", ["OPENCLAW_CONFIG_PATH", "link"])
def test_a_config_that_is_named_must_be_there(make, name):
    server = make()
    if name == "link":
        put(server, {".openclaw/x": ""})
        (server.directory / ".openclaw/openclaw.json").symlink_to("gone")
    else:
        server.extra_env[name] = "~/gone.json"
    done = server.run()
    assert done.returncode == CONFIG and "No such file" in done.stderr, done


def test_a_default_config_that_is_gone_keeps_the_old_policy(make):
    server, path = with_default(make, ".openclaw/openclaw.json", {})
    server.start()
    path.unlink()
    seen = len(server.log)
    server.signal(signal.SIGHUP)
    complaint = server.wait_for_log(lambda r: r.get("level") == "error", "the complaint", seen)
    assert str(path) in complaint["detail"]
    assert ok(server.client().route(DIRECT))["sessionKey"] == MAIN
    path.write_text("{}")
    server.signal(signal.SIGHUP)
    wait_until(lambda: ok(server.client().route(DIRECT))["sessionKey"] == DIRECT, "the new policy")


# The owner beside the config.

@pytest.mark.parametrize("source", ["flag", "variable", "file"])
def test_an_owner_who_is_paired_can_be_given(make, source):
    server = make(policy="{ channels: { telegram: { dmPolicy: 'pairing' }, signal: { allowFrom: ['a'] } } }")
    given = ["telegram:123", "signal:b"]
    if source == "flag":
        server.flags += [flag for owner in given for flag in ("--owner", owner)]
    elif source == "variable":
        server.extra_env["SEVQ_OWNER"] = ",".join(given)
    else:
        options = server.directory / "options.json"
        options.write_text(json.dumps({"owner": given}))
        server.flags += ["--config", options]
    api = server.start().client()
    assert ok(api.route(DIRECT))["rule"] == "direct-main"
    assert ok(api.route("agent:main:telegram:direct:456"))["rule"] == "keep"
    assert ok(api.route("agent:main:signal:direct:a"))["rule"] == "keep", "two owners are none"
    event = ok(api.enqueue("hello", DIRECT), 201)["event"]
    assert (event["sessionKey"], event["rule"]) == (MAIN, "direct-main")
    seen = len(server.log)
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda r: "reloaded" in r["msg"], "the reload", seen)
    assert ok(api.route(DIRECT))["rule"] == "direct-main"


@pytest.mark.parametrize("owner", ["", "telegram", ":123", "telegram:", " : "])
def test_an_owner_is_a_channel_and_an_id(make, owner):
    server = make()
    assert "--owner" in (done := server.run("--owner", owner)).stderr and done.returncode == 2
    server.extra_env["SEVQ_OWNER"] = owner
    assert "SEVQ_OWNER" in (done := server.run("--check-config")).stderr and done.returncode == CONFIG


def test_route_takes_owners_for_every_line(make):
    server = make()
    assert route(server, DIRECT, "--owner", "Telegram:123")["sessionKey"] == MAIN
    assert route(server, DIRECT, "--owner", "telegram:123", cfg={"channels": {}})["sessionKey"] == MAIN
    assert route(server, DIRECT, "--owner", "telegram:123", "--owner", "telegram:9")["sessionKey"] == DIRECT
    assert route(server, DIRECT, "--owner", "telegram:*")["sessionKey"] == DIRECT


# An isolated heartbeat.

ISOLATED = "{ agents: { entries: { main: { heartbeat: { isolatedSession: true } }, other: {} } } }"


def test_producer_and_runner_of_an_isolated_heartbeat_meet(start):
    server = start(policy=ISOLATED)
    api = server.client()
    posted = ok(api.enqueue("from the run", MAIN + ":heartbeat"), 201)["event"]
    assert (posted["sessionKey"], posted["rule"]) == (MAIN, "isolated-heartbeat")
    ok(api.enqueue("from outside", MAIN), 201)
    leased = ok(api.lease(MAIN + ":heartbeat:heartbeat"))
    assert [e["text"] for e in leased["events"]] == ["from the run", "from outside"]
    explained = route(server, MAIN + ":heartbeat", "--policy", server.policy, "--explain")
    assert explained["steps"][0]["rule"] == "isolated-heartbeat" and explained["steps"][0]["applied"]
    assert ok(api.route("agent:other:main:heartbeat"))["rule"] == "keep"
    server.stop()
    assert ok(server.start().client().find(posted["id"]))["event"]["rule"] == "isolated-heartbeat"


# cfg of a line.

@pytest.mark.parametrize("cfg", [{"$include": "a"}, {"channels": {"$include": ["a"]}}, {"agents": {"list": [{"$include": "a"}]}}])
def test_cfg_of_a_line_includes_nothing(make, cfg):
    server = make()
    done = subprocess.run([binary(), "route"], input=json.dumps({"sessionKey": DIRECT, "cfg": cfg}) + "\n", stdout=subprocess.PIPE, text=True,
        env=server.environment(), timeout=30)
    assert done.returncode == 1 and "--policy" in json.loads(done.stdout)["detail"]
