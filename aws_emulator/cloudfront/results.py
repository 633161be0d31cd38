"""What a function may return, and what CloudFront refuses with 502 (LambdaValidationError).

Pure: any JSON value either becomes a legal change or raises ResultInvalidError, nothing else.
Where AWS's pages leave a case open the stricter reading is taken.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.errors import ResultInvalidError
from aws_emulator.cloudfront.events import BODY_LIMIT
from aws_emulator.cloudfront.model import Association, Origin, Request, Response
from aws_emulator.cloudfront.resultorigin import parse_origin
from aws_emulator.cloudfront.resultparts import (
    check_read_only,
    checked_text,
    decode_body,
    parse_headers,
)
from aws_emulator.cloudfront.resultresponse import parse_response

# Restrictions on the request body: "If the Lambda@Edge function returns the body as base64 encoded
# text: for viewer request events 53.2 KB, for origin request events 1.33 MB", else 502.
BASE64_BODY_LIMIT: dict[str, int] = {
    "viewer-request": int(53.2 * 1024),
    "origin-request": int(1.33 * 1024 * 1024),
}
# Restrictions on all edge functions, "URI": "The total size of the URI, including the query string,
# must be less than 8,192 characters."
URI_LIMIT = 8_192

# Query strings: "The query string can't include spaces, control characters, or the fragment
# identifier (#)."
_BAD_QUERY = re.compile(r"[\x00-\x20\x7f#]")
_BAD_URI = re.compile(r"[\x00-\x20\x7f#?]")


@dataclass(frozen=True, slots=True)
class Generated:
    """The function answers by itself."""

    response: Response


@dataclass(frozen=True, slots=True)
class Changed:
    """The request goes on, perhaps changed. `body` and `origin` are None where they are not."""

    uri: str
    query: str
    headers: h.HeaderMap
    body: bytes | None
    origin: Origin | None


def check_request_result(
    result: Any, sent: Mapping[str, Any], association: Association, origin: Origin | None = None
) -> Generated | Changed:
    """Check what a request function returned, against the request that its event showed.

    `sent` is `Records[0].cf.request` of the event, `origin` the origin of an origin-request event.
    Raises ResultInvalidError.
    """
    if not isinstance(result, dict):
        raise ResultInvalidError("The function returned no object.", code="NotAnObject")
    if "status" in result:
        return Generated(parse_response(result, {}, association))
    _check_unchanged(result, sent)
    uri, query = _target(result, sent)
    changed = parse_headers(result.get("headers"))
    check_read_only(changed, sent["headers"], association.event_type)
    if "set-cookie" in changed and "set-cookie" not in sent["headers"]:
        # A request has no cookies to set: the viewer would never see them. CloudFront would send
        # the header to the origin; here the mistake is refused.
        raise ResultInvalidError("The function put Set-Cookie on a request.", code="Disallowed")
    return Changed(
        uri=uri,
        query=query,
        headers=changed,
        body=_body(result, sent, association),
        origin=None if origin is None else parse_origin(result, sent["origin"], changed, origin),
    )


def check_response_result(
    result: Any, sent: Mapping[str, Any], association: Association
) -> tuple[Response, bool]:
    """Check what a response function returned, against `Records[0].cf.response` of its event.

    Gives the response and whether it brings a body of its own. Raises ResultInvalidError.
    """
    if not isinstance(result, dict):
        raise ResultInvalidError("The function returned no object.", code="NotAnObject")
    response = parse_response(result, sent["headers"], association)
    replaces = result.get("body") is not None
    if association.event_type == "viewer-response":
        # Restrictions on Lambda@Edge, "HTTP status codes": "Lambda@Edge functions for viewer
        # response events cannot modify the HTTP status code of the response".
        if str(response.status) != sent["status"]:
            raise ResultInvalidError("The function changed the status.", code="StatusReadOnly")
        if replaces:
            raise ResultInvalidError("The function set a body.", code="BodyNotAllowed")
    return response, replaces


def _check_unchanged(result: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    # Lambda@Edge event structure: "method (read-only)", "clientIp (read-only)".
    if result.get("method") != sent["method"]:
        raise ResultInvalidError("The function changed the method.", code="MethodReadOnly")
    if result.get("clientIp", sent["clientIp"]) != sent["clientIp"]:
        raise ResultInvalidError("The function changed clientIp.", code="ClientIpReadOnly")


def _target(result: Mapping[str, Any], sent: Mapping[str, Any]) -> tuple[str, str]:
    uri = checked_text(result.get("uri"), "uri")
    query = checked_text(result.get("querystring", ""), "querystring")
    if (uri, query) == (sent["uri"], sent["querystring"]):
        return uri, query
    # Event structure, uri: "The new uri value must begin with a forward slash (/)."
    if not uri.startswith("/") or (uri != sent["uri"] and _BAD_URI.search(uri)):
        raise ResultInvalidError("The uri is not a path.", code="BadUri")
    if query != sent["querystring"] and _BAD_QUERY.search(query):
        raise ResultInvalidError(
            "The querystring has spaces, control characters or #.", code="BadQuerystring"
        )
    if len(uri) + len(query) + bool(query) >= URI_LIMIT:
        raise ResultInvalidError(f"The uri has {URI_LIMIT:,} characters or more.", code="TooLarge")
    return uri, query


def _body(
    result: Mapping[str, Any], sent: Mapping[str, Any], association: Association
) -> bytes | None:
    body = result.get("body")
    if body is None:
        return None
    if not association.include_body:
        raise ResultInvalidError(
            "The association does not include the body.", code="BodyNotAllowed"
        )
    if not isinstance(body, dict):
        raise ResultInvalidError("The body is not an object.", code="BadBody")
    action = body.get("action", "read-only")
    if action not in ("read-only", "replace"):
        raise ResultInvalidError(
            "The body's action is neither read-only nor replace.", code="BadBody"
        )
    if body.get("inputTruncated", sent["body"]["inputTruncated"]) != sent["body"]["inputTruncated"]:
        raise ResultInvalidError("The function changed inputTruncated.", code="BadBody")
    if action == "read-only":
        # "If action is read-only, Lambda@Edge ignores any changes to encoding or data."
        return None
    encoding = body.get("encoding", "base64")
    if encoding not in ("text", "base64"):
        raise ResultInvalidError(
            "The body's encoding is neither text nor base64.", code="BadEncoding"
        )
    text = checked_text(body.get("data", ""), "body data")
    limits = BODY_LIMIT if encoding == "text" else BASE64_BODY_LIMIT
    if len(text.encode()) > limits[association.event_type]:
        raise ResultInvalidError("The replaced body is too large.", code="TooLarge")
    return decode_body(text, encoding)


def apply_changed(request: Request, changed: Changed) -> Request:
    """Make the request that goes on. The disallowed headers, which the function never saw, stay."""
    headers = {**changed.headers, **h.hidden(request.headers)}
    body = request.body if changed.body is None else changed.body
    if changed.body is not None:
        h.put(headers, "Content-Length", str(len(body)))
    return Request(request.method, changed.uri, changed.query, headers, body, request.http_version)
