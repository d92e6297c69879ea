"""CONTRIBUTING's tour of one enqueue names functions that are where it says."""
import os
import re
from pathlib import Path

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
