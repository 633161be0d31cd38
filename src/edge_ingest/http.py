"""HTTP/1.1 to one address over one kept-alive connection, as far as Kinesis needs it (RFC 9112).

http.client costs 25 ms of a cold start and three times the CPU of a call; boto3 costs 350 ms.
"""

import select
import socket
import time
from typing import Final, NamedTuple, Protocol

CONNECT_SECONDS: Final = 1.0
# A response to PutRecords is some 100 bytes a record; nothing legitimate comes near this.
MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 64 * 1024


class Endpoint(NamedTuple):
    """Where a service listens."""

    tls: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The Host header: without the port where it is the scheme's own (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


class Response(NamedTuple):
    """A whole response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class TransportError(Exception):
    """The request may or may not have been read: no response came back whole."""


class _StaleError(TransportError):
    """A kept-alive connection had been closed before anything came back."""


class Dial(Protocol):
    """Connects to an endpoint."""

    def __call__(self, endpoint: Endpoint, seconds: float) -> socket.socket:
        """Return a connected socket, or raise OSError."""


class Connection:
    """One connection, made when it is needed, and again where it was found closed."""

    def __init__(self, endpoint: Endpoint, dial: Dial) -> None:
        self.endpoint = endpoint
        self._dial = dial
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Close the connection; the next request makes another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def post(self, headers: list[tuple[str, str]], body: bytes, seconds: float) -> Response:
        """Send a POST to `/` and return its response, all within `seconds`.

        Raises:
            TransportError: no whole response within the time.
        """
        deadline = time.monotonic() + seconds
        head = ["POST / HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        head.append(f"content-length: {len(body)}\r\n\r\n")
        # One write: a small body behind its head would wait for the peer's delayed ACK.
        message = "\r\n".join(head).encode("latin-1") + body
        try:
            return self._exchange(message, deadline)
        except _StaleError:
            # RFC 9112 §9.3.1: a client may retry on a new connection what it sent on one that
            # the server was closing. A record that was stored twice is deduplicated.
            return self._exchange(message, deadline)

    def _exchange(self, message: bytes, deadline: float) -> Response:
        kept = self._kept()
        sock = kept or self._connect(deadline)
        reader = _Reader(sock, deadline)
        try:
            sock.settimeout(_left(deadline))
            sock.sendall(message)
            response = reader.response()
        except (OSError, ValueError, TransportError) as error:
            self.close()
            if kept is not None and not reader.started and not isinstance(error, TimeoutError):
                raise _StaleError("the kept-alive connection was closed") from error
            raise TransportError(f"no whole response: {type(error).__name__}") from error
        if response.headers.get("connection", "").lower() == "close" or reader.rest:
            self.close()
        return response

    def _kept(self) -> socket.socket | None:
        """Return the kept connection, if nothing was heard on it since: that would be its end."""
        if self._socket is None:
            return None
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if poll.poll(0):
            self.close()
        return self._socket

    def _connect(self, deadline: float) -> socket.socket:
        try:
            self._socket = self._dial(self.endpoint, min(CONNECT_SECONDS, _left(deadline)))
        except OSError as error:
            raise TransportError(f"no connection: {type(error).__name__}") from error
        return self._socket


class _Reader:
    """Reads one response; what follows it is left in `rest`."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline
        self.rest = b""
        self.started = False

    def response(self) -> Response:
        status, headers = self._head()
        while 100 <= status < 200:  # RFC 9110 §15.2: interim responses come before the final one
            status, headers = self._head()
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunked()
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            raise TransportError("a response without a length")
        return Response(status, headers, body)

    def _head(self) -> tuple[int, dict[str, str]]:
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        status = int(rest[:3]) if version.startswith("HTTP/1.") else 0
        if not 100 <= status <= 599:
            raise TransportError("not an HTTP/1.1 response")
        fields = (line.partition(":") for line in lines[1:])
        return status, {name.strip().lower(): value.strip() for name, _, value in fields}

    def _chunked(self) -> bytes:
        chunks: list[bytes] = []
        while size := int(self._until(b"\r\n").partition(b";")[0], 16):
            chunks.append(self._exactly(size))
            self._exactly(2)
        while self._until(b"\r\n"):  # trailer fields
            pass
        return b"".join(chunks)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.rest:
            self._more()
        found, _, self.rest = self.rest.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        if not 0 <= size <= MAX_RESPONSE_BYTES:
            raise TransportError("a response past its bound")
        while len(self.rest) < size:
            self._more()
        found, self.rest = self.rest[:size], self.rest[size:]
        return found

    def _more(self) -> None:
        if len(self.rest) > MAX_RESPONSE_BYTES:
            raise TransportError("a response past its bound")
        self._socket.settimeout(_left(self._deadline))
        data = self._socket.recv(_CHUNK)
        if not data:
            raise TransportError("the connection was closed in the middle of a response")
        self.started = True
        self.rest += data


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no time left")
    return left
