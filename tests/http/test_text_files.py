"""A NUL byte in any text file that is read: the file is refused.

Some readers end a text at a NUL and others do not, so what stands behind it would count for some of
them only.
"""
import json
import os
import subprocess

import pytest

from sevqd import binary

TOKEN = "a-token-of-at-least-16-bytes"
# The words of each file between which a NUL is put.
FILES = {
    "token": [TOKEN, " ", "produce", "\n", "# comment", "\n"],
    "sevqd.conf": ["{", "/* comment */", '"maxPending": ', "12", "}", "\n"],
    "openclaw.json": ["{", "// comment", "\n", "agents: ", "{ $include: './agents.json5' }", "}"],
    "agents.json5": ["{", "list: [{ id: ", "'ops'", " }]", "}", "/* comment */"],
}


def write(server, name, words):
    for each in FILES:
        path = server.directory / each
        path.write_text("".join(words if each == name else FILES[each]))
        path.chmod(0o600)
    server.flags = ["--config", server.directory / "sevqd.conf"]


def cuts(words):
    return [[*words[:n], "\0", *words[n:]] for n in range(len(words) + 1)]


@pytest.mark.parametrize("name", FILES)
def test_the_server_refuses_a_file_with_a_nul(make, name):
    server = make()
    write(server, None, [])
    assert server.run("--check-config").returncode == 0, server.run("--check-config").stderr
    for words in cuts(FILES[name]):
        write(server, name, words)
        refused = server.run("--check-config")
        assert refused.returncode == 78 and f"{name}: a NUL byte" in refused.stderr, (words, refused)
        assert TOKEN not in refused.stderr
        said = json.loads(refused.stderr.splitlines()[-1])
        before = "".join(words).split("\0")[0]
        assert (said["line"], said["column"]) == (before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)


def test_a_variable_of_an_env_file_with_a_nul_is_missing(make):
    server = make(policy="{ channels: { telegram: { allowFrom: ['${OWNER}'] } } }")
    env = server.directory / ".env"
    words = ["OWNER=", "12", "\n", "# comment", "\n"]
    env.write_text("".join(words))
    assert server.run("--check-config").returncode == 0
    for cut in cuts(words):
        env.write_text("".join(cut))
        assert server.run("--check-config").returncode == 78, cut


@pytest.fixture
def sevq(tmp_path):
    """Runs the command where no server is."""
    def run(*arguments, **env):
        return subprocess.run([binary("SEVQ"), "peek", "main", *arguments], capture_output=True, text=True, timeout=30,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"], **env})
    return run


@pytest.mark.parametrize("given", ["option", "variable"])
def test_the_command_refuses_a_token_file_with_a_nul(sevq, tmp_path, given):
    path = tmp_path / "token"
    path.touch(0o600)
    named = [["--token-file", path], {}] if given == "option" else [[], {"SEVQ_TOKEN_FILE": str(path)}]
    for words in [FILES["token"], *cuts(FILES["token"])]:
        path.write_text("".join(words))
        done = sevq("--base-url", "http://127.0.0.1:1", *named[0], **named[1])
        assert done.returncode != 0 and ("a NUL byte" in done.stderr) == ("\0" in words), (words, done)


def test_the_command_refuses_a_runtime_file_with_a_nul(sevq, tmp_path):
    path = tmp_path / ".local/state/sevq/sevqd.json"
    path.parent.mkdir(parents=True)
    path.touch(0o600)
    words = ["{", '"address": ', '"http://127.0.0.1:1"', ', "pid": 1, "startTime": 1', "}", "\n"]
    for cut in [words, *cuts(words)]:
        path.write_text("".join(cut))
        done = sevq()
        assert done.returncode != 0 and ("a NUL byte" in done.stderr) == ("\0" in cut), (cut, done)
