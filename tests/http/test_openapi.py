"""GET /openapi.json has the calls, fields and codes that the server has, and no others; answers are
as it says.
"""
import json
import os
import re
from pathlib import Path

import pytest

import contract
from contract import follow, operations
from policies import MAIN
from sevqd import Reply, ok
from test_tokens import HOOK, NAMED, ROWS, TABLE

SOURCES = Path(os.environ["SOURCES"])


def test_it_is_served_as_it_is_written(server):
    assert ok(server.client(token=None).call("GET", "/openapi.json")) == contract.DOCUMENT


def test_its_calls_and_scopes_are_those_of_the_server():
    assert contract.DOCUMENT["openapi"].startswith("3.1.")
    told = {route: op["security"][0].get("token", ["none"])[0] if op["security"] else "none" for route, op in operations().items()}
    assert told == TABLE


def test_its_codes_are_those_of_the_server():
    names = dict(re.findall(r'\[(ERROR_\w+)\] = "([\w-]+)"', (SOURCES / "schema/error.c").read_text()))
    answered = {names[code]: int(status) for code, status in re.findall(r"\[(ERROR_\w+)\] = \{ (\d+),", (SOURCES / "server/http/problem.c").read_text())}
    code = follow("#/components/schemas/Problem")["properties"]["code"]
    assert code["x-status"] == answered and sorted(code["enum"]) == sorted(answered)


def members_of(op):
    """The members of the body as JSON, with their schemas."""
    schema = op.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return {name: member for one in schema.get("oneOf", [schema]) for name, member in one.get("properties", {}).items()}


def parameters_of(op):
    return {p["name"]: p["schema"] for p in op.get("parameters", []) if p["in"] == "query"}


def test_its_fields_are_those_of_the_server():
    known = set()
    for source in (SOURCES / "server/calls").glob("*.c"):
        known |= set(re.findall(r'FIELD(?:_ROW|_REQUIRED|_RANGE|_LIST|_LIST_REQUIRED)?\(\s*"(\w+)"', source.read_text()))
    assert {name for op in operations().values() for name in (*members_of(op), *parameters_of(op))} - {"events"} == known


VALUES = {"string": "1", "integer": 1, "boolean": True, "array": ["1"], "object": {}}


def value_for(schema):
    return schema["enum"][0] if "enum" in schema else VALUES[schema["type"]]


def refused(api, route, name):
    """Whether the call does not know the parameter or member."""
    (method, path), op = route, operations()[route]
    value = value_for({**members_of(op), **parameters_of(op)}.get(name, {"type": "string"}))
    head = path == "/v1/stream"  # whose answer would not end
    if "requestBody" in op:
        reply = api.call(method, path.replace("{id}", "1"), {name: value})
    else:
        others = {"agentId": "main"} if head else {}  # channel and accountId go with it
        reply = api.call("HEAD" if head else method, path.replace("{id}", "1"), query={**others, name: "true" if value is True else value})
    return reply.status == 400 and (head or any("is not a " in e["detail"] for e in reply.json.get("errors", [])))


def test_a_call_knows_all_that_is_told_of_it_and_nothing_else(server):
    api = server.client()
    for route in set(TABLE) - {("POST", HOOK)}:
        known = {*members_of(operations()[route]), *parameters_of(operations()[route])}
        for name in known - ({"sessionKey", "agentId"} if route[1] == "/v1/wait" else set()):
            assert not refused(api, route, name), (route, name)
        assert refused(api, route, "nonsense"), route


# Answers. Those of all tests are checked (contract.py); here each call is asked.

def test_answers_are_as_it_says(make):
    server = make(policy={"agents": {"list": [{"id": "main"}, {"id": "ops"}]}, "hooks": {"enabled": True}})
    server.flags += ["--backup-dir", server.directory]
    api, nobody = server.start().client(), server.client(token=None)
    for route in set(ROWS) - {("GET", "/v1/stream")}:
        about, prepare, call = ROWS[route]
        call(api, **prepare(api))
        if TABLE[route] != "none":
            call(nobody, **prepare(api))
        if about == NAMED:
            call(api, **{name: "999999" for name in prepare(api)})


def test_answers_to_the_forms_of_an_enqueue_are_as_it_says(server):
    api = server.client()
    full = {"text": "x", "sessionKey": MAIN, "deliveryContext": {"channel": "lark", "to": "1", "threadId": 4}, "contextKey": "c", "delayMs": 5, "ttlMs": 50000}
    for body in (full, full, {**full, "replace": True, "text": "y"}, {"events": [full, full]}, {"text": 5}, {}, []):
        api.call("POST", "/v1/events", body)
    api.ndjson(json.dumps(full).encode())
    api.peek(MAIN)


JSON, PROBLEM = ("content-type", "application/json"), ("content-type", "application/problem+json")
SOME_PROBLEM = {"type": "t", "title": "t", "status": 404, "detail": "d", "code": "not-found"}

# Answers that the check must refuse: to which request, and the answer.
WRONG = {
    "a status that is not told of": ("GET", "/livez", 201, JSON, {"status": "ok"}),
    "another content type": ("GET", "/livez", 200, ("content-type", "text/plain"), {"status": "ok"}),
    "a member that is missing": ("GET", "/v1/sessions", 200, JSON, {"sessions": [], "total": 0}),
    "a member that is not told of": ("GET", "/version", 200, JSON, {"version": "1", "secret": "2"}),
    "a value of another type": ("GET", "/v1/wait?sessionKey=x", 200, JSON, {"sessionKey": "x", "ready": True, "depth": "2"}),
    "a wrong item of a long list": ("POST", "/v1/drain", 200, JSON, {"sessionKey": "x", "remaining": 0, "events": [{}] * 9999}),
    "a problem with the status of another code": ("GET", "/v1/events/1", 403, PROBLEM, {**SOME_PROBLEM, "status": 403}),
    "a problem whose status is another": ("GET", "/v1/events/1", 400, PROBLEM, SOME_PROBLEM),
    "a problem below /hooks": ("POST", "/hooks/agent", 404, PROBLEM, SOME_PROBLEM),
    "success on an unknown path": ("GET", "/v1/nothing", 200, JSON, {"status": "ok"}),
}


@pytest.mark.parametrize("method, path, status, header, body", WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_noticed(method, path, status, header, body):
    assert contract.fault(method, path, Reply(status, [header], json.dumps(body)))


def test_a_right_answer_is_none():
    assert contract.fault("GET", "/v1/nothing", Reply(404, [PROBLEM], json.dumps(SOME_PROBLEM))) is None
    assert contract.fault("HEAD", "/v1/stream?sessionKey=x", Reply(200, [("content-type", "text/event-stream")], b"")) is None


def test_an_answer_to_an_unknown_request_must_be_that_of_some_call():
    assert contract.stray(Reply(200, [JSON], b'{"version":"1"}')) is None
    assert contract.stray(Reply(200, [JSON], b'{"version":[]}')) and contract.stray(Reply(204, [JSON], b"{}"))
    for status, told in ((404, 404), (403, 403), (403, 404)):
        wrong = contract.stray(Reply(status, [PROBLEM], json.dumps({**SOME_PROBLEM, "status": told}).encode()))
        assert (wrong is None) == (status == told == 404), "the code is not-found"
