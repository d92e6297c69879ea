"""Certificates for tests of https, made by the openssl command."""
import ssl
import subprocess


def make(directory, name="IP:127.0.0.1"):
    """A certificate that vouches for itself: its file, with the key in it."""
    path, only = directory / "certificate", directory / "only"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-keyout", path, "-out", only],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    path.write_text(path.read_text() + only.read_text())
    return path


def context(certificate):
    """What a server with this certificate speaks TLS by."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    return tls
