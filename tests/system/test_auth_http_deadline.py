"""One deadline bounds an exchange of edge_auth: name, connection, TLS, headers and body."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from edge_auth import http_client
from edge_auth.errors import FetchError

pytestmark = pytest.mark.integration

#: Far below the time for which each server of this file keeps a connection busy.
DEADLINE_S: Final = 0.4
#: How often a server sends a part: more often than the deadline, so that each read succeeds.
INTERVAL_S: Final = 0.05
PARTS: Final = 2_000

type Serve = Callable[[socket.socket, threading.Event], None]


@pytest.fixture(autouse=True)
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "TIMEOUT_S", DEADLINE_S)


@contextmanager
def serving(serve: Serve) -> Iterator[tuple[int, threading.Event]]:
    """Serve one connection after the other; yield the port and an event that ends all of them.

    The test ends the server: a client without a deadline would wait for all parts.
    """
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    serve(connection, ended)
                except OSError:
                    continue

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1], ended
    ended.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def drip(connection: socket.socket, ended: threading.Event, parts: list[bytes]) -> None:
    for part in parts:
        connection.sendall(part)
        if ended.wait(INTERVAL_S):
            return


def drip_status_line(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(65_536)
    drip(connection, ended, [b"H", *[b"T"] * PARTS])


def drip_headers(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(65_536)
    drip(connection, ended, [b"HTTP/1.1 200 OK\r\nX: ", *[b"x"] * PARTS])


def continue_forever(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(65_536)
    drip(connection, ended, [b"HTTP/1.1 100 Continue\r\n\r\n"] * PARTS)


def drip_body(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(65_536)
    drip(connection, ended, [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * PARTS])


def drip_chunks(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(65_536)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    drip(connection, ended, [head, *[b"1\r\nx\r\n"] * PARTS])


def stay_silent(connection: socket.socket, ended: threading.Event) -> None:
    ended.wait(PARTS * INTERVAL_S)


@pytest.mark.parametrize(
    "serve",
    [drip_status_line, drip_headers, continue_forever, drip_body, drip_chunks, stay_silent],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_stalled_exchange_ends_at_deadline(
    serve: Serve, scheme: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An `https` server that sends no handshake or sends it slowly is `stay_silent`."""
    secured = serve
    if scheme == "https":
        trust(certificate, monkeypatch)
        if serve is not stay_silent:
            secured = over_tls(certificate, serve)
    with serving(secured) as (port, ended):
        # A client without a deadline would wait until this timer ends the server.
        timer = threading.Timer(PARTS * INTERVAL_S / 2, ended.set)
        timer.start()
        with pytest.raises(FetchError) as raised:
            http_client.get(f"{scheme}://localhost:{port}/x")
        assert not ended.is_set()
        timer.cancel()
    assert raised.value.code == "fetch_timeout"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate of localhost in one file."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [*command, "-keyout", str(path), "-out", str(path) + ".crt"],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + Path(str(path) + ".crt").read_bytes())
    return path


def trust(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = http_client._tls_context()
    context.load_verify_locations(certificate)


def over_tls(certificate: Path, serve: Serve) -> Serve:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def secured(connection: socket.socket, ended: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            serve(tls, ended)

    return secured


def answer(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def test_exchange_over_tls_returns_body(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "TIMEOUT_S", 60)
    trust(certificate, monkeypatch)
    with serving(over_tls(certificate, answer)) as (port, _):
        assert http_client.get(f"https://localhost:{port}/x") == b"{}"
        # The name of the certificate is verified.
        with pytest.raises(FetchError):
            http_client.get(f"https://127.0.0.1:{port}/x")


def test_process_has_one_tls_context(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts: list[object] = []
    create = ssl.create_default_context

    def count(*args: Any, **options: Any) -> ssl.SSLContext:
        contexts.append(args)
        return create(*args, **options)

    monkeypatch.setattr(ssl, "create_default_context", count)
    http_client._tls_context.cache_clear()
    for _ in range(3):
        with pytest.raises(FetchError):
            http_client.get("https://127.0.0.1:9/")
    assert len(contexts) == 1


@contextmanager
def unreachable() -> Iterator[tuple[str, int]]:
    """Yield an address whose backlog is full, so that it doesn't answer connection requests."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:
        each.settimeout(0)
        each.connect_ex(address)
    yield address
    for each in [*waiting, listener]:
        each.close()


def resolve_to(monkeypatch: pytest.MonkeyPatch, addresses: list[tuple[str, int]]) -> None:
    results = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: results)


def test_dead_addresses_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float] = []
    connect = http_client._BoundedSocket.connect

    def record(self: socket.socket, address: Any) -> None:
        timeouts.append(self.gettimeout() or 0)
        connect(self, address)

    monkeypatch.setattr(http_client._BoundedSocket, "connect", record)
    with unreachable() as address:
        resolve_to(monkeypatch, [address] * 4)
        with pytest.raises(FetchError) as raised:
            http_client.get("http://localhost:1/x")
    assert raised.value.code == "fetch_timeout"
    assert sum(timeouts) <= DEADLINE_S


def test_live_address_after_dead_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "TIMEOUT_S", 4)
    with unreachable() as dead, serving(answer) as (port, _):
        resolve_to(monkeypatch, [dead, ("127.0.0.1", port)])
        assert http_client.get("http://localhost:1/x") == b"{}"


def test_name_that_is_not_resolved_ends_at_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def wait(*_: object, **__: object) -> list[object]:
        released.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    with pytest.raises(FetchError) as raised:
        http_client.get("http://localhost:1/x")
    assert not released.is_set()
    released.set()
    assert raised.value.code == "fetch_timeout"
