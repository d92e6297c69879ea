"""sevq page: an address that lets one browser in, and the browser that is started with it."""
import os
import re
import stat

import pytest

from sevqd import ok
from shell import NOT_ALLOWED, NOTHING, USAGE, Shell

READER = "reader-token-0123456789abcdef"
ALL = ["produce", "consume", "read", "admin"]


def write_tokens(server, *lines):
    path = server.directory / "token"
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


def code_of(server, out):
    found = re.fullmatch(rf"http://127\.0\.0\.1:{server.port}/#code=([0-9a-f]{{32}})\n", out)
    assert found, out
    return found.group(1)


def trade(server, code):
    return ok(server.client(token=None).call("POST", "/v1/page-sessions", {"code": code}))


class Desktop:
    """A login with a display. Its xdg-open notes what it was started with, chatters as browsers do,
    and ends with a status.
    """

    def __init__(self, server, status=0):
        self.runtime, self.noted, programs = (server.directory / name for name in ("run", "noted", "programs"))
        self.runtime.mkdir(mode=0o700)
        programs.mkdir()
        browser = programs / "xdg-open"
        browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{self.noted}\necho Opening in existing browser session.\nexit {status}\n')
        browser.chmod(0o755)
        self.env = {"DISPLAY": ":0", "XDG_RUNTIME_DIR": str(self.runtime), "PATH": f"{programs}:{os.environ['PATH']}"}

    def opened(self):
        """The words that xdg-open was started with; None: it was not."""
        return self.noted.read_text().splitlines() if self.noted.exists() else None


def test_it_prints_an_address_that_lets_a_page_look(server):
    out, err = Shell(server)("page")
    assert trade(server, code_of(server, out))["scopes"] == ["read"] and err == ""


def test_with_admin_the_page_may_do_what_the_token_may(server):
    out, err = Shell(server)("page", "--admin")
    assert trade(server, code_of(server, out))["scopes"] == ALL and err == ""


def test_a_token_that_may_only_read_lets_a_page_only_look_and_says_so(make):
    server = make()
    write_tokens(server, READER + " read")
    server.start()
    out, err = Shell(server)("page", "--admin")
    assert trade(server, code_of(server, out))["scopes"] == ["read"]
    assert "no scope admin" in err


def test_each_time_it_is_another_code(server):
    sevq = Shell(server)
    assert len({sevq("page")[0] for _ in range(3)}) == 3


def test_as_json_it_is_the_answer(server):
    made = Shell(server).json("page")
    assert set(made) == {"code", "scopes", "expiresAt"} and trade(server, made["code"])


def test_where_no_token_is_asked_for_no_code_is_needed(start):
    server = start("--no-auth")
    assert Shell(server, SEVQ_TOKEN_FILE="")("page") == (f"http://127.0.0.1:{server.port}/\n", "")


def test_a_browser_is_started_and_nobody_sees_the_code(server):
    desktop = Desktop(server)
    out, err = Shell(server, **desktop.env)("page")
    way = desktop.runtime / "sevq-page.html"
    assert desktop.opened() == [str(way)] and err == ""
    assert stat.S_IMODE(way.stat().st_mode) == 0o600
    assert f"url={out.strip()}\"" in way.read_text()
    again, _ = Shell(server, **desktop.env)("page")
    assert again.strip() in way.read_text() and out.strip() not in way.read_text()


def test_no_link_is_followed_to_another_file(server):
    desktop, other = Desktop(server), server.directory / "other"
    (desktop.runtime / "sevq-page.html").symlink_to(other)
    _, err = Shell(server, **desktop.env)("page")
    assert not other.exists() and desktop.opened() is None and "open the address yourself" in err


@pytest.mark.parametrize("words, env", [(("page", "--print"), {}), (("page", "--json"), {}), (("page",), {"DISPLAY": ""})])
def test_no_browser_is_started(server, words, env):
    desktop = Desktop(server)
    _, err = Shell(server, **desktop.env)(*words, **env)
    assert desktop.opened() is None and err == ""


@pytest.mark.parametrize("env", [{"XDG_RUNTIME_DIR": ""}, {"PATH": "/nowhere"}, {}])
def test_without_a_browser_the_address_is_there_all_the_same(server, env):
    desktop = Desktop(server, status=3)
    out, err = Shell(server, **desktop.env)("page", **env)
    assert code_of(server, out) and "open the address yourself" in err


def test_a_unix_socket_is_nothing_for_a_browser(start, tmp_path):
    server = start("--listen", f"unix:{tmp_path}/s")
    out, err = Shell(server, SEVQ_URL=f"unix:{tmp_path}/s", SEVQ_TOKEN_FILE=str(server.directory / "token"))("page", exit=USAGE)
    assert out == "" and "browsers cannot open unix:" in err and "--base-url" in err


def test_a_server_without_a_page_says_so(start):
    out, err = Shell(start("--no-page"))("page", exit=NOTHING)
    assert out == "" and "--no-page" in err


def test_a_token_that_may_not_read_lets_nobody_in(make):
    server = make()
    write_tokens(server, "producer-token-0123456789abcdef produce")
    server.start()
    assert Shell(server)("page", exit=NOT_ALLOWED)[0] == ""
