"""The README's dialogues are what happens: every ```console block is played, in order, against the real thing.

Lines that begin with `$ ` are typed into one shell, lines that begin with `> ` continue them, and what stands below is the answer
that must come. Ids, times and this machine's directories may differ. Only the server's port is not the one people use.
"""
import os
import re
import subprocess
from pathlib import Path

import pytest

from sevqd import PATIENCE, Server, binary

SOURCES = Path(os.environ["SOURCES"])
README = (SOURCES / "README.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, re.M | re.S)
MASKS = ((r'"id":"\d+"', '"id":"N"'), (r'"(ts|availableAt)":\d{13}', r'"\1":T'), (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?", "TIME"))
END = "--- end of the answer ---"


def steps(block):
    """The (command, answer) pairs of one block."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], []])
        elif line.startswith("> "):
            found[-1][0] += "\n" + line[2:]
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(answer).strip()) for command, answer in found]


def masked(text):
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


class Default(Server):
    """A server as ./run starts it: its own choice of database and token, but a free port."""

    def arguments(self, *more):
        return ["--log-format", "json", "--listen", "127.0.0.1:0", *self.flags, *more]


class Reader:
    """Somebody who types what the README says, in a home of their own. `./run` goes to the other terminal."""

    def __init__(self, home):
        self.home, self.server = home, None
        tools = home / "bin"
        tools.mkdir()
        (tools / "sevq").symlink_to(binary("SEVQ"))
        env = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
        env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        self.shell = subprocess.Popen(["bash"], cwd=home, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)

    def types(self, command):
        if command.startswith("./run"):
            return self.starts(command.split()[1:])
        if self.server is not None:
            command = command.replace("127.0.0.1:7387", f"127.0.0.1:{self.server.port}")
        self.shell.stdin.write(f"{command}\necho; echo '{END}'\n")
        self.shell.stdin.flush()
        answer = ""
        while not answer.endswith(END + "\n"):
            line = self.shell.stdout.readline()
            assert line, f"the shell ended in: {command}\n{answer}"
            answer += line
        return answer[: -len(END) - 1]

    def starts(self, flags):
        if self.server is not None:
            self.server.stop()
        self.server = Default(self.home, *flags, env={"XDG_STATE_HOME": ""}).start()
        return ""

    def leaves(self):
        self.shell.stdin.close()
        self.shell.wait(PATIENCE)
        if self.server is not None and self.server.process is not None:
            self.server.stop()


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    reader.leaves()


def test_the_dialogues_are_what_happens(reader):
    for block in BLOCKS:
        for command, answer in steps(block):
            assert masked(reader.types(command)) == masked(answer), command


def test_a_false_answer_is_noticed(reader):
    (command, answer), = steps("$ echo queued\ndrained\n")
    assert masked(reader.types(command)) != masked(answer)


def test_there_is_a_dialogue():
    assert sum(len(steps(block)) for block in BLOCKS) >= 6


# Its tables are what the sources say.

def source(name):
    return (SOURCES / name).read_text()


def table(heading):
    """The first cells of the rows of a section's tables."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [row.split(" | ")[0] for row in section.splitlines() if row.startswith("| ")]


def test_the_calls_are_those_of_the_server():
    served = set(re.findall(r'\{ HTTP_(\w+), +"([^"]+)"', source("server/routes.c")))
    told = {(method, path) for cell in table("The API") for method, path in re.findall(r"`([A-Z]+) (/[^`?]*)", cell)}
    assert told == served


def test_the_error_codes_are_those_of_the_server():
    names = dict(re.findall(r'\[(SEVQ_\w+)\] = "([\w-]+)"', source("schema/error.c")))
    of_later = {"conflict", "idempotency-mismatch"}
    answered = {(status, names[code]) for code, status in re.findall(r"\[(SEVQ_\w+)\] = \{ (\d+),", source("server/problem.c"))}
    told = [re.match(r"\| ([\d, ]+) \| ([^|]+) \|", row) for row in README.splitlines()]
    pairs = [(statuses.split(", "), re.findall(r"`([\w-]+)`", codes)) for statuses, codes in (row.groups() for row in told if row)]
    spread = {(s, c) for statuses, codes in pairs for s, c in zip(statuses if len(statuses) > 1 else statuses * len(codes), codes)}
    assert spread == {(status, name) for status, name in answered if name not in of_later}


def test_the_options_are_those_of_the_server():
    offered = set(re.findall(r'^\t\{ "([a-z-]+)", [A-Z]', source("server/options.c"), re.M))
    told = {flag for cell in table("Options and limits") for flag in re.findall(r"--([a-z-]+)", cell)}
    assert len(told) > 10 and told <= offered
