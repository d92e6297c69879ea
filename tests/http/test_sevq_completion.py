"""What may stand next on a command line, and the shells that ask for it."""
import os
import pty
import select
import subprocess
from pathlib import Path

import pytest

from policies import MAIN
from sevqd import PATIENCE, Server, binary, ok
from shell import USAGE, Shell

OTHER = "agent:other:main"
SHELLS = "bash", "zsh", "fish"


@pytest.fixture(scope="module")
def sevq(tmp_path_factory):
    """The command beside a server that has two sessions, first on PATH."""
    server = Server(tmp_path_factory.mktemp("server")).start()
    for key in MAIN, OTHER:
        ok(server.client().enqueue("x", key), 201)
    yield Shell(server, PATH=f"{Path(binary('SEVQ')).parent}:/usr/bin:/bin")
    server.stop()


# Typed behind "sevq ", and what may stand for the last word.
OFFERED = [
    ("dr", ["drain"]),
    ("--base-url http://x pe", ["peek"]),
    ("event --wa", ["--wake"]),
    ("event --wake ", ["now", "next-heartbeat"]),
    ("sessions --sort d", ["depth"]),
    ("drain --limit ", []),
    ("help pu", ["purge"]),
    ("de", ["dead-letters"]),
    ("dead-letters --requeue", ["--requeue", "--requeue-all"]),
    ("lease --format ", ["table", "prompt"]),
    ("drain --ye", []),
    ("token re", ["revoke"]),
    ("completion ", ["bash", "zsh", "fish"]),
    ("drain agent:", [MAIN, OTHER]),
    ("event agent:o", [OTHER]),
    ("event --session-key agent:m", [MAIN]),
    ("consume agent:o", [OTHER]),
    ("consume agent:other:main ", []),
    ("dead-letters agent:m", [MAIN]),
    ("why --json agent:m", [MAIN]),
    ("show ", []),
    ("--vers", ["--version"]),
    ("drain --vers", []),
]


@pytest.mark.parametrize("typed, offered", OFFERED)
def test_the_command_knows_what_may_stand_next(sevq, typed, offered):
    out, err = sevq("completion", "words", "--", *typed.split(" "))
    assert ([line.split("\t")[0] for line in out.splitlines()], err) == (offered, "")


def test_what_may_stand_next_is_explained(sevq):
    assert sevq("completion", "words", "--", "dra")[0] == "drain\ttake the events of a session for good, oldest first\n"


def test_files_are_left_to_the_shell(sevq):
    for words in (["drain", "--token-file", ""], ["run", MAIN, "--", "l"]):
        assert sevq("completion", "words", "--", *words)[0] == ":files\n"


def test_without_a_server_there_are_no_keys(sevq):
    assert sevq("completion", "words", "--", "drain", "", SEVQ_URL="http://127.0.0.1:1") == ("", "")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Another server, which has a session of its own."""
    server = Server(tmp_path_factory.mktemp("elsewhere")).start()
    ok(server.client().enqueue("x", "agent:elsewhere:main"), 201)
    yield server
    server.stop()


NAMED = ["--base-url {url} --token-file {file} drain agent:", "drain --base-url={url} --token={token} agent:", "event --base {url} --token {token} --mode now agent:",
    "--base-url={url} drain --token-f={file} --session-key agent:", "peek --base-url http://127.0.0.1:1 --base-url {url} --token-file {file} agent:"]


@pytest.mark.parametrize("typed", NAMED)
def test_keys_are_those_of_the_server_that_the_line_names(sevq, elsewhere, typed):
    line = typed.format(url=f"http://127.0.0.1:{elsewhere.port}", file=elsewhere.directory / "token", token=elsewhere.token)
    assert sevq("completion", "words", "--", *line.split(" ")) == ("agent:elsewhere:main\n", "")
    assert in_bash(sevq, "sevq " + line) == ["agent:elsewhere:main"]


@pytest.mark.parametrize("typed", ["--base-url http://127.0.0.1:1 drain agent:", "drain --base-url=nonsense agent:", "drain --token-file /nowhere agent:"])
def test_without_the_server_that_the_line_names_there_are_no_keys(sevq, typed):
    assert sevq("completion", "words", "--", *typed.split(" ")) == ("", "")


def test_the_scripts_are_those_that_are_installed(sevq):
    for shell, name in zip(SHELLS, ("sevq.bash", "_sevq", "sevq.fish")):
        assert sevq("completion", shell)[0] == (Path(os.environ["SOURCES"]) / "client/completions" / name).read_text()
    assert "bash, zsh or fish" in sevq("completion", "tcsh", exit=USAGE)[1]


BASH = """
source <(sevq completion bash)
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=$2
_sevq sevq
printf '%s\\n' "${COMPREPLY[@]}"
"""


def in_bash(sevq, line, breaks=" "):
    done = subprocess.run(["bash", "-c", BASH, "bash", line, breaks], env=sevq.env, text=True, stdout=subprocess.PIPE, check=True, timeout=PATIENCE)
    return done.stdout.split()


@pytest.mark.parametrize("typed, offered", OFFERED)
def test_bash_offers_it(sevq, typed, offered):
    assert in_bash(sevq, "sevq " + typed) == offered


def test_bash_takes_a_colon_for_the_beginning_of_a_word(sevq):
    assert in_bash(sevq, "sevq drain agent:ot", ' :="') == ["other:main"]


def test_bash_offers_files(sevq, tmp_path):
    (tmp_path / "a-token").touch()
    assert in_bash(sevq, f"sevq drain --token-file {tmp_path}/a") == [f"{tmp_path}/a-token"]


@pytest.mark.parametrize("typed, offered", OFFERED)
def test_fish_offers_it(sevq, typed, offered):
    done = subprocess.run(["fish", "--no-config", "-c", f"sevq completion fish | source; complete -C 'sevq {typed}'"], env=sevq.env, text=True,
        stdout=subprocess.PIPE, check=True, timeout=PATIENCE)
    assert sorted(line.split("\t")[0] for line in done.stdout.splitlines()) == sorted(offered)


class Zsh:
    """A zsh at a terminal, into which a person types."""

    def __init__(self, env, home):
        self.terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(["zsh", "-f", "-i"], env={**env, "HOME": str(home), "TERM": "dumb"}, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True)
        os.close(theirs)
        self.types("PS1='> '; autoload -U compinit; compinit -u -D; source <(sevq completion zsh); echo rea''dy\n", "ready")

    def types(self, text, awaited):
        """Types, and waits until the awaited text stands on the screen."""
        os.write(self.terminal, text.encode())
        screen = ""
        while awaited not in screen:
            ready, _, _ = select.select([self.terminal], [], [], PATIENCE)
            assert ready, screen
            screen += os.read(self.terminal, 4096).decode()

    def ends(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        os.close(self.terminal)


@pytest.fixture(scope="module")
def zsh(sevq, tmp_path_factory):
    zsh = Zsh(sevq.env, tmp_path_factory.mktemp("home"))
    yield zsh
    zsh.ends()


# Each has one word that may stand there, so that zsh puts it in. The line is then made a text.
@pytest.mark.parametrize("typed, offered", [(typed, offered[0]) for typed, offered in OFFERED if len(offered) == 1])
def test_zsh_puts_it_in(zsh, typed, offered):
    line = " ".join(["sevq", *typed.split(" ")[:-1], offered])
    zsh.types(f"sevq {typed}\t\x01echo '\x05'\n", f"\n{line}\r")
