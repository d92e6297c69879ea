"""The crash tests run the same real server as the tests in tests/http."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "http"))

from policies import ONE_OWNER
from sevqd import Server


@pytest.fixture
def server(tmp_path):
    """A server that is not started yet. Its policy has one owner, so that some keys are rekeyed. It
    is killed at the end if it still runs.
    """
    server = Server(tmp_path / "server", policy=ONE_OWNER)
    yield server
    if server.process is not None:
        server.kill()
