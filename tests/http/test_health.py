"""GET /healthz: each check fails where it should, and who is told why."""
import contextlib
import signal
import sqlite3
import ssl

from certificates import Authority
from policies import DIRECT, MAIN, ONE_OWNER, TWO_OWNERS
from sevqd import ok, problem, request, wait_until

TOKENS = """reader-0123456789abcdef read
producer-0123456789abcdef produce
agent-0123456789abcdef read agent=main
"""
CHECKS = ["server", "disk", "damage", "policy", "stranded", "backup", "reload", "certificate"]


def health(api, status=200):
    reply = api.call("GET", "/healthz")
    assert reply.status == status
    assert [check["name"] for check in reply.json["checks"]] == CHECKS
    return reply.json


def wrong(api, status=200):
    """How it is, and the checks that are not ok: (status, {name: detail})."""
    found = health(api, status)
    bad = {check["name"]: check["detail"] for check in found["checks"] if check["status"] != "ok"}
    assert all(check["detail"] is None for check in found["checks"] if check["status"] == "ok")
    return found["status"], bad


def degraded(api, name, said):
    status, bad = wrong(api)
    assert status == "degraded" and list(bad) == [name] and said in bad[name]


def hup(server, said):
    since = len(server.log)
    server.signal(signal.SIGHUP)
    server.wait_for_log(lambda record: record["msg"].startswith(said), said, since)


def test_a_server_that_is_well_says_so_to_everyone(server):
    assert wrong(server.client()) == ("ok", {})
    assert wrong(server.client(token=None)) == ("ok", {})


def test_a_wrong_policy_file_is_degraded_until_it_is_mended(start):
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    api = server.client()
    server.write_policy("{ nonsense")
    hup(server, "policy not")
    degraded(api, "policy", "not adopted, the one before stays: ")
    degraded(api, "policy", "(line 1, column ")
    assert api.call("GET", "/readyz").status == 200
    server.write_policy(TWO_OWNERS)
    hup(server, "reloaded")
    assert wrong(api) == ("ok", {})


def test_the_details_are_for_tokens_that_may_read_everything(start, tmp_path):
    server = start("--no-watch-policy", policy=TWO_OWNERS)
    (server.directory / "token").write_text(TOKENS)
    server.write_policy("{ nonsense")
    hup(server, "policy not")
    degraded(server.client(token="reader-0123456789abcdef"), "policy", "openclaw.json: unexpected")
    for token in None, "producer-0123456789abcdef", "agent-0123456789abcdef":
        assert wrong(server.client(token=token)) == ("degraded", {"policy": None})
    problem(server.client(token="nobody-0123456789abcdef").call("GET", "/healthz"), 401, "unauthorized")


def test_events_that_nobody_is_led_to_are_degraded_until_they_are_moved(start):
    server = start("--no-watch-policy", "--no-rekey-on-reload", policy=TWO_OWNERS)
    api = server.client()
    ok(api.enqueue("1", DIRECT), 201)
    server.write_policy(ONE_OWNER)
    ok(api.call("POST", "/v1/policy/reload", {}))
    degraded(api, "stranded", "leads nobody to: 1; sevq rekey")
    ok(api.call("POST", "/v1/rekey", {"confirm": True}))
    assert wrong(api) == ("ok", {})


def test_a_full_disk_is_degraded_and_not_ready(start):
    api = start("--db-min-free-bytes", 1 << 60).client()
    degraded(api, "disk", "--db-min-free-bytes")
    reply = api.call("GET", "/readyz")
    assert "--db-min-free-bytes" in problem(reply, 507, "storage-full")["detail"]


def test_damage_that_was_found_is_degraded(start):
    server = start()
    api = server.client()
    first = ok(api.enqueue("as it was", MAIN), 201)["event"]
    server.stop()
    with contextlib.closing(sqlite3.connect(server.db)) as db, db:
        db.execute("UPDATE event SET text = 'as it is' WHERE id = ?", (first["id"],))
    api = server.start().client()
    assert wrong(api) == ("ok", {})
    api.find(first["id"])
    degraded(api, "damage", "sevqd check")


def test_a_backup_that_has_failed_is_degraded_until_one_succeeds(make):
    server = make()
    place = server.directory / "backups"
    place.mkdir()
    server.flags += ["--backup-dir", place]
    api = server.start().client()
    for n in range(20):
        ok(api.batch(*({"text": f"{n} {m} " + "x" * 15000, "sessionKey": MAIN} for m in range(50))))

    def back_up(name):
        assert api.call("POST", "/v1/backups", {"name": name}).status == 202

    def state():
        return ok(api.call("GET", "/v1/backups"))["backup"]["state"]

    back_up("one")
    (place / "one").write_text("of another program")
    wait_until(lambda: state() == "failed", "the backup to fail")
    degraded(api, "backup", "the last one failed: ")
    back_up("two")
    wait_until(lambda: state() == "done", "a backup")
    assert wrong(api) == ("ok", {})


def test_a_token_file_that_cannot_be_read_again_is_degraded(server):
    api = server.client()
    path = server.directory / "token"
    before = path.read_text()
    path.write_text("short")
    hup(server, "tokens not reloaded")
    degraded(api, "reload", "see the log")
    path.write_text(before)
    hup(server, "reloaded")
    assert wrong(api) == ("ok", {})


def test_a_certificate_that_has_expired_is_degraded(make, tmp_path):
    pair = Authority(tmp_path).issue(days=-1)
    server = make("--tls-cert", pair.cert, "--tls-key", pair.key)
    server.tls = ssl._create_unverified_context()
    degraded(server.start().client(), "certificate", "it has expired: ")


def while_it_stops(server, path):
    """The answer to a request that has begun before the server stops, and ends after."""
    words = request("GET", path, server.token)
    with contextlib.closing(server.raw()) as raw:
        raw.send(words[:20])
        server.signal(signal.SIGTERM)
        server.wait_for_log(lambda record: record["msg"] == "stopping", "it to stop")
        raw.send(words[20:])
        return raw.answer()


def test_a_server_that_shuts_down_is_down(server):
    reply = while_it_stops(server, "/healthz")
    assert reply.status == 503 and reply.json["status"] == "down"
    assert {"name": "server", "status": "down", "detail": "the server is shutting down"} in reply.json["checks"]


def test_a_server_that_shuts_down_is_not_ready_and_says_why(server):
    assert problem(while_it_stops(server, "/readyz"), 503, "closing")["detail"] == "the server is shutting down"
