"""The same real servers as in tests/http, and the clients that talk to them."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "http"))

from clients import Talker
from sevqd import Server


@pytest.fixture(params=("python", "node"))
def talker(request):
    return Talker(request.param)


@pytest.fixture
def make(tmp_path):
    """Makes servers without starting them: make("--flag", policy=...). Stops those that run."""
    made = []

    def build(*flags, **options):
        made.append(Server(tmp_path / f"server-{len(made)}", *flags, **options))
        return made[-1]

    yield build
    for server in made:
        if server.process is not None:
            server.stop()


@pytest.fixture
def server(make):
    return make().start()
