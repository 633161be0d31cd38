"""Generated CloudFront responses: JSON, the pixel's GIF, CORS headers and errors.

`collector` returns these to CloudFront. Format: Lambda@Edge, "Generating HTTP responses in request
triggers".
"""

import json
import re
from typing import Any, Final

import msgspec

from edge_ingest.cloudfront_event import Request
from edge_ingest.errors import STATUS, IngestError, NotFoundError
from edge_ingest.pipeline import Ingested

type Response = dict[str, Any]
type Headers = dict[str, str]

# A transparent GIF of one pixel, 43 bytes, in base64.
PIXEL_GIF: Final = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
# RFC 9110 §15, RFC 6585 §4. http.HTTPStatus is slow to import.
_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
}
PREFLIGHT_MAX_AGE_S: Final = 7200  # Chromium's upper limit
SDK_SETTINGS_MAX_AGE_S: Final = 300

_NO_STORE: Final = "no-store"
# Lambda@Edge quotas: a generated response has at most 1 MB, as JSON, with its headers. Above this
# size, messages are left out: the viewer would get 502 for stored events, and send them again.
_MAX_LISTED_BYTES: Final = 900_000
# Request values that a response may repeat: an origin (RFC 6454 §6.2; Android's web views send
# `file://`), a list of header names.
_ORIGIN: Final = r"[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._~\[\]:-]{0,255}|null"
_HEADER_NAMES: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~, \t-]{1,2048}"


def ingest_response(ingested: Ingested, request: Request, kind: str) -> Response:
    """Return the 200 response that lists rejected and repaired events; a pixel gets the GIF."""
    headers = _cors_headers(request)
    if ingested.set_cookie:
        headers["set-cookie"] = ingested.set_cookie
    if kind == "pixel":
        return _pixel_response(200, headers)
    document: dict[str, object] = {
        "success": True,
        "accepted": ingested.accepted,
        "rejected": [
            {"index": rejected.i, "code": rejected.code, "message": rejected.message}
            for rejected in ingested.rejected
        ],
    }
    if ingested.repaired:
        document["repaired"] = [{"index": i, "code": code} for i, code in ingested.repaired]
    # Faster than json, and the document has no text of the client, which could contain surrogates.
    text = msgspec.json.encode(document).decode()
    # JSON escapes each character by at most six.
    if 6 * len(text) > _MAX_LISTED_BYTES and len(json.dumps(text)) > _MAX_LISTED_BYTES:
        codes = [{"index": rejected.i, "code": rejected.code} for rejected in ingested.rejected]
        text = msgspec.json.encode(document | {"rejected": codes}).decode()
    return _response(200, headers, "application/json", _NO_STORE, text, "text")


def error_response(error: IngestError, request: Request, kind: str) -> Response:
    """Return the response for a request that failed as a whole.

    The document has a `code`, because one SDK retries a 400 without it indefinitely.
    """
    headers = {**_error_cors_headers(error, request, kind), **_retry_headers(error)}
    if isinstance(error, NotFoundError):
        # Any page may read it. The default cache behavior doesn't forward the viewer's `Origin`.
        headers.setdefault("access-control-allow-origin", "*")
    status = status_of(error)
    if kind == "pixel":
        return _pixel_response(status, headers)
    document = {"success": False, "code": error.code, "message": str(error)}
    return _json_response(status, document, headers)


def status_of(error: IngestError) -> int:
    """Return the error's HTTP status."""
    return STATUS[type(error)]


def misconfigured(error: IngestError) -> Response:
    """Log a settings error and return a 503 response without its details.

    The message contains the path of the setting, so it goes into the log only. No page may read the
    response, so that every SDK sends the events again (see `_error_cors_headers`).
    """
    print(json.dumps({"status": status_of(error), "code": error.code, "message": str(error)}))
    document = {
        "success": False,
        "code": "unavailable",
        "message": "the collector's settings are invalid",
    }
    return _json_response(status_of(error), document, _retry_headers(error))


def preflight(request: Request) -> Response:
    """Return the response to a CORS preflight request; it allows the requested headers."""
    names = request.header("access-control-request-headers") or ""
    headers = {
        **_cors_headers(request),
        "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
        "access-control-max-age": str(PREFLIGHT_MAX_AGE_S),
    }
    if re.fullmatch(_HEADER_NAMES, names):
        headers["access-control-allow-headers"] = names
    headers["vary"] = "Origin, Access-Control-Request-Headers"
    return _response(200, headers, None, _NO_STORE, "", "text")


def sdk_settings_response(document: object) -> Response:
    """Return a settings document for an SDK.

    CloudFront and browsers cache it for all origins, so it allows any origin.
    """
    headers = {"access-control-allow-origin": "*"}
    cache = f"public, max-age={SDK_SETTINGS_MAX_AGE_S}"
    return _json_response(200, document, headers, cache)


def _json_response(
    status: int, document: object, headers: Headers, cache: str = _NO_STORE
) -> Response:
    text = json.dumps(document, separators=(",", ":"))
    return _response(status, headers, "application/json", cache, text, "text")


def _pixel_response(status: int, headers: Headers) -> Response:
    """Return the GIF with any status: an error must not show as a broken image."""
    return _response(status, headers, "image/gif", _NO_STORE, PIXEL_GIF, "base64")


def _cors_headers(request: Request) -> Headers:
    """Return the headers that let the calling page read the response and send credentials."""
    headers = {"vary": "Origin"}
    origin = request.header("origin")
    if origin and re.fullmatch(_ORIGIN, origin):
        headers["access-control-allow-origin"] = origin
        headers["access-control-allow-credentials"] = "true"
        # Otherwise browsers hide Retry-After from the SDK, which then uses its default delay.
        headers["access-control-expose-headers"] = "Retry-After"
    return headers


def _error_cors_headers(error: IngestError, request: Request, kind: str) -> Headers:
    """Return the headers that let the page read an error, unless its SDK would drop the event.

    Hightouch's browser SDK, and Segment's before it sent `Authorization`, ignore the status of a
    response and repeat an event only if the request failed. A page of another origin can't read a
    response without these headers, and `fetch` then fails (Fetch Standard, "CORS check").
    """
    if error.retry_after and kind == "event" and request.header("authorization") is None:
        return {"vary": "Origin"}
    return _cors_headers(request)


def _retry_headers(error: IngestError) -> Headers:
    if error.retry_after is None:
        return {}
    return {"retry-after": str(error.retry_after)}


def _response(
    status: int, headers: Headers, content_type: str | None, cache: str, body: str, encoding: str
) -> Response:
    all_headers = {**headers, "cache-control": cache, "x-content-type-options": "nosniff"}
    if content_type:
        all_headers["content-type"] = content_type
    return {
        "status": str(status),
        "statusDescription": _PHRASES[status],
        "headers": {name: [{"key": name, "value": value}] for name, value in all_headers.items()},
        "body": body,
        "bodyEncoding": encoding,
    }
