"""One kept-alive connection: kept, found closed, cut, slow, chunked, and never believed too far."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest.http import Connection, Endpoint, Response, TransportError
from tests.unit.edge_ingest.peer import Script, Wire, network

HERE = Endpoint(tls=False, host="kinesis.test", port=80)
HEAD = b"HTTP/1.1 200 OK\r\n"


def raw(data: bytes) -> Script:
    """Read a request, send bytes, close."""

    def script(wire: Wire) -> None:
        wire.request()
        wire.send(data)

    return script


def one(data: bytes, seconds: float = 2.0) -> Response:
    """The response that a client reads out of bytes."""
    with network(raw(data)) as dial:
        connection = Connection(HERE, dial)
        try:
            return connection.post([("host", "kinesis.test")], b"{}", seconds)
        finally:
            connection.close()


def test_a_connection_is_kept() -> None:
    seen: list[tuple[dict[str, str], bytes]] = []

    def script(wire: Wire) -> None:
        for n in range(3):
            seen.append(wire.request())
            wire.answer(200, b"%d" % n, X_Name="a: b")

    with network(script) as dial:
        connection = Connection(HERE, dial)
        for n in range(3):
            response = connection.post([("host", "h"), ("x-a", "1")], b"body%d" % n, 2)
            assert (response.status, response.body) == (200, b"%d" % n)
            assert response.headers["x-name"] == "a: b"
        assert len(dial.dialled) == 1
        connection.close()
    assert seen[1] == (
        {":line": "POST / HTTP/1.1", "host": "h", "x-a": "1", "content-length": "5"},
        b"body1",
    )


def closes_after(requests: int) -> Script:
    def script(wire: Wire) -> None:
        for _ in range(requests):
            wire.request()
            wire.answer()

    return script


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    with network(closes_after(1), closes_after(1)) as dial:
        connection = Connection(HERE, dial)
        connection.post([], b"1", 2)
        time.sleep(0.05)  # the server's end is closed by now, and known to be
        assert connection.post([], b"2", 2).status == 200
        connection.close()


def test_a_connection_that_closes_under_the_request_is_tried_once_more() -> None:
    def drops(wire: Wire) -> None:
        wire.request()
        wire.answer()
        wire.request()  # read, and never answered: the request may or may not have been obeyed

    with network(drops, closes_after(1)) as dial:
        connection = Connection(HERE, dial)
        connection.post([], b"1", 2)
        assert connection.post([], b"2", 2).status == 200
        connection.close()


def test_a_new_connection_that_closes_is_an_error() -> None:
    with pytest.raises(TransportError):
        one(b"")


def test_a_half_open_connection_ends_with_the_time() -> None:
    def silent(wire: Wire) -> None:
        wire.request()
        wire.answer()
        wire.request()
        wire.socket.settimeout(5)
        wire.socket.recv(1)  # until the client hangs up

    with network(silent) as dial:
        connection = Connection(HERE, dial)
        connection.post([], b"1", 2)
        start = time.monotonic()
        with pytest.raises(TransportError):
            connection.post([], b"2", 0.2)
        assert 0.15 < time.monotonic() - start < 1.5


def test_a_slow_trickle_ends_with_the_time_too() -> None:
    def trickle(wire: Wire) -> None:
        wire.request()
        for byte in HEAD * 40:
            wire.send(bytes([byte]))
            time.sleep(0.02)

    with network(trickle) as dial:
        connection = Connection(HERE, dial)
        start = time.monotonic()
        with pytest.raises(TransportError):
            connection.post([], b"2", 0.2)
        assert time.monotonic() - start < 1.5


def test_no_connection_is_an_error() -> None:
    with network(None) as dial, pytest.raises(TransportError):
        Connection(HERE, dial).post([], b"", 1)
    with network() as dial, pytest.raises(TransportError):
        Connection(HERE, dial).post([], b"", 0)


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
def test_responses_as_they_may_be_framed(data: bytes, body: bytes) -> None:
    assert one(data).body == body


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
def test_what_is_no_whole_response_is_an_error(data: bytes) -> None:
    with pytest.raises(TransportError):
        one(data)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_response_or_an_error(data: bytes) -> None:
    for answer in (data, HEAD + data, HEAD + b"transfer-encoding: chunked\r\n\r\n" + data):
        try:
            outcome = one(answer).status
        except TransportError:
            outcome = 0
        assert 0 <= outcome <= 599


def test_connection_close_is_obeyed() -> None:
    def closing(wire: Wire) -> None:
        wire.request()
        wire.answer(Connection="close")
        wire.socket.settimeout(5)
        assert wire.socket.recv(1) == b""

    with network(closing, closes_after(1)) as dial:
        connection = Connection(HERE, dial)
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
def test_the_host_header(endpoint: Endpoint, authority: str) -> None:
    assert endpoint.authority == authority


def test_a_large_request_is_sent_whole() -> None:
    sizes: list[int] = []

    def script(wire: Wire) -> None:
        sizes.append(len(wire.request()[1]))
        wire.answer()

    with network(script) as dial:
        connection = Connection(HERE, dial)
        connection.post([], b"x" * 3_000_000, 5)
        connection.close()
    assert sizes == [3_000_000]
