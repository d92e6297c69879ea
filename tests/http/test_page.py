"""The files of the page, without a token: what browsers are told of them, and that they hold no
data.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import ok, problem, request

UI = Path(os.environ["SOURCES"]) / "server/ui"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FILES = {path.name: path for path in UI.iterdir() if path.suffix in TYPES}
PATHS = ["/", *sorted("/ui/" + name for name in FILES)]
PROTECTION = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def get(server, path, *headers, method="GET", token=None):
    return server.client(token=token).call(method, path, headers=dict(headers))


def code(text):
    """The lines that hold code, without white space."""
    lines = [re.sub(r"\s", "", line) for line in text.splitlines()]
    return [line for line in lines if line and not re.match(r"//|/\*|\*[^{]|\*$", line)]


@pytest.mark.parametrize("path", PATHS)
def test_every_file_is_there_for_anybody(server, path):
    reply, source = get(server, path), FILES[path.removeprefix("/ui/") if path != "/" else "index.html"]
    text, served = source.read_text(), reply.body.decode()
    assert reply.status == 200
    assert reply.headers["content-type"] == TYPES[source.suffix]
    if source.suffix not in (".js", ".css"):
        assert served == text
        return
    assert [re.sub(r"\s", "", line) for line in served.splitlines()] == code(text)
    assert not re.search(r"^(\s|//|/\*)", served, re.M), "no comments and no indentation"


# Spaces that a reader or the language needs.
KEPT = [
    """const A = 'a, b = (c)', b = "d; e";""",
    "const c = `${d ? `e, ${f} ` : ''} = ${g}`;",
    "const h = /^[ ,=] (\\/|[/ ]) = /gu, i = (j / 2), k = (l + 1) / m;",
    "if (n.replace(/ , /, ' ') in o) return [p, q => r - -s, typeof (t)];",
]
WITHOUT = [
    """const A='a, b = (c)',b="d; e";""",
    "const c=`${d ? `e, ${f} ` : ''} = ${g}`;",
    "const h=/^[ ,=] (\\/|[/ ]) = /gu,i=(j / 2),k=(l + 1)/ m;",
    "if(n.replace(/ , /,' ')in o)return[p,q=>r - -s,typeof(t)];",
]


def test_texts_and_regular_expressions_keep_their_spaces(tmp_path):
    (tmp_path / "a.js").write_text("/** A\n * b.\n */\n\n// c\n" + "".join(f"  {line}\n" for line in KEPT))
    assert embedded(tmp_path, "a.js") == "".join(line + "\n" for line in WITHOUT)
    (tmp_path / "b.css").write_text('a:hover > b { color: red; font: 1px "c, d: e", f }\n* { g: h(1, 2) }\n')
    assert embedded(tmp_path, "b.css") == 'a:hover > b{color:red;font:1px "c, d: e",f}\n*{g:h(1,2)}\n'


def test_a_text_in_backticks_that_spans_lines_is_refused(tmp_path):
    (tmp_path / "a.js").write_text("const a = `b\n  c`;\n")
    assert "must end in its line" in embed(tmp_path, "a.js").stderr


def embed(folder, name):
    script = Path(os.environ["SOURCES"]) / "server/calls/embed.py"
    return subprocess.run([sys.executable, script, folder / "out.h", folder / name], text=True, stderr=subprocess.PIPE)


def embedded(folder, name):
    done = embed(folder, name)
    assert done.returncode == 0, done.stderr
    table = (folder / "out.h").read_text().split("{", 1)[1].split("}", 1)[0]
    return bytes(int(byte) for byte in table.split(",") if byte.strip()).decode()


@pytest.mark.parametrize("path", PATHS)
def test_browsers_are_told_to_guard_every_file(server, path):
    for reply in (get(server, path), get(server, path, method="HEAD"), get(server, path, ("If-None-Match", "*"))):
        assert {name: reply.headers.get(name) for name in PROTECTION} == PROTECTION
        assert not {"set-cookie", "access-control-allow-origin"} & set(reply.headers)


def test_a_file_that_a_browser_has_is_not_sent_again(server):
    raw, whole = server.raw(), get(server, "/")
    etag = whole.headers["etag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', etag)
    for kept in (etag, "W/" + etag, f'"x", {etag}', "*"):
        raw.send(request("GET", "/", headers=[("If-None-Match", kept)]) + request("GET", "/version"))
        reply = raw.answer()
        assert reply.status == 304 and reply.headers["etag"] == etag and int(reply.headers["content-length"]) == len(whole.body)
        assert ok(raw.answer())["version"], "nothing stands between the two answers"


@pytest.mark.parametrize("other", ['"x"', '""', "", '"0123456789abcdef0123456789abcdef"', "no tag"])
def test_another_tag_gets_the_whole_file(server, other):
    assert get(server, "/", ("If-None-Match", other)).status == 200


def test_several_headers_with_tags_are_no_error(server):
    raw, etag = server.raw(), get(server, "/").headers["etag"]
    raw.send(request("GET", "/", headers=[("If-None-Match", etag), ("If-None-Match", '"x"')]))
    assert raw.answer().status == 200


def test_each_file_has_its_own_tag(server):
    tags = {path: get(server, path).headers["etag"] for path in PATHS[1:]}
    assert len(set(tags.values())) == len(FILES)
    assert get(server, "/").headers["etag"] == tags["/ui/index.html"]


def test_head_is_told_the_length(server):
    raw = server.raw()
    raw.send(request("HEAD", "/ui/app.js"))
    assert int(raw.answer(head=True).headers["content-length"]) == len(get(server, "/ui/app.js").body)


@pytest.mark.parametrize("path", ["/ui/", "/ui", "/ui/nothing.js", "/ui/../index.html", "/ui/%2e%2e%2findex.html", "/ui/APP.JS", "/ui/app.js/", "/index.html", "//"])
def test_there_is_no_other_file(server, path):
    raw = server.raw()
    raw.send(request("GET", path))
    reply = raw.answer()
    assert reply.status in (400, 404) and b"<" not in reply.body


@pytest.mark.parametrize("path", PATHS)
def test_it_takes_no_parameters_and_no_other_method(server, path):
    problem(get(server, path + "?code=1"), 400, "invalid-field")
    problem(get(server, path, method="DELETE"), 405, "method-not-allowed")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.nip.io:{port}", "localhost.:{port}"])
@pytest.mark.parametrize("path", PATHS)
def test_a_rebound_name_does_not_read_it(server, path, host):
    raw = server.raw()
    raw.send(request("GET", path, host=host.format(port=server.port)))
    problem(raw.answer(), 421, "misdirected")


def test_it_holds_no_data(server):
    before = {path: get(server, path).body for path in PATHS}
    ok(server.client().enqueue("a secret", MAIN), 201)
    assert {path: get(server, path).body for path in PATHS} == before


def test_it_can_be_turned_off(start):
    server = start("--no-page")
    for path in PATHS:
        assert "--no-page" in problem(get(server, path), 404, "not-found")["detail"]
    assert ok(get(server, "/version"))["version"]
