"""sevq.py - a client of sevqd, the durable queue for the system events of agents.

One file for Python 3.11 and later, without dependencies: copy it, or install its directory by pip.

    import sevq

    queue = sevq.Client()  # finds the server and its token as the command `sevq` does
    queue.enqueue("Backup finished", "agent:main:main", context_key="cron:backup")

Here: the calls of the HTTP API as methods, and a runner that handles events and loses none.
Not here: what the calls mean, which doc/API.md and doc/DELIVERY.md say. Arguments have the names of
the API in Python's spelling (context_key is contextKey), and answers are the server's JSON as
dicts. Ids are texts, as the server sends them.

A caller may rely on:
 - A failed call is tried again for `retry_for` seconds, but only where that is safe: if the server
   has said that nothing was changed, or if the call has the effect of once when it is carried out
   twice. Enqueue, drain and lease carry an idempotency key for that, the same in each attempt.
   Pauses double from 0.1 to 5 seconds, are random by half, and are longer by what the server asks
   for (Retry-After).
 - A failure is an Error with a code, a message and the server's problem object.
 - Threads may share a Client. It keeps at most two idle connections.
"""
import contextlib
import email.utils
import http.client
import ipaddress
import json
import logging
import math
import os
import queue as queues
import random
import select
import signal
import socket
import ssl
import stat
import threading
import time
import urllib.parse
import uuid

__version__ = "0.1.0"

DEFAULT_URL = "http://127.0.0.1:7387"
FILE_BYTES_MAX = 65536
ANSWER_BYTES_MAX = 256 << 20  # more than the largest answer of a server
STREAM_BYTES_MAX = 1 << 20  # of one event of the stream
CONNECT_S = 5
IDLE_S_MAX = 45  # the server closes an idle connection after 60 seconds
PAUSE_S_FIRST, PAUSE_S_MAX = 0.1, 5
RETRY_AFTER_S_MAX = 3600  # a longer one is no server's of ours
REST_S_MAX = 60  # of the runner, after failures in a row
REASON_BYTES_MAX = 512

log = logging.getLogger("sevq")


class Error(Exception):
    """A call that failed.

    code: the server's problem code, such as "queue-full", or one of these:
      "configuration" (also a certificate that is not trusted), "unreachable": nothing was sent;
      "lost", "timed-out", "bad-answer": the server may have carried out the call;
      "interrupted": Client.interrupt has ended a wait or a stream.
    status: of the HTTP answer; 0: none came.
    problem: the server's problem object (RFC 9457) as a dict, or None.
    retry_after: how many seconds the server asks to wait before the next attempt; 0: it does not.
    """

    def __init__(self, code, message, status=0, problem=None, retry_after=0):
        super().__init__(message)
        self.code, self.status = code, status
        self.problem, self.retry_after = problem, retry_after

    @property
    def changed_nothing(self):
        """Whether the call changed nothing and may succeed if it is repeated later."""
        told = self.problem is not None and self.status in (408, 429, 503, 507)
        return told or self.code == "unreachable"


class Retry(Exception):
    """Raised by the handler of a runner: the failure is temporary. The events are given back, no
    attempt is counted, and they come again after delay_ms.
    """

    def __init__(self, reason="", delay_ms=0):
        super().__init__(reason)
        self.delay_ms = delay_ms


class Lease(dict):
    """The answer to a lease. In a runner, lost says that the lease has ended early: others may have
    its events.
    """

    lost = False
    until = 0  # of a runner's lease: its end by time.monotonic(), or a little before


# --- finding the server: client/endpoint.c has the reasons ---


def _refused(message):
    return Error("configuration", message)


class _Url:
    """The address of a server: http://host[:port][/prefix], https://... or unix:/path."""

    def __init__(self, text):
        if not text.isprintable() or " " in text:
            raise _refused(f"{text!r}: not a valid URL")
        if text.startswith("unix:"):
            self._read_unix(text)
        else:
            self._read_tcp(text)

    def _read_unix(self, text):
        self.text, self.scheme, self.prefix, self.local = text, "unix", "", True
        self.host, self.port = text.removeprefix("unix:"), None
        if not self.host.startswith("/"):
            raise _refused(f"{text}: the path of a unix socket must start with a slash")

    def _read_tcp(self, text):
        if not text.lower().startswith(("http://", "https://")):
            raise _refused(f"{text}: a server's address must start with http://, https:// or unix:")
        try:
            parts = urllib.parse.urlsplit(text)
            self.host, self.port = parts.hostname, parts.port
        except ValueError:
            self.host = None
        if not self.host:
            raise _refused(f"{text}: not a valid URL")
        if "@" in parts.netloc:
            raise _refused("a server's address must not contain a user or password; use a token")
        if "?" in text or "#" in text:
            raise _refused(f"{text}: a server's address must not contain a query or fragment")
        self.text, self.scheme = text.rstrip("/"), parts.scheme
        self.prefix, self.local = parts.path.rstrip("/"), _is_loopback(self.host)


def _is_loopback(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _variable(name):
    return os.environ.get(name) or None


def _read_private(path, open_to, ours=False):
    """Reads a small file that has none of the permission bits open_to. ours: it must also belong to
    this user, and not be a symbolic link.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK | ours * os.O_NOFOLLOW
    try:
        with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise _refused(f"{path}: not a regular file")
            if ours and info.st_uid != os.geteuid():
                raise _refused(f"{path}: belongs to another user")
            if info.st_mode & open_to:
                mode = f"{info.st_mode & 0o777:03o}"
                raise _refused(f"{path}: open to others (mode {mode}); run chmod 600 on it")
            text = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _refused(f"{path}: {error.strerror}") from None
    if len(text) > FILE_BYTES_MAX:
        raise _refused(f"{path}: too long")
    return text


def _check_token(word, where):
    """The token becomes part of a header line, so it must be one word of printable ASCII."""
    if not word:
        raise _refused(f"{where}: contains no token")
    if not all("!" <= c <= "~" for c in word):
        raise _refused(f"{where}: a token is one word of printable ASCII")
    return word


def _read_token_file(path, ours=False):
    """The first token of a token file, which may be the server's own: one token in each line, with
    its scopes behind it, and lines with # as comments. Lines with a digest hold no token.
    """
    lines = _read_private(path, 0o077, ours).decode("latin-1").split("\n")
    words = [line.split()[0] for line in lines if line.strip()]
    words = [word for word in words if not word.startswith(("#", "sha256:"))]
    return _check_token(words[0] if words else "", path)


def _runs(pid, start_time):
    """Whether the process with this pid belongs to this user and has this start time (field 22 of
    /proc/PID/stat): pids are reused.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            owner = os.fstat(file.fileno()).st_uid
            # the second field is a name in parentheses, and may hold any character
            started = int(file.read().rsplit(b")", 1)[1].split()[19])
    except (OSError, IndexError, ValueError):
        return False
    return owner == os.geteuid() and started == start_time


def _read_runtime():
    """What a running sevqd of this user says in its runtime file: the addresses of its listeners,
    first the one to use, and the path of its token file or None. ([], None): there is no such
    server.
    """
    state, home = _variable("XDG_STATE_HOME") or "", _variable("HOME")
    if not state.startswith("/"):
        state = home and home + "/.local/state"
    path = f"{state}/sevq/sevqd.json"
    if not state or not os.path.exists(path):
        return [], None
    text = _read_private(path, 0o022, ours=True)
    try:
        runtime = json.loads(text)
        pid, token_file = runtime["pid"], runtime.get("tokenFile")
        listens = [runtime["address"], *(runtime.get("listens") or ())]
        sound = type(pid) is int and all(isinstance(url, str) for url in listens)
        sound = sound and (token_file is None or token_file.startswith("/"))
    except (ValueError, TypeError, KeyError, AttributeError):
        sound = False
    if not sound:
        raise _refused(f"{path}: damaged; remove it, or give the server's address")
    return (listens, token_file) if _runs(pid, runtime.get("startTime")) else ([], None)


def _find_server(base_url, token, token_file):
    """The address and the token, in the order that Client documents. The token of the runtime file
    is sent only to the addresses in that file, and only while its server runs: whoever else listens
    there must not learn it.
    """
    named = base_url if base_url is not None else _variable("SEVQ_URL")
    url = _Url(named) if named is not None else None
    listens, own_token_file = _read_runtime() if url is None or url.local else ([], None)
    if url is None:
        url = _Url(listens[0] if listens else DEFAULT_URL)
    if token is not None:
        return url, _check_token(token.strip(), "the token given")
    if token_file is not None:
        return url, _read_token_file(token_file)
    if _variable("SEVQ_TOKEN") is not None:
        return url, _check_token(_variable("SEVQ_TOKEN").strip(), "SEVQ_TOKEN")
    if _variable("SEVQ_TOKEN_FILE") is not None:
        return url, _read_token_file(_variable("SEVQ_TOKEN_FILE"))
    if own_token_file is not None and url.text in [address.rstrip("/") for address in listens]:
        return url, _read_token_file(own_token_file, ours=True)
    return url, None


# --- requests and answers ---


def _spell(value):
    """Names in the API's spelling: {"context_key": 1} is {"contextKey": 1}. None is left out."""
    if isinstance(value, (list, tuple)):
        return [_spell(item) for item in value]
    if not isinstance(value, dict):
        return value
    spelt = {}
    for name, item in value.items():
        first, *others = name.split("_")
        if item is not None:
            spelt[first + "".join(map(str.title, others))] = _spell(item)
    return spelt


def _query(fields):
    """The fields as a query string, with its question mark. None is left out."""
    spelt = _spell(fields or {})
    for name, value in spelt.items():
        if isinstance(value, bool):
            spelt[name] = json.dumps(value)
    return "?" * bool(spelt) + urllib.parse.urlencode(spelt, quote_via=urllib.parse.quote)


def _lease_path(lease_id, action):
    return f"/v1/leases/{urllib.parse.quote(lease_id, safe='')}/{action}"


def _quoted(key):
    """An idempotency key as a string of RFC 8941."""
    if not 0 < len(key) <= 255 or not all(" " <= c <= "~" for c in key):
        raise _refused("an idempotency key is 1 to 255 characters of printable ASCII")
    return '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _retry_after_s(text):
    """The seconds of a Retry-After header, which is a number or a date; 0: neither."""
    try:
        if text is None or text.isdecimal():
            seconds = int(text or 0)
        else:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0
    return min(max(0, seconds), RETRY_AFTER_S_MAX)


def _message_of(problem):
    """What is wrong, as a sentence: each field that a problem names, or else its detail."""
    errors = problem.get("errors")
    errors = [e for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    fields = "; ".join(f"{error.get('detail')} ({error.get('pointer')})" for error in errors)
    message = str(fields or problem.get("detail") or problem.get("title") or problem["code"])
    if problem["code"] == "unauthorized":
        message += "; give the server's token with token_file or SEVQ_TOKEN_FILE"
    return message


def _wakeups(lines):
    """Reads server-sent events; yields the data of those named wake, with the last id so far."""
    name, event_id, data = "", "", []
    while line := lines.readline(STREAM_BYTES_MAX + 1):
        if len(line) + sum(map(len, data)) > STREAM_BYTES_MAX:
            raise Error("bad-answer", "an event of the stream is too long")
        field, _, value = line.decode(errors="replace").rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "id" and value.isascii() and value.isprintable():  # it becomes a header
            event_id = value
        elif field == "data":
            data.append(value)
        elif not line.strip():
            if name == "wake" and data:
                yield _read_wakeup("\n".join(data), event_id)
            name, data = "", []


def _read_wakeup(text, event_id):
    try:
        return {**json.loads(text), "id": event_id}
    except (ValueError, TypeError, RecursionError):
        raise Error("bad-answer", "a wakeup of the stream is not valid JSON") from None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class _Interrupts:
    """What interrupt() has asked for and no wait has followed yet. A SimpleQueue, because its put()
    is safe in a signal handler.
    """

    def __init__(self):
        self.queue = queues.SimpleQueue()

    def add(self):
        self.queue.put(None)

    def pending(self):
        return not self.queue.empty()

    def follow(self):
        """Raises the Error that ends a wait, if there is something to follow."""
        if self.pending():
            while self.pending():
                self.queue.get()
            raise Error("interrupted", "interrupted")

    def pause(self, seconds):
        """False: there is something to follow."""
        try:
            self.queue.put(self.queue.get(timeout=seconds))
            return False
        except queues.Empty:
            return True


class _Http:
    """Exchanges with one server over connections that are kept. Threads may share it."""

    def __init__(self, url, token, timeout, ca_file, interrupts):
        self.url, self.timeout, self.interrupts = url, timeout, interrupts
        self.headers = {"User-Agent": "sevq.py/" + __version__}
        if token is not None:
            self.headers["Authorization"] = "Bearer " + token
        self.tls = ssl.create_default_context(cafile=ca_file) if url.scheme == "https" else None
        self.idle = []  # connections that no exchange uses, with the time since when
        self.waiting = set()  # sockets of exchanges that may be interrupted

    def close(self):
        while self.idle:
            self.idle.pop()[0].close()

    def interrupt(self):
        self.interrupts.add()
        for sock in list(self.waiting):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    @contextlib.contextmanager
    def exchange(self, method, target, body, headers, timeout=None):
        """Sends a request and gives its response, whose body is to be read meanwhile. Failures
        become an Error. timeout: the exchange waits, and may be interrupted.
        """
        connection = self._connection()
        sock = connection.sock
        complete = False
        try:
            sock.settimeout(timeout or self.timeout)
            if timeout is not None:
                self.waiting.add(sock)
                self.interrupts.follow()
            connection.request(method, self.url.prefix + target, body, {**self.headers, **headers})
            response = connection.getresponse()
            with contextlib.closing(response):
                yield response
                complete = response.isclosed() and connection.sock is not None
        except TimeoutError:
            raise Error("timed-out", f"no answer from {self.url.text} in time; the call may have "
                        "been carried out") from None
        except (http.client.RemoteDisconnected, http.client.IncompleteRead, OSError) as error:
            raise Error("lost", f"lost the connection to {self.url.text} before its answer; the "
                        f"call may have been carried out: {error}") from None
        except http.client.HTTPException as error:
            raise Error("bad-answer", f"{self.url.text} is no sevqd: {error!r}") from None
        finally:
            self.waiting.discard(sock)
            if complete and len(self.idle) < 2:
                self.idle.append((connection, time.monotonic()))
            else:
                connection.close()

    def _connection(self):
        """An idle connection, unless it is old or was closed by the server, or else a new one."""
        with contextlib.suppress(IndexError):
            while True:
                connection, since = self.idle.pop()
                poll = select.poll()
                poll.register(connection.sock, select.POLLIN)
                if time.monotonic() - since < IDLE_S_MAX and not poll.poll(0):
                    return connection
                connection.close()
        connection = self._new_connection()
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise self._unconnected(error) from None
        return connection

    def _unconnected(self, error):
        """Why no connection came about. A bad certificate stays bad: nobody should wait for it."""
        where, why = self.url.text, error.strerror or error
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"the certificate of {where} is not trusted: {error.verify_message}"
            if error.verify_code in (2, 18, 19, 20, 21):  # nobody vouches for it
                why += "; to trust it, give its authority as ca_file"
            return _refused(why)
        if getattr(error, "reason", "") in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            why = "nobody speaks TLS there"
        return Error("unreachable", f"cannot connect to {where}: {why}")

    def _new_connection(self):
        url = self.url
        if url.scheme == "unix":
            return _UnixConnection(url.host, CONNECT_S)
        if url.scheme == "https":
            connection = http.client.HTTPSConnection
            return connection(url.host, url.port, timeout=CONNECT_S, context=self.tls)
        return http.client.HTTPConnection(url.host, url.port, timeout=CONNECT_S)

    def read_answer(self, response):
        """The JSON of an answer. A problem becomes an Error."""
        text = response.read(ANSWER_BYTES_MAX + 1)
        if response.length:  # read() with a limit is silent about a missing end
            raise http.client.IncompleteRead(text, response.length)
        if len(text) > ANSWER_BYTES_MAX:
            raise Error("bad-answer", f"the answer of {self.url.text} is too large")
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        kind = response.headers.get_content_type()
        if 200 <= response.status < 300 and kind == "application/json" and type(answer) is dict:
            return answer
        is_problem = response.status >= 400 and kind == "application/problem+json"
        raise self._error_of(response, answer if is_problem and type(answer) is dict else {})

    def _error_of(self, response, problem):
        after = _retry_after_s(response.getheader("Retry-After"))
        if isinstance(problem.get("code"), str):
            return Error(problem["code"], _message_of(problem), response.status, problem, after)
        told = f"with HTTP status {response.status}"
        if response.status in (502, 503, 504):  # a proxy lost the server, or cannot reach it
            message = f"a proxy in front of {self.url.text} answered {told}"
            return Error("lost", message, response.status, None, after)
        message = f"{self.url.text} is no sevqd: unexpected answer {told}"
        return Error("bad-answer", message, response.status)


class _Attempts:
    """The attempts of one call: decides after a failure whether there is another, and pauses."""

    def __init__(self, interrupts, seconds, repeatable):
        self.interrupts, self.seconds, self.repeatable = interrupts, seconds, repeatable
        self.restart()

    def restart(self):
        self.end = time.monotonic() + self.seconds
        self.count = 0

    def fail(self, error):
        """Returns when the next attempt is due. Raises the error if there is none."""
        again = error.changed_nothing or (self.repeatable and error.code in ("lost", "timed-out"))
        pause = min(PAUSE_S_MAX, PAUSE_S_FIRST * 2 ** min(self.count, 16))
        pause = pause * random.uniform(0.5, 1) + error.retry_after
        self.count += 1
        if not again or time.monotonic() + pause > self.end or not self.interrupts.pause(pause):
            raise error


# --- the calls ---


class Client:
    """Makes the calls of one server.

    Address and token are looked for in this order:
     1. the arguments: base_url ("http://127.0.0.1:7387", "https://host/prefix", "unix:/path"),
        token, token_file;
     2. the environment variables SEVQ_URL, SEVQ_TOKEN and SEVQ_TOKEN_FILE;
     3. the file sevqd.json that a running sevqd of this user keeps in $XDG_STATE_HOME/sevq (without
        that variable, ~/.local/state/sevq);
     4. http://127.0.0.1:7387, without a token: whoever listens there may be anybody.
    A token found by 3 is sent only to the addresses that the file names. A token file must be a
    regular file that nobody else can read; its first token is used.

    timeout: how many seconds the server may be silent before an answer, and within one.
    retry_for: for how many seconds a failed call is tried again; 0: never.
    ca_file: the certificates to trust for https, instead of those of the system.
    """

    def __init__(
        self, base_url=None, *, token=None, token_file=None, timeout=30, retry_for=30, ca_file=None
    ):
        url, token = _find_server(base_url, token, token_file)
        self.base_url = url.text  # as it was given or found
        self.retry_for = retry_for
        self._interrupts = _Interrupts()
        self._http = _Http(url, token, timeout, ca_file, self._interrupts)

    def close(self):
        """Closes idle connections. The client may still be used."""
        self._http.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Producing.

    def enqueue(self, text, session_key=None, *, idempotency_key=None, **fields):
        """Enqueues an event for a session, or for the main session of agent_id; returns {"outcome":
        "queued", "replaced" or "duplicate", "event": {...}}. When it returns, the event is on disk.

        With an idempotency_key it is one event for 24 hours, also if another process sends it
        again, and never a duplicate of a queued one. Without it the attempts of this call share a
        key of their own.
        """
        event = {"session_key": session_key, "text": text, **fields}
        if idempotency_key is not None:
            return self._call("POST", "/v1/events", event, key=idempotency_key)
        # the key of a batch is no event's own, so that duplicates are still found
        return self.enqueue_batch([event])[0]

    def enqueue_batch(self, events, idempotency_key=None):
        """Enqueues all of the events or none, in one transaction; returns a list of what enqueue
        returns. An event is a dict of the arguments of enqueue.
        """
        key = idempotency_key or self._new_key()
        answer = self._call("POST", "/v1/events", {"events": events}, key=key)
        results = self._member(answer, "results", list)
        if len(results) != len(events):
            raise self._bad_answer("has not one result for each event")
        return results

    # Looking.

    def peek(self, session_key=None, **query):
        """Returns the oldest events and leaves them: {"events": [...], "depth", "more"}. limit and
        after (an id) select a page.
        """
        return self._call("GET", "/v1/events", query={"session_key": session_key, **query})

    def route(self, session_key=None, **fields):
        """Returns the queue that a key is routed to, and why: {"sessionKey", "rule", "steps"}."""
        body = {"session_key": session_key, **fields}
        return self._call("POST", "/v1/route", body, repeatable=True)

    def history(self, session_key=None, **query):
        """Returns events that have left their queues, newest first: {"events", "nextCursor"}.
        state, source, since, until, limit and cursor select them.
        """
        return self._call("GET", "/v1/history", query={"session_key": session_key, **query})

    def call(self, method, path, body=None, **query):
        """Makes any other call of the API: call("GET", "/v1/sessions", agent_id="main"). It is
        tried again if nothing was changed; a GET also if its answer was lost.
        """
        return self._call(method, path, body, query=query)

    # Taking events for good.

    def drain(self, session_key=None, *, idempotency_key=None, **fields):
        """Takes the oldest events out of the queue: {"events", "remaining"}. If this process dies
        before it has handled them they are lost; see lease.
        """
        body = {"session_key": session_key, **fields}
        return self._call("POST", "/v1/drain", body, key=idempotency_key or self._new_key())

    # Taking events under a lease.

    def lease(self, session_key=None, *, idempotency_key=None, **fields):
        """Takes the oldest events for lease_ms (60 seconds): {"leaseId", "expiresAt", "events"}.
        leaseId is None if there is nothing to take. What is not acked in time can be taken again.
        """
        body = {"session_key": session_key, **fields}
        key = idempotency_key or self._new_key()
        return Lease(self._call("POST", "/v1/leases", body, key=key))

    def ack(self, lease_id, ids=None):
        """Finishes all events of the lease, or these: {"acked", "remaining"}, and "gone": ids of
        events that were withdrawn, purged or expired meanwhile. Error "conflict": the lease has
        ended, nothing was changed, and the events come again.
        """
        return self._call("POST", _lease_path(lease_id, "ack"), {"ids": ids}, repeatable=True)

    def nack(self, lease_id, ids=None, **fields):
        """Gives events back to the queue: {"nacked", "dead", "remaining"}, and "gone". Fields are
        delay_ms, reason and count_attempt.
        """
        return self._call("POST", _lease_path(lease_id, "nack"), {"ids": ids, **fields})

    def extend(self, lease_id, ids=None, lease_ms=None):
        """Sets the end of the lease, from now: {"extended", "expiresAt", "remaining"}, "gone"."""
        body = {"ids": ids, "lease_ms": lease_ms}
        return self._call("POST", _lease_path(lease_id, "extend"), body, repeatable=True)

    # Waiting.

    def wait(self, session_key=None, *, timeout_ms=30000, **query):
        """Returns when the session has an event to take, or after timeout_ms (at most 5 minutes):
        {"ready", "depth"}. Takes nothing.
        """
        query = {"session_key": session_key, "timeout_ms": timeout_ms, **query}
        return self._wait(query, self.retry_for)

    def stream(self, session_key=None, *, last_event_id=None, silence=45, **query):
        """Yields a wakeup for each session that has events, and then whenever events arrive: {"id",
        "sessionKey", "depth", "source", "wake", "ts"}. agent_id and prefix select sessions.

        If the connection is lost, or silent for so many seconds, it connects again, with the id of
        the last wakeup; the server then tells of every session that has events. last_event_id is
        the id of an earlier stream's last wakeup. Take the events by other calls; close the
        generator or interrupt() to end it.
        """
        query["session_key"] = session_key
        attempts = _Attempts(self._interrupts, self.retry_for, repeatable=True)
        while True:
            try:
                for wakeup in self._connected_stream(query, last_event_id, silence, attempts):
                    last_event_id = wakeup["id"]
                    yield wakeup
            except Error as error:
                self._interrupts.follow()
                attempts.fail(error)

    def interrupt(self):
        """Ends the wait or stream under way, or else the next one, with Error "interrupted", and
        ends run(). Until then a call that fails is not tried again. Safe in a signal handler and in
        another thread.
        """
        self._http.interrupt()

    # Running a handler.

    def run(
        self, handler, session_key=None, *, lease_ms=60000, limit=20,
        backoff_ms=1000, backoff_max_ms=3600000, **fields,
    ):
        """Calls handler(lease) whenever the session has events, and acks them when it returns.
        fields: further ones of a lease, such as agent_id, format="prompt" or exclusive=True.

        The lease is extended while the handler runs. If the process dies, the events come again:
        the handler must tolerate seeing an event twice. If the handler raises an exception, several
        events are given back and the next lease has half as many, until the culprit is alone; it
        collects an attempt, and comes again after a delay that doubles from backoff_ms to
        backoff_max_ms. Retry gives events back without counting an attempt.

        It waits for a server that is away. It returns after interrupt(); in the main thread also
        after SIGTERM or SIGINT, when the handler has ended. A second signal does what it did before
        run(), such as raising KeyboardInterrupt.
        """
        runner = _Runner(self, handler, {"session_key": session_key, **fields})
        runner.lease_ms, runner.limit, runner.width = lease_ms, limit, limit
        runner.backoff_ms, runner.backoff_max_ms = backoff_ms, backoff_max_ms
        with _interrupted_by_signals(self):
            runner.run()

    # Inside.

    def _new_key(self):
        """A key that only the attempts of one call share; None if there is only one attempt."""
        return uuid.uuid4().hex if self.retry_for > 0 else None

    def _call(
        self, method, path, body=None, *, query=None, key=None, repeatable=False,
        timeout=None, retry_for=None,
    ):
        headers = {}
        if key is not None:
            headers["Idempotency-Key"] = _quoted(key)
        if body is not None:
            body = json.dumps(_spell(body), ensure_ascii=False).encode(errors="surrogatepass")
            headers["Content-Type"] = "application/json"
        seconds = self.retry_for if retry_for is None else retry_for
        repeatable = repeatable or key is not None or method == "GET"
        attempts = _Attempts(self._interrupts, seconds, repeatable)
        target = path + _query(query)
        while True:
            try:
                with self._http.exchange(method, target, body, headers, timeout) as response:
                    return self._http.read_answer(response)
            except Error as error:
                attempts.fail(error)

    def _member(self, answer, name, kind):
        """What this client itself needs of an answer."""
        if not isinstance(answer.get(name), kind):
            raise self._bad_answer(f"has no {name}")
        return answer[name]

    def _bad_answer(self, why):
        return Error("bad-answer", f"{self.base_url} is no sevqd: the answer {why}")

    def _wait(self, query, retry_for):
        timeout = self._http.timeout + query["timeout_ms"] / 1000
        try:
            return self._call("GET", "/v1/wait", query=query, timeout=timeout, retry_for=retry_for)
        except Error:
            self._interrupts.follow()
            raise

    def _connected_stream(self, query, last_event_id, silence, attempts):
        """Yields the wakeups of one connection, whose end is an Error."""
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        target = "/v1/stream" + _query(query)
        with self._http.exchange("GET", target, None, headers, timeout=silence) as response:
            if response.headers.get_content_type() != "text/event-stream":
                self._http.read_answer(response)
                raise self._bad_answer("is no stream")
            attempts.restart()
            yield from _wakeups(response)
        raise Error("lost", f"the stream of {self.base_url} has ended")


# --- the runner ---


@contextlib.contextmanager
def _interrupted_by_signals(client):
    """SIGTERM and SIGINT interrupt the client; a second one does what it did before."""
    before = {}

    def restore():
        while before:
            signal.signal(*before.popitem())

    def stop(_number, _frame):
        restore()
        client.interrupt()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) != signal.SIG_IGN:
                before[number] = signal.getsignal(number) or signal.SIG_DFL
                signal.signal(number, stop)
    try:
        yield
    finally:
        restore()


class _Runner:
    """Waits, leases, calls the handler, acks or gives back, and again, as `sevq run` does."""

    OF_LEASE = ("consumer", "exact")  # fields that a wait does not have

    def __init__(self, client, handler, fields):
        self.client, self.handler, self.fields = client, handler, fields
        self.interrupts = client._interrupts
        # width: most events of the next lease, halved by a failure and doubled by success
        self.lease_ms = self.limit = self.width = self.backoff_ms = self.backoff_max_ms = 0
        self.failures = 0  # in a row, of an event alone or temporary
        self.missed = 0  # times in a row that the events were gone when they were to be leased

    def run(self):
        wanted = {name: self.fields[name] for name in self.fields if name not in self.OF_LEASE}
        try:
            while True:
                waited = self.client._wait({**wanted, "timeout_ms": 30000}, math.inf)
                if self.client._member(waited, "ready", bool):
                    self._round()
        except Error as error:
            if error.code != "interrupted" and not self.interrupts.pending():
                raise
            with contextlib.suppress(Error):  # the interruption has been followed
                self.interrupts.follow()

    def _round(self):
        lease = self._take()
        if lease["leaseId"] is None:  # another consumer was faster
            self.interrupts.pause(min(1, 0.05 * 2 ** min(self.missed, 16)))
            self.missed += 1
            return
        self.missed = 0
        if self.interrupts.pending():
            self._give_back(lease, "the runner was stopped", count_attempt=False)
            return
        try:
            failure = self._handle(lease)
        except BaseException:  # such as KeyboardInterrupt: one attempt, then it ends
            lease.until = 0
            self._give_back(lease, "the runner was stopped", count_attempt=False)
            raise
        self._settle(lease, failure)

    def _take(self):
        began = time.monotonic()
        body = {"consumer": f"sevq.py, {socket.gethostname()[:64]}, {os.getpid()}", **self.fields}
        body |= {"lease_ms": self.lease_ms, "limit": self.width}
        key = uuid.uuid4().hex
        lease = Lease(
            self.client._call("POST", "/v1/leases", body, key=key, retry_for=math.inf)
        )
        self.client._member(lease, "leaseId", (str, type(None)))
        self.client._member(lease, "events", list)
        lease.until = began + self.lease_ms / 1000
        if lease["leaseId"] is not None and time.monotonic() - began > self.lease_ms / 3000:
            self._extend(lease)  # it may be as old as the first of several attempts
        return lease

    def _extend(self, lease):
        """False: the server could not be told, or the lease is lost."""
        began = time.monotonic()
        path, body = _lease_path(lease["leaseId"], "extend"), {"lease_ms": self.lease_ms}
        try:
            self.client._call("POST", path, body, retry_for=0)
        except Error as error:
            self._note_loss(lease, error)
            return False
        lease.until = began + self.lease_ms / 1000
        return True

    def _note_loss(self, lease, error):
        if error.code in ("conflict", "not-found"):
            lease.lost = True
            log.warning("lost lease %s (%s): its events come again", lease["leaseId"], error.code)

    def _handle(self, lease):
        """Calls the handler and extends the lease meanwhile. Returns the handler's exception."""
        done = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(lease, done), daemon=True)
        keeper.start()
        try:
            self.handler(lease)
        except Exception as error:
            return error
        finally:
            done.set()
            keeper.join()
        return None

    def _keep(self, lease, done):
        third = self.lease_ms / 3000
        pause = third
        while not lease.lost and not done.wait(pause):
            pause = third if self._extend(lease) else min(1, third)

    def _settle(self, lease, failure):
        """Acks or gives back, and learns from it how many events the next lease has."""
        if failure is None:
            self.failures = 0
            self.width = min(2 * self.width, self.limit)
            self._end(lease, "ack", {})
            return
        count = len(lease["events"])
        reason = str(failure) or type(failure).__name__
        if isinstance(failure, Retry):
            log.info("%d events are given back: %s", count, reason)
            self._give_back(lease, reason, delay_ms=failure.delay_ms, count_attempt=False)
        else:
            log.warning("the handler failed with %d events", count, exc_info=failure)
            if count > 1:
                self.width = count // 2
                self._give_back(lease, reason, count_attempt=False)
                return
            delay_ms = self._backoff_ms(lease["events"][0]["attempts"])
            self._give_back(lease, reason, delay_ms=delay_ms)
        self.interrupts.pause(min(REST_S_MAX, self._backoff_ms(self.failures) / 1000))
        self.failures += 1

    def _backoff_ms(self, failures):
        return min(self.backoff_ms * 2 ** min(failures, 32), self.backoff_max_ms)

    def _give_back(self, lease, reason, **fields):
        reason = reason.encode(errors="replace")[:REASON_BYTES_MAX].decode(errors="ignore")
        self._end(lease, "nack", {"reason": reason, **fields})

    def _end(self, lease, action, body):
        """Acks or nacks; while the server is away, until the lease has ended. Even a nack may be
        repeated here: the second one finds that the lease has ended, which changes nothing.
        """
        if lease.lost:
            return
        path, left = _lease_path(lease["leaseId"], action), lease.until - time.monotonic()
        try:
            answer = self.client._call("POST", path, body, repeatable=True, retry_for=left)
        except Error as error:
            self._note_loss(lease, error)
            away = error.changed_nothing or error.code in ("lost", "timed-out")
            if not lease.lost and not away:
                raise
            if away:
                log.warning("no %s of lease %s: its events come again: %s", action,
                            lease["leaseId"], error)
            return
        if answer.get("gone"):
            log.info("events were removed while they were leased: %s", ", ".join(answer["gone"]))
