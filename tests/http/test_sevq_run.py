"""sevq run: a command gets the events, and none is lost, whichever process dies."""
import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

from fake_server import CLOSE, FakeServer, answer
from policies import DIRECT, MAIN, ONE_OWNER
from sevqd import PATIENCE, binary, ok, wait_until
from shell import DONE, FAILED, NOTHING, NOT_ALLOWED, TRY_AGAIN, USAGE, Shell

INTERRUPTED = "sevq: stopping when the command has ended; a second signal goes to the command\n"


class Runner:
    """A `sevq run`. It and the processes it started end with the test."""

    def __init__(self, shell, *words, ignored=(), **env):
        self.process = subprocess.Popen([binary("SEVQ"), "run", *words], env={**shell.env, "SEVQ": binary("SEVQ"), **env}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in ignored])

    def signal(self, number):
        self.process.send_signal(number)

    def line(self):
        """The first line of its standard error."""
        assert select.select([self.process.stderr], [], [], PATIENCE)[0], "it says nothing"
        return self.process.stderr.readline()

    def end(self, exit=DONE):
        """Waits for its end; returns (standard output, standard error)."""
        out, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == exit, (self.process.returncode, out, err)
        return out, err


@pytest.fixture
def sevq(start):
    return Shell(start(policy=ONE_OWNER))


@pytest.fixture
def run(sevq, tmp_path):
    """Starts runners beside the server: run(*words, VARIABLE=...)."""
    runners = []

    def start_one(*words, shell=sevq, **options):
        runners.append(Runner(shell, *words, **options))
        return runners[-1]

    yield start_one
    (tmp_path / "go").touch()
    for runner in runners:
        if runner.process.poll() is None:
            runner.process.kill()
            runner.process.wait(PATIENCE)
        runner.process.stdout.close()
        runner.process.stderr.close()


def queue(sevq, *texts):
    out, _ = sevq("event", "-", "--lines", "--session-key", DIRECT, stdin="\n".join(texts))
    return re.findall(r"^queued (\S+) in", out, re.M)


def happened(sevq, event_id):
    """The outcomes of an event, as (name, detail)."""
    return [(entry["what"], entry.get("detail")) for entry in sevq.json("show", event_id)["timeline"]]


def texts(sevq):
    reply = subprocess.run([binary("SEVQ"), "peek", MAIN, "--json"], env=sevq.env, stdout=subprocess.PIPE, timeout=PATIENCE)
    return [event["text"] for event in json.loads(reply.stdout)["events"]]


def sleeper(tmp_path):
    """A command that writes its process id to a file and waits until another file exists."""
    return f"echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; until [ -e {tmp_path}/go ]; do sleep 0.02; done"


def pid_of(tmp_path):
    return int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "the command to start"))


# What the command gets.

def test_the_command_gets_the_lines_of_a_prompt(sevq):
    queue(sevq, "one", "two")
    out, err = sevq("run", MAIN, "--max-rounds", "1", "--", "cat")
    assert [re.sub(r"\[.*?\]", "[]", line) for line in out.splitlines()] == ["System: [] one", "System: [] two"] and err == ""
    assert texts(sevq) == []
    assert {past["outcome"]["what"] for past in sevq.json("history")["events"]} == {"acked"}


def test_the_oldest_events_come_first_exec_completions_too(sevq):
    queue(sevq, "Exec completed (build, code 0) :: a")
    sevq("event", "-", "--session-key", MAIN, stdin="plain\nand more")
    out, _ = sevq("run", DIRECT, "--max-rounds", "1", "--", "sh", "-c", "echo round; cat")
    lines = [re.sub(r"\[.*?\]", "[]", line) for line in out.splitlines()]
    assert lines == ["round", "System: [] Exec completed (build, code 0) :: a", "System: [] plain", "System: and more"]
    assert texts(sevq) == []


def test_with_json_it_gets_the_events(sevq):
    ids = queue(sevq, "one \u00e9", "Exec completed (build, code 0)")
    out, _ = sevq("run", MAIN, "--json", "--max-rounds", "1", "--", "cat")
    assert [(e["id"], e["text"]) for e in json.loads(out)] == list(zip(ids, ["one \u00e9", "Exec completed (build, code 0)"]))
    assert out.count("\n") == 1


def test_the_environment_says_what_it_is_about(sevq):
    ids = queue(sevq, "one", "two", "three")
    out, _ = sevq("run", "--agent", "main", "--limit", "2", "--max-rounds", "2", "--", "sh", "-c",
        'echo "$SEVQ_SESSION_KEY $SEVQ_EVENT_COUNT $SEVQ_LEASE_ID"')
    (key, count, first), (_, rest, second) = [line.split() for line in out.splitlines()]
    assert (key, count, rest) == (MAIN, "2", "1") and first != second
    assert sevq.json("show", ids[0])["timeline"][1]["leaseId"] == first


def test_the_command_may_be_another_server(sevq):
    queue(sevq, "a")
    out, _ = sevq("run", MAIN, "--once", "--", "sh", "-c", f"env -u SEVQ_TOKEN_FILE {binary()} --print-config")
    assert "maxPending" in out


def test_the_output_of_the_command_is_unchanged(sevq):
    queue(sevq, "one")
    assert sevq("run", MAIN, "--once", "--", "sh", "-c", "echo out; echo err >&2") == ("out\n", "err\n")


def test_a_command_need_not_read(sevq):
    for n in range(20):
        sevq("event", f"{n} " + "x" * 60000, "--session-key", MAIN)
    assert sevq("run", MAIN, "--max-rounds", "1", "--", "true") == ("", "")
    assert sevq("run", MAIN, "--once", "--", "true", exit=NOTHING)[0] == ""
    assert texts(sevq) == []


def test_the_command_has_the_signals_that_we_had(sevq):
    queue(sevq, "one")
    look = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
    out, _ = sevq("run", MAIN, "--once", "--", *look)
    bare = subprocess.run(look, env=sevq.env, stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout
    own = ~(3 << 31)  # glibc keeps two signals to itself
    assert [int(line.split()[1], 16) & own for line in out.splitlines()] == [int(line.split()[1], 16) & own for line in bare.splitlines()]


# Failures of the command.

@pytest.mark.parametrize("script, reason", [("exit 3", "exit 3"), ("kill -9 $$", "signal 9")])
def test_a_failure_gives_the_events_back_with_its_reason(sevq, script, reason):
    event_id, = queue(sevq, "one")
    sevq("run", MAIN, "--once", "--backoff", "2m", "--", "sh", "-c", script, exit=FAILED)
    assert happened(sevq, event_id)[2] == ("nacked", reason)
    story = sevq.json("show", event_id)
    assert story["event"]["attempts"] == 1 and story["event"]["availableAt"] >= story["timeline"][2]["ts"] + 120_000


def test_failures_in_a_row_wait_longer_and_longer(sevq, tmp_path):
    event_id, = queue(sevq, "one")
    script = f'date +%s%N >>{tmp_path}/times; [ "$(wc -l <{tmp_path}/times)" -ge 5 ]'
    sevq("run", MAIN, "--backoff", "100ms", "--backoff-max", "300ms", "--max-rounds", "5", "--", "sh", "-c", script)
    times = [int(line) / 1e9 for line in (tmp_path / "times").read_text().split()]
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert all(gap >= least for gap, least in zip(gaps, (0.1, 0.2, 0.3, 0.3))), gaps
    assert [what for what, _ in happened(sevq, event_id)] == ["queued"] + ["leased", "nacked"] * 4 + ["leased", "acked"]


def test_a_failure_says_what_failed_and_when_it_comes_again(sevq):
    event_id, = queue(sevq, "one")
    _, err = sevq("run", MAIN, "--once", "--backoff", "90s", "--", "sh", "-c", "exit 3", exit=FAILED)
    assert err == f"sevq: event {event_id} failed (exit 3, attempt 1); it is tried again in 90.0 s\n"


@pytest.mark.parametrize("poison", range(7))
def test_only_the_event_that_fails_alone_collects_attempts(start, poison):
    sevq = Shell(start("--max-attempts", "2", policy=ONE_OWNER))
    ids = queue(sevq, *("POISON" if i == poison else f"good {i}" for i in range(7)))
    _, err = sevq("run", MAIN, "--once", "--", "sh", "-c", "! grep -q POISON", exit=FAILED)
    ends = [happened(sevq, id)[-1][0] for id in ids]
    assert ends == ["nacked" if i == poison else "acked" for i in range(7)]
    attempts = [sevq.json("show", id)["event"]["attempts"] for id in ids]
    assert attempts == [i == poison for i in range(7)]
    assert err.startswith("sevq: 7 events failed together (exit 1); they are tried again now, at most 3 at a time\n")
    assert f"sevq: event {ids[poison]} failed (exit 1, attempt 1); it is tried again in 1.0 s\n" in err


def test_with_one_poisoned_event_the_others_get_through_while_it_is_tried_again(start, run):
    sevq = Shell(start("--max-attempts", "3", policy=ONE_OWNER))
    queue(sevq, *("POISON" if i == 4 else f"good {i}" for i in range(10)))
    run(MAIN, "--backoff", "1ms", "--backoff-max", "5ms", "--", "sh", "-c", "! grep -q POISON", shell=sevq)
    wait_until(lambda: not texts(sevq), "the queue to be empty")
    assert [dead["event"]["text"] for dead in sevq.json("dead-letters")["events"]] == ["POISON"]


@pytest.mark.parametrize("count", (1, 5))
def test_a_temporary_failure_gives_everything_back_uncounted(sevq, count):
    ids = queue(sevq, *(f"event {i}" for i in range(count)))
    _, err = sevq("run", MAIN, "--once", "--", "sh", "-c", "exit 75", exit=FAILED)
    what = "1 event" if count == 1 else "5 events"
    assert err == f"sevq: the command could not take {what} now (exit 75)\n"
    assert [happened(sevq, id)[-1] for id in ids] == [("returned", "exit 75")] * count
    assert [event["attempts"] for event in sevq.json("peek", MAIN)["events"]] == [0] * count


def test_what_a_prompt_leaves_out_is_given_plainly(sevq):
    queue(sevq, "shown", "Reason periodic backup failed:\ndisk full".replace("\n", " "))
    out, _ = sevq("run", MAIN, "--once", "--", "cat")
    assert [re.sub(r"\[.*?\]", "[]", line) for line in out.splitlines()] == \
        ["System: [] shown", "System: [] Reason periodic backup failed: disk full"]


def test_a_runner_says_when_a_temporary_failure_is_tried_again(sevq, run, tmp_path):
    queue(sevq, "one")
    runner = run(MAIN, "--backoff", "200ms", "--max-rounds", "2", "--", "sh", "-c", f"[ -e {tmp_path}/go ] || {{ touch {tmp_path}/go; exit 75; }}")
    assert runner.end()[1] == "sevq: the command could not take 1 event now (exit 75); it is tried again in 0.2 s\n"


# Spacing.

def starts(tmp_path):
    path = tmp_path / "starts"
    return [int(line) / 1e9 for line in path.read_text().split()] if path.exists() else []


@pytest.mark.parametrize("option", (("--min-interval", "1h"), ("--max-per-minute", "1"), ("--debounce", "1h")))
def test_wake_now_cuts_through_the_spacing(sevq, run, tmp_path, option):
    queue(sevq, "first")
    run(MAIN, *option, "--", "sh", "-c", f"cat >/dev/null; date +%s%N >>{tmp_path}/starts")
    if option[0] != "--debounce":  # which holds the first one back, too
        wait_until(lambda: len(starts(tmp_path)) == 1, "the first start")
        queue(sevq, "second")
    before = len(starts(tmp_path))
    wait_until(lambda: waiting(sevq), "the runner to wait")
    assert len(starts(tmp_path)) == before and len(texts(sevq)) == 1
    sevq("event", "--text", "now", "--session-key", MAIN, "--wake", "now")
    wait_until(lambda: not texts(sevq), "the next start")
    assert len(starts(tmp_path)) == before + 1


def test_the_command_starts_no_sooner_than_the_interval(sevq, run, tmp_path):
    runner = run(MAIN, "--min-interval", "700ms", "--max-rounds", "3", "--limit", "1", "--", "sh", "-c",
        f"date +%s%N >>{tmp_path}/starts")
    queue(sevq, "a", "b", "c")
    runner.end()
    times = starts(tmp_path)
    assert all(later - earlier > 0.65 for earlier, later in zip(times, times[1:])) and len(times) == 3


def test_the_debounce_gathers_what_comes_in_a_row(sevq, run, tmp_path):
    runner = run(MAIN, "--debounce", "1s", "--max-rounds", "1", "--", "sh", "-c", "cat")
    for i in range(4):
        queue(sevq, f"event {i}")
    assert len(runner.end()[0].splitlines()) == 4


def test_events_that_fail_too_often_become_dead_letters(start):
    sevq = Shell(start("--max-attempts", "2", policy=ONE_OWNER))
    event_id, = queue(sevq, "one")
    _, err = sevq("run", MAIN, "--backoff", "1ms", "--max-rounds", "2", "--", "false", exit=FAILED)
    assert err.endswith("sevq: 1 events failed too often and are dead letters now\n")
    dead, = sevq.json("dead-letters")["events"]
    assert dead["event"]["id"] == event_id and dead["outcome"]["what"] == "dead"


def test_a_command_that_cannot_be_started_costs_nothing(sevq):
    event_id, = queue(sevq, "one")
    _, err = sevq("run", MAIN, "--", "/nonexistent/command", exit=FAILED)
    assert err == "sevq: /nonexistent/command: No such file or directory\n"
    assert happened(sevq, event_id)[2] == ("returned", "the command could not be started")
    assert texts(sevq) == ["one"] and sevq.json("peek", MAIN)["events"][0]["attempts"] == 0


# Leases.

def test_a_killed_runner_loses_nothing(sevq, run, tmp_path):
    event_id, second = queue(sevq, "one", "two")
    runner = run(MAIN, "--for", "300ms", "--", "sh", "-c", sleeper(tmp_path))
    pid = pid_of(tmp_path)
    runner.signal(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    runner.end(exit=-signal.SIGKILL)
    out, _ = sevq("run", MAIN, "--max-rounds", "1", "--json", "--", "cat")
    assert [(e["text"], e["attempts"]) for e in json.loads(out)] == [("one", 1), ("two", 1)]
    assert [what for what, _ in happened(sevq, event_id)] == ["queued", "leased", "lapsed", "leased", "acked"]


def test_runners_killed_again_and_again_lose_nothing_and_repeat_no_ack(sevq, run, tmp_path):
    dice, wanted = random.Random(3), [f"event {n}" for n in range(40)]
    ids = queue(sevq, *wanted)
    script = f"cat >{tmp_path}/seen.$$; sleep 0.01; cat {tmp_path}/seen.$$ >>{tmp_path}/seen"
    for _ in range(15):
        runner = run(MAIN, "--limit", "3", "--for", "200ms", "--", "sh", "-c", script)
        time.sleep(dice.uniform(0.005, 0.06))  # where it is then is what the test is about
        runner.signal(signal.SIGKILL)
        runner.end(exit=-signal.SIGKILL)
    while texts(sevq):
        sevq("run", MAIN, "--max-rounds", "1", "--", "sh", "-c", script)
    seen = re.findall(r"event \d+", (tmp_path / "seen").read_text())
    assert set(seen) == set(wanted)
    for event_id in ids:
        whats = [what for what, _ in happened(sevq, event_id)]
        assert whats[-1] == "acked" and whats.count("acked") == 1


def test_the_lease_is_kept_while_the_command_runs(sevq, run, tmp_path):
    event_id, = queue(sevq, "one")
    runner = run(MAIN, "--for", "600ms", "--max-rounds", "1", "--", "sh", "-c", sleeper(tmp_path))
    wait_until(lambda: sum(e.get("times", 1) for e in sevq.json("show", event_id)["timeline"] if e["what"] == "extended") >= 4, "extensions")
    (tmp_path / "go").touch()
    runner.end()
    whats = [what for what, _ in happened(sevq, event_id)]
    assert whats[:2] == ["queued", "leased"] and set(whats[2:-1]) == {"extended"} and whats[-1] == "acked"


def test_a_lost_lease_is_reported_and_not_acked(sevq):
    queue(sevq, "one")
    out, err = sevq("run", MAIN, "--max-rounds", "1", "--", "sh", "-c", '"$SEVQ" nack $SEVQ_LEASE_ID', exit=FAILED, SEVQ=binary("SEVQ"))
    assert re.fullmatch(rf"sevq: lost lease \S+ on {MAIN} \(conflict\): its events come again\n", err)
    assert texts(sevq) == ["one"]


def test_a_lease_lost_while_the_command_runs_is_said_at_once_and_it_goes_on(sevq, run, tmp_path):
    event_id, = queue(sevq, "one")
    runner = run(MAIN, "--for", "300ms", "--max-rounds", "2", "--", "sh", "-c", f"[ -e {tmp_path}/go ] || {{ {sleeper(tmp_path)}; }}")
    pid_of(tmp_path)
    lease_id = sevq.json("show", event_id)["timeline"][1]["leaseId"]
    sevq("nack", lease_id)
    assert runner.line() == f"sevq: lost lease {lease_id} on {MAIN} (conflict): its events come again\n"
    (tmp_path / "go").touch()
    runner.end()
    assert [what for what, _ in happened(sevq, event_id) if what != "extended"] == ["queued", "leased", "nacked", "leased", "acked"]


def test_events_for_others_do_not_make_it_spin():
    ready = answer({"sessionKey": MAIN, "ready": True, "depth": 1})
    none = answer({"leaseId": None, "sessionKey": MAIN, "expiresAt": None, "events": [], "remaining": 1})
    with FakeServer(*[ready, none] * 4) as fake:
        began = time.monotonic()
        runner = subprocess.Popen([binary("SEVQ"), "run", MAIN, "--json", "--", "true"], stderr=subprocess.DEVNULL,
            env={"SEVQ_URL": fake.url, "SEVQ_TOKEN": "t", "PATH": os.environ["PATH"]})
        wait_until(lambda: len(fake.requests) >= 8, "four rounds")
        took = time.monotonic() - began
        runner.terminate()
        assert runner.wait(PATIENCE) == DONE
    assert took >= 0.05 + 0.1 + 0.2


# Signals.

STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


def stopping(run, tmp_path, number, script, *options):
    """A runner that this signal has told to stop while its command runs, and the command's pid."""
    runner = run(MAIN, *options, "--", "sh", "-c", script)
    pid = pid_of(tmp_path)
    runner.signal(number)
    assert runner.line() == INTERRUPTED
    return runner, pid


@pytest.mark.parametrize("number", STOPS)
def test_a_waiting_runner_stops_at_once(sevq, run, number):
    runner = run(MAIN, "--", "true")
    wait_until(lambda: waiting(sevq), "the runner to wait")
    began = time.monotonic()
    runner.signal(number)
    assert runner.end() == ("", "")
    assert time.monotonic() - began < 5


def waiting(sevq):
    return sevq.json("stats")["waiters"] > 0


@pytest.mark.parametrize("number", STOPS)
def test_a_running_command_may_finish(sevq, run, tmp_path, number):
    event_id, _ = queue(sevq, "one", "two")
    runner, _ = stopping(run, tmp_path, number, sleeper(tmp_path) + "; echo finished", "--limit", "1")
    (tmp_path / "go").touch()
    assert runner.end() == ("finished\n", "")
    assert happened(sevq, event_id)[-1][0] == "acked" and texts(sevq) == ["two"]


def test_a_second_signal_goes_to_the_command(sevq, run, tmp_path):
    event_id, = queue(sevq, "one")
    runner, _ = stopping(run, tmp_path, signal.SIGTERM, sleeper(tmp_path))
    runner.signal(signal.SIGTERM)
    runner.end()
    assert happened(sevq, event_id)[-1] == ("returned", "signal 15")
    event, = sevq.json("peek", MAIN)["events"]
    assert event["attempts"] == 0 and event["state"] == "queued"


def test_a_signal_that_a_terminal_gives_to_both_costs_no_attempt(sevq, run, tmp_path):
    event_id, = queue(sevq, "one")
    runner, pid = stopping(run, tmp_path, signal.SIGINT, sleeper(tmp_path))
    os.kill(pid, signal.SIGINT)
    runner.end()
    assert happened(sevq, event_id)[-1] == ("returned", "signal 2")


def test_a_signal_that_was_ignored_before_is_ignored(sevq, run):
    """As in a script that ignores it, or in the background of a shell."""
    runner = run(MAIN, "--max-rounds", "1", "--", "cat", ignored=(signal.SIGINT,))
    wait_until(lambda: waiting(sevq), "the runner to wait")
    runner.signal(signal.SIGINT)
    queue(sevq, "one")
    assert runner.end()[0].endswith("] one\n")


def read_until(terminal, text):
    screen = ""
    while text not in screen:
        assert select.select([terminal], [], [], PATIENCE)[0], screen
        screen += os.read(terminal, 4096).decode().replace("\r\n", "\n")


@pytest.fixture
def at_terminal(sevq, tmp_path):
    """A runner whose command has started, at a terminal of its own."""
    ours, theirs = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    runner = subprocess.Popen([binary("SEVQ"), "run", MAIN, "--", "sh", "-c", sleeper(tmp_path) + f"; touch {tmp_path}/finished"], env=sevq.env,
        stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=take_terminal)
    os.close(theirs)
    with open(ours, "wb", buffering=0) as terminal:
        yield runner, terminal
    (tmp_path / "go").touch()
    runner.kill()
    runner.wait(PATIENCE)


@pytest.mark.parametrize("typed", [b"\x03", b"\x1c"], ids=["Ctrl-C", "Ctrl-\\"])
def test_a_stop_that_is_typed_at_a_terminal_lets_the_command_finish(sevq, at_terminal, tmp_path, typed):
    event_id, = queue(sevq, "one")
    runner, terminal = at_terminal
    pid_of(tmp_path)
    terminal.write(typed)
    read_until(terminal.fileno(), INTERRUPTED)
    (tmp_path / "go").touch()
    assert runner.wait(PATIENCE) == DONE
    assert (tmp_path / "finished").exists() and happened(sevq, event_id)[-1][0] == "acked"


def test_a_terminal_that_is_closed_lets_the_command_finish(sevq, at_terminal, tmp_path):
    event_id, = queue(sevq, "one")
    runner, terminal = at_terminal
    pid_of(tmp_path)
    terminal.close()
    (tmp_path / "go").touch()
    assert runner.wait(PATIENCE) == DONE
    assert (tmp_path / "finished").exists() and happened(sevq, event_id)[-1][0] == "acked"


def test_a_hang_up_is_not_passed_on(sevq, run, tmp_path):
    """The shell and the kernel both tell that a terminal is closed."""
    event_id, = queue(sevq, "one")
    runner, _ = stopping(run, tmp_path, signal.SIGHUP, sleeper(tmp_path))
    runner.signal(signal.SIGHUP)
    status = Path(f"/proc/{runner.process.pid}/status")
    wait_until(lambda: re.search("^ShdPnd:\t0+$", status.read_text(), re.M), "the signal to be taken")
    (tmp_path / "go").touch()
    runner.end()
    assert happened(sevq, event_id)[-1][0] == "acked"


def test_a_second_signal_reaches_what_the_command_has_started(sevq, run, tmp_path):
    queue(sevq, "one")
    runner, pid = stopping(run, tmp_path, signal.SIGTERM, f"sh -c '{sleeper(tmp_path)}'; true")
    runner.signal(signal.SIGTERM)
    runner.end()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the child of the command to end")


def test_a_command_that_takes_too_long_is_ended(sevq, tmp_path):
    event_id, = queue(sevq, "one")
    _, err = sevq("run", MAIN, "--once", "--timeout", "300ms", "--backoff", "90s", "--", "sh", "-c", sleeper(tmp_path), exit=FAILED)
    reason = "signal 15, timed out after 0.3 s"
    assert err == f"sevq: event {event_id} failed ({reason}, attempt 1); it is tried again in 90.0 s\n"
    assert happened(sevq, event_id)[-1] == ("nacked", reason)


def test_a_command_that_takes_too_long_while_the_runner_stops_has_failed(sevq, run, tmp_path):
    event_id, = queue(sevq, "one")
    runner = run(MAIN, "--timeout", "1s", "--", "sh", "-c", sleeper(tmp_path))
    pid_of(tmp_path)
    runner.signal(signal.SIGTERM)
    runner.end()
    assert happened(sevq, event_id)[-1] == ("nacked", "signal 15, timed out after 1 s")


def test_a_command_that_ends_in_time_has_not_taken_too_long(sevq):
    queue(sevq, "one")
    assert sevq("run", MAIN, "--once", "--timeout", "1m", "--", "true") == ("", "")


def test_a_command_that_ends_well_when_it_is_told_has_done_its_work(sevq, tmp_path):
    event_id, = queue(sevq, "one")
    sevq("run", MAIN, "--once", "--timeout", "300ms", "--", "sh", "-c", "trap 'exit 0' TERM; " + sleeper(tmp_path))
    assert happened(sevq, event_id)[-1][0] == "acked"


# Servers that come and go.

def on_socket(make):
    """A server that has the same address after a restart."""
    server = make(policy=ONE_OWNER)
    server.flags = ["--listen", f"unix:{server.directory}/s"]
    server.start()
    return server, Shell(server, SEVQ_URL=f"unix:{server.directory}/s", SEVQ_TOKEN_FILE=str(server.directory / "token"))


def test_a_restart_while_it_waits_does_no_harm(make, run):
    server, shell = on_socket(make)
    runner = run(MAIN, "--max-rounds", "1", "--", "cat", shell=shell)
    wait_until(lambda: waiting(shell), "the runner to wait")
    server.stop()
    assert "trying again" in runner.line()
    server.start()
    queue(shell, "after")
    assert runner.end()[0].endswith("] after\n")


def test_a_restart_while_the_command_runs_costs_nothing(make, run, tmp_path):
    server, shell = on_socket(make)
    event_id, = queue(shell, "one")
    runner = run(MAIN, "--max-rounds", "1", "--", "sh", "-c", sleeper(tmp_path), shell=shell)
    pid_of(tmp_path)
    server.kill()
    (tmp_path / "go").touch()
    assert "trying again" in runner.line()
    server.start()
    runner.end()
    assert [what for what, _ in happened(shell, event_id)] == ["queued", "leased", "acked"]


def test_it_waits_for_a_server_that_is_not_there_yet(make, run):
    server = make(policy=ONE_OWNER)
    server.flags = ["--listen", f"unix:{server.directory}/s"]
    runner = run(MAIN, "--max-rounds", "1", "--", "cat", shell=Shell(server, SEVQ_URL=f"unix:{server.directory}/s",
        SEVQ_TOKEN="a-token-that-is-long-enough-for-a-server"))
    assert "trying again" in runner.line()
    runner.signal(signal.SIGTERM)
    assert runner.end() == ("", "")


def test_a_server_that_refuses_it_ends_it(sevq):
    sevq("run", MAIN, "--", "true", exit=NOT_ALLOWED, SEVQ_TOKEN="wrong")


EVENT = {"id": "1", "sessionKey": MAIN, "text": "x", "ts": 1}
LEASED = answer({"leaseId": "7", "sessionKey": MAIN, "expiresAt": 1, "events": [EVENT], "remaining": 0, "block": "System: x"})
EXTENDED = answer({"leaseId": "7", "extended": 1, "expiresAt": 1, "remaining": 1})
ACKED = answer({"leaseId": "7", "acked": 1, "remaining": 0})


def run_on(fake, *words, exit=DONE, script="cat"):
    done = subprocess.run([binary("SEVQ"), "run", MAIN, *words, "--once", "--", "sh", "-c", script], timeout=PATIENCE, text=True,
        env={"SEVQ_URL": fake.url, "SEVQ_TOKEN": "t", "PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    assert done.returncode == exit, done
    return done.stdout, done.stderr


def test_a_lease_whose_answer_was_lost_is_asked_for_with_the_same_key():
    with FakeServer(CLOSE, LEASED, EXTENDED, ACKED) as fake:
        out, err = run_on(fake)
    assert out == "System: x\n" and err.endswith("trying again\n")
    first, second, third, fourth = fake.requests
    assert first[1:2] == second[1:2] == ("/v1/leases",) and first[3] == second[3]
    assert re.fullmatch(r'"[0-9a-f]{32}"', first[2]["idempotency-key"]) and first[2]["idempotency-key"] == second[2]["idempotency-key"]
    # the runner first asks whether the lease still holds
    assert (third[1], fourth[1]) == ("/v1/leases/7/extend", "/v1/leases/7/ack")


def test_two_leases_have_two_keys():
    with FakeServer(LEASED, ACKED) as one, FakeServer(LEASED, ACKED) as two:
        run_on(one), run_on(two)
    assert one.requests[0][2]["idempotency-key"] != two.requests[0][2]["idempotency-key"]


def test_an_ack_whose_answer_was_lost_is_made_again_and_not_after_that():
    with FakeServer(LEASED, CLOSE, CLOSE, ACKED) as fake:
        run_on(fake)
    assert [request[1] for request in fake.requests] == ["/v1/leases"] + ["/v1/leases/7/ack"] * 3


def test_a_server_that_is_gone_until_the_lease_is_over_is_given_up():
    with FakeServer(LEASED) as fake:
        _, err = run_on(fake, "--for", "300ms", exit=FAILED)
    assert err.endswith(f"sevq: lost lease 7 on {MAIN} (the server could not be told in time): its events come again\n")


def test_with_the_server_gone_a_second_signal_ends_it(make, run):
    with FakeServer(LEASED) as fake:
        runner = run(MAIN, "--for", "1h", "--once", "--", "true", shell=Shell(make(), SEVQ_URL=fake.url))
        assert "trying again" in runner.line()
        runner.signal(signal.SIGTERM)
        def ended():
            runner.signal(signal.SIGINT)  # until it has been counted as the second signal
            return runner.process.poll() is not None
        wait_until(ended, "the runner to end")
    assert "may have been carried out" in runner.end(exit=FAILED)[1]


BREAKS = "\n", "\r", "\r\n", "\v", "\f", "\u0085", "\u2028", "\u2029"


@pytest.mark.parametrize("text", ["an event", "heartbeat poll"], ids=["of the block", "left out of it"])
def test_no_line_lacks_its_prefix(start, text):
    """The server writes the lines of the block, and the command those that it leaves out."""
    server = start()
    fakes = [f"{text}{a}fake{b}{c}x" for a in BREAKS for b in BREAKS for c in BREAKS]
    ok(server.client().batch(*({"text": fake, "sessionKey": MAIN, "allowDuplicate": True} for fake in fakes)))
    out, _ = Shell(server)("run", MAIN, "--once", "--limit", "10000", "--", "cat")
    lines = re.split("\r\n|[\n\r\v\f\u0085\u2028\u2029]", out.removesuffix("\n"))
    assert len(lines) > 2 * len(fakes) and all(line.startswith("System: ") for line in lines)


# The command line.

def test_once_with_nothing_there_is_nothing(sevq):
    assert sevq("run", MAIN, "--once", "--", "echo", "ran", exit=NOTHING) == ("", "")


def test_once_without_a_server_is_to_be_tried_again(make):
    sevq = Shell(make(), SEVQ_URL="http://127.0.0.1:1")
    assert "cannot connect to" in sevq("run", MAIN, "--once", "--", "true", exit=TRY_AGAIN)[1]


@pytest.mark.parametrize("words", [("run",), ("run", MAIN), ("run", MAIN, "--"), ("run", "--agent", "main"), ("run", MAIN, "--for", "x", "--", "true")],
    ids=" ".join)
def test_without_a_command_it_is_a_usage_error(make, words):
    assert Shell(make())(*words, exit=USAGE)[0] == ""
