"""TLS: who gets in and by which versions, certificates that change, bytes in records of any size,
and handshakes that stall, fail or come in crowds.
"""
import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from certificates import Authority, openssl
from policies import MAIN
from sevqd import Raw, Stream, ok, request, sanitized, wait_until
from shell import FAILED, Shell

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
TEXT = "x" * 60000


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority):
    return authority.issue()


@pytest.fixture
def secured(make, authority, pair):
    """Makes servers that speak TLS, without starting them."""

    def build(*flags, pair=pair, **options):
        server = make("--tls-cert", pair.cert, "--tls-key", pair.key, *flags, **options)
        server.tls = authority.context()
        return server

    return build


@pytest.fixture
def server(secured):
    return secured().start()


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def versioned(request, server, authority):
    """The server with clients of this version alone."""
    server.tls = authority.context(request.param)
    return server


def failure(server, since=0):
    """What the log says of the next handshake that fails."""
    return server.wait_for_log(lambda r: r.get("msg") == "TLS handshake failed", "a failed handshake", since)["detail"]


def served(server, authority):
    """The certificate that a new connection gets, in PEM."""
    with contextlib.closing(server.raw(tls=authority.context())) as raw:
        return ssl.DER_cert_to_PEM_cert(raw.sock.getpeercert(True))


def metric(server, name):
    return float(dict(line.rsplit(" ", 1) for line in server.client().call("GET", "/metrics").body.decode().splitlines())[name])


# Who gets in, and how.


def test_calls_are_answered_on_one_connection(versioned):
    api = versioned.client()
    before = api.stats()["http"]["accepted"]
    ok(api.enqueue("one", MAIN), 201)
    assert [e["text"] for e in ok(api.drain(MAIN))["events"]] == ["one"]
    assert api.stats()["http"]["accepted"] == before


@pytest.mark.filterwarnings("ignore:.*TLSv1:DeprecationWarning")
def test_an_older_version_is_refused(server, authority):
    old = authority.context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        server.raw(tls=old)
    assert failure(server) == "unsupported protocol"


@pytest.mark.parametrize("cipher", ["AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384"])
def test_a_cipher_without_forward_secrecy_or_authentication_is_refused(server, authority, cipher):
    weak = authority.context(ssl.TLSVersion.TLSv1_2)
    weak.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError):
        server.raw(tls=weak)
    assert failure(server) == "no shared cipher"


def test_no_session_is_resumed(versioned):
    first = versioned.raw()
    first.send(request("GET", "/livez"))
    assert first.answer().status == 200
    with socket.create_connection(("127.0.0.1", versioned.port)) as sock, versioned.tls.wrap_socket(
            sock, server_hostname="127.0.0.1", session=first.sock.session) as second:
        second.sendall(request("GET", "/livez"))
        assert second.recv(12) == b"HTTP/1.1 200" and not second.session_reused


def test_there_is_no_renegotiation(server, authority):
    client = subprocess.run(["openssl", "s_client", "-connect", server.address, "-tls1_2", "-CAfile", authority.file], input="R\n",
        capture_output=True, text=True, timeout=30)
    assert "RENEGOTIATING" in client.stdout + client.stderr and "no renegotiation" in client.stderr
    assert server.client().call("GET", "/livez").status == 200


def test_a_unix_socket_stays_plain_and_is_what_sevq_takes(make, pair, authority):
    server = make("--tls-cert", pair.cert, "--tls-key", pair.key, "--listen", "127.0.0.1:0", "--listen", "unix:sock").start()
    server.tls = authority.context()
    server.wait_for_log(lambda r: r.get("msg") == "listening" and r["address"].startswith("unix:") and r["scheme"] == "http")
    assert next(r["scheme"] for r in server.log if r.get("msg") == "listening") == "https"
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(server.directory / "sock"))
        s.sendall(request("GET", "/livez"))
        assert s.recv(12) == b"HTTP/1.1 200"
    assert server.client().call("GET", "/livez").status == 200
    said = json.loads((server.directory / "sevqd.json").read_text())
    assert said["address"] == f"unix:{server.directory}/sock"
    assert said["listens"] == [f"https://127.0.0.1:{server.port}", said["address"]]


def test_other_machines_may_reach_a_server_with_tls(make, pair):
    words = ["--check-config", "--listen", "0.0.0.0:7387"]
    assert make().run(*words).returncode == 78
    assert make("--tls-cert", pair.cert, "--tls-key", pair.key).run(*words).returncode == 0


def test_a_page_of_the_server_itself_has_an_https_origin(server):
    for scheme, status in (("https", 201), ("http", 403)):
        origin = {"Origin": f"{scheme}://127.0.0.1:{server.port}"}
        assert server.client().call("POST", "/v1/events", {"text": "x", "sessionKey": MAIN}, headers=origin).status == status


# Certificates of clients.


@pytest.fixture
def closed(secured, authority):
    return secured("--tls-client-ca", authority.file).start()


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_only_clients_that_the_authority_vouches_for_get_in(closed, authority, tmp_path, version):
    for pair, why in ((None, "peer did not return a certificate"), (Authority(tmp_path).issue(), "unable to get local issuer certificate")):
        seen = len(closed.log)
        # with 1.3 the client learns it when it reads
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            raw = closed.raw(tls=authority.context(version, pair))
            raw.send(request("GET", "/livez"))
            raw.answer()
        assert why in failure(closed, seen)
    raw = closed.raw(tls=authority.context(version, authority.issue()))
    raw.send(request("GET", "/livez"))
    assert raw.answer().status == 200


# Files that are wrong, and files that change.


def garbage(pair, authority, tmp_path):
    (tmp_path / "bad").write_text("nothing\n")
    return {"tls-cert": tmp_path / "bad"}, "bad: no start line"


def missing(pair, authority, tmp_path):
    return {"tls-key": tmp_path / "none"}, "none: No such file"


def of_another(pair, authority, tmp_path):
    return {"tls-key": authority.issue().key}, "is not the key of tls-cert"


def of_another_kind(pair, authority, tmp_path):
    return {"tls-key": authority.issue(key=("rsa:2048",)).key}, "is not the key of tls-cert"


def encrypted(pair, authority, tmp_path):
    openssl("pkcs8", "-topk8", "-in", pair.key, "-out", tmp_path / "key", "-passout", "pass:secret")
    return {"tls-key": tmp_path / "key"}, "is encrypted"


def readable_by_all(pair, authority, tmp_path):
    (tmp_path / "key").write_text(pair.key.read_text())
    (tmp_path / "key").chmod(0o644)
    return {"tls-key": tmp_path / "key"}, "must not be open to everybody"


def a_directory(pair, authority, tmp_path):
    return {"tls-cert": tmp_path}, "no regular file"


def without_a_certificate(pair, authority, tmp_path):
    (tmp_path / "ca").write_text("")
    return {"tls-client-ca": tmp_path / "ca"}, "tls-client-ca"


def without_a_key(pair, authority, tmp_path):
    return {"tls-key": None}, "tls-cert: needs tls-key"


def without_both(pair, authority, tmp_path):
    return {"tls-key": None, "tls-cert": None, "tls-client-ca": pair.cert}, "needs tls-cert and tls-key"


WRONG = (garbage, missing, of_another, of_another_kind, encrypted, readable_by_all, a_directory, without_a_certificate,
    without_a_key, without_both)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_wrong_files_refuse_the_start_and_the_check(make, pair, authority, tmp_path, wrong):
    files, why = wrong(pair, authority, tmp_path)
    files = {"tls-cert": pair.cert, "tls-key": pair.key, **files}
    words = [str(word) for name, file in files.items() if file is not None for word in ("--" + name, file)]
    for more in ([], ["--check-config"]):
        done = make(*words).run(*more)
        assert done.returncode == 78 and why in done.stderr, done


def test_a_check_names_the_certificate_and_its_end(make, pair):
    done = make("--tls-cert", pair.cert, "--tls-key", pair.key).run("--check-config")
    said = openssl("x509", "-in", pair.cert, "-noout", "-enddate", "-dateopt", "iso_8601").strip()
    assert f"tls: {pair.cert}, expires {said.split('=')[1].replace(' ', 'T')}\n" in done.stdout


class Files:
    """A server whose certificate and key are replaced."""

    def __init__(self, secured, pair, directory):
        self.cert, self.key = directory / "cert", directory / "key"
        self.replace(pair)
        self.server = secured("--tls-cert", self.cert, "--tls-key", self.key).start()

    def replace(self, pair):
        self.cert.write_text(pair.cert.read_text())
        self.key.write_text(pair.key.read_text())
        self.key.chmod(0o600)

    def reload(self):
        """What the log says of the end of it."""
        seen = len(self.server.log)
        self.server.signal(signal.SIGHUP)
        return self.server.wait_for_log(lambda r: r.get("msg") in ("reloaded", "TLS files not reloaded, the old ones stay"), since=seen)


@pytest.fixture
def files(secured, pair, tmp_path):
    return Files(secured, pair, tmp_path)


def test_sighup_swaps_the_certificate_and_connections_go_on(files, pair, authority):
    server, new = files.server, authority.issue()
    old = server.client()
    ok(old.enqueue("one", MAIN), 201)
    assert served(server, authority) == pair.cert.read_text()
    files.replace(new)
    assert files.reload()["msg"] == "reloaded"
    assert served(server, authority) == new.cert.read_text()
    accepted = old.stats()["http"]["accepted"]
    ok(old.enqueue("two", MAIN), 201)
    assert old.stats()["http"]["accepted"] == accepted


def test_a_bad_pair_on_sighup_keeps_the_old_one_and_says_so(files, pair, authority):
    server = files.server
    files.key.write_text(authority.issue().key.read_text())
    said = files.reload()
    assert said["level"] == "error" and "is not the key" in said["detail"] and str(files.key) in said["detail"]
    assert served(server, authority) == pair.cert.read_text()
    assert metric(server, "sevq_tls_last_reload_successful") == 0
    files.replace(pair)
    assert files.reload()["msg"] == "reloaded"
    assert metric(server, "sevq_tls_last_reload_successful") == 1


def test_a_certificate_that_changes_under_load_fails_no_request(files, authority):
    api, pairs, seen = files.server.client(), [authority.issue() for _ in range(3)], set()
    for n in range(30):
        files.replace(pairs[n % 3])
        files.server.signal(signal.SIGHUP)
        ok(api.enqueue(f"{n}", MAIN), 201)
        with contextlib.closing(files.server.client()) as another:
            assert another.call("GET", "/livez").status == 200
            seen.add(another.conn.sock.getpeercert(True))
    assert api.texts(MAIN) == [str(n) for n in range(30)]
    assert seen >= {ssl.PEM_cert_to_DER_cert(pair.cert.read_text()) for pair in pairs}


def test_the_end_of_the_certificate_is_a_metric(server, pair):
    end = openssl("x509", "-in", pair.cert, "-noout", "-enddate").strip().split("=")[1]
    assert metric(server, "sevq_tls_certificate_expires_timestamp_seconds") == ssl.cert_time_to_seconds(end)


def test_without_tls_there_is_no_end_and_no_failure(start):
    server = start()
    assert metric(server, "sevq_tls_certificate_expires_timestamp_seconds") == 0
    assert metric(server, "sevq_tls_last_reload_successful") == 1


# Bytes.


def test_pipelined_requests_in_one_record_are_all_answered(versioned):
    """More than is read from a record at once: the socket tells nothing of the rest."""
    raw = versioned.raw()
    wanted = request("GET", "/livez") * 200
    assert 4096 < len(wanted) < 16384
    raw.send(wanted)
    assert [raw.answer().status for _ in range(200)] == [200] * 200


def test_requests_behind_a_commit_in_one_record_are_all_answered(versioned):
    """They are read ahead while the first is under way, up to a limit, where reading pauses."""
    raw = versioned.raw()
    raw.send(b"".join(request("POST", "/v1/events", versioned.token, {"text": f"{n}", "sessionKey": MAIN}) for n in range(400)))
    assert [raw.answer().status for _ in range(400)] == [201] * 400
    assert versioned.client().texts(MAIN) == [str(n) for n in range(400)]


def test_reading_that_has_paused_goes_on_with_what_is_in_the_record(secured):
    server = secured("--max-pipelined-bytes", "1024").start()
    raw = server.raw()
    raw.send(b"".join(request("POST", "/v1/events", server.token, {"text": f"{n}", "sessionKey": MAIN}) for n in range(60)))
    assert [raw.answer().status for _ in range(60)] == [201] * 60


def test_a_request_in_records_of_one_byte_is_answered(versioned):
    raw = versioned.raw()
    for byte in request("POST", "/v1/events", versioned.token, {"text": "x", "sessionKey": MAIN}):
        raw.send(bytes([byte]))
    assert raw.answer().status == 201


def test_a_long_body_arrives_whole(versioned):
    api = versioned.client()
    ok(api.batch(*({"text": f"{n}{TEXT}", "sessionKey": MAIN} for n in range(16))), 200)
    assert [text[:-len(TEXT)] for text in api.texts(MAIN)] == [str(n) for n in range(16)]


def test_a_slow_reader_gets_a_long_answer_whole(versioned):
    """The kernel takes a part of a record, and the rest of it must follow unchanged."""
    api = versioned.client()
    for part in range(4):
        ok(api.batch(*({"text": f"{n}{TEXT}", "sessionKey": MAIN} for n in range(16 * part, 16 * part + 16))), 200)
    slow = versioned.raw(receive_buffer=4096)
    slow.send(request("GET", f"/v1/events?sessionKey={MAIN}&limit=1000", versioned.token) * 2)
    assert slow.is_quiet(0.2) is False
    for _ in range(2):
        events = slow.answer().json["events"]
        assert [e["text"] for e in events] == [f"{n}{TEXT}" for n in range(64)]
    slow.send(request("GET", "/livez"))
    assert slow.answer().status == 200


def test_a_client_that_reads_nothing_is_dropped(secured):
    server = secured("--response-timeout-ms", "200").start()
    api = server.client()
    for _ in range(4):
        ok(api.batch(*({"text": TEXT + os.urandom(4).hex(), "sessionKey": MAIN} for _ in range(16))), 200)
    slow = server.raw(receive_buffer=4096)
    slow.send(request("GET", f"/v1/events?sessionKey={MAIN}&limit=1000", server.token) * 4)
    wait_until(lambda: api.stats()["http"]["lateReaders"] == 1, "the reader to be dropped")


def test_a_client_that_has_ended_its_side_gets_its_answer(versioned):
    raw = versioned.raw()
    raw.send(request("GET", "/livez"))
    socket.socket.shutdown(raw.sock, socket.SHUT_WR)
    assert raw.answer().status == 200
    assert raw.closed()


@pytest.mark.parametrize("says_so", [True, False], ids=["close_notify", "FIN"])
def test_a_client_that_ends_its_side_and_breaks_off_stops_nobody(versioned, says_so):
    """Writing then fails behind the end of reading, which OpenSSL reports as that end."""
    api = versioned.client()
    for part in range(4):
        ok(api.batch(*({"text": f"{n}{TEXT}", "sessionKey": MAIN} for n in range(16 * part, 16 * part + 16))), 200)
    raw = versioned.raw(receive_buffer=4096)
    raw.send(request("GET", f"/v1/events?sessionKey={MAIN}&limit=1000", versioned.token))
    wait_until(lambda: api.stats()["http"]["bufferedBytes"] > 1 << 20, "the answer to be held")
    if says_so:
        raw.sock.settimeout(0)
        with contextlib.suppress(ssl.SSLError):
            raw.sock.unwrap()
    socket.socket.shutdown(raw.sock, socket.SHUT_WR)
    api.stats()  # by a turn that comes after the end has arrived
    socket.socket.setsockopt(raw.sock, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    socket.socket.close(raw.sock)
    wait_until(lambda: api.stats()["http"]["connections"] == 1, "the connection to be closed")


def test_a_connection_ends_with_a_word(versioned, authority):
    """Otherwise a reader could not tell the end from one that somebody else has made."""
    for path, fields in (("/livez", [("Connection", "close")]), ("/livez", [])):
        raw = versioned.raw()
        raw.sock.suppress_ragged_eofs = False
        raw.send(request("GET", path, headers=fields))
        assert raw.answer().status == 200
        if not fields:
            versioned.signal(signal.SIGTERM)
        assert raw.sock.recv(1) == b""
    assert versioned.wait() == 0


def test_a_stream_tells_of_events(versioned):
    stream = Stream(versioned)
    for n in range(3):
        ok(versioned.client().enqueue(f"{n}", f"agent:a{n}:main"), 201)
        assert stream.wake()["sessionKey"] == f"agent:a{n}:main"


def test_a_wait_hears_of_an_event(versioned):
    raw = versioned.raw()
    raw.send(request("GET", f"/v1/wait?sessionKey={MAIN}&timeoutMs=30000", versioned.token))
    wait_until(lambda: versioned.client().stats()["waiters"] == 1)
    ok(versioned.client().enqueue("x", MAIN), 201)
    assert raw.answer().json["ready"] is True


def test_a_wait_whose_client_is_gone_ends(versioned):
    raw = versioned.raw()
    raw.send(request("GET", f"/v1/wait?sessionKey={MAIN}&timeoutMs=30000", versioned.token))
    wait_until(lambda: versioned.client().stats()["waiters"] == 1)
    raw.close()
    wait_until(lambda: versioned.client().stats()["waiters"] == 0)


# Handshakes that are none.


def plain(server):
    return Raw(server.port)


def test_plain_http_is_told_apart_and_closed(server):
    for words in (request("GET", "/livez"), request("POST", "/v1/events", "t", {"text": "x"})):
        seen = len(server.log)
        raw = plain(server)
        raw.send(words)
        raw.closed()
        assert "plain HTTP" in failure(server, seen) and "https://" in failure(server, seen)
    assert server.client().stats()["http"]["tlsFailures"] == 2


@pytest.mark.parametrize("said", [b"\0" * 100, b"\x16\x03\x01\x00\x05hello", os.urandom(300), b"\x16\x03\x01\xff\xff" + b"\1" * 70000],
    ids=["zeros", "no hello", "noise", "too long"])
def test_what_is_no_handshake_is_closed(server, said):
    raw = plain(server)
    with contextlib.suppress(ConnectionError):
        raw.send(said)
    raw.closed()
    assert failure(server)
    assert server.client().call("GET", "/livez").status == 200


def hello(authority):
    """The first words of a client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("part", [0, 1, 100, None], ids=["nothing", "a byte", "a part", "a hello"])
def test_a_handshake_that_stalls_ends_in_time_and_holds_up_nobody(secured, authority, part):
    server = secured("--header-timeout-ms", "400").start()
    raw = plain(server)
    raw.send(hello(authority)[:part])
    api = server.client()
    for _ in range(10):
        assert api.call("GET", "/livez").status == 200
    raw.closed()
    assert "--header-timeout-ms" in failure(server)
    assert api.stats()["http"]["tlsFailures"] == 1


def test_clients_that_hang_up_are_no_failures(server):
    for _ in range(20):
        plain(server).close()
    wait_until(lambda: server.client().stats()["http"]["hangUps"] == 20)
    assert not [r for r in server.log if r.get("msg") == "TLS handshake failed"]


def test_stalled_handshakes_make_room_for_others(secured):
    server = secured("--max-connections", "4").start()
    stalled = [plain(server) for _ in range(4)]
    with contextlib.closing(wait_until(lambda: connected(server), "room")) as api:
        assert api.stats()["http"]["evictedHalfOpen"] >= 1
    for raw in stalled:
        raw.close()


def connected(server):
    """A client, if there is room for it."""
    api = server.client()
    with contextlib.suppress(OSError):
        api.connect()
        return api


def test_over_the_limit_a_connection_is_closed_at_once(secured):
    server = secured("--max-connections-per-address", "1").start()
    api = server.client()
    ok(api.enqueue("x", MAIN), 201)
    with pytest.raises(OSError):
        server.client().connect()
    assert api.stats()["http"]["refusedAddress"] == 1


def test_of_many_failures_a_few_a_second_are_told_with_the_peer_and_the_others_counted(server):
    for _ in range(30):
        raw = plain(server)
        raw.send(b"GET / HTTP/1.1\r\n\r\n")
        raw.closed()
    api = server.client()
    wait_until(lambda: api.stats()["http"]["tlsFailures"] == 30)
    told = lambda: [r for r in server.log if r["msg"] == "TLS handshake failed"]
    more = lambda: [r for r in server.log if "more TLS handshakes failed" in r["msg"]]
    wait_until(lambda: len(told()) + sum(r["count"] for r in more()) == 30, "all of them to be told")
    assert len(told()) <= 5 * (len(more()) + 1) and all(r["peer"].startswith("127.0.0.1:") for r in told())


def test_a_crowd_of_handshakes_leaves_every_turn_short(secured, authority):
    """They arrive at once, and each costs a signature with a long key."""
    server = secured(pair=authority.issue(key=("rsa:3072",))).start()
    api, words = server.client(), hello(authority)
    assert api.call("GET", "/livez").status == 200
    server.signal(signal.SIGHUP)  # a turn that reloads begins the measure anew
    server.wait_for_log(lambda r: r.get("msg") == "reloaded")
    crowd = [plain(server) for _ in range(60)]
    with server.held_still():
        for raw in crowd:
            raw.send(words)
        api.send("GET", "/livez")
    assert api.receive().status == 200
    for raw in crowd:
        raw.read_more()  # each gets its answer
        assert raw.buffer
        raw.close()
    if not sanitized():
        assert api.stats()["loop"]["turnUsMax"] < 10000


# The command.


def test_sevq_is_told_whom_to_trust(server, authority):
    sevq = Shell(server, SEVQ_URL=f"https://127.0.0.1:{server.port}")
    assert "is not trusted" in sevq("event", "x", "--session-key", MAIN, exit=FAILED)[1]
    sevq("event", "x", "--session-key", MAIN, "--ca-file", str(authority.file))
    assert " x\n" in sevq("drain", MAIN, "--ca-file", str(authority.file))[0]
