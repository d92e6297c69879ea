"""The clients in Python and Node, each in a process of its own that is told what to call.

Both get the same tests: what one does wrong the other might, too.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

from sevqd import PASSED_ON, PATIENCE

HERE = Path(__file__).parent
SOURCES = Path(os.environ["SOURCES"])
PYTHON = {"PYTHONPATH": str(SOURCES / "client/python"), "PYTHONDONTWRITEBYTECODE": "1"}
NODE = {"SEVQ_MJS": str(SOURCES / "client/node/sevq.mjs")}


class Talker:
    """One of the clients. A call is a list: its name, ids, and an object of fields in the API's
    spelling. Its outcome is {"answer": ...}, or the parts of an error with its "code".
    """

    def __init__(self, name):
        self.name = name
        python = [sys.executable, str(HERE / "talk.py")]
        self.words = python if name == "python" else [os.environ["NODE"], str(HERE / "talk.mjs")]
        self.env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.env |= PYTHON if name == "python" else NODE

    def talk(self, *calls, env=None, **client):
        """The outcomes of the calls of one client, or that of its making if that failed."""
        script = {"client": {"retryFor": 0, **client}, "calls": calls}
        done = subprocess.run(
            self.words,
            input=json.dumps(script),
            env={**self.env, **(env or {})},
            text=True,
            stdout=subprocess.PIPE,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    def run(self, server, **fields):
        """Starts a runner whose handler does what the events say; see the drivers."""
        return self.run_at(f"http://127.0.0.1:{server.port}", server.token, **fields)

    def run_at(self, url, token, **fields):
        return Running(self, {"client": {"baseUrl": url, "token": token}, "run": fields})


class Running:
    """A runner in a process of its own. It is killed at the end of a with block."""

    def __init__(self, talker, script):
        self.process = subprocess.Popen(
            talker.words,
            env=talker.env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.process.stdin.write(json.dumps(script))
        self.process.stdin.close()

    def says(self):
        """What the handler says next: the texts of its events, then "done" or "lost"."""
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
