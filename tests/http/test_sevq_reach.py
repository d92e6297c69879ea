"""What the command says of a server that it cannot reach: the reason, and what to do next."""
import socket

import pytest

import certificates
from fake_server import FakeServer, answer
from policies import MAIN
from shell import FAILED, NOTHING, TRY_AGAIN, Shell

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
