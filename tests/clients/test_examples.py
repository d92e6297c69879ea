"""The programs of doc/CLIENTS.md and of the README do what the document says. Each runs in a
directory of its own, beside a copy of the client, and finds the server by itself.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import PATIENCE, ok, wait_until

SOURCES = Path(os.environ["SOURCES"])
LANGUAGES = {
    "python": (SOURCES / "client/python/sevq.py", "example.py", sys.executable),
    "js": (SOURCES / "client/node/sevq.mjs", "example.mjs", os.environ["NODE"]),
}
LINES_MAX = {"producer": 10, "runner": 15, "stream": 8}


def programs():
    """(language, what it is, its text) of each program: a producer, a runner and a stream in each
    language.
    """
    for document in "doc/CLIENTS.md", "README.md":
        for language, program in re.findall(r"^```(python|js)\n(.*?)^```", (SOURCES / document).read_text(), re.M | re.S):
            kind = "producer" if "enqueue" in program else "runner" if "run(" in program else "stream"
            yield pytest.param(language, kind, program, id=f"{kind} in {language} of {document}")


PROGRAMS = list(programs())


@pytest.fixture
def server(make):
    """A server that is found without being named."""
    server = make()
    server.db = server.directory / "state/sevq/sevq.db"
    return server.start()


def started(server, tmp_path, language, program, **env):
    client, name, interpreter = LANGUAGES[language]
    shutil.copy(client, tmp_path)
    (tmp_path / name).write_text(program)
    env = {**server.environment(), "PYTHONDONTWRITEBYTECODE": "1", **env}
    return subprocess.Popen([interpreter, name], cwd=tmp_path, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def client_of(server):
    token = (server.db.parent / "token").read_text().strip()
    return server.client(token=token)


def test_each_language_has_each_program():
    kinds = [(language, kind) for language, kind, _ in (each.values for each in PROGRAMS)]
    assert sorted(kinds) == sorted((language, kind) for language in LANGUAGES for kind in (*LINES_MAX, "producer"))


@pytest.mark.parametrize("language, kind, program", PROGRAMS)
def test_an_example_does_what_it_says(server, tmp_path, language, kind, program):
    assert len([line for line in program.splitlines() if line.strip()]) <= LINES_MAX[kind]
    api = client_of(server)
    if kind != "producer":
        event_id = ok(api.enqueue("a text", MAIN), 201)["event"]["id"]
    process = started(server, tmp_path, language, program)
    try:
        if kind == "producer":
            out, err = process.communicate(timeout=PATIENCE)
            assert (process.returncode, err) == (0, "") and re.fullmatch(r"queued \d+\n", out)
            assert re.fullmatch(r"Build \d+ failed", *api.texts(MAIN))
            again = started(server, tmp_path, language, program)
            assert again.communicate(timeout=PATIENCE)[0] == out  # with its key it is one event
        else:
            assert "a text" in process.stdout.readline()
            wait_until(lambda: api.timeline(event_id)[-1] == {"runner": "acked", "stream": "drained"}[kind], "the event to leave")
            process.send_signal(signal.SIGTERM)
            code = process.wait(PATIENCE)
            assert code == {"runner": 0, "stream": -signal.SIGTERM}[kind], process.stderr.read()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("language, kind, program", [each for each in PROGRAMS if "not queued" in each.values[2]])
def test_a_producer_without_a_server_says_why(make, tmp_path, language, kind, program):
    server = make()
    program = re.sub(r"Client\(\)", "Client(retry_for=0)" if language == "python" else "Client({ retryForMs: 0 })", program)
    process = started(server, tmp_path, language, program, SEVQ_URL="http://127.0.0.1:1")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and err.startswith("not queued: cannot connect to http://127.0.0.1:1: ")
