"""The tour in CONTRIBUTING names functions that are where it says; paths in the documents exist."""
import os
import re
from pathlib import Path

import pytest

SOURCES = Path(os.environ["SOURCES"])
TOUR = re.findall(r"^\d+\. `(\w+)` in `([\w/.]+)`", (SOURCES / "CONTRIBUTING.md").read_text(), re.M)


def defines(path, function):
    """Whether the file defines the function: its name opens a line, as the house's style has it."""
    return re.search(rf"^{function}\(", path.read_text(), re.M) is not None


def test_the_tour_is_about_a_dozen_functions():
    assert 10 <= len(TOUR) <= 16


def test_every_function_of_the_tour_is_in_its_file():
    assert [(function, name) for function, name in TOUR if not defines(SOURCES / name, function)] == []


def test_a_function_that_is_elsewhere_is_noticed():
    assert not defines(SOURCES / "queue" / "op.h", "engine_turn")


# What the documents name must be there.

def named_paths(text):
    """The paths in backquotes, such as `queue/sqlite/vfs.c`, that start in a folder of ours."""
    return re.findall(r"`((?:schema|queue|server|client|tests|doc|packaging)/[\w/.-]*)`", text)


def missing_paths(text):
    return [path for path in named_paths(text) if not (SOURCES / path).exists()]


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "README.md", "CHANGELOG.md", "doc/DESIGN.md", "doc/ROUTING.md",
    "doc/API.md", "doc/DELIVERY.md", "doc/OPENCLAW.md"])
def test_every_path_in_a_document_exists(document):
    assert missing_paths((SOURCES / document).read_text()) == []


def test_a_path_that_is_not_there_is_noticed():
    assert missing_paths("`queue/engine.c` and `queue/gone.c`") == ["queue/gone.c"]
