"""The tour in CONTRIBUTING is short and true, and the paths that the documents name exist."""
import os
import re
from pathlib import Path

import pytest

SOURCES = Path(os.environ["SOURCES"])
FOLDERS = ("schema", "queue", "server")
STEPS_MAX, FUNCTIONS_MAX = 12, 16


def steps(text):
    """The numbered paragraphs: a line that begins with a number, and the indented lines below."""
    return re.findall(r"^\d+\. .*(?:\n +\S.*)*", text, re.M)


def located(step):
    """The functions that a step names with their file: "`function` in `file`"."""
    return re.findall(r"`(\w+)`\s+in\s+`([\w/.]+)`", step)


def defines(source, function):
    """Whether the text defines the function: its name opens a line, as the style has it."""
    return re.search(rf"^{function}\(", source, re.M) is not None


def named(tour, sources):
    """Every function that the tour names: with its file, or as a word in backticks alone."""
    words = {word for step in tour for word in re.findall(r"`(\w+)(?:\(\))?`", step)}
    given = {function for step in tour for function, _ in located(step)}
    return given | {word for word in words if any(defines(source, word) for source in sources)}


TOUR = steps((SOURCES / "CONTRIBUTING.md").read_text())


def test_the_tour_has_few_steps_and_names_few_functions():
    sources = [path.read_text() for folder in FOLDERS for path in (SOURCES / folder).rglob("*.c")]
    assert 6 <= len(TOUR) <= STEPS_MAX
    functions = named(TOUR, sources)
    assert len(functions) <= FUNCTIONS_MAX, sorted(functions)


def test_every_step_names_a_function_that_is_in_its_file():
    assert [step for step in TOUR if not located(step)] == []
    named_with_file = [pair for step in TOUR for pair in located(step)]
    strayed = [
        (function, name)
        for function, name in named_with_file
        if not defines((SOURCES / name).read_text(), function)
    ]
    assert strayed == []


def test_a_function_that_is_elsewhere_is_noticed():
    assert not defines((SOURCES / "queue" / "engine.h").read_text(), "strlen")
    assert not defines("static int\nrun(void)\n{\n\tturn();\n}\n", "turn")


def test_every_way_to_name_a_function_is_counted():
    tour = steps(
        "1. `first` in `a.c`: calls\n   `second` and `third()`, with `A_MACRO`\n   and `b.c`.\n"
        "2. `fourth`\n   in `b.c`.\n\nNot a step: `fifth` in `c.c`.\n"
    )
    assert [located(step) for step in tour] == [[("first", "a.c")], [("fourth", "b.c")]]
    sources = ["static void\nsecond(void)\n{\n}\n", "int\nthird(int a)\n{\n}\nfifth(void)\n"]
    assert named(tour, sources) == {"first", "second", "third", "fourth"}


# What the documents name must be there.

def named_paths(text):
    """The paths in backquotes, such as `queue/sqlite/vfs.c`, that start in a folder of ours."""
    return re.findall(r"`((?:schema|queue|server|client|tests|doc|packaging)/[\w/.-]*)`", text)


def missing_paths(text):
    return [path for path in named_paths(text) if not (SOURCES / path).exists()]


DOCUMENTS = ("CONTRIBUTING.md", "README.md", "CHANGELOG.md")
DOCUMENTS += ("doc/DESIGN.md", "doc/ROUTING.md", "doc/API.md", "doc/DELIVERY.md", "doc/INSTALL.md", "doc/OPERATING.md", "doc/OPENCLAW.md", "doc/CLIENTS.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_a_document_exists(document):
    assert missing_paths((SOURCES / document).read_text()) == []


def test_a_path_that_is_not_there_is_noticed():
    assert missing_paths("`queue/engine.c` and `queue/gone.c`") == ["queue/gone.c"]
