#!/usr/bin/env python3
"""embed.py OUT FILE... - writes files as a table of C, struct embedded_file of embedded.h. White
space of a JSON document is left out; of scripts and styles, comments that have lines of their own,
empty lines, indentation, and spaces beside signs: lines and names stay.
"""
import hashlib, json, pathlib, re, sys

TYPES = {
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.M)
# In a line of a script, what is left as it is: texts in quotes or backticks, regular expressions.
KEPT = \
    r"""'(?:[^'\\]|\\.)*'|"[^"]*"|`(?:[^`$]|\$(?!\{)|\$\{(?:[^`{}]|\{[^{}]*\}|`[^`]*`)*\})*`|""" \
    r"""(?<=[(,=!&|?:>] )/(?:[^/\\[]|\\.|\[(?:[^]\\]|\\.)*\])+/|""" \
    r"""(?<=[(,=!&|?:>])/(?:[^/\\[]|\\.|\[(?:[^]\\]|\\.)*\])+/"""
SPACES = {
    ".js": re.compile(rf"({KEPT})| ?([][(){{}},;:?=<>!&|*]+) ?"),
    ".css": re.compile(r"""("[^"]*")|(?<=[:,;]) | ?([{}]) ?"""),
}


def close_up(line, suffix):
    """Without the spaces beside signs."""
    return SPACES[suffix].sub(lambda found: found[1] or found[2] or "", line)


def bare(path):
    lines = [line.strip() for line in COMMENT.sub("", path.read_text("utf-8")).splitlines()]
    for line in lines:
        if line.count("`") % 2 == 1:
            sys.exit(f"{path}: a text in backticks must end in its line: {line}")
    return "".join(close_up(line, path.suffix) + "\n" for line in lines if line)


def content(path):
    if path.suffix in (".js", ".css"):
        return bare(path).encode()
    if path.suffix != ".json":
        return path.read_bytes()
    return json.dumps(json.loads(path.read_text("ascii")), separators=(",", ":")).encode()


out, *names = sys.argv[1:]
files = [(path, content(path)) for path in map(pathlib.Path, names)]
with open(out, "w", encoding="ascii") as f:
    f.write("/* Made by embed.py. */\n")
    for n, (_, data) in enumerate(files):
        f.write(f"static const unsigned char bytes_{n}[] = {{\n")
        for at in range(0, len(data), 20):
            f.write("\t" + " ".join(f"{byte}," for byte in data[at : at + 20]) + "\n")
        f.write("};\n")
    f.write("static const struct embedded_file embedded[] = {\n")
    for n, (path, data) in enumerate(files):
        etag = hashlib.sha256(data).hexdigest()[:32]
        f.write(f'\t{{ "{path.name}", "{TYPES[path.suffix]}", "\\"{etag}\\"", bytes_{n}, sizeof(bytes_{n}) }},\n')
    f.write("};\n")
