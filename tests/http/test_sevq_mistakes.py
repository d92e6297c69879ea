"""Mistakes that people make who are new to sevq: each message says what was wrong in their own
words, and what to do next.
"""
import re

import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import Server
from shell import DONE, FAILED, NOT_ALLOWED, NOTHING, TRY_AGAIN, USAGE, Shell

# What is typed, the exit status, and the message.
MISTAKES = [
    # The wrong command.
    (["send", "x"], USAGE, "sevq: no command send; did you mean sevq event? (see sevq help)"),
    (["evnet", "x"], USAGE, "sevq: no command evnet; did you mean sevq event? (see sevq help)"),
    (["list"], USAGE, "sevq: no command list; did you mean sevq sessions? (see sevq help)"),
    (["deadletters"], USAGE, "sevq: no command deadletters; did you mean sevq dead-letters? (see sevq help)"),
    (["help", "evnt"], USAGE, "sevq: no command evnt; did you mean sevq event? (see sevq help)"),
    # Words that are missing, too many, or not in quotes.
    (["event"], USAGE, "sevq event: no text given: give TEXT, or - to read standard input (see sevq help event)"),
    (["event", "Build", "failed"], USAGE,
        'sevq event: Build is no session key; is it the text? put it in quotes: sevq event "Build failed" (see sevq help event)'),
    (["event", "Build", "failed", "on", "main"], USAGE,
        'sevq event: 4 words given: put the text in quotes, sevq event KEY "some text" (see sevq help event)'),
    (["event", MAIN], USAGE, f'sevq event: no text given for {MAIN}: sevq event KEY "some text"; to send the key itself, --text (see sevq help event)'),
    (["event", MAIN, "x", "--session-key", MAIN], USAGE,
        "sevq event: two sessions given: give KEY or --session-key, not both (see sevq help event)"),
    (["event", "x", "--lines"], USAGE, "sevq event: --lines reads standard input: give - as the text (see sevq help event)"),
    (["drain"], USAGE, "sevq drain: which session? give its key, such as agent:main:main, or --agent ID (see sevq help drain)"),
    (["peek", "a", "b"], USAGE, "sevq peek: b is too much: sevq peek [KEY] (see sevq help peek)"),
    (["sessions", MAIN], USAGE, f"sevq sessions: it takes no {MAIN}, only options (see sevq help sessions)"),
    (["ack"], USAGE, "sevq ack: something is missing: sevq ack LEASE [ID...] (see sevq help ack)"),
    (["run", MAIN], USAGE, "sevq run: which command is to run? sevq run KEY -- COMMAND [ARG...] (see sevq help run)"),
    (["token", "add"], USAGE, "sevq token: give the token a name of letters, digits and -._@: --name ci (see sevq help token)"),
    # Options.
    (["--jsno", "stats"], USAGE, "sevq: no option --jsno; did you mean --json? (see sevq help)"),
    (["event", "x", "--sesion-key", MAIN], USAGE, "sevq event: no option --sesion-key; did you mean --session-key? (see sevq help event)"),
    (["event", "x", f"--sesion-key={MAIN}"], USAGE, "sevq event: no option --sesion-key; did you mean --session-key? (see sevq help event)"),
    (["lease", MAIN, "--fo=5m"], USAGE, "sevq lease: no option --fo; did you mean --for? (see sevq help lease)"),
    (["event", "x", "--nothing=like=it"], USAGE, "sevq event: no option --nothing (see sevq help event)"),
    (["run", MAIN, "ls", "-l"], USAGE, "sevq run: no option -l (see sevq help run)"),
    (["drain", MAIN, "--yes"], USAGE, "sevq drain: no option --yes (see sevq help drain)"),
    (["wait", MAIN, "--timeout"], USAGE, "sevq wait: --timeout wants a value: --timeout TIME (see sevq help wait)"),
    (["event", "x", "--replace=yes"], USAGE, "sevq event: --replace takes no value (see sevq help event)"),
    # Values.
    (["event", "x", "--delay", "soon"], USAGE, "sevq event: --delay soon: want a time such as 5m, up to 365d (see sevq help event)"),
    (["lease", MAIN, "--for", "2h"], USAGE, "sevq lease: --for 2h: want a time such as 5m, up to 1h (see sevq help lease)"),
    (["history", "--since", "yesterday"], USAGE,
        "sevq history: --since yesterday: want a time ago such as 5m, or 2027-01-31T12:00:00Z (see sevq help history)"),
    (["event", "x", "--wake", "later"], USAGE, "sevq event: --wake later: want now or next-heartbeat (see sevq help event)"),
    (["sessions", "--sort", "size"], USAGE,
        "sevq sessions: --sort size: want problem, unattended, key, depth, oldest or newest (see sevq help sessions)"),
    (["drain", MAIN, "--limit", "0"], USAGE, "sevq drain: --limit 0: want a whole number from 1 on, such as 20 (see sevq help drain)"),
    (["drain", MAIN, "--limit", "99999"], FAILED, "sevq: --limit must be an integer from 1 to 10000"),
    (["event", "x", "--delivery", "telegram"], USAGE,
        "sevq event: --delivery telegram: want channel=, to=, accountId= or threadId= and a value (see sevq help event)"),
    # What the server refuses.
    (["event", "  "], FAILED, "sevq: the text is blank"),
    (["event", "x" * 70000], FAILED, "sevq: the text is over 65536 bytes"),
    (["event", "x", "--replace"], FAILED, "sevq: --replace needs a --context-key"),
    (["event", "x", "--session-key", "agent:"], FAILED, "sevq: an agent's session key is agent:<agent id>:<rest>, neither part empty"),
    (["peek", MAIN, "--cursor", "x"], USAGE, "sevq peek: no option --cursor (see sevq help peek)"),
    (["sessions", "--cursor", "x"], FAILED, "sevq: --cursor: not a cursor of an earlier page"),
    (["purge", DIRECT, "--yes"], FAILED, f"sevq: {DIRECT} is routed to {MAIN} by direct-main; name that one, or say --exact"),
    # What is not there, or not allowed.
    (["ack", "99"], NOTHING, "sevq: no such lease; sevq leases lists those that hold events"),
    (["show", MAIN], NOTHING, "sevq: no event has this id, or it has been forgotten; sevq peek and sevq history list ids"),
    (["withdraw", "99"], NOTHING, "sevq: no event has this id, or it has been forgotten; sevq peek KEY lists those that are pending"),
    (["dead-letters", "--requeue"], USAGE, "sevq dead-letters: --requeue needs the ids of dead letters (see sevq help dead-letters)"),
    (["dead-letters", "--requeue-all"], USAGE, "sevq dead-letters: --requeue-all of every session needs --yes (see sevq help dead-letters)"),
    (["peek", MAIN, "--token", "wrong"], NOT_ALLOWED,
        "sevq: the token is not known here; give the server's token with --token-file or SEVQ_TOKEN_FILE"),
    # The server.
    (["peek", MAIN, "--base-url", "http://127.0.0.1:1"], TRY_AGAIN,
        "sevq: cannot connect to http://127.0.0.1:1: Connection refused; start a server with `sevqd`, or name it with --base-url or SEVQ_URL"),
    (["peek", MAIN, "--base-url", "localhost:7387"], FAILED,
        "sevq: localhost:7387: a server's address must start with http://, https:// or unix:"),
]


@pytest.fixture(scope="module")
def sevq(tmp_path_factory):
    """One server for all: no mistake changes anything."""
    server = Server(tmp_path_factory.mktemp("server"), policy=ONE_OWNER).start()
    yield Shell(server)
    assert server.client().stats()["pending"] == 0
    server.stop()


@pytest.mark.parametrize("words, exit, message", MISTAKES, ids=[" ".join(words)[:40] for words, *_ in MISTAKES])
def test_a_mistake_is_told_with_what_to_do(sevq, words, exit, message):
    assert sevq(*words, exit=exit) == ("", message + "\n")


def test_there_are_thirty_of_them():
    assert len(MISTAKES) >= 30


def test_without_a_command_it_shows_all(sevq):
    out, err = sevq(exit=USAGE)
    assert out == "" and err == sevq("help")[0]


def test_what_the_help_offers_is_there(sevq):
    for words, _, message in MISTAKES:
        for name in re.findall(r"see sevq help ([a-z-]+)", message):
            assert sevq("help", name, exit=DONE)[0].startswith(f"usage: sevq {name} "), words
