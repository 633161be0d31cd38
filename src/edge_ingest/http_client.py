"""A minimal HTTP/1.1 client (RFC 9112) for Kinesis and snapshots, with a keep-alive connection.

The function has its own client because http.client and boto3 are slow to import (`python -X
importtime -c "import http.client"`), and use more CPU time for a call. The other clients have other
budgets: `edge_auth.http_client` and `tools.replay.http_client` use http.client, the emulator's
client streams with asyncio.
"""

import select
import socket
import time
from typing import Final, Protocol

import msgspec

CONNECT_TIMEOUT_S: Final = 1.0
# A PutRecords response has about 100 bytes per record, so valid responses are far smaller.
MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
_READ_BYTES: Final = 64 * 1024


class Endpoint(msgspec.Struct, frozen=True):
    """The scheme, host and port of a service."""

    tls: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The Host header's value: without the scheme's default port (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def endpoint_of_url(url: str) -> Endpoint:
    """Return the endpoint in a URL's scheme and authority (RFC 3986 §3)."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0]
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port:
        host, port = authority, ""
    tls = scheme == "https"
    return Endpoint(tls=tls, host=host.strip("[]"), port=int(port or (443 if tls else 80)))


class Response(msgspec.Struct, frozen=True):
    """A complete response. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class TransportError(Exception):
    """No complete response arrived. The server may have processed the request."""


class _StaleConnectionError(TransportError):
    """The server had closed the keep-alive connection before it sent a response."""


class Connect(Protocol):
    """Open a connection to an endpoint; `tls.Connector` implements it."""

    def __call__(self, endpoint: Endpoint, timeout: float) -> socket.socket:
        """Return a connected socket.

        Raises:
            OSError: The connection can't be opened within `timeout` seconds.
        """


class Connection:
    """A keep-alive connection, opened on demand and reopened after the server closes it."""

    def __init__(self, endpoint: Endpoint, connect: Connect) -> None:
        self.endpoint = endpoint
        self._connect = connect
        self._socket: socket.socket | None = None
        self._poll = select.poll()

    def close(self) -> None:
        """Close the connection. The next request opens a new one."""
        if self._socket is not None:
            self._poll.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def post(self, headers: list[tuple[str, str]], body: bytes, timeout: float) -> Response:
        """Send a POST to `/` and return its response within `timeout` seconds.

        Raises:
            TransportError: No complete response arrived in time.
        """
        head = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        head.append(f"content-length: {len(body)}\r\n\r\n")
        # One write: sent separately, a small body would wait for the server's delayed ACK.
        return self._send("\r\n".join(head).encode("latin-1") + body, timeout)

    def get(self, path: str, timeout: float) -> Response:
        """Send a GET for a path and return its response within `timeout` seconds.

        Raises:
            TransportError: No complete response arrived in time.
        """
        # AWS WAF's core rule set blocks requests without a user agent (NoUserAgent_HEADER).
        head = (
            f"GET {path} HTTP/1.1\r\nhost: {self.endpoint.authority}\r\n"
            "user-agent: meridian\r\n\r\n"
        )
        return self._send(head.encode("latin-1"), timeout)

    def _send(self, message: bytes, timeout: float) -> Response:
        deadline = time.monotonic() + timeout
        try:
            return self._exchange(message, deadline)
        except _StaleConnectionError:
            # RFC 9112 §9.3.1: a client may retry on a new connection if the server closed the old
            # one. If Kinesis stored the records twice, the stream processor removes the duplicates.
            return self._exchange(message, deadline)

    def _exchange(self, message: bytes, deadline: float) -> Response:
        reused = self._open_socket()
        sock = reused or self._open(deadline)
        reader = _Reader(sock, deadline)
        try:
            sock.settimeout(_seconds_left(deadline))
            sock.sendall(message)
            response = reader.response()
        except (OSError, ValueError, TransportError) as error:
            self.close()
            if reused is not None and not reader.started and not isinstance(error, TimeoutError):
                raise _StaleConnectionError("the server closed the connection") from error
            raise TransportError(f"incomplete response: {type(error).__name__}") from error
        if response.headers.get("connection", "").lower() == "close" or reader.rest:
            self.close()
        return response

    def _open_socket(self) -> socket.socket | None:
        """Return the open socket, or None. An idle socket that is readable is at its end."""
        if self._socket is None:
            return None
        if self._poll.poll(0):
            self.close()
        return self._socket

    def _open(self, deadline: float) -> socket.socket:
        try:
            timeout = min(CONNECT_TIMEOUT_S, _seconds_left(deadline))
            self._socket = self._connect(self.endpoint, timeout)
            self._poll.register(self._socket, select.POLLIN)
        except OSError as error:
            raise TransportError(f"connection failed: {type(error).__name__}") from error
        return self._socket


class _Reader:
    """Read one response. `rest` contains any bytes after it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline
        self.rest = b""
        self.started = False

    def response(self) -> Response:
        """Return the final response.

        Raises:
            OSError: The connection failed, or the deadline has passed.
            TransportError: The response is incomplete, too large or not HTTP/1.
            ValueError: A length or the status isn't a number.
        """
        status, headers = self._head()
        while 100 <= status < 200:  # RFC 9110 §15.2: interim responses precede the final one
            status, headers = self._head()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunked()
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            raise TransportError("the response has neither a length nor chunks")
        return Response(status, headers, body)

    def _head(self) -> tuple[int, dict[str, str]]:
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        start = lines[0]
        status = int(start[9:12]) if start.startswith("HTTP/1.") else 0
        if not 100 <= status <= 599:
            raise TransportError("the server didn't send an HTTP/1 response")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return status, headers

    def _chunked(self) -> bytes:
        chunks: list[bytes] = []
        while size := int(self._until(b"\r\n").partition(b";")[0], 16):
            chunks.append(self._exactly(size))
            self._exactly(2)
        while self._until(b"\r\n"):  # trailer fields
            pass
        return b"".join(chunks)

    def _until(self, delimiter: bytes) -> bytes:
        while delimiter not in self.rest:
            self._receive()
        before, _, self.rest = self.rest.partition(delimiter)
        return before

    def _exactly(self, size: int) -> bytes:
        if not 0 <= size <= MAX_RESPONSE_BYTES:
            raise TransportError("the response is too large")
        while len(self.rest) < size:
            self._receive()
        content, self.rest = self.rest[:size], self.rest[size:]
        return content

    def _receive(self) -> None:
        if len(self.rest) > MAX_RESPONSE_BYTES:
            raise TransportError("the response is too large")
        self._socket.settimeout(_seconds_left(self._deadline))
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise TransportError("the server closed the connection during the response")
        self.started = True
        self.rest += data


def _seconds_left(deadline: float) -> float:
    remaining_s = deadline - time.monotonic()
    if remaining_s <= 0:
        raise TimeoutError("the deadline has passed")
    return remaining_s
