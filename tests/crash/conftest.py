"""The crash tests run the same real server as the dialogues in tests/http."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "http"))

from policies import ONE_OWNER
from sevqd import Server


@pytest.fixture
def server(tmp_path):
    """Not started; with one owner, so that some keys are re-keyed. Whatever still runs at the end is killed."""
    server = Server(tmp_path / "server", policy=ONE_OWNER)
    yield server
    if server.process is not None:
        server.kill()
