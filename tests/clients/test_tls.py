"""https: certificates are checked, connections are kept, and waits can still be interrupted; with a
fake server, which sees what is sent, and with a real one.
"""
import os
import re
import sys
import threading
from pathlib import Path

import pytest

import certificates
from fake_server import SILENCE, FakeServer, answer
from policies import MAIN
from sevqd import wait_until

sys.path.insert(0, str(Path(os.environ["SOURCES"]) / "client/python"))

import sevq

READY = answer({"sessionKey": MAIN, "ready": True, "depth": 1})
WAIT = ["wait", {"sessionKey": MAIN}]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that vouches for itself, for 127.0.0.1: its file, with the key in it."""
    return certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def secured(certificate):
    """Makes fake servers that speak TLS, and names them as clients do."""
    context = certificates.context(certificate)

    def make(*script):
        fake = FakeServer(*script, tls=context)
        fake.url = fake.url.replace("http:", "https:")
        return fake

    return make


def test_a_trusted_certificate_is_enough(talker, secured, certificate):
    with secured(READY, READY) as fake:
        said = talker.talk(WAIT, WAIT, baseUrl=fake.url + "/a/prefix/", caFile=str(certificate))
    assert [each["answer"]["ready"] for each in said] == [True, True]
    assert [target.split("?")[0] for _, target, _, _ in fake.requests] == ["/a/prefix/v1/wait"] * 2
    assert fake.connections == 1


def test_an_unknown_certificate_is_refused_before_anything_is_sent(talker, secured):
    with secured(READY) as fake:
        said, = talker.talk(WAIT, baseUrl=fake.url, token="secret")
    assert said["code"] == "configuration"
    assert re.fullmatch(rf"the certificate of {fake.url} is not trusted: self-signed certificate; to trust it, give its authority as ca(_file)?", said["message"])
    assert fake.requests == [] and fake.connections == 1


def test_a_certificate_for_another_name_is_refused(talker, secured, certificate):
    with secured(READY) as fake:
        url = fake.url.replace("127.0.0.1", "localhost")
        said, = talker.talk(WAIT, baseUrl=url, caFile=str(certificate))
    assert said["code"] == "configuration" and fake.requests == []
    assert said["message"].startswith(f"the certificate of {url} is not trusted: Host") and "authority" not in said["message"]


def test_a_wait_is_interrupted(secured, certificate):
    with secured(SILENCE) as fake:
        queue = sevq.Client(fake.url, ca_file=str(certificate))
        thread = threading.Thread(target=lambda: (wait_until(lambda: fake.requests), queue.interrupt()))
        thread.start()
        with pytest.raises(sevq.Error) as caught:
            queue.wait(MAIN)
        thread.join()
    assert caught.value.code == "interrupted"


# With a real server.


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def real(make, authority):
    """Starts real servers that speak TLS, and says how clients call them."""

    def start(*flags):
        pair = authority.issue()
        server = make("--tls-cert", pair.cert, "--tls-key", pair.key, *flags).start()
        return {"baseUrl": f"https://127.0.0.1:{server.port}", "caFile": str(authority.file), "token": server.token}

    return start


def test_events_go_through_a_real_server(talker, real):
    long = "x" * 60000
    batch = ["enqueueBatch", [{"sessionKey": MAIN, "text": f"{n}{long}"} for n in range(12)], {}]
    said = talker.talk(batch, WAIT, ["drain", {"sessionKey": MAIN}], ["wait", {"sessionKey": MAIN, "timeoutMs": 50}], **real())
    assert [event["text"][0:-60000] for event in said[2]["answer"]["events"]] == [str(n) for n in range(12)]
    assert [said[1]["answer"]["ready"], said[3]["answer"]["ready"]] == [True, False]


def test_a_server_without_tls_is_said_to_be_none(talker, server):
    url = f"https://127.0.0.1:{server.port}"
    said, = talker.talk(WAIT, baseUrl=url, token="secret")
    assert (said["code"], said["message"]) == ("unreachable", f"cannot connect to {url}: nobody speaks TLS there")


def test_a_real_server_that_asks_for_a_certificate_takes_nothing(talker, real, authority):
    said, = talker.talk(WAIT, **real("--tls-client-ca", authority.file))
    assert said["code"] in ("unreachable", "lost"), said
