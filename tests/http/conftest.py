"""Fixtures: servers that end with their test, and are checked for errors when they do."""
import signal

import pytest

from sevqd import Server

# What a shell or nohup starts in the background ignores some of these: the tests themselves, and so
# would the servers and commands that they start.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def make(tmp_path):
    """Makes servers without starting them: make("--flag", policy=...), each in its own directory.
    Stops those that still run.
    """
    made = []

    def build(*flags, name=None, **options):
        made.append(Server(tmp_path / (name or f"server-{len(made)}"), *flags, **options))
        return made[-1]

    yield build
    failures = []
    for server in made:
        if server.process is not None:
            try:
                server.stop()
            except BaseException as e:  # the others must be stopped too
                failures.append(e)
                if server.process is not None:
                    server.kill()
    if failures:
        raise failures[0]


@pytest.fixture
def start(make):
    """Starts servers: start("--flag", policy=...)."""
    return lambda *flags, **options: make(*flags, **options).start()


@pytest.fixture
def server(start):
    return start()


@pytest.fixture
def api(server):
    """A client of a server with the empty policy and the defaults."""
    return server.client()
