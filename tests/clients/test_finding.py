"""The clients find the server and its token exactly as the command `sevq` does: in each situation
they ask the same server with the same token, or refuse for the same reason.
"""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from fake_server import FakeServer, answer
from sevqd import PATIENCE, binary
from shell import NOTHING

LISTED = answer({"sessions": [], "total": 0, "nextCursor": None})
OWN, OF_FILE, OF_VARIABLE = "the-servers-own-token", "the-token-of-a-file", "the-token-of-a-variable"


class Home:
    """A home directory with a runtime file, as a running server leaves it, and token files."""

    def __init__(self, path, url):
        self.path, self.url, self.cleanup = path, url, []
        self.state = path / ".local/state/sevq"
        self.state.mkdir(parents=True)
        self.token = self.file("token", OWN + " produce\n")
        self.other = self.file("other", f"# a comment\n\n \t# another\n  {OF_FILE}  read\nmore-and-more\n")
        self.env = {"HOME": str(path)}
        self.runtime = {"address": url, "listens": [url], "tokenFile": str(self.token), **this_process()}

    def file(self, name, text, mode=0o600, folder=None):
        path = (folder or self.path) / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def writes(self, mode=0o600, folder=None, **changed):
        return self.file("sevqd.json", json.dumps({**self.runtime, **changed}), mode, folder or self.state)


def this_process(pid=None):
    """The test itself is the server that runs."""
    fields = Path(f"/proc/{pid or os.getpid()}/stat").read_text().rsplit(")", 1)[1].split()
    return {"pid": pid or os.getpid(), "startTime": int(fields[19])}


def sevq_says(env, options):
    """What the command says about a failure; "" if there is none."""
    flags = [word for name, value in options.items() for word in (FLAGS[name], value)]
    done = subprocess.run(
        [binary("SEVQ"), "sessions", *flags],
        env=env,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return done.stderr.removeprefix("sevq: ").strip() if done.returncode != NOTHING else ""


def client_says(talker, env, options):
    outcome, = talker.talk(["call", "GET", "/v1/sessions", {}], env=env, **options)
    return outcome.get("message", "")


FLAGS = {"baseUrl": "--base-url", "token": "--token", "tokenFile": "--token-file"}

# What each scene is, and a function that sets it in a Home. It may change the environment, and
# returns the options that the client is given.
SCENES = {}


def scene(function):
    SCENES[function.__name__] = function
    return function


@scene
def a_running_server(home):
    home.writes()


@scene
def a_running_server_in_the_state_directory(home):
    (home.path / "s/sevq").mkdir(parents=True)
    home.writes(folder=home.path / "s/sevq")
    home.env["XDG_STATE_HOME"] = str(home.path / "s")


@scene
def a_relative_state_directory_is_ignored(home):
    home.writes()
    home.env["XDG_STATE_HOME"] = "s"


@scene
def the_runtime_files_server_named_by_its_address(home):
    home.writes(address="http://127.0.0.1:1", listens=["http://127.0.0.1:1", home.url + "/"])
    return {"baseUrl": home.url + "//"}


@scene
def another_server_of_this_machine_gets_no_token(home):
    home.writes(address="http://127.0.0.1:1", listens=["http://127.0.0.1:1"])
    return {"baseUrl": home.url}


@scene
def another_name_of_the_same_server_gets_no_token(home):
    home.writes()
    return {"baseUrl": home.url.replace("127.0.0.1", "localhost")}


@scene
def a_dead_server(home):
    child = subprocess.Popen(["true"])
    child.wait()
    home.writes(pid=child.pid)
    return {"baseUrl": home.url}


@scene
def a_server_whose_pid_was_given_to_another_process(home):
    home.writes(startTime=home.runtime["startTime"] - 1)
    return {"baseUrl": home.url}


@scene
def a_server_of_another_user(home):
    if os.geteuid() == 0:
        nobody = subprocess.Popen(["sleep", "60"], user=65534)
        home.cleanup.append(nobody.kill)
    home.writes(**this_process(nobody.pid if os.geteuid() == 0 else 1))
    return {"baseUrl": home.url}


@scene
def a_runtime_file_without_a_start_time(home):
    home.writes(startTime=None)
    return {"baseUrl": home.url}


@scene
def a_server_without_tokens(home):
    home.writes(tokenFile=None)


@scene
def a_runtime_file_that_others_may_write(home):
    home.writes(mode=0o622)


@scene
def a_runtime_file_that_others_may_read(home):
    home.writes(mode=0o644)


@scene
def a_runtime_file_that_is_a_link(home):
    home.writes(folder=home.path)
    (home.state / "sevqd.json").symlink_to(home.path / "sevqd.json")


@scene
def a_damaged_runtime_file(home):
    home.file("sevqd.json", "{", folder=home.state)
    return {"baseUrl": home.url}


@scene
def a_runtime_file_with_a_relative_token_file(home):
    home.writes(tokenFile="token")


@scene
def a_damaged_runtime_file_does_not_matter_for_another_machine(home):
    home.file("sevqd.json", "{", folder=home.state)
    home.env["SEVQ_URL"] = "http://name.invalid:1"


@scene
def the_servers_own_token_file_is_open_to_others(home):
    home.writes()
    home.token.chmod(0o640)


@scene
def the_servers_own_token_file_is_a_link(home):
    home.writes(tokenFile=str(home.path / "link"))
    (home.path / "link").symlink_to(home.token)


@scene
def variables(home):
    home.env |= {"SEVQ_URL": home.url, "SEVQ_TOKEN": f" {OF_VARIABLE} \n", "SEVQ_TOKEN_FILE": str(home.other)}


@scene
def a_variable_with_a_token_file(home):
    home.env |= {"SEVQ_URL": home.url, "SEVQ_TOKEN": "", "SEVQ_TOKEN_FILE": str(home.other)}


@scene
def a_variable_is_stronger_than_the_runtime_file(home):
    home.writes()
    home.env["SEVQ_TOKEN"] = OF_VARIABLE


@scene
def empty_variables_count_as_none(home):
    home.writes()
    home.env |= {"SEVQ_URL": "", "SEVQ_TOKEN": "", "SEVQ_TOKEN_FILE": ""}


@scene
def options_are_stronger_than_variables(home):
    home.env |= {"SEVQ_URL": "http://127.0.0.1:1", "SEVQ_TOKEN": OF_VARIABLE}
    return {"baseUrl": home.url, "tokenFile": str(home.other)}


@scene
def a_token_is_stronger_than_a_token_file(home):
    return {"baseUrl": home.url, "token": OF_VARIABLE, "tokenFile": str(home.other)}


@scene
def a_token_file_may_be_a_link(home):
    (home.path / "link").symlink_to(home.other)
    return {"baseUrl": home.url, "tokenFile": str(home.path / "link")}


@scene
def a_token_file_that_others_may_read(home):
    home.other.chmod(0o644)
    return {"baseUrl": home.url, "tokenFile": str(home.other)}


@scene
def a_token_file_that_is_empty(home):
    return {"baseUrl": home.url, "tokenFile": str(home.file("empty", "# nothing\n"))}


@scene
def a_token_file_that_is_not_there(home):
    return {"baseUrl": home.url, "tokenFile": "/nonexistent/token"}


@scene
def a_token_file_that_is_no_file(home):
    home.path.chmod(0o700)
    return {"baseUrl": home.url, "tokenFile": str(home.path)}


@scene
def a_token_file_that_is_too_long(home):
    return {"baseUrl": home.url, "tokenFile": str(home.file("long", "#" * 70000))}


@scene
def a_token_of_two_words(home):
    return {"baseUrl": home.url, "token": "two words"}


@scene
def a_token_that_would_be_a_header(home):
    return {"baseUrl": home.url, "token": "a\r\nX: y"}


@scene
def no_token(home):
    return {"baseUrl": home.url, "token": " "}


for bad in ("ftp://127.0.0.1/", "127.0.0.1:7387", "http://", "http://a:b@127.0.0.1:1", "http://127.0.0.1:1?a", "http://127.0.0.1:1/#a",
    "http://127.0.0.1:99999", "unix:s", "http://127.0.0.1 :1"):
    SCENES[f"the_address {bad}"] = lambda home, bad=bad: {"baseUrl": bad}


# Whom each scene lets the server see; in the others nothing is sent.
WITHOUT_TOKEN = {
    "another_server_of_this_machine_gets_no_token",
    "another_name_of_the_same_server_gets_no_token",
    "a_dead_server",
    "a_server_whose_pid_was_given_to_another_process",
    "a_server_of_another_user",
    "a_runtime_file_without_a_start_time",
    "a_server_without_tokens",
}
WITH_TOKEN = {
    "a_running_server": OWN,
    "a_running_server_in_the_state_directory": OWN,
    "a_relative_state_directory_is_ignored": OWN,
    "the_runtime_files_server_named_by_its_address": OWN,
    "a_runtime_file_that_others_may_read": OWN,
    "empty_variables_count_as_none": OWN,
    "variables": OF_VARIABLE,
    "a_variable_is_stronger_than_the_runtime_file": OF_VARIABLE,
    "a_token_is_stronger_than_a_token_file": OF_VARIABLE,
    "a_variable_with_a_token_file": OF_FILE,
    "options_are_stronger_than_variables": OF_FILE,
    "a_token_file_may_be_a_link": OF_FILE,
}


def reason(message):
    """The message of a failure in words that do not depend on the language: the system's own words
    differ, and so do the quotes around an address.
    """
    for known in ("no sevqd at|cannot connect", "[Nn]o such file", "directory|EISDIR|not a regular",
            "File too large|too long", "ELOOP|[Tt]oo many"):
        if re.search(known, message):
            return known
    return re.sub(r"^\S+: |^.*?: (?=not a valid URL)", "", message)


def asked(request):
    """What a request asks for, but for its query, of whom and with which token."""
    _, target, headers, _ = request
    return target.partition("?")[0], headers["host"], headers.get("authorization")


@pytest.mark.parametrize("name", SCENES)
def test_as_the_command_does(name, talker, tmp_path):
    said, seen = [], []
    with FakeServer(LISTED, LISTED) as fake:
        for who in (sevq_says, lambda *given: client_says(talker, *given)):
            home = Home(tmp_path / str(len(said)), fake.url)
            options = SCENES[name](home) or {}
            env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **home.env}
            said.append(reason(who(env, options)))
            seen.append([asked(request) for request in fake.requests[sum(map(len, seen)):]])
            for clean in home.cleanup:
                clean()
    assert said[1] == said[0]
    assert seen[1] == seen[0]
    if name in WITHOUT_TOKEN:
        assert [token for _, _, token in seen[1]] == [None]
    elif name in WITH_TOKEN:
        assert [token for _, _, token in seen[1]] == ["Bearer " + WITH_TOKEN[name]]
    else:
        assert seen[1] == [] and said[1] != ""
