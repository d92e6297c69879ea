"""The sevq command against a real server: what people type and what scripts rely on."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from fake_server import CLOSE, FakeServer, answer
from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import PATIENCE, binary
from shell import DONE, FAILED, NOTHING, NOT_ALLOWED, TRY_AGAIN, USAGE, Shell


@pytest.fixture
def sevq(start):
    """The command beside a server whose policy has one owner."""
    return Shell(start(policy=ONE_OWNER))


def ids(out):
    return re.findall(r"^(?:queued|replaced by|already queued as) (\S+) in", out, re.M)


# The point.

def test_an_event_for_a_direct_key_is_drained_from_the_main_key(sevq):
    out, err = sevq("event", "--text", "Exec completed (build, code 0)", "--session-key", DIRECT)
    assert re.fullmatch(rf"queued \S+ in {MAIN} \(direct-main from {DIRECT}\)\n", out) and err == ""
    out, err = sevq("drain", MAIN)
    assert re.fullmatch(r"ID +TIME  TEXT\n *\S+  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  Exec completed \(build, code 0\)\n", out), out
    assert err == ""
    assert sevq("drain", MAIN, exit=NOTHING) == ("", f"nothing in {MAIN}\n")


def test_with_two_owners_it_stays_where_it_was(start):
    sevq = Shell(start(policy=TWO_OWNERS))
    out, _ = sevq("event", "x", "--session-key", DIRECT)
    assert re.fullmatch(rf"queued \S+ in {DIRECT}\n", out)
    sevq("drain", MAIN, exit=NOTHING)
    assert len(sevq.json("drain", DIRECT)["events"]) == 1


# event.

def test_event_sends_what_its_options_say(sevq):
    said = sevq.json("event", "--text", " hello ", "--agent", "Ops", "--context-key", "C", "--source", "hook", "--mode", "now",
        "--delivery", "channel=lark", "--delivery", "to=1,2", "--delivery", "thread=5", "--traceparent", "00-a-b-01")
    event = said["event"]
    assert said["outcome"] == "queued"
    assert event["text"] == "hello" and event["sessionKey"] == "agent:ops:main" and event["contextKey"] == "c"
    assert event["source"] == "hook" and event["wake"] == "now" and event["traceparent"] == "00-a-b-01"
    assert event["deliveryContext"] == {"channel": "feishu", "to": "1,2", "threadId": "5"}


def test_event_says_what_became_of_it(sevq):
    first, = ids(sevq("event", "a", "--agent", "main", "--context-key", "c")[0])
    out, _ = sevq("event", "a", "--agent", "main", "--context-key", "c")
    assert out.startswith(f"already queued as {first} in {MAIN}")
    out, _ = sevq("event", "a", "--agent", "main", "--context-key", "c", "--allow-duplicate")
    assert out.startswith("queued ") and ids(out) != [first]
    assert sevq("event", "b", "--agent", "main", "--context-key", "c", "--replace")[0].startswith("replaced by ")
    assert [e["text"] for e in sevq.json("peek", MAIN)["events"]] == ["b"]


def test_event_reads_standard_input(sevq):
    sevq("event", "-", "--session-key", MAIN, stdin="two\nlines\n")
    sevq("event", "--text", "-", "--session-key", MAIN, stdin="again\n")
    assert [e["text"] for e in sevq.json("drain", MAIN)["events"]] == ["two\nlines", "again"]


def test_lines_are_one_batch(sevq):
    out, _ = sevq("event", "-", "--lines", "--session-key", MAIN, stdin="one\n\ntwo\r\nthree")
    assert len(ids(out)) == 3
    assert [e["text"] for e in sevq.json("drain", MAIN)["events"]] == ["one", "two", "three"]
    sevq("event", "-", "--lines", "--session-key", MAIN, stdin="one\n \ntwo", exit=FAILED)  # all or none
    sevq("peek", MAIN, exit=NOTHING)
    sevq("event", "-", "--lines", "--session-key", MAIN, stdin="\n\n", exit=NOTHING)


def test_a_nul_in_standard_input_is_refused(sevq):
    _, err = sevq("event", "-", "--session-key", MAIN, stdin="a\0b", exit=FAILED)
    assert "NUL" in err


def test_a_bad_field_is_named(sevq):
    assert "/text" in sevq("event", "  ", "--session-key", MAIN, exit=FAILED)[1]
    assert sevq("event", "x", "--session-key", "agent:", exit=FAILED)[1].startswith("sevq: ")


# Taking and looking.

def test_peek_leaves_and_pages(sevq):
    out, _ = sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n3\n")
    first, second, third = ids(out)
    out, err = sevq("peek", MAIN, "--limit", "2")
    assert [line.split()[0] for line in out.splitlines()] == ["ID", first, second]
    assert err == f"more in {MAIN}: --after {second}\n"
    assert [e["id"] for e in sevq.json("peek", MAIN, "--after", second)["events"]] == [third]
    assert sevq.json("peek", "--agent", "main")["depth"] == 3


def test_drain_takes_what_it_is_told_to(sevq):
    for n in range(4):
        sevq("event", str(n), "--session-key", MAIN, *(("--context-key", "even") if n % 2 == 0 else ()))
    out, err = sevq("drain", MAIN, "--context-prefix", "EV", "--limit", "1")
    assert out.splitlines()[1].split()[2:] == ["even", "0"] and err == f"3 more in {MAIN}\n"
    assert [e["text"] for e in sevq.json("drain", "--agent", "main")["events"]] == ["1", "2", "3"]


def test_consume_takes_exactly_these(sevq):
    first, second, third = ids(sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n3\n")[0])
    assert [e["text"] for e in sevq.json("consume", MAIN, third, "999999999999", first)["events"]] == ["3", "1"]
    assert sevq("consume", MAIN, third, exit=NOTHING) == ("", f"1 more in {MAIN}\n")
    assert sevq.json("consume", MAIN, third, exit=NOTHING)["events"] == []


def test_withdraw_takes_one_back(sevq):
    event_id, = ids(sevq("event", "oops", "--session-key", DIRECT)[0])
    assert sevq("withdraw", event_id)[0] == f"withdrew {event_id} from {MAIN}: oops\n"
    sevq("withdraw", event_id, exit=NOTHING)
    sevq("withdraw", "../sessions", exit=NOTHING)


def test_purge_throws_away(sevq):
    sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n")
    sevq("event", "3", "--session-key", MAIN, "--context-key", "c")
    assert sevq("purge", MAIN, "--context-key", "c")[0] == f"purged 1 from {MAIN}, 2 left\n"
    assert sevq.json("purge", DIRECT) == {"sessionKey": MAIN, "purged": 2, "remaining": 0}
    sevq("purge", MAIN, exit=NOTHING)


def test_purge_asks_on_a_terminal(sevq):
    sevq("event", "-", "--lines", "--session-key", MAIN, stdin="1\n2\n")
    assert f"Throw away 2 events of {MAIN}? [y/N]" in sevq.on_terminal("purge", DIRECT, typed="n\n", exit=FAILED)
    assert sevq.json("peek", MAIN)["depth"] == 2
    assert "purged 2" in sevq.on_terminal("purge", MAIN, typed="y\n")
    sevq("event", "1", "--session-key", MAIN)
    assert "?" not in sevq.on_terminal("purge", MAIN, "--yes")


def test_sessions_lists_what_is_queued_where(sevq):
    assert sevq("sessions", exit=NOTHING) == ("", "nothing is queued\n")
    sevq("event", "1", "--session-key", DIRECT)
    sevq("event", "2", "--session-key", MAIN)
    sevq("event", "3", "--session-key", "agent:ops:main", "--context-key", "c")
    out, err = sevq("sessions")
    head, *rows = [line.split() for line in out.splitlines()]
    assert head == ["SESSION", "DEPTH", "OLDEST", "NEWEST", "REKEYED", "CONTEXT"]
    assert [(r[0], r[1], r[4], r[5:]) for r in rows] == [(MAIN, "2", "1", []), ("agent:ops:main", "1", "0", ["c"])]
    assert err == ""
    assert [s["sessionKey"] for s in sevq.json("sessions", "--agent", "ops")["sessions"]] == ["agent:ops:main"]
    assert [s["sessionKey"] for s in sevq.json("sessions", "--sort", "depth", "--prefix", "agent:")["sessions"]] == [MAIN, "agent:ops:main"]
    sevq("sessions", "--min-age", "1h", exit=NOTHING)
    assert "sort" in sevq("sessions", "--sort", "colour", exit=FAILED)[1]


def test_sessions_names_the_next_page(sevq):
    for agent in "abc":
        sevq("event", "x", "--agent", agent)
    _, err = sevq("sessions", "--limit", "2")
    cursor = re.fullmatch(r"2 of 3 sessions; the next page: --cursor (\S+)\n", err).group(1)
    assert [s["agentId"] for s in sevq.json("sessions", "--limit", "2", "--cursor", cursor)["sessions"]] == ["c"]


def test_route_says_why(sevq):
    out, _ = sevq("route", DIRECT)
    assert out.startswith(f"queue  {MAIN}\nrule   direct-main\nowner  main\n\nSTEP ")
    assert re.search(r"^direct-main +yes +\S", out, re.M)
    assert sevq.json("route", DIRECT)["rekeyed"] is True
    sevq("route", "agent:", exit=FAILED)


def test_stats_are_counters_by_name(sevq):
    sevq("event", "x", "--session-key", MAIN)
    counters = dict(line.rsplit(None, 1) for line in sevq("stats")[0].splitlines())
    flat = sevq.json("stats")
    assert counters and all(flat[k] is not None for k in flat)
    assert any(value == "1" for value in counters.values())


# Terminals.

def test_on_a_terminal_times_are_ages_and_texts_are_cut(sevq):
    sevq("event", "wide " * 40, "--session-key", MAIN)
    screen = sevq.on_terminal("peek", MAIN, width=50)
    head, row, *_ = screen.splitlines()
    assert head.split() == ["ID", "AGE", "TEXT"]
    assert re.match(r" *\d+ +\d+s  wide wide", row) and row.endswith(">") and len(row) == 50
    assert "wide " * 40 in sevq("peek", MAIN)[0].replace("wide\n", "wide \n")  # elsewhere it is whole


def test_a_text_cannot_play_with_the_terminal(sevq):
    sevq("event", "-", "--session-key", MAIN, stdin="\x1b]0;owned\x07\n\u202egnp")
    for said in (sevq("peek", MAIN)[0], sevq.on_terminal("peek", MAIN, width=200)):
        assert "\x1b" not in said and "\x07" not in said and "\u202e" not in said
        assert "\\u{1b}]0;owned\\u{7}\\n\\u{202e}gnp" in said


def test_wide_characters_are_measured(sevq):
    sevq("event", "\u6f22" * 100, "--session-key", MAIN)
    row = sevq.on_terminal("peek", MAIN, width=40).splitlines()[1]
    assert 38 <= sum(2 if c == "\u6f22" else 1 for c in row) <= 40


# The command line.

@pytest.mark.parametrize("words", [(), ("nonsense",), ("peek",), ("peek", "a", "b"), ("peek", "a", "--session-key", "b"), ("consume", "a"),
    ("drain", "a", "--yes"), ("--nonsense",), ("event",), ("event", "a", "--text", "b"), ("event", "a", "--lines"),
    ("event", "a", "--mode", "later"), ("drain", "a", "--limit", "0"), ("help", "nonsense"), ("sessions", "a")], ids=" ".join)
def test_what_makes_no_sense_is_usage(make, words):
    out, err = Shell(make())(*words, exit=USAGE)
    assert out == "" and err != ""


def test_help_explains_every_command(make):
    sevq = Shell(make())
    overview, _ = sevq("--help")
    assert overview == sevq("help")[0] == sevq("-h")[0]
    for name in ("event", "drain", "peek", "consume", "withdraw", "purge", "sessions", "route", "stats"):
        assert re.search(rf"^  {name} ", overview, re.M)
        assert sevq("help", name)[0] == sevq(name, "--help")[0] != overview
    assert re.fullmatch(r"sevq \d+\.\d+\.\d+\n", sevq("--version")[0])


def options_of_manual(page):
    source = (Path(os.environ["SOURCES"]) / page).read_text()
    return {"--" + name for line in source.splitlines() if line.startswith(".It Fl") for name in re.findall(r"Fl -([a-z-]+)", line)}


def options_of_help(text):
    return {name for names in re.findall(r"^ +((?:--[a-z-]+(?:, )?)+)", text, re.M) for name in names.split(", ") if name}


def test_the_manuals_name_every_option_and_no_other(make):
    sevq = Shell(make())
    commands = re.findall(r"^  ([a-z]+) ", sevq("help")[0], re.M)
    assert options_of_manual("client/man/sevq.1") == set().union(*(options_of_help(sevq("help", name)[0]) for name in commands))
    done = subprocess.run([binary(), "--help"], stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE)
    assert options_of_manual("server/man/sevqd.8") == options_of_help(done.stdout)


@pytest.mark.parametrize("typed, offered", [
    ("sevq dr", ["drain"]),
    ("sevq --base-url http://x pe", ["peek"]),
    ("sevq event --mo", ["--mode"]),
    ("sevq event --mode ", ["now", "next-heartbeat"]),
    ("sevq sessions --sort d", ["depth"]),
    ("sevq drain --limit ", []),
    ("sevq help pu", ["purge"]),
    ("sevq drain --ye", []),
])
def test_bash_completes_what_the_command_has(make, typed, offered):
    words = typed.split(" ")
    script = """source "$COMPLETION"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sevq "$SEVQ"; printf '%s\\n' "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "-c", script, "bash", *words], text=True, stdout=subprocess.PIPE, check=True, timeout=PATIENCE,
        env={**Shell(make()).env, "SEVQ": binary("SEVQ"), "COMPLETION": os.environ["SOURCES"] + "/client/completions/sevq.bash"})
    assert done.stdout.split() == offered


def test_a_full_standard_output_is_a_failure(sevq):
    sevq("event", "x", "--session-key", MAIN)
    with open("/dev/full", "w") as full:
        done = subprocess.run([binary("SEVQ"), "peek", MAIN], env=sevq.env, stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == FAILED and b"standard output" in done.stderr


# Finding the server.

def test_without_a_server_it_says_how_to_start_one(make):
    sevq = Shell(make(), SEVQ_URL="http://127.0.0.1:1")
    assert sevq("peek", MAIN, exit=TRY_AGAIN) == ("", "sevq: no sevqd at http://127.0.0.1:1: start one with `sevqd`\n")


def by_itself(server):
    """A shell in which nothing names the server."""
    return Shell(server, SEVQ_URL="", SEVQ_TOKEN_FILE="")


def on_default_database(make, *flags, **options):
    """A server whose database is where sevqd puts it by itself, and the command looks."""
    server = make(*flags, **options)
    server.db = server.directory / "state/sevq/sevq.db"
    return server


def test_a_server_is_found_by_itself_until_it_ends(make):
    server = on_default_database(make).start()
    sevq = by_itself(server)
    sevq("event", "x", "--session-key", MAIN)
    found = json.loads(server.db.with_name("sevqd.json").read_text())
    assert found == {"address": f"http://127.0.0.1:{server.port}", "tokenFile": str(server.db.with_name("token")), "pid": server.process.pid}
    assert server.db.with_name("sevqd.json").stat().st_mode & 0o777 == 0o600
    server.stop()
    assert not server.db.with_name("sevqd.json").exists()


def test_a_server_without_tokens_is_found_too(make):
    server = on_default_database(make, "--no-auth").start()
    by_itself(server)("event", "x", "--session-key", MAIN)


def test_another_servers_port_is_not_trusted_when_the_file_is_open_to_others(make):
    server = on_default_database(make).start()
    server.db.with_name("sevqd.json").chmod(0o666)
    assert "open to others" in by_itself(server)("peek", MAIN, exit=FAILED)[1]


def test_a_server_is_named_by_options_before_the_environment(start, tmp_path):
    server = start()
    sevq = by_itself(server)
    secret = tmp_path / "secret"
    secret.write_text(server.token + "\n")
    secret.chmod(0o600)
    named = ("--base-url", f"http://127.0.0.1:{server.port}", "--token-file", str(secret))
    sevq(*named, "event", "x", "--session-key", MAIN)
    sevq("peek", MAIN, *named, SEVQ_URL="http://127.0.0.1:1", SEVQ_TOKEN="wrong")
    sevq("peek", MAIN, SEVQ_URL=f"http://127.0.0.1:{server.port}", SEVQ_TOKEN_FILE=str(secret))
    sevq("peek", MAIN, "--token", server.token, SEVQ_URL=f"http://127.0.0.1:{server.port}", SEVQ_TOKEN="wrong")
    secret.chmod(0o644)
    assert "open to others" in sevq("peek", MAIN, *named, exit=FAILED)[1]


def test_no_token_or_a_wrong_one_is_not_allowed(start):
    sevq = Shell(start(), SEVQ_TOKEN_FILE="")
    for token in ("", "wrong"):
        assert "--token-file" in sevq("peek", MAIN, exit=NOT_ALLOWED, SEVQ_TOKEN=token)[1]


def test_it_speaks_over_a_unix_socket(make):
    server = on_default_database(make)
    path = server.directory / "s"
    server.flags = ["--listen", f"unix:{path}"]
    sevq = by_itself(server.start())
    sevq("event", "x", "--session-key", MAIN)
    assert sevq.json("drain", MAIN, "--base-url", f"unix:{path}")["events"][0]["text"] == "x"


# Failures.

def test_a_full_queue_is_to_be_tried_again(start):
    sevq = Shell(start("--max-pending", "1"))
    sevq("event", "1", "--session-key", MAIN)
    assert re.search(r"try again in \d+ s$", sevq("event", "2", "--session-key", MAIN, exit=TRY_AGAIN)[1])


def test_a_lost_answer_is_not_to_be_tried_again(make):
    with FakeServer(CLOSE) as fake:
        _, err = Shell(make(), SEVQ_URL=fake.url)("event", "x", "--session-key", MAIN, exit=FAILED)
    assert "may have been carried out" in err


def test_messages_of_strangers_are_harmless(make):
    with FakeServer(answer({"code": "conflict", "detail": "\x1b[2J"}, "409 Conflict", "application/problem+json")) as fake:
        _, err = Shell(make(), SEVQ_URL=fake.url)("peek", MAIN, exit=FAILED)
    assert err == "sevq: \\u{1b}[2J\n"
