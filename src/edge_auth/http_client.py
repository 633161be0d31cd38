"""HTTPS client for Cognito's endpoints: bounded time and size, no redirects, no proxies.

Plain HTTP is allowed to the loopback host only, for the local emulator.

The client is separate from edge_ingest's on purpose. edge_ingest sends every request to Kinesis, so
it reuses connections over sockets and avoids http.client, which is slow to import.
edge_auth sends a request only at sign-in, refresh, sign-out and for an unknown signing key, and
imports this module only then. A shared module would add edge_ingest's code to every cold start and
to a package that is limited to 64 KB (docs/decisions/0005).
"""

import json
import math
import socket
import ssl
from collections.abc import Buffer
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Thread
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from edge_auth.errors import FetchError, GrantError

# For one exchange: name, connection, TLS, headers and body. CloudFront stops a viewer-request
# function after five seconds; a callback may need two exchanges.
TIMEOUT_S: Final = 2.0
MAX_RESPONSE_BYTES: Final = 65_536
_READ_BYTES: Final = 16_384
_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class _BoundedSocket(socket.socket):
    """A socket whose reads and writes end at `deadline`, in monotonic seconds.

    A socket's own timeout starts anew with each read, so that a server that sends one byte at a
    time could keep a response open.
    """

    deadline = 0.0

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.settimeout(_remaining(self.deadline))
        return super().recv_into(*args, **options)

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        self.settimeout(_remaining(self.deadline))
        super().sendall(data, flags)


class _BoundedTlsSocket(ssl.SSLSocket):
    """As _BoundedSocket. The handshake has the timeout that the connected socket has."""

    deadline = 0.0

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.settimeout(_remaining(self.deadline))
        return super().recv_into(*args, **options)

    def send(self, data: Buffer, flags: int = 0) -> int:
        # sendall calls send for each part.
        self.settimeout(_remaining(self.deadline))
        return super().send(data, flags)


def _remaining(deadline: float) -> float:
    """Return the seconds until the deadline.

    Raises:
        TimeoutError: The deadline has passed.
    """
    remaining = deadline - monotonic()
    if remaining <= 0:
        raise TimeoutError
    return remaining


@cache
def _tls_context() -> ssl.SSLContext:
    """Return this process's TLS context: loading the certificates takes 25 ms of CPU time."""
    context = ssl.create_default_context()
    context.sslsocket_class = _BoundedTlsSocket
    return context


def _resolve(host: str, port: int, deadline: float) -> list[tuple[Any, ...]]:
    """Return the addresses of a host, as getaddrinfo does, which itself has no timeout.

    Raises:
        OSError: The name can't be resolved.
        TimeoutError: The name isn't resolved before the deadline.
    """
    results: list[list[tuple[Any, ...]] | OSError] = []

    def look_up() -> None:
        try:
            results.append(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as error:
            results.append(error)

    thread = Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_remaining(deadline))
    if not results:
        raise TimeoutError
    if isinstance(results[0], OSError):
        raise results[0]
    return results[0]


def _connect_socket(host: str, port: int, deadline: float) -> _BoundedSocket:
    """Connect to the first address that answers. Each gets an equal share of the remaining time.

    Raises:
        OSError: No address answers before the deadline.
    """
    addresses = _resolve(host, port, deadline)
    failure: OSError = TimeoutError()
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        connection = _BoundedSocket(family, kind, protocol)
        connection.deadline = deadline
        try:
            connection.settimeout(_remaining(deadline) / (len(addresses) - index))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            connection.settimeout(_remaining(deadline))
            return connection
    raise failure


def get(url: str, until: float = math.inf) -> bytes:
    """Return the body of a 200 response. The exchange ends at `until`, in monotonic seconds.

    Raises:
        FetchError: The status isn't 200 (a redirect isn't followed), or the request failed.
    """
    status, body = _request("GET", url, None, until)
    if status != 200:
        raise FetchError(code="fetch_status")
    return body


def post_form(url: str, form: dict[str, str], until: float = math.inf) -> dict[str, object]:
    """Return the JSON object of a 200 response; empty for an empty body. `until` as in `get`.

    Raises:
        GrantError: The endpoint rejects the form (RFC 6749, section 5.2).
        FetchError: The response has another status or isn't a JSON object, or the request failed.
    """
    status, body = _request("POST", url, urlencode(form).encode(), until)
    if status in (400, 401):
        raise GrantError
    if status != 200:
        raise FetchError(code="fetch_status")
    try:
        document = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise FetchError(code="fetch_malformed") from error
    if not isinstance(document, dict):
        raise FetchError(code="fetch_malformed")
    return document


def _connect(scheme: str, host: str | None, port: int | None, deadline: float) -> HTTPConnection:
    """Return a connected HTTP connection, whose socket is bounded.

    Raises:
        FetchError: The URL isn't secure.
        OSError: The host can't be reached before the deadline.
    """
    if scheme == "https" and host:
        tls = _tls_context()
        connection: HTTPConnection = HTTPSConnection(host, port, context=tls)
        plain = _connect_socket(host, connection.port, deadline)
        try:
            secured = tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        assert isinstance(secured, _BoundedTlsSocket)  # the context's class
        secured.deadline = deadline
        connection.sock = secured
        return connection
    if scheme == "http" and host in _LOOPBACK_HOSTS:
        connection = HTTPConnection(host, port)
        connection.sock = _connect_socket(host, connection.port, deadline)
        return connection
    raise FetchError(code="fetch_insecure")


def _request(method: str, url: str, form: bytes | None, until: float) -> tuple[int, bytes]:
    deadline = min(monotonic() + TIMEOUT_S, until)
    parts = urlsplit(url)
    # AWS WAF's core rule set blocks requests without a user agent (NoUserAgent_HEADER).
    headers = {"Accept": "application/json", "Connection": "close", "User-Agent": "meridian"}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection: HTTPConnection | None = None
    try:
        connection = _connect(parts.scheme, parts.hostname, parts.port, deadline)
        connection.request(method, parts.path or "/", form, headers)
        body = bytearray()
        # The response owns the socket, because of "Connection: close".
        with connection.getresponse() as response:
            while chunk := response.read1(_READ_BYTES):
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    raise FetchError(code="fetch_too_large")
    except TimeoutError as error:
        raise FetchError(code="fetch_timeout") from error
    except (OSError, HTTPException) as error:
        raise FetchError from error
    finally:
        if connection is not None:
            connection.close()
    return response.status, bytes(body)
