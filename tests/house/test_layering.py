"""The layers hold: includes go down only and in no circle, a library is known only at its home, a
header stands by itself, a type has one definition, a file says what it is.

Every rule is a function from a source tree to its breaches. It must find none in ours, and each
kind of breach in a tree made to have it, so that a rule which has stopped looking is noticed.
"""
import os
import re
import shlex
import subprocess
import tokenize
from pathlib import Path

import pytest

SOURCES = Path(os.environ.get("SOURCES", Path(__file__).parents[2]))
FLOORS = ("schema", "queue", "server")  # each may include itself and what stands before it
FOLDERS = (*FLOORS, "client")
PROSE_COLUMNS = 100
SCRIPTS, SCRIPT_LINES = (".js", ".mjs", ".css", ".html"), 300
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)

# Where a library may be included. Outside server/ and queue/sqlite/ a reader need not know that
# HTTP or SQL exist.
HOMES = {
    "libevent": (r"event2/|evhttp|event\.h$", ("server/",)),
    "llhttp": (r"llhttp", ("server/",)),
    "SQLite": (r"sqlite3", ("queue/sqlite/",)),
    "libunistring": (
        r"uni(str|case|ctype|norm|types|conv|name|width|gbrk|wbrk|lbrk|stdio)\.h$",
        ("schema/text.c",),
    ),
    "libsodium": (r"sodium", ("schema/keyed_hash.c",)),
    "OpenSSL": (r"openssl/", ("schema/text.c", "server/http/auth.c", "server/http/token.c", "server/http/tls.c", "client/command/token.c")),
    "cJSON": (r"(^|/)cJSON", ("queue/policy/", "server/", "client/")),
    "libcurl": (r"curl/", ("client/",)),
}

# What only the named files may do: call the clocks of the C library, and its decimal parsers with
# their pitfalls; make the hashes that tables take, because a table of unkeyed ones can be flooded.
# All other files call what these declare.
ONE_CALLER = {
    "the clock": (
        r"\b(clock_gettime|gettimeofday|time)\(",
        ("queue/clock.c", "client/clock.c"),
    ),
    "decimal text": (
        r"\b(strto(l|ll|ul|ull|imax|umax)|ato(i|l|ll)|sscanf)\(",
        ("schema/number.c", "client/command/number.c"),
    ),
    "a keyed hash": (
        r"(struct keyed_hash\)\s*\{|struct keyed_hash \w+ = \{|bits [|^+]?= )",
        ("schema/keyed_hash.c",),
    ),
}

# The one header of the server's that the command includes too: the log and it escape by one table.
SHARED = "schema/characters.h"

# The only files of the client that print: they escape what a server has chosen.
PRINTS = r"\b(v?f?printf|f?puts|f?putc|putchar|fwrite)\("
PRINTERS = r"client/command/(main|memory|options|say|table)\.c$"

# What the files of a folder may include of ours beside what the floors allow, where that is less:
# the folder, then the only includes that it may have (ONLY) or those that it may not (NEVER).
ONLY = {
    "queue/sqlite/": r"queue/(sqlite/|store\.h$|clock(_marks)?\.h$|catalog/table\.h$)|schema/",
}
NEVER = {
    "server/http/": r"server/calls/",
    "queue/policy/": r"queue/(ops/|engine\.h$)",
    "queue/catalog/": r"queue/(ops/|engine\.h$)",
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
            shared = included == SHARED and name.startswith("client/command/")
            if included.split("/")[0] not in may_see(folder) and not shared:
                yield f"{name} includes {included}"


def strayed_includes(tree):
    for name, text in sources(tree):
        for included in ours(text):
            only = [may for folder, may in ONLY.items() if name.startswith(folder)]
            never = [may_not for folder, may_not in NEVER.items() if name.startswith(folder)]
            if not all(re.match(may, included) for may in only) or any(
                re.match(may_not, included) for may_not in never
            ):
                yield f"{name} includes {included}"


def module(name):
    """A .c file and its header are one module: "queue/op" is both queue/op.c and queue/op.h."""
    return name.rsplit(".", 1)[0]


def way_back(graph, start):
    """The shortest way from a module over its includes back to itself; None if there is none."""
    ways, seen = [[start]], set()
    for way in ways:
        for included in sorted(graph.get(way[-1], ())):
            if included == start:
                return [*way, start]
            if included not in seen:
                seen.add(included)
                ways.append([*way, included])
    return None


def circles(tree):
    graph = {}
    for name, text in sources(tree):
        graph.setdefault(module(name), set()).update(
            module(included) for included in ours(text) if module(included) != module(name)
        )
    for name in sorted(graph):
        way = way_back(graph, name)
        if way:
            yield f"{name} includes itself: {' -> '.join(way)}"


def strayed_calls(tree):
    for name, text in sources(tree):
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for noun, (calls, callers) in ONE_CALLER.items():
            found = re.search(calls, code)
            if found and name not in callers:
                yield f"{name} has {noun} by {found[1]}, as only {' and '.join(callers)} may"


def strayed_prints(tree):
    for name, text in sources(tree, ("client",)):
        found = re.search(PRINTS, re.sub(r"/\*.*?\*/", "", text, flags=re.S))
        if found and not re.match(PRINTERS, name):
            yield f"{name} calls {found[1]}, and not sevq_say"


def repeated_types(tree):
    """A type of a header has one definition; the sevq_ prefix marks the types of libsevq.

    Two .c files may each have a struct of the same name: neither can see the other's.
    """
    defined = re.compile(r"^(?:typedef |static |const )*(?:struct|enum|union) (\w+)\s*\{", re.M)
    types = [(tag, name) for name, text in sources(tree, FLOORS) for tag in defined.findall(text)]
    public = {tag: name for tag, name in types if name.endswith(".h")}
    for tag, name in types:
        if tag.startswith("sevq_"):
            yield f"{name} defines {tag}, whose prefix is libsevq's"
        elif public.get(tag, name) != name:
            yield f"{name} defines {tag}, which {public[tag]} defines too"


def crowded_lists(tree):
    """meson.build lists one C file a line, so that a change of the list is a line of a diff."""
    for folder in (*FOLDERS, "tests"):
        for path in sorted((tree / folder).rglob("meson.build")):
            for line in path.read_text().splitlines():
                if len(re.findall(r"[\w./]+\.[ch]\b", line.split("#")[0])) > 1:
                    yield f"{path.relative_to(tree)} lists several files in a line: {line.strip()}"


def strayed_libraries(tree):
    for name, text in sources(tree):
        for library, (header, homes) in HOMES.items():
            for _, included in INCLUDE.findall(text):
                a_library = included.split("/")[0] not in FOLDERS
                if a_library and re.search(header, included) and not name.startswith(homes):
                    yield f"{name} includes {library}"


def dependent_headers(tree):
    """Each header compiles alone. cc -fsyntax-only needs no library but where its headers are."""
    libraries = ["libevent", "sqlite3", "libcjson", "libcurl"]
    flags = subprocess.run(
        ["pkg-config", "--cflags", *libraries], check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    compile_alone = [os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Werror"]
    compile_alone += ["-fsyntax-only", f"-I{tree}", f"-I{SOURCES}/.deps/usr/share/include/llhttp"]
    compile_alone += ["-I/usr/share/include/llhttp", *shlex.split(flags), "-x", "c", "-"]
    for name, _ in sources(tree):
        if name.endswith(".h"):
            done = subprocess.run(
                compile_alone, input=f'#include "{name}"\n', text=True, stderr=subprocess.PIPE
            )
            if done.returncode != 0:
                yield f"{name} does not stand alone: {done.stderr}"


def files_without_opening(tree):
    """A .c or .h file opens with a comment that says what lives there."""
    for name, text in sources(tree, (*FOLDERS, "tests")):
        if len(re.findall(r"\w+", re.match(r"(/\*.*?\*/)?", text, re.S).group())) < 5:
            yield f"{name} does not open by saying what it is"


def prose_of_c(path):
    text = path.read_text()
    for match in re.finditer(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/', text, re.S):
        if match.group().startswith('"'):
            continue
        first = text.rfind("\n", 0, match.start()) + 1
        yield from (line.expandtabs(8) for line in text[first : match.end()].split("\n"))


def prose_of_python(path):
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            is_docstring = token.type == tokenize.STRING and token.string.startswith('"""')
            if token.type == tokenize.COMMENT:
                yield token.line[: token.end[1]]
            elif is_docstring and token.line.lstrip().startswith('"""'):
                yield from token.line.split("\n")


def long_prose(tree):
    """Comments and docstrings end at column 100. clang-format leaves some of those in C alone."""
    for folder in (*FOLDERS, "tests"):
        for path in sorted((tree / folder).rglob("*.*")):
            prose = {".c": prose_of_c, ".h": prose_of_c, ".py": prose_of_python}.get(path.suffix)
            for line in prose(path) if prose else ():
                if len(line) > PROSE_COLUMNS:
                    yield f"{path.relative_to(tree)} has a long comment: {line.strip()}"


def large_scripts(tree):
    """The page and its tests are read as they are: short lines, and modules that end soon."""
    for folder in ("server/ui", "tests/page"):
        for path in sorted((tree / folder).glob("*.*")):
            lines = path.read_text().split("\n") if path.suffix in SCRIPTS else []
            for number, line in enumerate(lines, 1):
                if len(line) > PROSE_COLUMNS:
                    yield f"{path.relative_to(tree)} has a long line, {number}"
            if len(lines) > SCRIPT_LINES + 1:
                yield f"{path.relative_to(tree)} has over {SCRIPT_LINES} lines"


def unregistered_tests(tree):
    """A test that no meson.build names would never run."""
    lists = {path.parent: path.read_text() for path in (tree / "tests").rglob("meson.build")}
    in_python, in_c = (tree / "tests").rglob("test_*.py"), (tree / "tests/unit").glob("*_test.c")
    in_node = (tree / "tests").rglob("*.test.mjs")
    for path in sorted([*in_python, *in_c, *in_node]):
        noun = re.sub(r"^test_|_test$|\.test$", "", path.stem)
        near = [text for folder, text in lists.items() if folder in path.parents]
        if not any(f"'{noun}'" in text or path.name in text for text in near):
            yield f"{path.relative_to(tree)} is in no meson.build"


RULES = (
    upward_includes,
    strayed_includes,
    circles,
    strayed_libraries,
    strayed_calls,
    strayed_prints,
    repeated_types,
    crowded_lists,
    dependent_headers,
    files_without_opening,
    long_prose,
    large_scripts,
    unregistered_tests,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_our_tree_has_no(rule):
    assert list(rule(SOURCES)) == []


GOOD = "/* {name} - says what it is. */\n"
BREACHES = (
    (upward_includes, "schema/a.c", '#include "queue/op.h"\n'),
    (upward_includes, "queue/a.h", '#include "server/http/auth.h"\n'),
    (upward_includes, "client/a.c", '#include "schema/text.h"\n'),
    (upward_includes, "client/a.c", f'#include "{SHARED}"\n'),
    (upward_includes, "server/a.c", '#include "client/sevq.h"\n'),
    (upward_includes, "queue/a.c", '#include "op.h"\n'),
    (strayed_includes, "server/http/a.c", '#include "server/calls/routes.h"\n'),
    (strayed_includes, "queue/policy/a.c", '#include "queue/engine.h"\n'),
    (strayed_includes, "queue/catalog/a.h", '#include "queue/ops/tick.h"\n'),
    (strayed_includes, "queue/sqlite/a.c", '#include "queue/op.h"\n'),
    (strayed_includes, "queue/sqlite/a.c", '#include "queue/catalog/catalog.h"\n'),
    (strayed_calls, "server/a.c", "\tclock_gettime(CLOCK_MONOTONIC, &now);\n"),
    (strayed_calls, "client/a.c", "\tnow = time(NULL);\n"),
    (strayed_calls, "queue/a.c", "\tn = strtoll(text, NULL, 10);\n"),
    (strayed_calls, "queue/a.c", "\treturn (struct keyed_hash){ id };\n"),
    (strayed_calls, "queue/a.c", "\tstruct keyed_hash hash = { id };\n"),
    (strayed_calls, "queue/a.c", "\thash.bits = id;\n"),
    (strayed_calls, "queue/a.c", "\thash.bits ^= id;\n"),
    (strayed_prints, "client/command/a.c", '\tprintf("%s", id);\n'),
    (strayed_prints, "client/a.c", "\tfputs(id, stderr);\n"),
    (repeated_types, "server/a.c", "struct a {\n"),
    (repeated_types, "server/a.c", "enum a\n{\n"),
    (repeated_types, "schema/a.h", "struct sevq_b {\n"),
    (crowded_lists, "queue/meson.build", "files('a.c', 'b.c')\n"),
    (crowded_lists, "tests/unit/meson.build", "executable('a', 'a_test.c', '../b.c')\n"),
    (strayed_libraries, "queue/a.c", "#include <event2/event.h>\n"),
    (strayed_libraries, "queue/a.c", "#include <llhttp.h>\n"),
    (strayed_libraries, "queue/a.c", "#include <sqlite3.h>\n"),
    (strayed_libraries, "server/a.c", "#include <sqlite3.h>\n"),
    (strayed_libraries, "schema/a.c", "#include <unicase.h>\n"),
    (strayed_libraries, "queue/a.c", "#include <openssl/sha.h>\n"),
    (strayed_libraries, "schema/text.c", "#include <sodium.h>\n"),
    (strayed_libraries, "schema/a.c", "#include <cjson/cJSON.h>\n"),
    (strayed_libraries, "server/a.c", "#include <curl/curl.h>\n"),
    (dependent_headers, "queue/b.h", "size_t b(void);\n"),
    (long_prose, "queue/a.c", f"int a; /* {'a ' * 45} */\n"),
    (long_prose, "queue/a.c", f"/*\n * a\n *\t\t{'a' * 88}\n */\n"),
    (large_scripts, "server/ui/a.css", f"a {{ {'b' * 95} }}\n"),
    (large_scripts, "tests/page/a.mjs", f"const a = '{'a' * 90}';\n"),
    (large_scripts, "server/ui/a.js", "a();\n" * 300),
    (long_prose, "tests/a.py", f"a = 1  # {'a ' * 50}\n"),
    (long_prose, "tests/a.py", f'def a():\n    """a\n\n    {"a " * 50}\n    """\n'),
)


@pytest.mark.parametrize(
    "rule, name, body", BREACHES, ids=lambda part: getattr(part, "__name__", None)
)
def test_a_breach_is_found(tmp_path, rule, name, body):
    for path, text in (("queue/a.h", "struct a {\n\tint a;\n};\n"), (name, body)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        good = "" if path.endswith(".py") else GOOD.format(name=Path(path).name)
        (tmp_path / path).write_text(good + text)
    assert [breach.split(" ")[0] for breach in rule(tmp_path)] == [name]


@pytest.mark.parametrize(
    "includes",
    (
        {"a.c": "b.h", "b.h": "a.h"},
        {"a.h": "b.h", "b.c": "a.h"},
        {"a.c": "b.h", "b.c": "c.h", "c.h": "a.h"},
    ),
    ids=("two files", "two files by a .c and a .h", "three files"),
)
def test_a_circle_is_found_whole(tmp_path, includes):
    (tmp_path / "queue").mkdir()
    for name, included in {"above.c": "a.h", **includes, "below.c": "below.h"}.items():
        (tmp_path / "queue" / name).write_text(f'#include "queue/{included}"\n')
    found = [breach.split(" ")[0] for breach in circles(tmp_path)]
    assert found == sorted({f"queue/{module(name)}" for name in includes})


def test_a_file_without_an_opening_is_found(tmp_path):
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "silent.c").write_text("#include <stdio.h>\n")
    (tmp_path / "schema" / "terse.h").write_text("/* terse.h */\n")
    found = [breach.split(" ")[0] for breach in files_without_opening(tmp_path)]
    assert found == ["schema/silent.c", "schema/terse.h"]


def test_an_unregistered_test_is_found(tmp_path):
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    (tmp_path / "tests" / "unit" / "meson.build").write_text("['known']")
    for name in ("known_test.c", "forgotten_test.c", "known.test.mjs", "forgotten.test.mjs"):
        (tmp_path / "tests" / "unit" / name).touch()
    found = [breach.split(" ")[0] for breach in unregistered_tests(tmp_path)]
    assert found == ["tests/unit/forgotten.test.mjs", "tests/unit/forgotten_test.c"]
