"""A minimal HTTP/1.1 client: pooled connections to loopback addresses, streamed responses.

A general-purpose client takes more time per call than all other work of the emulator.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

import httptools

from aws_emulator.cloudfront.headers import HeaderMap, collect, decode

#: Maximum idle time of a reused connection. It is below the keep-alive timeout of the servers
#: (uvicorn: 5 s), so that a server never closes a connection as the client reuses it.
MAX_IDLE_S: Final = 2.0
_CHUNK_BYTES: Final = 64 * 1024


class ConnectError(ConnectionError):
    """Raised when the client can't connect, so it has sent nothing."""


@dataclass(slots=True)
class _Parsed:
    """Receive the parser's callbacks for one response."""

    head_only: bool
    parser: Any = None
    keep_alive: bool = False
    reason: bytes = b""
    pairs: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    headers_done: bool = False
    done: bool = False

    def on_status(self, status: bytes) -> None:
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((decode(name), decode(value)))

    def on_headers_complete(self) -> None:
        self.headers_done = True
        # The parser resets this value once the message is complete.
        self.keep_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)

    def on_message_complete(self) -> None:
        self.done = True


class _Connection:
    def __init__(
        self, key: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.key = key
        self.reader = reader
        self.writer = writer
        self.idle_since = 0.0

    def usable(self, now: float) -> bool:
        closing = self.writer.is_closing() or self.reader.at_eof()
        return not closing and now - self.idle_since < MAX_IDLE_S


class HttpResponse:
    """A response with `status`, `reason` and `headers`. Its body can be read once."""

    def __init__(
        self, pool: "ConnectionPool", connection: _Connection, parsed: _Parsed, parser: Any
    ) -> None:
        self._pool = pool
        self._connection: _Connection | None = connection
        self._parsed = parsed
        self._parser = parser
        self.status: int = parser.get_status_code()
        self.reason = parsed.reason.decode("latin-1")
        self.headers: HeaderMap = collect(parsed.pairs)
        if parsed.done or parsed.head_only:
            self._finish()

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(connection, reusable=self._parsed.keep_alive)

    def close(self) -> None:
        """Discard the rest of the body and close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(connection, reusable=False)

    async def chunks(self, timeout_s: float) -> AsyncGenerator[bytes]:
        """Stream the body.

        Raises:
            TimeoutError: A read took longer than `timeout_s` seconds.
            ConnectionError: The server stopped before the body was complete.
        """
        parsed = self._parsed
        try:
            while True:
                pending, parsed.chunks = parsed.chunks, []
                for chunk in pending:
                    yield chunk
                if self._connection is None:
                    return
                async with asyncio.timeout(timeout_s):
                    data = await self._connection.reader.read(_CHUNK_BYTES)
                if not data:
                    self._at_eof()
                else:
                    _feed(self._parser, data)
                if parsed.done:
                    self._finish()
        finally:
            self.close()

    def _at_eof(self) -> None:
        # RFC 9112 §6.3: without a length, the end of the connection ends the body.
        if {"content-length", "transfer-encoding"} & self.headers.keys():
            raise ConnectionError("the server closed the connection before the response ended")
        self._parsed.done = True

    async def read(self, timeout_s: float) -> bytes:
        """Return the complete body.

        Raises:
            TimeoutError: A read took longer than `timeout_s` seconds.
            ConnectionError: The server stopped before the body was complete.
        """
        return b"".join([chunk async for chunk in self.chunks(timeout_s)])


def _feed(parser: Any, data: bytes) -> None:
    try:
        parser.feed_data(data)
    except httptools.HttpParserError as error:
        raise ConnectionError(f"the server's response isn't valid HTTP ({error})") from None


class ConnectionPool:
    """A pool of connections that stay open between requests."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = {}

    async def send(
        self,
        address: tuple[str, int],
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes = b"",
        *,
        timeout_s: float,
        connect_s: float = 10.0,
    ) -> HttpResponse:
        """Send a request and return the response as soon as its headers arrive.

        Raises:
            ConnectError: The client can't connect within `connect_s` seconds; it has sent nothing.
            ConnectionError: The exchange failed.
            TimeoutError: The response didn't begin within `timeout_s` seconds.
        """
        connection = self._take(address) or await self._open(address, connect_s)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(connection, method, target, headers, body)
        except BaseException:
            self.give_back(connection, reusable=False)
            raise

    async def _exchange(
        self,
        connection: _Connection,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> HttpResponse:
        head = [f"{method} {target} HTTP/1.1\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in headers]
        head.append("\r\n")
        connection.writer.write("".join(head).encode() + body)
        await connection.writer.drain()
        while True:
            parsed = _Parsed(head_only=method == "HEAD")
            parser = parsed.parser = httptools.HttpResponseParser(parsed)
            while not parsed.headers_done:
                data = await connection.reader.read(_CHUNK_BYTES)
                if not data:
                    raise ConnectionError("the server closed the connection without a response")
                _feed(parser, data)
            # RFC 9110 §15.2: a 1xx response is interim; the final response follows.
            if parser.get_status_code() >= 200:
                return HttpResponse(self, connection, parsed, parser)

    async def _open(self, address: tuple[str, int], connect_s: float) -> _Connection:
        try:
            async with asyncio.timeout(connect_s):
                reader, writer = await asyncio.open_connection(*address, limit=1024 * 1024)
        except (OSError, TimeoutError) as error:
            raise ConnectError(f"can't connect to {address[0]}:{address[1]}") from error
        return _Connection(address, reader, writer)

    def _take(self, address: tuple[str, int]) -> _Connection | None:
        now = time.monotonic()
        idle = self._idle.get(address, [])
        while idle:
            connection = idle.pop()
            if connection.usable(now):
                return connection
            connection.writer.close()
        return None

    def give_back(self, connection: _Connection, *, reusable: bool) -> None:
        """Return a connection to the pool if it is reusable, else close it."""
        if reusable and not connection.writer.is_closing():
            connection.idle_since = time.monotonic()
            self._idle.setdefault(connection.key, []).append(connection)
        else:
            connection.writer.close()

    def close(self) -> None:
        """Close every idle connection."""
        for idle in self._idle.values():
            for connection in idle:
                connection.writer.close()
        self._idle.clear()
