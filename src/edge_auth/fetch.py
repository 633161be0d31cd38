"""HTTP to Cognito: https (plain http to this machine only), bounded, no redirects, no proxies."""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from urllib.parse import urlencode, urlsplit

from edge_auth.errors import FetchError, GrantError

# CloudFront gives a viewer function five seconds; a callback may need two exchanges.
TIMEOUT = 2.4  # seconds for one whole exchange
MAXIMUM_ANSWER = 65_536  # bytes
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def get(address: str) -> bytes:
    """The body of a 200 answer. Raises FetchError for anything else: a redirect is no 200."""
    status, body = _exchange("GET", address, None)
    if status != 200:
        raise FetchError(code="fetch_status")
    return body


def post_form(address: str, form: dict[str, str]) -> dict[str, object]:
    """The JSON object of a 200 answer, empty for an empty one.

    Raises GrantError when the endpoint refuses what was sent (RFC 6749, section 5.2), FetchError
    when it gives no answer to rely on.
    """
    status, body = _exchange("POST", address, urlencode(form).encode())
    if status in (400, 401):
        raise GrantError
    if status != 200:
        raise FetchError(code="fetch_status")
    try:
        answer = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        raise FetchError(code="fetch_malformed") from error
    if not isinstance(answer, dict):
        raise FetchError(code="fetch_malformed")
    return answer


def _connection(scheme: str, host: str | None, port: int | None) -> HTTPConnection:
    if scheme == "https" and host:
        return HTTPSConnection(host, port, timeout=TIMEOUT)
    if scheme == "http" and host in _LOOPBACK:
        return HTTPConnection(host, port, timeout=TIMEOUT)
    raise FetchError(code="fetch_insecure")


def _exchange(method: str, address: str, form: bytes | None) -> tuple[int, bytes]:
    parts = urlsplit(address)
    connection = _connection(parts.scheme, parts.hostname, parts.port)
    headers = {"Accept": "application/json", "Connection": "close"}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    until = monotonic() + TIMEOUT
    try:
        connection.request(method, parts.path or "/", form, headers)
        answer = connection.getresponse()
        body = bytearray()
        while chunk := answer.read1(16_384):
            body += chunk
            if len(body) > MAXIMUM_ANSWER:
                raise FetchError(code="fetch_too_large")
            if monotonic() >= until:
                raise FetchError(code="fetch_timeout")
    except (OSError, HTTPException) as error:
        raise FetchError from error
    finally:
        connection.close()
    return answer.status, bytes(body)
