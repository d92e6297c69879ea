"""The floors hold: includes go down only, a library is known only at its home, a header stands by itself, a file says what it is.

Every rule is a function from a source tree to its breaches. It must find none in ours, and each kind of breach in a tree made
to have it, so that a rule which has stopped looking is noticed.
"""
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(os.environ.get("SOURCES", Path(__file__).parents[2]))
FLOORS = ("schema", "queue", "server")  # each may include itself and what stands before it
FOLDERS = (*FLOORS, "client")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)

# Where a library may be included. Below server/ and queue/sqlite/ a reader need not know that HTTP or SQL exist.
HOMES = {
    "libevent": (r"event2/|evhttp|event\.h$", ("server/",)),
    "llhttp": (r"llhttp", ("server/",)),
    "SQLite": (r"sqlite3", ("queue/sqlite/",)),
    "libunistring": (r"uni(str|case|ctype|norm|types|conv|name|width|gbrk|wbrk|lbrk|stdio)\.h$", ("schema/text.c",)),
    "OpenSSL": (r"openssl/", ("schema/text.c", "server/http/auth.c")),
    "cJSON": (r"(^|/)cJSON", ("queue/policy/", "server/", "client/")),
    "libcurl": (r"curl/", ("client/",)),
}


def sources(tree, folders=FOLDERS):
    for folder in folders:
        for path in sorted((tree / folder).rglob("*.[ch]")):
            yield path.relative_to(tree).as_posix(), path.read_text()


def ours(text):
    return [name for quote, name in INCLUDE.findall(text) if quote == '"']


def may_see(folder):
    return FLOORS[: FLOORS.index(folder) + 1] if folder in FLOORS else (folder,)


def upward_includes(tree):
    for name, text in sources(tree):
        folder = name.split("/")[0]
        for included in ours(text):
            if included.split("/")[0] not in may_see(folder):
                yield f"{name} includes {included}"


def strayed_libraries(tree):
    for name, text in sources(tree):
        for library, (header, homes) in HOMES.items():
            for _, included in INCLUDE.findall(text):
                if re.search(header, included) and included.split("/")[0] not in FOLDERS and not name.startswith(homes):
                    yield f"{name} includes {library}"


def dependent_headers(tree):
    """Each header compiles alone. cc -fsyntax-only needs no library but where its headers are."""
    flags = subprocess.run(["pkg-config", "--cflags", "libevent", "sqlite3", "libcjson", "libcurl"], check=True, text=True,
        stdout=subprocess.PIPE).stdout
    compile_alone = [os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-fsyntax-only", f"-I{tree}",
        f"-I{SOURCES}/.deps/usr/share/include/llhttp", "-I/usr/share/include/llhttp", *shlex.split(flags), "-x", "c", "-"]
    for name, _ in sources(tree):
        if name.endswith(".h"):
            done = subprocess.run(compile_alone, input=f'#include "{name}"\n', text=True, stderr=subprocess.PIPE)
            if done.returncode != 0:
                yield f"{name} does not stand alone: {done.stderr}"


def files_without_opening(tree):
    """A .c or .h file opens with a comment that says what lives there."""
    for name, text in sources(tree, (*FOLDERS, "tests")):
        if len(re.findall(r"\w+", re.match(r"(/\*.*?\*/)?", text, re.S).group())) < 5:
            yield f"{name} does not open by saying what it is"


def unregistered_tests(tree):
    """A test that no meson.build names would never run."""
    lists = {path.parent: path.read_text() for path in (tree / "tests").rglob("meson.build")}
    for path in sorted([*(tree / "tests").rglob("test_*.py"), *(tree / "tests" / "unit").glob("*_test.c")]):
        noun = re.sub(r"^test_|_test$", "", path.stem)
        if not any(f"'{noun}'" in text for folder, text in lists.items() if folder in path.parents):
            yield f"{path.relative_to(tree)} is in no meson.build"


RULES = (upward_includes, strayed_libraries, dependent_headers, files_without_opening, unregistered_tests)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_our_tree_has_no(rule):
    assert list(rule(SOURCES)) == []


GOOD = "/* {name} - says what it is. */\n"
BREACHES = (
    (upward_includes, "schema/a.c", '#include "queue/op.h"\n'),
    (upward_includes, "queue/a.h", '#include "server/http/auth.h"\n'),
    (upward_includes, "client/a.c", '#include "schema/text.h"\n'),
    (upward_includes, "server/a.c", '#include "client/sevq.h"\n'),
    (upward_includes, "queue/a.c", '#include "op.h"\n'),
    (strayed_libraries, "queue/a.c", "#include <event2/event.h>\n"),
    (strayed_libraries, "queue/a.c", "#include <llhttp.h>\n"),
    (strayed_libraries, "queue/a.c", "#include <sqlite3.h>\n"),
    (strayed_libraries, "server/a.c", "#include <sqlite3.h>\n"),
    (strayed_libraries, "schema/a.c", "#include <unicase.h>\n"),
    (strayed_libraries, "queue/a.c", "#include <openssl/sha.h>\n"),
    (strayed_libraries, "schema/a.c", "#include <cjson/cJSON.h>\n"),
    (strayed_libraries, "server/a.c", "#include <curl/curl.h>\n"),
    (dependent_headers, "queue/b.h", "size_t b(void);\n"),
)


@pytest.mark.parametrize("rule, name, body", BREACHES, ids=lambda part: getattr(part, "__name__", None))
def test_a_breach_is_found(tmp_path, rule, name, body):
    for path, text in (("queue/a.h", ""), (name, body)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(GOOD.format(name=Path(path).name) + text)
    assert [breach.split(" ")[0] for breach in rule(tmp_path)] == [name]


def test_a_file_without_an_opening_is_found(tmp_path):
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "silent.c").write_text("#include <stdio.h>\n")
    (tmp_path / "schema" / "terse.h").write_text("/* terse.h */\n")
    assert [b.split(" ")[0] for b in files_without_opening(tmp_path)] == ["schema/silent.c", "schema/terse.h"]


def test_an_unregistered_test_is_found(tmp_path):
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    (tmp_path / "tests" / "unit" / "meson.build").write_text("['known']")
    for name in ("known_test.c", "forgotten_test.c"):
        (tmp_path / "tests" / "unit" / name).touch()
    assert list(unregistered_tests(tmp_path)) == ["tests/unit/forgotten_test.c is in no meson.build"]
