"""Makes calls with client/python/sevq.py, for the tests: see Talker in clients.py."""
import json
import logging
import re
import sys
import time

import sevq

WORDS = {"baseUrl": "base_url", "tokenFile": "token_file", "retryFor": "retry_for", "caFile": "ca_file"}


def spelt(fields):
    return {re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name): value for name, value in fields.items()}


def call(client, name, *given):
    *ids, fields = given
    fields = spelt(fields)
    if name == "stream":
        stream = client.stream(**fields)
        return [next(stream) for _ in range(*ids)]
    if name == "call":
        return client.call(*ids, **fields)
    if name == "enqueueBatch":
        return client.enqueue_batch(*ids, **fields)
    return getattr(client, name)(*ids, **fields)


def outcome(client, words):
    try:
        return {"answer": call(client, *words)}
    except sevq.Error as error:
        return {"code": error.code, "status": error.status, "message": str(error), "problem": error.problem,
            "retryAfter": error.retry_after}


def handle(lease):
    """Does what the text of the first event says."""
    print(json.dumps([event["text"] for event in lease["events"]]), flush=True)
    for event in lease["events"]:
        word, _, number = event["text"].partition(" ")
        if word == "bad":
            raise ValueError("no good")
        if word == "later":
            raise sevq.Retry("not yet", int(number))
        if word == "slow":
            time.sleep(int(number) / 1000)
    print(json.dumps("lost" if lease.lost else "done"), flush=True)


def main():
    script = json.load(sys.stdin)
    logging.basicConfig(format="%(message)s")
    try:
        client = sevq.Client(**{WORDS.get(name, name): value for name, value in script["client"].items()})
    except sevq.Error as error:
        print(json.dumps([{"code": error.code, "message": str(error)}]))
        return
    if "run" in script:
        client.run(handle, **spelt(script["run"]))
        print(json.dumps("stopped"), flush=True)
    else:
        print(json.dumps([outcome(client, words) for words in script["calls"]]))


main()
