"""The documents' dialogues are true: every ```console block runs, in order, against a real server.

Lines that begin with `$ ` are typed into one shell, lines that begin with `> ` continue them, and
the lines below are the expected output. Times, process ids and ids in JSON may differ. Only the
server's port is not the default, and the home directory is not /home/me.
"""
import os
import re
import subprocess
from pathlib import Path

import pytest

from sevqd import PATIENCE, Server, binary

SOURCES = Path(os.environ["SOURCES"])
# and its least number of steps
DIALOGUES = {"README.md": 20, "doc/OPERATING.md": 14, "doc/DELIVERY.md": 20, "doc/API.md": 4}
MASKS = ((r'"id":"\d+"', '"id":"N"'), (r"^id: \d+$", "id: N"), (r'"(ts|availableAt|expiresAt)":\d{13}', r'"\1":T'),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?", "TIME"), (r"System: \[[^]]+\]", "System: [TIME]"), (r"sevq run, \S+, \d+", "sevq run, HOST, PID"),
    (r"\(pid \d+\)", "(pid PID)"))
END = "--- end of the answer ---"


def text(name):
    return (SOURCES / name).read_text()


def dialogue(name):
    """The (command, answer) pairs of one document."""
    return [step for block in re.findall(r"^```console\n(.*?)^```", text(name), re.M | re.S) for step in steps(block)]


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


def masked(answer):
    for pattern, word in MASKS:
        answer = re.sub(pattern, word, answer, flags=re.M)
    return "\n".join(line.rstrip() for line in answer.strip().splitlines())


class Default(Server):
    """A server as ./run starts it: with the default database and token, but a free port."""

    def arguments(self, *more):
        return ["--log-format", "json", "--listen", "127.0.0.1:0", *self.flags, *more]


class Reader:
    """A reader who types the commands of the README, in a home directory of their own. `./run` runs
    in a second terminal.
    """

    def __init__(self, home):
        self.home, self.server = home, None
        tools = home / "bin"
        tools.mkdir()
        for name in "sevq", "sevqd":
            (tools / name).symlink_to(binary(name.upper()))
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
        return answer[: -len(END) - 1].replace(str(self.home), "/home/me")

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


@pytest.mark.parametrize("name", DIALOGUES)
def test_the_dialogues_are_true(reader, name):
    for command, answer in dialogue(name):
        assert masked(reader.types(command)) == masked(answer), command


def test_a_false_answer_is_noticed(reader):
    (command, answer), = steps("$ echo queued\ndrained\n")
    assert masked(reader.types(command)) != masked(answer)


@pytest.mark.parametrize("name", DIALOGUES)
def test_there_is_a_dialogue(name):
    assert len(dialogue(name)) >= DIALOGUES[name]


# The documents' tables agree with the sources.

def table(name, heading):
    """The rows of the tables of a document's section, as lists of cells."""
    section = text(name).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [row.strip("| ").split(" | ") for row in section.splitlines() if row.startswith("| ")]
    assert len(rows) > 3
    return rows[1:]


def test_the_calls_are_those_of_the_server():
    served = re.findall(r'\{ HTTP_(\w+), +("[^"]+"|HOOK_PATH), +SCOPE_(\w+)', text("server/calls/routes.c"))
    hook = re.search(r'#define HOOK_PATH "([^"]+)"', text("server/calls/hooks.h")).group(1)
    told = {(*call, row[2]) for row in table("doc/API.md", "Calls") for call in re.findall(r"`([A-Z]+) (/[^`?]*)", row[0])}
    assert told == {(method, hook if path == "HOOK_PATH" else path.strip('"'), scope.lower()) for method, path, scope in served}


def test_the_error_codes_are_those_of_the_server():
    names = dict(re.findall(r'\[(ERROR_\w+)\] = "([\w-]+)"', text("schema/error.c")))
    answered = {(status, names[code]) for code, status in re.findall(r"\[(ERROR_\w+)\] = \{ (\d+),", text("server/http/problem.c"))}
    told = set()
    for statuses, codes, _ in table("doc/API.md", "Errors"):
        statuses, codes = statuses.split(", "), re.findall(r"`([\w-]+)`", codes)
        told |= set(zip(statuses if len(statuses) > 1 else statuses * len(codes), codes, strict=True))
    assert told == answered


def test_the_options_are_those_of_the_server():
    offered = set(re.findall(r'^\t\{ "([a-z-]+)", [A-Z]', text("server/options.c"), re.M))
    rows = table("doc/OPERATING.md", "Options and limits") + table("README.md", "Options, promises, more")
    told = {flag for row in rows for flag in re.findall(r"--([a-z-]+)", row[0])}
    assert len(told) > 10 and told <= offered


def test_the_readme_is_read_in_one_sitting():
    lines = text("README.md").splitlines()
    assert len(lines) <= 200 and max(map(len, lines)) <= 100


# Why an event was not drained: each cause has a command that a reader can type.

def test_the_commands_of_the_causes_work(reader):
    reader.types("./run")
    reader.types("sevq event --agent main x; sevq drain agent:main:main; sevq event agent:main:main y")
    commands = [command for row in table("README.md", "Why was my event not drained?") for command in re.findall(r"`(sevq [^`]+)`", row[1])]
    assert len(commands) > 6
    for command in ["sevq why KEY", *commands]:
        said = reader.types(f"{command.replace('KEY', 'agent:main:main').replace('ID', '1')}; echo exit $?")
        assert re.search(r"^exit [03]$", said, re.M), (command, said)


def test_the_metrics_are_those_of_the_server():
    counted = set(re.findall(r'"(sevq_\w+)"', text("server/calls/metrics.c")))
    told = {metric for row in table("doc/API.md", "Metrics") for metric in re.findall(r"`(sevq_\w+)`", row[0])}
    assert len(told) > 10 and told <= counted


def test_the_fields_of_an_event_are_those_of_the_server():
    read = set(re.findall(r'FIELD\w*\("(\w+)", \w+, struct draft', text("server/calls/enqueue.c")))
    told = {field for row in table("doc/API.md", "Events") for field in re.findall(r"`(\w+)`", row[0])}
    assert told == read - {"text", "sessionKey", "agentId", "channel", "accountId"}


def test_the_timelines_words_are_those_of_the_queue():
    migrations = "".join(path.read_text() for path in sorted((SOURCES / "schema/sql").glob("*.sql")))
    kept = set(re.findall(r"\(\d+, '(\w+)'\)", migrations))
    told = {word for row in table("doc/DELIVERY.md", "What happened to an event") for word in re.findall(r"`(\w+)`", row[0])}
    assert told == kept | {"queued"}
