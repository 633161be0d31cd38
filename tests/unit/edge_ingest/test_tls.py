"""The roots of trust: few, known, and not a way round verification."""

import socket
import ssl
from pathlib import Path

import botocore
import pytest
from cryptography import x509

from edge_ingest import tls
from edge_ingest.http import Endpoint

ROOTS = Path(tls.__file__).with_name("amazon_roots.pem")


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # a root of Mozilla's list, not ours
def test_the_roots_are_amazons_and_mozillas() -> None:
    known = x509.load_pem_x509_certificates(
        Path(botocore.__file__).with_name("cacert.pem").read_bytes()
    )
    ours = x509.load_pem_x509_certificates(ROOTS.read_bytes())
    assert len(ours) == 5
    for root in ours:
        assert root in known
        name = root.subject.rfc4514_string()
        assert "Amazon Root CA" in name or "Starfield Services Root" in name


@pytest.mark.parametrize("all_roots", [False, True])
def test_contexts_verify(all_roots: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    tls.context.cache_clear()
    made = tls.context(all_roots=all_roots)
    assert made.verify_mode == ssl.CERT_REQUIRED
    assert made.check_hostname
    assert made.minimum_version >= ssl.TLSVersion.TLSv1_2
    if not all_roots:
        assert len(made.get_ca_certs()) == 5


def test_openssls_own_variable_says_which_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ROOTS.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    (tmp_path / "one.pem").write_text(one)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "one.pem"))
    tls.context.cache_clear()
    assert len(tls.context(all_roots=False).get_ca_certs()) == 1
    tls.context.cache_clear()


def test_a_chain_to_another_root_is_tried_once_more_with_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[bool] = []

    class Context:
        def __init__(self, *, all_roots: bool) -> None:
            tried.append(all_roots)
            self._all_roots = all_roots

        def wrap_socket(self, sock: socket.socket, *, server_hostname: str) -> socket.socket:
            assert server_hostname == "kinesis.test"
            if not self._all_roots:
                raise ssl.SSLCertVerificationError("unable to get local issuer certificate")
            return sock

    class Plain:
        closed = False

        def setsockopt(self, *args: object) -> None:
            assert args == (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def close(self) -> None:
            self.closed = True

    made: list[Plain] = []

    def connect(address: tuple[str, int], seconds: float) -> Plain:
        assert (address, seconds) == (("kinesis.test", 443), 1)
        made.append(Plain())
        return made[-1]

    monkeypatch.setattr(tls, "context", Context)
    monkeypatch.setattr("socket.create_connection", connect)
    dial = tls.Dialler()
    endpoint = Endpoint(tls=True, host="kinesis.test", port=443)
    with pytest.raises(ssl.SSLCertVerificationError):
        dial(endpoint, 1)
    assert made[0].closed
    assert isinstance(dial(endpoint, 1), Plain)
    assert (tried, made[1].closed) == ([False, True], False)
