"""POST /v1/route: the decision and its reasons; and `sevqd route`, which tries a policy offline."""
import json
import subprocess

import pytest

from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import binary, ok, problem


def test_a_decision_has_its_reasons(start):
    api = start(policy=ONE_OWNER).client()
    answer = ok(api.route(DIRECT))
    assert {k: answer[k] for k in ("sessionKey", "rule", "rekeyed", "owner")} == {"sessionKey": MAIN, "rule": "direct-main", "rekeyed": True, "owner": "main"}
    assert all(set(step) == {"rule", "applied", "why"} and isinstance(step["applied"], bool) and step["why"] for step in answer["steps"])
    assert [step["rule"] for step in answer["steps"] if step["applied"]] == ["direct-main"]
    assert {"main-alias", "cron-run"} <= {step["rule"] for step in answer["steps"] if not step["applied"]}


def test_a_key_that_is_kept_has_a_reason(start):
    answer = ok(start(policy=TWO_OWNERS).client().route(DIRECT))
    assert (answer["sessionKey"], answer["rule"], answer["rekeyed"]) == (DIRECT, "keep", False)
    why = [step["why"] for step in answer["steps"] if step["rule"] == "direct-main"]
    assert len(why) == 1 and why[0]


@pytest.mark.parametrize("rest, fits", [("x" * (1024 - 11), True), ("x" * (1024 - 10), False), ("\u0130" * 337, True), ("\u0130" * 338, False)])
def test_a_queue_key_is_one_that_can_be_sent(api, rest, fits):
    """A bare key is prefixed with "agent:main:", and lower-casing makes some letters longer."""
    if not fits:
        problem(api.enqueue("x", rest), 400, "invalid-field", "/sessionKey")
        problem(api.route(rest), 400, "invalid-field", "/sessionKey")
        assert ok(api.drain(rest))["remaining"] == 0, "what is there from before can be taken"
        return
    key = ok(api.enqueue("x", rest), 201)["event"]["sessionKey"]
    assert len(key.encode()) in (1022, 1024)
    assert ok(api.drain(key))["sessionKey"] == key


def test_routing_stores_nothing(api):
    api.route(MAIN)
    assert ok(api.sessions())["total"] == 0 and api.stats()["pending"] == 0


def test_an_agent_alone_is_routed(api):
    assert ok(api.call("POST", "/v1/route", {"agentId": "ops"}))["sessionKey"] == "agent:ops:main"


@pytest.mark.parametrize("fields, pointer", [({"text": "x"}, "/text"), ({"agentId": 1}, "/agentId"), ({"channel": []}, "/channel"), ({"accountId": 5}, "/accountId")])
def test_a_bad_field_is_named(api, fields, pointer):
    problem(api.route(MAIN, **fields), 400, "invalid-field", pointer)


def command(place, *words, **options):
    return subprocess.run([binary(), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=place.environment(), cwd=place.directory, timeout=30, **options)


def lines(make, text, *arguments, policy=None):
    place = make(policy=policy)
    arguments = ["--policy", str(place.policy), *arguments] if policy is not None else [*arguments]
    done = command(place, "route", *arguments, input=text)
    return done.returncode, [json.loads(line) for line in done.stdout.decode().splitlines()]


def test_the_command_answers_line_by_line(make):
    text = "\n".join(json.dumps(x) for x in ({"sessionKey": DIRECT}, {"sessionKey": " "}, {"sessionKey": "agent:"}, {"sessionKey": "agent:a:x", "agentId": "b"},
        {"sessionKey": DIRECT, "cfg": {"session": {"dmScope": "per-peer"}}})) + "\n"
    code, answers = lines(make, text.encode(), policy=ONE_OWNER)
    assert code == 0
    assert answers[0] == {"sessionKey": MAIN, "rule": "direct-main", "rekeyed": True, "owner": "main"}
    assert [a["error"] for a in answers[1:4]] == ["blank-key", "malformed-key", "owner-mismatch"] and all(a["detail"] for a in answers[1:4])
    assert answers[4]["sessionKey"] == DIRECT


def test_the_command_explains_when_asked(make):
    _, answers = lines(make, b'{"sessionKey":"main"}\n', "--explain")
    assert [s["rule"] for s in answers[0]["steps"] if s["applied"]] == ["main-alias"]


def test_the_command_answers_a_bad_line_as_an_error_and_goes_on(make):
    code, answers = lines(make, b'{"sessionKey":\n{"sessionKey":"main"}\n{"colour":"red"}\n')
    assert code == 1 and (answers[0]["error"], answers[0]["line"], answers[0]["column"]) == ("invalid-json", 1, 15)
    assert answers[1]["sessionKey"] == MAIN and answers[2]["error"] == "invalid-field"


@pytest.mark.parametrize("policy, place", [("{\n  session: }", "line 2, column 12"), ("//" + "x" * (8 << 20), "over 8388608 bytes")], ids=["broken", "too long"])
def test_the_command_refuses_the_policies_that_the_server_refuses(make, policy, place):
    server = make(policy=policy)
    tried = command(server, "route", "--policy", str(server.policy), input=b"")
    refused = command(server, "--check-config", "--policy", str(server.policy))
    assert (tried.returncode, refused.returncode) == (78, 78)
    assert place in tried.stderr.decode() and str(server.policy) in tried.stderr.decode(), tried.stderr


def test_the_command_takes_keys_as_arguments(make):
    place = make(policy=ONE_OWNER)
    done = command(place, "route", "--policy", str(place.policy), DIRECT, "agent:", "main", input=b"")
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert done.returncode == 0 and [a.get("sessionKey", a.get("error")) for a in answers] == [MAIN, "malformed-key", MAIN]
    done = command(place, "route", "--policy", str(place.policy), "--explain", DIRECT, input=b"not read")
    assert [s["rule"] for s in json.loads(done.stdout)["steps"] if s["applied"]] == ["direct-main"]
    assert command(place, "route", b"\xff", input=b"").returncode == 1


def test_the_command_takes_the_policy_that_the_server_takes(make):
    place = make(policy=ONE_OWNER)
    for variables in ({"OPENCLAW_CONFIG_PATH": str(place.policy)}, {"OPENCLAW_CONFIG_PATH": ""}):
        done = subprocess.run([binary(), "route", DIRECT], stdout=subprocess.PIPE, env={**place.environment(), **variables}, cwd=place.directory, timeout=30, check=True)
        assert json.loads(done.stdout)["sessionKey"] == (MAIN if variables["OPENCLAW_CONFIG_PATH"] else DIRECT)
    done = subprocess.run([binary(), "route", DIRECT], env={**place.environment(), "OPENCLAW_CONFIG_PATH": "/does/not/exist"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 78 and b"/does/not/exist" in done.stderr
