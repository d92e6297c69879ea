"""Certificates for tests, made by the openssl command: one that vouches for itself, and authorities
that vouch for others.
"""
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

EC = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, text=True).stdout


def make(directory, name="IP:127.0.0.1"):
    """A certificate that vouches for itself: its file, with the key in it."""
    path, only = directory / "certificate", directory / "only"
    openssl("req", "-x509", "-newkey", *EC, "-nodes", "-days", 2, "-subj", "/CN=test", "-addext", f"subjectAltName={name}",
        "-keyout", path, "-out", only)
    path.write_text(path.read_text() + only.read_text())
    return path


def context(certificate):
    """What a server with this certificate speaks TLS by."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    return tls


@dataclass(frozen=True)
class Pair:
    cert: Path
    key: Path


class Authority:
    """Vouches for itself and for what it issues. file: its certificate."""

    def __init__(self, directory, name="authority"):
        self.directory, self.name, self.issued = Path(directory), name, 0
        self.file, self.key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        openssl("req", "-x509", "-newkey", *EC, "-nodes", "-days", 2, "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.file)

    def issue(self, key=EC, days=2):
        """A certificate for 127.0.0.1 and localhost, and its key; below 0 days it has expired."""
        self.issued += 1
        cert, request = (self.directory / f"{self.name}-{self.issued}.{end}" for end in ("pem", "csr"))
        pair = Pair(cert, cert.with_suffix(".key"))
        openssl("req", "-new", "-newkey", *key, "-nodes", "-subj", f"/CN={cert.stem}",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", pair.key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", days,
            "-copy_extensions", "copy", "-out", cert)
        return pair

    def context(self, version=None, pair=None):
        """Of a client that trusts it, in this version alone, with a certificate of its own."""
        context = ssl.create_default_context(cafile=self.file)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        return context
