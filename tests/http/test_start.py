"""Starts that must fail, each with its exit code and without damage; options, config file,
environment.
"""
import hashlib
import http.client
import json
import socket
import sqlite3

import pytest

from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import Client, ok, problem, sanitized

USAGE, CANNOT_LISTEN, STORAGE, LOCKED, CONFIG = 2, 71, 74, 75, 78


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def refused(server, code, *more):
    """Asserts that the server exits with this code and a message; returns the message."""
    done = server.run(*more)
    assert done.returncode == code, done
    assert done.stderr.strip(), "it must say why"
    return done.stderr


@pytest.fixture
def stopped(start):
    """A stopped server with one event in its database."""
    server = start()
    ok(server.client().enqueue("precious", MAIN), 201)
    server.stop()
    return server


def change(server, statement):
    db = sqlite3.connect(server.db)
    with db:
        db.execute(statement)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def test_a_second_server_on_the_same_file_refuses_to_start(server):
    ok(server.client().enqueue("x", MAIN), 201)
    assert "sevq.db" in refused(server, LOCKED)
    assert server.client().texts(MAIN) == ["x"]


def test_a_second_server_by_another_name_of_the_file_refuses_too(server, make):
    other = make()
    (other.directory / "link").symlink_to(server.directory)
    refused(other, LOCKED, "--db", other.directory / "link" / "sevq.db")


def test_after_a_kill_the_lock_is_free(server):
    server.kill()
    server.start()


def test_a_database_of_a_newer_version_is_refused_untouched(stopped):
    db = sqlite3.connect(stopped.db)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    assert version > 0
    change(stopped, f"PRAGMA user_version = {version + 1}")
    before = digest(stopped.db)
    assert "newer" in refused(stopped, CONFIG)
    assert digest(stopped.db) == before
    change(stopped, f"PRAGMA user_version = {version}")
    assert stopped.start().client().texts(MAIN) == ["precious"]


def test_a_foreign_database_is_refused_untouched(make):
    server = make()
    db = sqlite3.connect(server.db)
    with db:
        db.execute("CREATE TABLE events(id INTEGER PRIMARY KEY)")
    db.close()
    before = digest(server.db)
    refused(server, CONFIG)
    assert digest(server.db) == before
    assert {p.name for p in server.directory.iterdir()} <= {"sevq.db", "sevq.db.lock", "sevq.db-lock", "token"}


def test_another_application_id_is_foreign(stopped):
    change(stopped, "PRAGMA application_id = 7")
    before = digest(stopped.db)
    refused(stopped, CONFIG)
    assert digest(stopped.db) == before


@pytest.mark.parametrize("content", [b"", b"hello, this is a text file and no database at all\n" * 100, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000, b"x"], ids=["nothing", "text", "zeros", "header", "byte"])
def test_a_file_that_is_no_database_is_refused_untouched(make, content):
    server = make()
    server.db.write_bytes(content)
    refused(server, CONFIG)
    assert server.db.read_bytes() == content


@pytest.mark.parametrize("keep", [100, 4096, 0.5, -1], ids=["header", "one-page", "half", "last-byte"])
def test_a_truncated_database_is_refused(stopped, keep):
    """Half of a database must not be taken for an empty one."""
    api = stopped.start().client()
    for n in range(20):
        ok(api.batch(*({"text": f"{n} {m} " + "x" * 500, "sessionKey": MAIN} for m in range(20))))
    stopped.stop()
    whole = stopped.db.read_bytes()
    stopped.db.write_bytes(whole[:int(len(whole) * keep) if isinstance(keep, float) else keep])
    before = digest(stopped.db)
    refused(stopped, CONFIG)
    assert digest(stopped.db) == before


def test_a_damaged_page_is_refused_or_loses_nothing(stopped):
    """An overwritten page in the middle must be noticed."""
    api = stopped.start().client()
    for n in range(20):
        ok(api.batch(*({"text": f"{n} {m} " + "x" * 500, "sessionKey": MAIN} for m in range(20))))
    stopped.stop()
    content = bytearray(stopped.db.read_bytes())
    middle = len(content) // 8192 * 4096
    content[middle:middle + 4096] = b"\xa5" * 4096
    stopped.db.write_bytes(content)
    refused(stopped, CONFIG)


def test_a_directory_that_cannot_be_made_is_a_storage_error(make):
    server = make()
    (server.directory / "file").write_text("")
    refused(server, STORAGE, "--db", server.directory / "file" / "sevq.db")


def test_a_directory_as_database_is_refused(make):
    server = make()
    server.db.mkdir()
    assert server.run().returncode in (STORAGE, CONFIG)


def test_missing_directories_are_made_private(make):
    server = make()
    server.db = server.directory / "a" / "b" / "sevq.db"
    server.start()
    assert server.db.stat().st_mode & 0o777 == 0o600
    assert (server.directory / "a" / "b").stat().st_mode & 0o777 == 0o700
    server.stop()


def test_an_address_in_use_is_said(make):
    server = make()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        assert str(s.getsockname()[1]) in refused(server, CANNOT_LISTEN, "--listen", f"127.0.0.1:{s.getsockname()[1]}")


def test_two_listeners(start):
    server = start("--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    server.wait_for_log(lambda r: r.get("msg") == "listening" and r["address"] != server.address, "the second listener")
    addresses = [r["address"] for r in server.log if r.get("msg") == "listening"]
    assert len(addresses) == 2
    for address in addresses:
        assert ok(Client(int(address.rsplit(":", 1)[1]), server.token).sessions())["total"] == 0


def test_a_unix_socket(start):
    server = start("--listen", "127.0.0.1:0", "--listen", "unix:here")
    server.wait_for_log(lambda r: r.get("msg") == "listening" and "here" in r["address"], "the socket")
    path = server.directory / "here"
    assert path.is_socket() and path.stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        s.sendall(f"GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    server.stop()
    assert not path.exists()


# The policy file.

@pytest.mark.parametrize("text, line, column", [
    ("{\n  session: {\n    dmScope: main\n  }\n}\n", 3, 14),
    ("{ channels: [ }", 1, 15),
    ("{\n  a: 1,\n  a: 2,\n}", 3, 3),
    ("{ a: 'open\n }", 1, None),
    ("[]", None, None),
    ("{} {}", 1, 4),
])
def test_a_policy_with_an_error_is_refused_with_its_place(make, text, line, column):
    server = make(policy=text)
    said = refused(server, CONFIG)
    assert "openclaw.json" in said
    if line:
        record = json.loads(said.strip().splitlines()[-1])
        place = f"{line}:{column}" if column else f"{line}:"
        assert place in said or f"line {line}" in said or record.get("line") == line, said
        assert column is None or place in said or f"column {column}" in said or record.get("column") == column, said
    assert not server.db.exists(), "nothing is made before the policy is read"


def test_a_policy_that_is_given_must_exist(make):
    refused(make(), CONFIG, "--policy", "nowhere.json")


def test_an_empty_policy_file_is_the_empty_policy(start):
    assert start(policy="").client().peek(DIRECT).status == 200


# Options.

@pytest.mark.parametrize("arguments", [["--colour"], ["--listen"], ["--listen", "nonsense"], ["--listen", "127.0.0.1:99999"], ["--overflow", "maybe"], ["--max-pending", "many"], ["--max-pending", "-1"],
    ["--max-pending", "0"], ["--log-level", "loud"], ["--log-format", "xml"], ["--compat", "other"], ["extra"]])
def test_a_wrong_option_is_a_usage_error(make, arguments):
    said = refused(make(), USAGE, *arguments)
    assert arguments[0].lstrip("-") in said


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_exit_0(make, flag):
    done = make().run(flag)
    assert done.returncode == 0 and done.stdout and not done.stderr


def config(server, content):
    path = server.directory / "sevqd.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return ["--config", str(path)]


def printed(server, *more):
    done = server.run("--print-config", *more)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def test_the_config_file_may_be_relaxed_json(make):
    server = make()
    assert printed(server, *config(server, "{ maxPending: 5, // few\n overflow: 'drop-oldest', }"))["maxPending"] == 5


def test_flags_beat_the_environment_beats_the_file_beats_defaults(make):
    server = make()
    default = printed(server)["maxPending"]
    arguments = config(server, {"maxPending": 5})
    assert printed(server, *arguments)["maxPending"] == 5
    server.extra_env["SEVQ_MAX_PENDING"] = "6"
    assert printed(server, *arguments)["maxPending"] == 6
    assert printed(server, *arguments, "--max-pending", "7")["maxPending"] == 7
    assert default not in (5, 6, 7)


@pytest.mark.parametrize("content, word", [({"colour": "red"}, "colour"), ({"maxPending": "many"}, "maxPending"), ({"MaxPending": 5}, "MaxPending"), ("{ maxPending: 5", "sevqd.json"), ("[]", "sevqd.json")])
def test_an_error_in_the_config_is_refused(make, content, word):
    server = make()
    assert word in refused(server, CONFIG, *config(server, content))
    refused(server, CONFIG, "--check-config", *config(server, content))


def test_an_unknown_variable_of_ours_is_refused(make):
    server = make()
    server.extra_env["SEVQ_COLOUR"] = "red"
    assert "SEVQ_COLOUR" in refused(server, CONFIG)


def test_check_config_only_checks(make):
    server = make(policy=ONE_OWNER)
    done = server.run("--check-config")
    assert done.returncode == 0, done
    assert not server.db.exists() and not (server.directory / "token").exists()
    server.write_policy("{ broken")
    refused(server, CONFIG, "--check-config")


def test_check_config_does_not_mind_a_running_server(server):
    assert server.run("--check-config").returncode == 0


def test_print_config_masks_secrets(server):
    token = server.token
    done = server.run("--print-config")
    assert done.returncode == 0 and token not in done.stdout + done.stderr


def test_what_print_config_prints_can_be_used(make):
    server = make()
    first = printed(server, "--max-pending", "77")
    assert printed(server, *config(server, first))["maxPending"] == 77


def test_the_log_on_a_file_is_json_lines_by_default(start):
    server = start()
    assert all({"ts", "level", "msg"} <= set(r) for r in server.log), server.log


# Damage that is found later.

def test_a_damaged_event_is_told_and_the_others_are_served(stopped):
    change(stopped, "UPDATE event SET text = 'preciouz'")
    stopped.start()
    api = stopped.client()
    ok(api.enqueue("another", MAIN), 201)
    assert [e["text"] for e in ok(api.drain(MAIN))["events"]] == ["another"]
    problem(api.find("1"), 503, "storage-failed")
    assert stopped.wait_for_log(lambda r: "damaged" in r["msg"])["event"] == 1
    assert api.stats()["pending"] == 1 and api.stats()["store"]["damagedReads"] >= 1
    assert ok(api.purge(MAIN))["purged"] == 1


# Memory.

@pytest.mark.skipif(sanitized(), reason="the sanitizer reserves all addresses")
def test_running_out_of_memory_is_told_and_loses_nothing(make):
    server = make("--max-pending", 1000000, "--max-pending-total", 1000000, "--max-sessions", 1000000)
    server.spawn("prlimit", "--as=100000000", "--")
    server.await_listening()
    api, accepted = server.client(), 0
    try:
        for n in range(2000):
            reply = api.batch(*({"text": f"{n} {i}", "sessionKey": f"agent:main:{n}:{i}", "contextKey": f"{n}:{i}" * 20} for i in range(500)))
            accepted += 500 if reply.status == 200 else 0
    except (OSError, http.client.HTTPException):
        pass
    assert server.wait() == 69
    assert server.log[-1]["msg"] == "out of memory" and server.log[-1]["level"] == "error"
    server.start()
    pending = server.client().stats()["pending"]
    assert accepted <= pending <= accepted + 500
