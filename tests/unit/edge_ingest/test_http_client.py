"""Tests for `http_client`: reuse, stale connections, timeouts, framing and size limits."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest.http_client import Connection, Endpoint, Response, TransportError
from tests.unit.edge_ingest.http_server import Script, ServerConnection, network

ENDPOINT = Endpoint(tls=False, host="kinesis.test", port=80)
HEAD = b"HTTP/1.1 200 OK\r\n"


def raw(data: bytes) -> Script:
    """Return a script that reads a request, sends the bytes and closes the connection."""

    def script(server: ServerConnection) -> None:
        server.request()
        server.send(data)

    return script


def response_from(data: bytes, timeout: float = 30.0) -> Response:
    """Return the response that the client parses from the bytes."""
    with network(raw(data)) as connect:
        connection = Connection(ENDPOINT, connect)
        try:
            return connection.post([("host", "kinesis.test")], b"{}", timeout)
        finally:
            connection.close()


def test_connection_is_reused_for_three_requests() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    def script(server: ServerConnection) -> None:
        for n in range(3):
            seen.append(server.request())
            server.respond(200, b"%d" % n, X_Name="a: b")

    with network(script) as connect:
        connection = Connection(ENDPOINT, connect)
        for n in range(3):
            response = connection.post([("host", "h"), ("x-a", "1")], b"body%d" % n, 2)
            assert (response.status, response.body) == (200, b"%d" % n)
            assert response.headers["x-name"] == "a: b"
        assert len(connect.endpoints) == 1
        connection.close()
    assert seen[1] == (
        {":line": "POST / HTTP/1.1", "host": "h", "x-a": "1", "content-length": "5"},
        b"body1",
    )


def closes_after(requests: int) -> Script:
    def script(server: ServerConnection) -> None:
        for _ in range(requests):
            server.request()
            server.respond()

    return script


def test_connection_reopens_when_server_closed_it_while_idle() -> None:
    with network(closes_after(1), closes_after(1)) as connect:
        connection = Connection(ENDPOINT, connect)
        connection.post([], b"1", 2)
        time.sleep(0.05)  # until the client can see that the server closed the connection
        assert connection.post([], b"2", 2).status == 200
        connection.close()


def test_request_is_retried_once_when_reused_connection_closes() -> None:
    def drops(server: ServerConnection) -> None:
        server.request()
        server.respond()
        server.request()  # no response: the server may have processed the request

    with network(drops, closes_after(1)) as connect:
        connection = Connection(ENDPOINT, connect)
        connection.post([], b"1", 2)
        assert connection.post([], b"2", 2).status == 200
        connection.close()


def test_request_fails_when_new_connection_closes() -> None:
    with pytest.raises(TransportError):
        response_from(b"")


def test_request_times_out_when_server_sends_nothing() -> None:
    closed_by_client = threading.Event()

    def silent(server: ServerConnection) -> None:
        server.request()
        server.respond()
        server.request()
        server.socket.settimeout(60)
        if server.socket.recv(1) == b"":  # the end of the stream
            closed_by_client.set()

    with network(silent) as connect:
        connection = Connection(ENDPOINT, connect)
        connection.post([], b"1", 2)
        with pytest.raises(TransportError):
            connection.post([], b"2", 0.2)
        # The server sends nothing and closes nothing, so only the client's timeout sets the event.
        assert closed_by_client.wait(60)


def test_request_times_out_when_response_is_slow() -> None:
    sent_everything = threading.Event()

    def trickle(server: ServerConnection) -> None:
        server.request()
        for byte in HEAD * 40:
            server.send(bytes([byte]))
            time.sleep(0.02)
        sent_everything.set()

    with network(trickle) as connect:
        with pytest.raises(TransportError):
            Connection(ENDPOINT, connect).post([], b"2", 0.2)
        # Each byte arrives before the timeout; the server needs at least 13 s for all of them.
        assert not sent_everything.is_set()


def test_request_fails_when_connection_is_refused_or_timeout_is_zero() -> None:
    with network(None) as connect, pytest.raises(TransportError):
        Connection(ENDPOINT, connect).post([], b"", 1)
    with network() as connect, pytest.raises(TransportError):
        Connection(ENDPOINT, connect).post([], b"", 0)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (HEAD + b"Content-Length: 2\r\n\r\n{}", b"{}"),
        (HEAD + b"content-length:0\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"content-length: 2\r\n\r\n{}", b"{}"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", b"{}"),
        (HEAD + b"transfer-encoding: Chunked\r\n\r\n0\r\nTrailer: 1\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}left over", b"{}"),
    ],
)
def test_response_body_is_read_with_any_valid_framing(data: bytes, body: bytes) -> None:
    assert response_from(data).body == body


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/1.1 abc\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 999 No\r\ncontent-length: 0\r\n\r\n",
        HEAD,
        HEAD + b"\r\n{}",
        HEAD + b"content-length: x\r\n\r\n{}",
        HEAD + b"content-length: -1\r\n\r\n{}",
        HEAD + b"content-length: 99999999999\r\n\r\n{}",
        HEAD + b"content-length: 3\r\n\r\n{}",
        HEAD + b"transfer-encoding: chunked\r\n\r\nx\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nfffffffff\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}",
        HEAD + b"x: " + b"y" * 5_000_000,
    ],
    ids=lambda data: repr(data[:40]),
)
def test_incomplete_or_invalid_response_is_an_error(data: bytes) -> None:
    with pytest.raises(TransportError):
        response_from(data)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_give_a_response_or_a_transport_error(data: bytes) -> None:
    for candidate in (data, HEAD + data, HEAD + b"transfer-encoding: chunked\r\n\r\n" + data):
        try:
            response = response_from(candidate)
        except TransportError:
            continue
        assert 200 <= response.status <= 599
        assert len(response.body) < len(candidate)


def test_connection_closes_when_data_follows_the_response() -> None:
    def sends_more(server: ServerConnection) -> None:
        server.request()
        server.send(HEAD + b"content-length: 2\r\n\r\n{}" + HEAD)
        server.socket.settimeout(60)
        assert server.socket.recv(1) == b""

    with network(sends_more, closes_after(1)) as connect:
        connection = Connection(ENDPOINT, connect)
        assert connection.post([], b"1", 2).body == b"{}"
        assert connection.post([], b"2", 2).status == 200
        connection.close()
        assert len(connect.endpoints) == 2


def test_connection_closes_after_connection_close_header() -> None:
    def closing(server: ServerConnection) -> None:
        server.request()
        server.respond(Connection="close")
        server.socket.settimeout(60)
        assert server.socket.recv(1) == b""

    with network(closing, closes_after(1)) as connect:
        connection = Connection(ENDPOINT, connect)
        connection.post([], b"1", 2)
        assert connection.post([], b"2", 2).status == 200
        connection.close()


@pytest.mark.parametrize(
    ("endpoint", "authority"),
    [
        (Endpoint(tls=True, host="kinesis.amazonaws.com", port=443), "kinesis.amazonaws.com"),
        (Endpoint(tls=False, host="127.0.0.1", port=4566), "127.0.0.1:4566"),
        (Endpoint(tls=False, host="localhost", port=80), "localhost"),
        (Endpoint(tls=True, host="::1", port=8443), "[::1]:8443"),
    ],
)  # fmt: skip
def test_authority_omits_the_default_port(endpoint: Endpoint, authority: str) -> None:
    assert endpoint.authority == authority


def test_request_of_3_mb_is_sent_completely() -> None:
    sizes: list[int] = []

    def script(server: ServerConnection) -> None:
        sizes.append(len(server.request()[1]))
        server.respond()

    with network(script) as connect:
        connection = Connection(ENDPOINT, connect)
        connection.post([], b"x" * 3_000_000, 5)
        connection.close()
    assert sizes == [3_000_000]
