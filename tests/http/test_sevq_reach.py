"""What the command says of a server that it cannot reach: the reason, and what to do next."""
import socket

import pytest

import certificates
from fake_server import FakeServer, answer
from policies import MAIN
from shell import FAILED, NOTHING, TRY_AGAIN, USAGE, Shell

NONE = answer({"sessionKey": MAIN, "events": [], "depth": 0, "more": False})
NAME_IT = "; start a server with `sevqd`, or name it with --base-url or SEVQ_URL\n"


@pytest.fixture
def sevq(make):
    """The command with a token and without a server."""
    return Shell(make(), SEVQ_TOKEN="token")


@pytest.fixture
def certificate(tmp_path):
    return certificates.make(tmp_path)


@pytest.fixture
def secured(certificate):
    with FakeServer(NONE, tls=certificates.context(certificate)) as fake:
        fake.url = fake.url.replace("http:", "https:")
        yield fake


def refused(sevq, url, *words, exit=TRY_AGAIN):
    return sevq("peek", MAIN, "--base-url", url, *words, exit=exit)[1]


def test_the_reason_is_that_of_the_system(sevq, tmp_path):
    assert refused(sevq, "http://127.0.0.1:1") == "sevq: cannot connect to http://127.0.0.1:1: Connection refused" + NAME_IT
    path = tmp_path / "s"
    assert refused(sevq, f"unix:{path}") == f"sevq: cannot connect to unix:{path}: No such file or directory" + NAME_IT
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert refused(sevq, f"unix:{path}") == f"sevq: cannot connect to unix:{path}: Connection refused" + NAME_IT


def test_a_name_that_is_unknown_is_named(sevq):
    assert "cannot connect to http://nobody.invalid: Could not resolve host: nobody.invalid;" in refused(sevq, "http://nobody.invalid")


def test_a_certificate_is_trusted_by_a_file(sevq, secured, certificate):
    err = refused(sevq, secured.url, exit=FAILED)
    assert err.startswith(f"sevq: the certificate of {secured.url} is not trusted: ") and "self-signed" in err
    assert err.endswith("; to trust it, give its authority as --ca-file\n") and secured.requests == []
    refused(sevq, secured.url, "--ca-file", str(certificate), exit=NOTHING)
    assert len(secured.requests) == 1


def test_the_file_may_stand_in_the_environment(sevq, secured, certificate):
    sevq("peek", MAIN, "--base-url", secured.url, exit=NOTHING, SEVQ_CA_FILE=str(certificate))


def test_a_certificate_for_another_name_is_said_to_be(sevq, secured, certificate):
    err = refused(sevq, secured.url.replace("127.0.0.1", "localhost"), "--ca-file", str(certificate), exit=FAILED)
    assert "is not trusted: " in err and "localhost" in err and "--ca-file" not in err


def test_a_file_that_is_none_is_named(sevq, secured, tmp_path):
    assert refused(sevq, secured.url, "--ca-file", "/does/not/exist", exit=FAILED) == "sevq: /does/not/exist: No such file or directory\n"
    (tmp_path / "empty").write_text("no certificate\n")
    assert "the CA file holds no certificates in PEM: " in refused(sevq, secured.url, "--ca-file", str(tmp_path / "empty"), exit=FAILED)


def test_a_server_without_tls_is_said_to_be_none(start):
    server = start()
    url = f"https://127.0.0.1:{server.port}"
    assert refused(Shell(server), url) == f"sevq: cannot connect to {url}: nobody speaks TLS there" + NAME_IT


def test_a_runner_does_not_wait_for_a_certificate_to_get_better(sevq, secured):
    assert "is not trusted" in sevq("run", MAIN, "--base-url", secured.url, "--", "true", exit=FAILED)[1]


# Servers that let in only clients with a certificate.

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def choosy(start, authority):
    """The command beside such a server."""
    pair = authority.issue()
    server = start("--tls-cert", pair.cert, "--tls-key", pair.key, "--tls-client-ca", authority.file)
    return Shell(server, SEVQ_URL=f"https://127.0.0.1:{server.port}", SEVQ_CA_FILE=str(authority.file))


def test_a_certificate_lets_it_in(choosy, authority, tmp_path):
    pair, both = authority.issue(), tmp_path / "both.pem"
    both.write_text(pair.key.read_text() + pair.cert.read_text())
    for words, env in [(("--cert", pair.cert, "--key", pair.key), {}), (("--cert", both), {}), ((), {"SEVQ_CERT": pair.cert, "SEVQ_KEY": pair.key}),
            ((), {"SEVQ_CERT": both}), (("--cert", both), {"SEVQ_CERT": "/does/not/exist", "SEVQ_KEY": "/does/not/exist"})]:
        choosy("peek", MAIN, *map(str, words), exit=NOTHING, **{name: str(value) for name, value in env.items()})
    choosy("event", "x", "--session-key", MAIN, "--cert", str(both))
    assert choosy("completion", "words", "--", "drain", "--cert", str(both), "agent:")[0] == f"{MAIN}\n"
    assert choosy("completion", "words", "--", "drain", "agent:")[0] == ""


def test_without_a_certificate_it_says_which_option_has_one(choosy):
    assert "if the server asks for a client's certificate, give --cert" in choosy("peek", MAIN, exit=FAILED)[1]


def test_a_certificate_that_cannot_be_used_is_named(choosy, authority, tmp_path):
    one, other, no = authority.issue(), authority.issue(), tmp_path / "no.pem"
    no.write_text("no certificate\n")
    assert choosy("peek", MAIN, "--cert", "/does/not/exist", exit=FAILED)[1] == "sevq: /does/not/exist: No such file or directory\n"
    assert choosy("peek", MAIN, "--cert", str(one.cert), "--key", "/does/not/exist", exit=FAILED)[1] == "sevq: /does/not/exist: No such file or directory\n"
    for cert, key in ((one.cert, other.key), (one.cert, one.cert), (no, one.key)):
        err = choosy("peek", MAIN, "--cert", str(cert), "--key", str(key), exit=FAILED)[1]
        assert err.startswith("sevq: the client's certificate or its key cannot be used: ")


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(choosy, authority, tmp_path):
    pair, locked = authority.issue(), tmp_path / "locked.key"
    certificates.openssl("pkcs8", "-topk8", "-in", pair.key, "-out", locked, "-passout", "pass:secret")
    screen = choosy.on_terminal("peek", MAIN, "--cert", str(pair.cert), "--key", str(locked), width=200, exit=FAILED)
    assert screen.startswith("sevq: the client's certificate or its key cannot be used: ")


def test_a_key_of_no_certificate_is_a_mistake(sevq):
    assert sevq("event", "x", "--key", MAIN, exit=USAGE)[1] == "sevq event: --key is that of --cert; a session is --session-key (see sevq help event)\n"
    assert sevq("peek", MAIN, exit=FAILED, SEVQ_KEY="/some/key")[1] == "sevq: SEVQ_KEY is set without SEVQ_CERT\n"
