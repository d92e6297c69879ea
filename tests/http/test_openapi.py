"""GET /openapi.json has the calls, fields and codes that the server has, and no others; answers are
as it says.
"""
import json
import os
import re
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import ok
from test_tokens import HOOK, NAMED, ROWS, TABLE

SOURCES = Path(os.environ["SOURCES"])
METHODS = {"get", "post", "delete", "put", "patch"}


@pytest.fixture
def document(server):
    return ok(server.client(token=None).call("GET", "/openapi.json"))


def operations(document):
    return {(method.upper(), path): op for path, item in document["paths"].items() for method, op in item.items() if method in METHODS}


def test_its_calls_and_scopes_are_those_of_the_server(document):
    assert document["openapi"].startswith("3.1.")
    told = {route: op["security"][0]["token"][0] if op["security"] else "none" for route, op in operations(document).items()}
    assert told == TABLE


def test_its_codes_are_those_of_the_server(document):
    names = dict(re.findall(r'\[(ERROR_\w+)\] = "([\w-]+)"', (SOURCES / "schema/error.c").read_text()))
    answered = {names[code]: int(status) for code, status in re.findall(r"\[(ERROR_\w+)\] = \{ (\d+),", (SOURCES / "server/http/problem.c").read_text())}
    code = document["components"]["schemas"]["Problem"]["properties"]["code"]
    assert code["x-status"] == answered and sorted(code["enum"]) == sorted(answered)


def resolved(document, schema):
    while "$ref" in schema:
        schema = follow(document, schema["$ref"])
    return schema


def follow(document, ref):
    at = document
    for step in ref.removeprefix("#/").split("/"):
        at = at[step]
    return at


def names_of(document, op):
    """The names of the query's parameters and of the body's members."""
    told = {p["name"] for p in op.get("parameters", []) if p["in"] == "query"}
    for kind, content in op.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            schema = resolved(document, content["schema"])
            for one in schema.get("oneOf", [schema]):
                told |= set(resolved(document, one).get("properties", {}))
    return told


def test_its_fields_are_those_of_the_server(document):
    known = set()
    for source in (SOURCES / "server/calls").glob("*.c"):
        known |= set(re.findall(r'FIELD(?:_ROW|_REQUIRED|_RANGE|_LIST|_LIST_REQUIRED)?\(\s*"(\w+)"', source.read_text()))
    told = set().union(*(names_of(document, op) for op in operations(document).values()))
    assert told - {"events"} == known


VALUES = {"string": "1", "integer": 1, "boolean": True, "array": ["1"], "object": {}}


def value_for(document, schema):
    schema = resolved(document, schema)
    return schema["enum"][0] if "enum" in schema else VALUES[schema["type"]]


def refused(api, document, route, name):
    """Whether the call does not know the parameter or member."""
    (method, path), op = route, operations(document)[route]
    if "requestBody" in op:
        schema = resolved(document, op["requestBody"]["content"]["application/json"]["schema"])
        known = {k: v for one in schema.get("oneOf", [schema]) for k, v in resolved(document, one).get("properties", {}).items()}
        reply = api.call(method, path.replace("{id}", "1"), {name: value_for(document, known.get(name, {"type": "string"}))})
    else:
        known = {p["name"]: p["schema"] for p in op.get("parameters", [])}
        value = value_for(document, known.get(name, {"type": "string"}))
        head = path == "/v1/stream"  # whose answer would not end
        reply = api.call("HEAD" if head else method, path.replace("{id}", "1"), query={name: "true" if value is True else value})
        if head:
            return reply.status == 400
    return reply.status == 400 and any("is not a " in e["detail"] for e in reply.json.get("errors", []))


def test_a_call_knows_all_that_is_told_of_it_and_nothing_else(server, document):
    api = server.client()
    for route in set(TABLE) - {("POST", HOOK)}:
        for name in names_of(document, operations(document)[route]) - ({"sessionKey", "agentId"} if route[1] == "/v1/wait" else set()):
            assert not refused(api, document, route, name), (route, name)
        assert refused(api, document, route, "nonsense"), route


# Answers.

TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict, "null": type(None)}


def faults(document, schema, value, at=""):
    schema = resolved(document, schema)
    for one in schema.get("allOf", []):
        yield from faults(document, one, value, at)
    for many in ("anyOf", "oneOf"):
        if many in schema and all(list(faults(document, one, value, at)) for one in schema[many]):
            yield f"{at}: none of {many}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(isinstance(value, TYPES[t]) and (t not in ("integer", "number") or not isinstance(value, bool)) for t in types):
        yield f"{at}: {value!r} is no {types}"
    if isinstance(value, dict):
        yield from (f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value)
        for name, member in value.items():
            if name in schema.get("properties", {}):
                yield from faults(document, schema["properties"][name], member, f"{at}/{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{at}: {name} is not told of"
    if isinstance(value, list) and "items" in schema:
        for n, item in enumerate(value):
            yield from faults(document, schema["items"], item, f"{at}/{n}")


def check(document, route, reply):
    answers = operations(document)[route]["responses"]
    answer = resolved(document, answers.get(str(reply.status), answers["default"]))
    kind = reply.headers["content-type"].split(";")[0]
    assert kind in answer["content"], (route, reply)
    if kind.endswith("json"):
        assert not list(faults(document, answer["content"][kind]["schema"], reply.json)), (route, reply)


def test_answers_are_as_it_says(make):
    server = make(policy={"agents": {"list": [{"id": "main"}, {"id": "ops"}]}, "hooks": {"enabled": True}})
    server.flags += ["--backup-dir", server.directory]
    api, nobody = server.start().client(), server.client(token=None)
    document = ok(api.call("GET", "/openapi.json"))
    for route in set(ROWS) - {("GET", "/v1/stream")}:
        about, prepare, call = ROWS[route]
        check(document, route, call(api, **prepare(api)))
        if TABLE[route] != "none":
            check(document, route, call(nobody, **prepare(api)))
        if about == NAMED:
            check(document, route, call(api, **{name: "999999" for name in prepare(api)}))


def test_answers_to_the_forms_of_an_enqueue_are_as_it_says(server, document):
    api, route = server.client(), ("POST", "/v1/events")
    full = {"text": "x", "sessionKey": MAIN, "deliveryContext": {"channel": "lark", "to": "1", "threadId": 4}, "contextKey": "c", "delayMs": 5, "ttlMs": 50000}
    for body in (full, full, {**full, "replace": True, "text": "y"}, {"events": [full, full]}, {"text": 5}, {}, []):
        check(document, route, api.call("POST", "/v1/events", body))
    check(document, route, api.ndjson(json.dumps(full).encode()))
    check(document, ("GET", "/v1/events"), api.peek(MAIN))


def test_a_wrong_answer_would_be_noticed(document):
    assert list(faults(document, {"$ref": "#/components/schemas/Enqueued"}, {"outcome": "lost", "event": {}}))
    assert list(faults(document, {"type": "integer"}, True)) and not list(faults(document, {"type": ["integer", "null"]}, None))
