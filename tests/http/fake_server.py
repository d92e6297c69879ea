"""A server that misbehaves on purpose, in ways that clients must survive and sevqd never shows."""
import contextlib
import json
import socket
import ssl
import threading


def answer(body=b"{}", status="200 OK", kind="application/json", headers=(), length=None):
    """The bytes of an answer. A body of bytes is sent unchanged, anything else as JSON."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{k}: {v}" for k, v in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


CLOSE = object()  # instead of an answer: closes the connection
SILENCE = object()  # instead of an answer: silence until the client hangs up


class FakeServer:
    """Answers the requests of all connections in turn, by the script, and records them. tls: an
    SSLContext, for a server that speaks TLS.
    """

    def __init__(self, *script, path=None, tls=None):
        self.script, self.requests, self.connections = list(script), [], 0
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen()
        self.tls = tls
        self.url = f"unix:{path}" if path else f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                if self.tls is None:
                    self.converse(connection)
                else:
                    self.converse_in_secret(connection)

    def converse_in_secret(self, connection):
        # a client may refuse our certificate
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            with self.tls.wrap_socket(connection, server_side=True) as secured:
                self.converse(secured)

    def converse(self, connection):
        stream = connection.makefile("rb")
        while (request := self.read(stream)) is not None:
            self.requests.append(request)
            said = self.script.pop(0) if self.script else CLOSE
            if said is CLOSE:
                return
            if said is SILENCE:
                stream.read()
                return
            connection.sendall(said)
            if b"\r\n\r\n" not in said or b"Connection: close" in said or self.is_short(said):
                return

    @staticmethod
    def is_short(said):
        """Whether the answer is shorter than its Content-Length, so that only closing ends it."""
        head, body = said.split(b"\r\n\r\n", 1)
        return any(int(line.split(b":")[1]) > len(body) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))

    @staticmethod
    def read(stream):
        """(method, target, headers with lower-case names, body) or None at the end."""
        first = stream.readline().decode()
        if not first:
            return None
        headers = {}
        while (line := stream.readline().decode().strip()):
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        method, target, _ = first.split(" ")
        return method, target, headers, stream.read(int(headers.get("content-length", 0)))
