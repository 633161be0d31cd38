"""Tests of the HTTP client against a scripted server."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from aws_emulator.cloudfront.headers import joined
from aws_emulator.cloudfront.transport.http_client import ConnectError, ConnectionPool, HttpResponse
from aws_emulator.processes import free_port

# The tests open sockets on the loopback only.
pytestmark = pytest.mark.integration

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Responds to each request with the next script item: bytes, or None to close."""

    def __init__(self, *script: bytes | None, close: bool = False) -> None:
        self.script = list(script)
        self.close = close
        self.heads: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.script:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                response = self.script.pop(0)
                if response is None:
                    break
                writer.write(response)
                await writer.drain()
                if self.close:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


def exchange[T](
    server: Server, use: Callable[[ConnectionPool, tuple[str, int]], Awaitable[T]]
) -> T:
    async def run() -> T:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        pool = ConnectionPool()
        try:
            return await use(pool, listening.sockets[0].getsockname())
        finally:
            pool.close()
            listening.close()

    return asyncio.run(run())


async def get(pool: ConnectionPool, address: tuple[str, int], method: str = "GET") -> HttpResponse:
    return await pool.send(address, method, "/", [("Host", "x")], timeout_s=2)


async def get_all(
    pool: ConnectionPool, address: tuple[str, int], method: str = "GET"
) -> tuple[int, bytes]:
    answer = await get(pool, address, method)
    return answer.status, await answer.read(2)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (OK, (200, b"ok")),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            (200, b"abc"),
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"")),
    ],
)
def test_client_reads_response_in_every_framing(
    response: bytes, expected: tuple[int, bytes] | None
) -> None:
    server = Server(response)
    if expected is None:
        # The server sends an interim response only.
        with pytest.raises(ConnectionError):
            exchange(server, get_all)
    else:
        assert exchange(server, get_all) == expected


def test_response_without_length_ends_with_connection() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", close=True)
    assert exchange(server, get_all) == (200, b"until the end")


def test_client_reuses_connection() -> None:
    server = Server(OK, OK, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", OK)

    async def use(pool: ConnectionPool, address: tuple[str, int]) -> list[tuple[int, bytes]]:
        methods = ["GET", "GET", "HEAD", "GET"]
        return [await get_all(pool, address, method) for method in methods]

    assert exchange(server, use) == [(200, b"ok"), (200, b"ok"), (200, b""), (200, b"ok")]
    assert server.connections == 1


def test_client_opens_new_connection_after_close() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", OK)

    async def use(pool: ConnectionPool, address: tuple[str, int]) -> tuple[int, bytes]:
        await get_all(pool, address)
        return await get_all(pool, address)

    assert exchange(server, use) == (200, b"ok")
    assert server.connections == 2


@pytest.mark.parametrize(
    "response",
    [
        None,
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_client_raises_for_invalid_or_incomplete_response(response: bytes | None) -> None:
    with pytest.raises(ConnectionError):
        exchange(Server(response, close=True), get_all)


def test_client_times_out_without_response() -> None:
    async def use(pool: ConnectionPool, address: tuple[str, int]) -> None:
        await pool.send(address, "GET", "/", [("Host", "x")], timeout_s=0.1)

    with pytest.raises(TimeoutError):
        exchange(Server(b"", OK), use)


def test_client_raises_connect_error_for_closed_port() -> None:
    async def use(pool: ConnectionPool, _: tuple[str, int]) -> None:
        await get(pool, ("127.0.0.1", free_port()))

    with pytest.raises(ConnectError):
        exchange(Server(), use)


def test_client_sends_utf_8_and_decodes_latin_1() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nX-A: \xe9\r\nX-B: \xc3\xa9\r\nContent-Length: 0\r\n\r\n")

    async def use(pool: ConnectionPool, address: tuple[str, int]) -> HttpResponse:
        return await pool.send(address, "GET", "/", [("Host", "é")], timeout_s=2)

    answer = exchange(server, use)
    assert (joined(answer.headers, "x-a"), joined(answer.headers, "x-b")) == ("é", "é")
    assert "Host: é".encode() in server.heads[0]
