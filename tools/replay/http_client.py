"""HTTP/1.1 client with keep-alive for the replay's requests to CloudFront.

It uses http.client, because each thread of the replay sends one request at a time. The emulator's
client streams bodies with asyncio.
"""

import http.client
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from aws_emulator.errors import CommandError

#: CloudFront waits 30 s for an origin by default; this is longer.
TIMEOUT_S: Final = 45.0
#: Of requests without one: AWS WAF's core rule set refuses those (NoUserAgent_HEADER).
USER_AGENT: Final = "meridian"


class Response(NamedTuple):
    """An HTTP response.

    `retry_after` is in seconds, None without the header; `challenge` is `WWW-Authenticate`.
    """

    status: int
    retry_after: float | None
    body: bytes
    challenge: str = ""


class ConnectionLostError(Exception):
    """Raised when no response arrived; the message says whether refused, lost or timed out."""


class Client(Protocol):
    """An HTTP client that sends one request at a time."""

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Send the request.

        Raises:
            ConnectionLostError: No response arrived.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class HttpClient:
    """One keep-alive connection, opened by the first request.

    Raises:
        CommandError: `url` isn't a valid URL.
    """

    def __init__(self, url: str, *, timeout: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandError(f"{url!r} isn't a valid URL. Use http://host:port.")
        make = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = make(parts.hostname, parts.port, timeout=timeout)
        self._used = False

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Send the request.

        Raises:
            ConnectionLostError: No response arrived.
        """
        try:
            return self._once(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            reused, self._used = self._used, False
            self._connection.close()
            # RFC 9112 §9.3.1: a server may close an idle connection at any time. That isn't a
            # failure, so the client opens a reused connection once more.
            if not reused or isinstance(error, TimeoutError):
                raise ConnectionLostError(_why(error)) from error
        try:
            return self._once(method, path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ConnectionLostError(_why(error)) from error

    def _once(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        sent = {"User-Agent": USER_AGENT, **headers}
        self._connection.request(method, path, body=body, headers=sent)
        response = self._connection.getresponse()
        content = response.read()
        self._used = not response.will_close
        return Response(
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
        return "no response in time"
    return "connection lost"


def _seconds(value: str | None) -> float | None:
    """Parse `Retry-After`, seconds or a date (RFC 9110 §10.2.3). Returns None if invalid."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
