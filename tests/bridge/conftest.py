"""Worlds: a model, a sevqd and a gateway that route by one config. A gateway takes long to start,
so tests share one, and put right again what they have changed.
"""
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from gateway import Gateway, Model
from sevqd import Server


INSTALLED = Path(os.environ["OPENCLAW"], "node_modules/openclaw/openclaw.mjs").exists()
SKIPPED = 77  # as meson has it


def pytest_collection_modifyitems(items):
    for item in items if not INSTALLED else ():
        item.add_marker(pytest.mark.skip(reason="openclaw is not installed; ./check bridge installs it, with npm"))


def pytest_sessionfinish(session):
    if not INSTALLED:
        session.exitstatus = SKIPPED


class World:
    """The three, each on loopback. The bridge has a copy of sevqd's token."""

    def __init__(self, folder, plugin=None, **options):
        self.model = Model()
        self.sevqd = Server(folder / "sevqd", "--listen", "127.0.0.1:0", "--listen", "unix:" + str(folder / "sevqd.sock"))
        self.token = folder / "token"
        settings = {"url": "unix:" + str(folder / "sevqd.sock"), "tokenFile": str(self.token), "backoffMs": 1000, **(plugin or {})}
        self.gateway = Gateway(folder / "home", self.model, settings, **options)
        self.sevqd.policy = self.gateway.file

    def start(self):
        self.sevqd.start()
        self.give_token()
        self.gateway.start()
        return self

    def give_token(self):
        """Lets the bridge have the token of sevqd."""
        self.token.write_text(self.sevqd.token)
        self.token.chmod(0o600)

    def end(self):
        self.model.open.set()
        self.gateway.end()
        if self.sevqd.process is not None:
            self.sevqd.kill()
        self.model.stop()


@pytest.fixture(scope="module")
def make_world():
    """Makes worlds, started; they end with the module."""
    made = []

    def make(plugin=None, **options):
        # a short path: the address of a unix socket has 107 bytes
        folder = Path(tempfile.mkdtemp(prefix="sevq-bridge-"))
        made.append((folder, World(folder, plugin, **options)))
        return made[-1][1].start()

    yield make
    for folder, world in made:
        world.end()
        if "SEVQ_BRIDGE_KEEP" not in os.environ:
            shutil.rmtree(folder, ignore_errors=True)
