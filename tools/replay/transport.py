"""The replay's one way out: HTTP/1.1 with keep-alive to the local edge."""

import http.client
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from aws_emulator.errors import CommandError

#: Seconds that one answer may take: CloudFront's own wait for an origin (30 s) and some more.
TIMEOUT_S = 45.0


class Answer(NamedTuple):
    """What came back.

    `retry_after` is in seconds, None where the answer names none; `challenge` is the text of
    `WWW-Authenticate`.
    """

    status: int
    retry_after: float | None
    body: bytes
    challenge: str = ""


class ConnectionLostError(Exception):
    """Raised when no answer came: refused, reset or timed out. Its text says which."""


class Client(Protocol):
    """Sends one request at a time."""

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send the request; raise ConnectionLostError if no answer comes."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class HttpClient:
    """One keep-alive connection, opened when it is needed."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandError(f"{url!r} is no address of an edge: it must start with http://")
        make = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = make(parts.hostname, parts.port, timeout=timeout)
        self._used = False

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send the request; raise ConnectionLostError if no answer comes."""
        try:
            return self._once(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            reused, self._used = self._used, False
            self._connection.close()
            # A server may close an idle connection at any moment (RFC 9112 §9.3.1): that is no
            # loss of the edge, so a connection that was used before is opened once more.
            if not reused or isinstance(error, TimeoutError):
                raise ConnectionLostError(_why(error)) from error
        try:
            return self._once(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ConnectionLostError(_why(error)) from error

    def _once(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        self._connection.request(method, path, body=body, headers=dict(headers))
        response = self._connection.getresponse()
        content = response.read()
        self._used = not response.will_close
        return Answer(
            response.status,
            _seconds(response.getheader("Retry-After")),
            content,
            response.getheader("WWW-Authenticate") or "",
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _why(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "connection lost"


def _seconds(value: str | None) -> float | None:
    """Read `Retry-After`: seconds or a date (RFC 9110 §10.2.3). None where it is neither."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
