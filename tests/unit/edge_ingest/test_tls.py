"""Tests for `tls`: root certificates, verification and the second attempt with all roots."""

import socket
import ssl
from pathlib import Path

import botocore
import pytest
from cryptography import x509

from edge_ingest import tls
from edge_ingest.http_client import Endpoint

ROOTS = Path(tls.__file__).with_name("amazon_roots.pem")


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # a certificate in botocore's list
def test_roots_are_amazon_certificates_from_mozilla_list() -> None:
    known = x509.load_pem_x509_certificates(
        Path(botocore.__file__).with_name("cacert.pem").read_bytes()
    )
    roots = x509.load_pem_x509_certificates(ROOTS.read_bytes())
    assert len(roots) == 5
    for root in roots:
        assert root in known
        name = root.subject.rfc4514_string()
        assert "Amazon Root CA" in name or "Starfield Services Root" in name


@pytest.mark.parametrize("all_roots", [False, True])
def test_context_verifies_certificates_and_host_names(
    all_roots: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    tls.ssl_context.cache_clear()
    context = tls.ssl_context(all_roots=all_roots)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    if not all_roots:
        assert len(context.get_ca_certs()) == 5


def test_ssl_cert_file_replaces_the_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ROOTS.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    (tmp_path / "one.pem").write_text(one)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "one.pem"))
    tls.ssl_context.cache_clear()
    assert len(tls.ssl_context(all_roots=False).get_ca_certs()) == 1
    tls.ssl_context.cache_clear()


def test_failed_verification_uses_all_roots_for_next_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_roots_used: list[bool] = []

    class Context:
        def __init__(self, *, all_roots: bool) -> None:
            all_roots_used.append(all_roots)
            self._all_roots = all_roots

        def wrap_socket(self, sock: socket.socket, *, server_hostname: bytes) -> socket.socket:
            assert server_hostname == b"kinesis.test"
            if not self._all_roots:
                raise ssl.SSLCertVerificationError("unable to get local issuer certificate")
            return sock

    class FakeSocket:
        closed = False

        def setsockopt(self, *args: object) -> None:
            assert args == (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def close(self) -> None:
            self.closed = True

    sockets: list[FakeSocket] = []

    def connect(address: tuple[bytes, int], timeout: float) -> FakeSocket:
        assert (address, timeout) == ((b"kinesis.test", 443), 1)
        sockets.append(FakeSocket())
        return sockets[-1]

    monkeypatch.setattr(tls, "ssl_context", Context)
    monkeypatch.setattr("socket.create_connection", connect)
    connect_tls = tls.Connector()
    endpoint = Endpoint(tls=True, host="kinesis.test", port=443)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect_tls(endpoint, 1)
    assert sockets[0].closed
    assert isinstance(connect_tls(endpoint, 1), FakeSocket)
    assert (all_roots_used, sockets[1].closed) == ([False, True], False)
