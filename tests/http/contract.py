"""What openapi.json says of answers: status, content type and body.

Here: the check that sevqd.py makes of every answer. It is stricter than the document: an object has
no members that are not told of. Of long lists it looks at some items. Not here: which answer is the
right one (the tests).
"""
import functools
import json
import re
from pathlib import Path

import jsonschema

DOCUMENT = json.loads((Path(__file__).parents[2] / "server/calls/openapi.json").read_text())
METHODS = {"get", "post", "delete", "put", "patch"}
ITEMS_LOOKED_AT = 32


def follow(ref):
    at = DOCUMENT
    for step in ref.removeprefix("#/").split("/"):
        at = at[step]
    return at


def resolved(value):
    """The value with what its references name in their place, and with objects that are closed."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return resolved(follow(value["$ref"]))
    value = {name: resolved(member) for name, member in value.items()}
    if isinstance(value.get("properties"), dict) and "type" in value:
        value.setdefault("additionalProperties", False)
    return value


def some_items(validator, items, instance, _schema):
    if validator.is_type(instance, "array"):
        for index in range(0, len(instance), 1 + len(instance) // ITEMS_LOOKED_AT):
            yield from validator.descend(instance[index], items, path=index)


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"items": some_items})


@functools.cache
def operations():
    """By method and path: what is told of each call."""
    return {(method.upper(), path): resolved(op) for path, item in DOCUMENT["paths"].items() for method, op in item.items() if method in METHODS}


@functools.cache
def call_of(method, path):
    """The call that answers; of what is none below /hooks, the webhook; else None."""
    method = "GET" if method == "HEAD" else method
    for told in DOCUMENT["paths"]:
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", told), path) and (method, told) in operations():
            return method, told
    return ("POST", "/hooks/wake") if re.match("/hooks(/|$)", path) else None


@functools.cache
def contents(call, status):
    """The types of the body, and their schemas; that of no body is "". Statuses of success are told
    of one by one.
    """
    answers = operations()[call]["responses"] if call else {"default": resolved(DOCUMENT["components"]["responses"]["Problem"])}
    return answers.get(str(status), answers["default"] if status >= 400 else {"content": {}}).get("content", {"": None})


@functools.cache
def validator(call, status, kind):
    return Validator(contents(call, status)[kind]["schema"])


def kind_of(reply):
    return reply.headers.get("content-type", "").split(";")[0] if reply.status != 304 else ""


def misnumbered(reply):
    """Whether a problem has another status than its code, or than the answer."""
    doc, statuses = reply.json, follow("#/components/schemas/Problem")["properties"]["code"]["x-status"]
    return kind_of(reply) == "application/problem+json" and not statuses[doc["code"]] == doc["status"] == reply.status


def fault(method, path, reply):
    """What is wrong with the answer to this request; None: nothing."""
    call, kind = call_of(method, path.split("?")[0]), kind_of(reply)
    if kind not in contents(call, reply.status):
        return f"{reply.status} with {kind} is no answer to {method} {path}"
    if method == "HEAD" or not kind.endswith("json"):
        return None
    doc = reply.json
    error = next(validator(call, reply.status, kind).iter_errors(doc), None)
    if error is not None:
        return f"the answer to {method} {path} is not as told at {'/'.join(map(str, error.path)) or 'its top'}: {error.message}"
    return f"the problem has a wrong status: {reply}" if misnumbered(reply) else None


def stray(reply, has_body=True):
    """The same where it is not known which request the answer is to."""
    kind, calls = kind_of(reply), [call for call in operations() if kind_of(reply) in contents(call, reply.status)]
    if not calls:
        return f"{reply.status} with {kind} is no call's answer"
    if not has_body or not kind.endswith("json"):
        return None
    doc = reply.json
    if not any(validator(call, reply.status, kind).is_valid(doc) for call in calls):
        return f"it is the answer of no call: {reply}"
    return f"the problem has a wrong status: {reply}" if misnumbered(reply) else None
