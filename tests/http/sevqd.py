"""A real sevqd for tests: in its own directory, on loopback and port 0, stopped and checked at the
end.

Here: starting and stopping the server, reading its log, a small keep-alive client, raw sockets.
Every answer must be one that openapi.json tells of (contract.py). Not here: the right answers (the
tests), except the shape that all problems share.

The paths of the binaries are in the environment: SEVQD, and SEVQ for the command.
"""
import contextlib
import http.client
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

import contract

PATIENCE = float(os.environ.get("SEVQ_TEST_PATIENCE", "30"))  # seconds to wait for a condition
REPORT = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed)")
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH")


def binary(name="SEVQD"):
    path = os.environ.get(name)
    assert path, f"{name} must name the built binary"
    return path


def sanitized():
    """Whether the server under test is a sanitizer build: slower, and larger."""
    return b"__asan_init" in Path(binary()).read_bytes()


def wait_until(condition, why="the condition", patience=PATIENCE):
    """Polls until condition() is true; returns its value."""
    end = time.monotonic() + patience
    while True:
        said = condition()
        if said:
            return said
        assert time.monotonic() < end, f"still waiting for {why}"
        time.sleep(0.005)


class Reply:
    """One answer: status, headers (lower-case names), body as bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, {k.lower(): v for k, v in headers}, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def ok(reply, status=200):
    """Asserts success and JSON; returns the document."""
    assert reply.status == status, reply
    assert reply.headers["content-type"].split(";")[0] == "application/json", reply.headers
    return reply.json


def pages(call, **query):
    """All pages, as one list."""
    found, cursor = [], None
    while True:
        page = ok(call(**query, **({"cursor": cursor} if cursor else {})))
        assert set(page) == {"events", "nextCursor"}
        found += page["events"]
        cursor = page["nextCursor"]
        if cursor is None:
            return found


def problem(reply, status, code, pointer=None):
    """Asserts an RFC 9457 problem with this status and code, and this bad field if one is given;
    returns the document.
    """
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/problem+json", reply.headers
    doc = reply.json
    assert set(doc) <= {"type", "title", "status", "detail", "code", "errors"}, doc
    assert doc["status"] == status and doc["code"] == code, doc
    for field in ("type", "title", "detail"):
        assert isinstance(doc[field], str) and doc[field], doc
    for error in doc.get("errors", []) if code != "policy-invalid" else []:
        assert set(error) == {"pointer", "detail"} and all(isinstance(v, str) for v in error.values()), doc
        assert error["detail"], doc
    if pointer is not None:
        assert [e["pointer"] for e in doc["errors"]] == [pointer], doc
    return doc


class Client:
    """A keep-alive connection that speaks the API.

    It connects again after the server closed it in an orderly way. A client of a single connection
    does not: after a server's end another server may have its port.
    """

    def __init__(self, port, token, timeout=PATIENCE, once=False, tls=None):
        self.port, self.token, self.once = port, token, once
        if tls is None:
            self.conn = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        else:
            self.conn = http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=tls)
        self.conn.auto_open = 0
        self.connected = False

    def connect(self):
        if self.conn.sock is None:
            if self.once and self.connected:
                raise http.client.NotConnected
            self.connected = True
            self.conn.connect()
            self.conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        self.conn.close()

    def send(self, method, path, body=None, *, query=None, headers=(), kind="application/json"):
        """A body of bytes or text is sent unchanged, anything else as JSON."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False)
        if isinstance(body, str):
            body = body.encode()
        fields = {} if self.token is None else {"Authorization": "Bearer " + self.token}
        if body is not None and kind is not None:
            fields["Content-Type"] = kind
        fields.update(headers)
        self.connect()
        self.asked = method, path
        self.conn.request(method, path, body, fields)

    def receive(self):
        answer = self.conn.getresponse()
        reply = Reply(answer.status, answer.getheaders(), answer.read())
        fault = contract.fault(*self.asked, reply)
        assert fault is None, fault
        return reply

    def call(self, *args, **kwargs):
        self.send(*args, **kwargs)
        return self.receive()

    # The calls of the API.

    def enqueue(self, text, session_key=None, **fields):
        body = {"text": text, **fields}
        if session_key is not None:
            body["sessionKey"] = session_key
        return self.call("POST", "/v1/events", body)

    def batch(self, *events):
        return self.call("POST", "/v1/events", {"events": list(events)})

    def ndjson(self, body):
        return self.call("POST", "/v1/events", body, kind="application/x-ndjson")

    def peek(self, session_key, **query):
        return self.call("GET", "/v1/events", query={"sessionKey": session_key, **query})

    def find(self, event_id, **query):
        return self.call("GET", "/v1/events/" + event_id, query=query)

    def withdraw(self, event_id):
        return self.call("DELETE", "/v1/events/" + event_id)

    def purge(self, session_key, **query):
        return self.call("DELETE", "/v1/events", query={"sessionKey": session_key, **query})

    def drain(self, session_key, **fields):
        return self.call("POST", "/v1/drain", {"sessionKey": session_key, **fields})

    def consume(self, session_key, ids, **fields):
        return self.call("POST", "/v1/consume", {"sessionKey": session_key, "ids": ids, **fields})

    def lease(self, session_key, headers=(), **fields):
        return self.call("POST", "/v1/leases", {"sessionKey": session_key, **fields}, headers=headers)

    def ack(self, lease_id, **fields):
        return self.call("POST", f"/v1/leases/{lease_id}/ack", fields)

    def nack(self, lease_id, **fields):
        return self.call("POST", f"/v1/leases/{lease_id}/nack", fields)

    def extend(self, lease_id, **fields):
        return self.call("POST", f"/v1/leases/{lease_id}/extend", fields)

    def wait(self, session_key, **query):
        return self.call("GET", "/v1/wait", query={"sessionKey": session_key, **query})

    def history(self, **query):
        return self.call("GET", "/v1/history", query=query)

    def dead_letters(self, **query):
        return self.call("GET", "/v1/dead-letters", query=query)

    def requeue(self, **fields):
        return self.call("POST", "/v1/dead-letters/requeue", fields)

    def discard(self, **fields):
        return self.call("DELETE", "/v1/dead-letters", fields)

    def timeline(self, event_id):
        """The names of the entries on the first page of the event's timeline."""
        return [entry["what"] for entry in ok(self.find(event_id))["timeline"]]

    def sessions(self, **query):
        return self.call("GET", "/v1/sessions", query=query)

    def route(self, session_key, **fields):
        return self.call("POST", "/v1/route", {"sessionKey": session_key, **fields})

    def stats(self):
        return ok(self.call("GET", "/v1/stats"))

    def texts(self, session_key):
        """The texts that are pending there, oldest first."""
        return [e["text"] for e in ok(self.peek(session_key, limit=1000))["events"]]

    def session(self, session_key):
        """The listed session, or None."""
        found = ok(self.sessions(sessionKey=session_key))["sessions"]
        return found[0] if found else None


class Raw:
    """A bare connection: bytes out, answers in. For requests that http.client would not send."""

    def __init__(self, port, receive_buffer=None, source="127.0.0.1", tls=None):
        self.sock = socket.socket()
        self.sock.bind((source, 0))
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="127.0.0.1")
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def read_more(self):
        """False at the end of the stream."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def answer(self, head=False):
        """The next answer, or None when the server closed instead. 1xx answers count as answers."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.read_more():
                assert not self.buffer, f"closed inside an answer: {self.buffer[:200]!r}"
                return None
        lines, rest = self.buffer.split(b"\r\n\r\n", 1)
        status_line, *fields = lines.decode("latin-1").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1", status_line
        headers = [tuple(f.split(": ", 1)) for f in fields]
        named = {k.lower(): v for k, v in headers}
        bodyless = head or status in ("204", "304") or status.startswith("1")
        assert "transfer-encoding" not in named
        length = 0 if bodyless else int(named["content-length"])
        pieces, missing = [], length - len(rest)
        while missing > 0:
            self.buffer = b""
            assert self.read_more(), "closed inside a body"
            pieces.append(self.buffer)
            missing -= len(self.buffer)
        rest += b"".join(pieces)
        self.buffer = rest[length:]
        reply = Reply(int(status), headers, rest[:length])
        fault = contract.stray(reply, not bodyless) if reply.status >= 200 else None
        assert fault is None, fault
        return reply

    def closed(self):
        """Waits until the server closes; whether no bytes came before."""
        while self.read_more():
            pass
        return not self.buffer

    def is_quiet(self, seconds=0.05):
        """Whether for that long no bytes come and the connection stays open."""
        return not self.buffer and not select.select([self.sock], [], [], seconds)[0]


class Stream(Raw):
    """A reader of server-sent events."""

    def __init__(self, server, query="", headers=(), receive_buffer=None, token=None):
        super().__init__(server.port, receive_buffer, tls=server.tls)
        self.send(request("GET", "/v1/stream" + query, token or server.token, headers=headers))
        while b"\r\n\r\n" not in self.buffer:
            assert self.read_more(), self.buffer
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.head = head.decode("latin-1").lower()
        assert self.head.startswith("http/1.1 200 "), head
        assert "content-type: text/event-stream" in self.head

    def block(self):
        """The next block of lines, as a list of (name, value); None at the end of the stream."""
        while b"\n\n" not in self.buffer:
            if not self.read_more():
                assert not self.buffer, f"ended inside an event: {self.buffer!r}"
                return None
        block, self.buffer = self.buffer.split(b"\n\n", 1)
        return [tuple(line.split(": ", 1)) for line in block.decode().split("\n")]

    def fields(self):
        """The lines of the next event, by name, or None at the end. Skips pings and retry."""
        while (block := self.block()) is not None:
            if "data" in (fields := dict(block)):
                return fields
        return None

    def event(self):
        """The name and the data of the next event; None at the end of the stream."""
        fields = self.fields()
        return fields and (fields["event"], json.loads(fields["data"]))

    def wake(self):
        """The next wake: its data and its id; None at the end of the stream."""
        fields = self.fields()
        assert fields is None or (list(fields) == ["id", "event", "data"] and fields["event"] == "wake"), fields
        return fields and {**json.loads(fields["data"]), "id": int(fields["id"])}


def request(method, path, token=None, body=None, headers=(), host="127.0.0.1", kind="application/json"):
    """The bytes of a well-formed request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{k}: {v}" for k, v in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


class Server:
    """One sevqd process on one directory. start() again after stop() or kill() uses the same
    database.
    """

    program = "SEVQD"  # the variable that names the binary
    tls = None  # the SSLContext of its clients

    def __init__(self, directory, *flags, policy=None, env=None, descriptors=None):
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.flags, self.extra_env, self.descriptors = list(flags), env or {}, descriptors
        self.db = self.directory / "sevq.db"
        self.policy = self.directory / "openclaw.json"
        if policy is not None:
            self.write_policy(policy)
        self.process = None
        # records of the log, and lines on standard error that are no records
        self.log, self.noise = [], []
        self.heard = threading.Condition()

    def write_policy(self, policy):
        self.policy.write_text(policy if isinstance(policy, str) else json.dumps(policy))

    def environment(self):
        kept = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
        here = str(self.directory)
        return {**kept, "HOME": here, "XDG_STATE_HOME": here + "/state", "XDG_CONFIG_HOME": here + "/config", **self.extra_env}

    def arguments(self, *more):
        given = [str(f) for f in (*self.flags, *more)]
        defaults = ["--log-format", "json", "--db", str(self.db)]
        if not any(f.split("=")[0] == "--listen" for f in given):
            defaults += ["--listen", "127.0.0.1:0"]
        if self.policy.exists() and "--policy" not in given:
            defaults += ["--policy", str(self.policy)]
        return [*defaults, *given]

    def limit(self):
        if self.descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

    def run(self, *more, timeout=PATIENCE):
        """Runs the server to its end, for starts that must fail and for commands; returns the
        completed process.
        """
        return subprocess.run([binary(self.program), *self.arguments(*more)], env=self.environment(), cwd=self.directory, timeout=timeout,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def spawn(self, *wrapper):
        """Starts the process without waiting until it listens."""
        assert self.process is None, "already running"
        self.log, self.noise = [], []
        self.process = subprocess.Popen([*wrapper, binary(self.program), *self.arguments()], env=self.environment(), cwd=self.directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=self.limit if self.descriptors else None)
        self.listener = threading.Thread(target=self.listen, args=(self.process.stderr, self.log, self.noise), daemon=True)
        self.listener.start()

    def start(self):
        self.spawn()
        return self.await_listening()

    def await_listening(self):
        first = self.wait_for_log(lambda r: r.get("msg") == "listening", "the server to listen")
        self.address = first["address"]
        self.port = int(self.address.rsplit(":", 1)[1]) if not self.address.startswith("unix:") else None
        return self

    def listen(self, stream, log, noise):
        with stream:
            for line in stream:
                try:
                    record = json.loads(line)
                except ValueError:
                    record = None
                with self.heard:
                    if isinstance(record, dict):
                        log.append(record)
                    else:
                        noise.append(line.decode(errors="replace"))
                    self.heard.notify_all()
        with self.heard:
            self.heard.notify_all()

    def wait_for_log(self, wanted, why="a log record", since=0):
        """The first log record for which wanted() is true, from index `since` on."""
        end = time.monotonic() + PATIENCE
        with self.heard:
            while True:
                for record in self.log[since:]:
                    if wanted(record):
                        return record
                assert self.process is None or self.process.poll() is None or self.listener.is_alive(), \
                    f"the server ended with {self.process.returncode} before {why}: {self.log} {self.noise}"
                assert time.monotonic() < end, f"still waiting for {why}: {self.log} {self.noise}"
                self.heard.wait(0.05)

    @property
    def token(self):
        return (self.directory / "token").read_text().strip()

    def client(self, token=True, **options):
        return Client(self.port, self.token if token is True else token, **{"tls": self.tls, **options})

    def raw(self, **options):
        return Raw(self.port, **{"tls": self.tls, **options})

    @contextlib.contextmanager
    def held_still(self):
        """Stops the process meanwhile, so that everything sent arrives in one turn of its loop."""
        self.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] in "Tt", "the server to stop")
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        """Waits for the end of the process and of its output; returns the exit code."""
        code = self.process.wait(PATIENCE)
        self.listener.join(PATIENCE)
        self.process = None
        return code

    def reports(self):
        """Sanitizer reports and failed assertions in its output."""
        return [line for line in self.noise if REPORT.search(line)]

    def stop(self):
        """Sends SIGTERM: the server must exit 0, without sanitizer reports and with log records
        only.
        """
        self.signal(signal.SIGTERM)
        code = self.wait()
        assert not self.reports(), "".join(self.noise)
        assert code == 0, f"exit {code}: {self.log[-5:]} {self.noise}"
        assert not self.noise, self.noise

    def kill(self):
        """SIGKILL, as a crash."""
        self.signal(signal.SIGKILL)
        self.wait()

    def restart(self):
        self.stop()
        return self.start()

    def cpu_seconds(self):
        """User and system time the process has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))
