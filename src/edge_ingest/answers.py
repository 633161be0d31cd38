"""Answers as CloudFront takes them from a function, with the CORS headers that SDKs need."""

import json
import re
from typing import Any, Final

from edge_ingest.errors import STATUS, IngestError
from edge_ingest.viewer import Request

type Result = dict[str, Any]
type Headers = dict[str, str]

# A transparent GIF of one pixel, 43 bytes, in base64.
PIXEL: Final = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
# RFC 9110 §15, RFC 6585 §4; http.HTTPStatus would cost a cold start 2 ms.
_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
}
PREFLIGHT_SECONDS: Final = 7200  # browsers keep a preflight for two hours at most
CONFIG_SECONDS: Final = 300

_NO_STORE: Final = "no-store"
# What may be mirrored into a header: one origin (RFC 6454 §6.2), and a list of header names.
_ORIGIN: Final = r"[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._~\[\]:-]{1,255}|null"
_NAMES: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~, \t-]{1,2048}"


def json_answer(status: int, document: object, headers: Headers, cache: str = _NO_STORE) -> Result:
    """Return a JSON body, compact."""
    text = json.dumps(document, separators=(",", ":"))
    return _result(status, headers, "application/json", cache, text, "text")


def pixel_answer(status: int, headers: Headers) -> Result:
    """Return the GIF, whatever the status: a page shows no broken image for a lost event."""
    return _result(status, headers, "image/gif", _NO_STORE, PIXEL, "base64")


def config_answer(document: object) -> Result:
    """Return a document that SDKs fetch before they start.

    CloudFront and browsers may keep it for every origin, so it names none.
    """
    headers = {"access-control-allow-origin": "*"}
    return json_answer(200, document, headers, f"public, max-age={CONFIG_SECONDS}")


def error_document(error: IngestError) -> dict[str, object]:
    """Return what an SDK reads of an error: one retries a 400 for ever without `code`."""
    return {"success": False, "code": error.code, "message": str(error)}


def error_headers(error: IngestError) -> Headers:
    """Return the error's own headers."""
    if error.retry_after is None:
        return {}
    return {"retry-after": str(error.retry_after)}


def status_of(error: IngestError) -> int:
    """Look an error's status up in the one table."""
    return STATUS[type(error)]


def misconfigured(error: IngestError) -> Result:
    """Answer without settings: the sentence that names the key is for the log, not for visitors."""
    print(json.dumps({"status": status_of(error), "code": error.code, "message": str(error)}))
    document = {"success": False, "code": "unavailable", "message": "the collector is not set up"}
    headers = {"access-control-allow-origin": "*", **error_headers(error)}
    return json_answer(status_of(error), document, headers)


def preflight(request: Request) -> Result:
    """Answer a preflight with what it asks for (Fetch, "CORS-preflight request")."""
    names = request.header("access-control-request-headers") or ""
    headers = {
        **cors(request),
        "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }
    if re.fullmatch(_NAMES, names):
        headers["access-control-allow-headers"] = names
    headers["vary"] = "Origin, Access-Control-Request-Headers"
    return _result(200, headers, None, _NO_STORE, "", "text")


def cors(request: Request) -> Headers:
    """Let the page that asks read the answer, its Retry-After too, and send credentials."""
    headers = {"vary": "Origin"}
    origin = request.header("origin")
    if origin and re.fullmatch(_ORIGIN, origin):
        headers["access-control-allow-origin"] = origin
        headers["access-control-allow-credentials"] = "true"
        # Without this a browser hides Retry-After, and its SDK waits by its own rule.
        headers["access-control-expose-headers"] = "Retry-After"
    return headers


def _result(
    status: int, headers: Headers, content_type: str | None, cache: str, body: str, encoding: str
) -> Result:
    """Build the result (Lambda@Edge, "Generating HTTP responses in request triggers")."""
    named = {**headers, "cache-control": cache, "x-content-type-options": "nosniff"}
    if content_type:
        named["content-type"] = content_type
    return {
        "status": str(status),
        "statusDescription": _PHRASES[status],
        "headers": {name: [{"key": name, "value": value}] for name, value in named.items()},
        "body": body,
        "bodyEncoding": encoding,
    }
