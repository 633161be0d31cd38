"""HTTPS client for Cognito's endpoints: bounded time and size, no redirects, no proxies.

Plain HTTP is allowed to the loopback host only, for the local emulator.

The client is separate from edge_ingest's on purpose. edge_ingest sends every request to Kinesis, so
it reuses connections over sockets and avoids http.client, which is slow to import.
edge_auth sends a request only at sign-in, refresh, sign-out and for an unknown signing key, and
imports this module only then. A shared module would add edge_ingest's code to every cold start and
to a package that is limited to 64 KB (docs/decisions/0005).
"""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from typing import Final
from urllib.parse import urlencode, urlsplit

from edge_auth.errors import FetchError, GrantError

# CloudFront stops a viewer-request function after five seconds; a callback may need two requests.
TIMEOUT_S: Final = 2.4
MAX_RESPONSE_BYTES: Final = 65_536
_READ_BYTES: Final = 16_384
_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def get(url: str) -> bytes:
    """Return the body of a 200 response.

    Raises:
        FetchError: The status isn't 200 (a redirect isn't followed), or the request failed.
    """
    status, body = _request("GET", url, None)
    if status != 200:
        raise FetchError(code="fetch_status")
    return body


def post_form(url: str, form: dict[str, str]) -> dict[str, object]:
    """Return the JSON object of a 200 response; empty for an empty body.

    Raises:
        GrantError: The endpoint rejects the form (RFC 6749, section 5.2).
        FetchError: The response has another status or isn't a JSON object, or the request failed.
    """
    status, body = _request("POST", url, urlencode(form).encode())
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


def _connect(scheme: str, host: str | None, port: int | None) -> HTTPConnection:
    if scheme == "https" and host:
        return HTTPSConnection(host, port, timeout=TIMEOUT_S)
    if scheme == "http" and host in _LOOPBACK_HOSTS:
        return HTTPConnection(host, port, timeout=TIMEOUT_S)
    raise FetchError(code="fetch_insecure")


def _request(method: str, url: str, form: bytes | None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = _connect(parts.scheme, parts.hostname, parts.port)
    headers = {"Accept": "application/json", "Connection": "close"}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    deadline = monotonic() + TIMEOUT_S
    try:
        connection.request(method, parts.path or "/", form, headers)
        body = bytearray()
        # The response owns the socket, because of "Connection: close".
        with connection.getresponse() as response:
            while chunk := response.read1(_READ_BYTES):
                body += chunk
                if len(body) > MAX_RESPONSE_BYTES:
                    raise FetchError(code="fetch_too_large")
                if monotonic() >= deadline:
                    raise FetchError(code="fetch_timeout")
    except (OSError, HTTPException) as error:
        raise FetchError from error
    finally:
        connection.close()
    return response.status, bytes(body)
