"""A policy that moves every session's events to one, for scale and stalls: with two owners each key
below is a queue of its own, with one owner all of them lead to the agent's main session.
"""
from sevqd import ok

HELD = "agent:main:telegram:default:direct:123:thread:"
TWO_OWNERS, ONE_OWNER = ({"channels": {"telegram": {"allowFrom": owners}}} for owners in ([123, 456], [123]))
SORTS = "key", "depth", "oldest", "newest", "problem", "unattended"  # of GET /v1/sessions


def is_over(client):
    """Whether all queues are judged, and what was stranded has been moved."""
    stranded = ok(client.call("GET", "/v1/policy"))["stranded"]
    return stranded["complete"] and stranded["events"] == 0
