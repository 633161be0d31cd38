"""Validate the results of Lambda@Edge functions; CloudFront returns 502 for an invalid one.

The functions are pure: any JSON value becomes a valid change or raises FunctionResultError. If
the AWS documentation is ambiguous, they apply the stricter reading.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_functions.event import MAX_BODY_BYTES
from aws_emulator.cloudfront.edge_functions.result_fields import (
    check_read_only,
    checked_text,
    decode_body,
    parse_headers,
)
from aws_emulator.cloudfront.edge_functions.result_origin import parse_origin
from aws_emulator.cloudfront.edge_functions.result_response import parse_response
from aws_emulator.cloudfront.errors import FunctionResultError
from aws_emulator.cloudfront.model import FunctionAssociation, Origin, Request, Response

# Restrictions on the request body: "If the Lambda@Edge function returns the body as base64 encoded
# text: for viewer request events 53.2 KB, for origin request events 1.33 MB", else 502.
MAX_BASE64_BODY_BYTES: Final[dict[str, int]] = {
    "viewer-request": int(53.2 * 1024),
    "origin-request": int(1.33 * 1024 * 1024),
}
# Restrictions on all edge functions, "URI": "The total size of the URI, including the query string,
# must be less than 8,192 characters."
MAX_URI_CHARS: Final = 8_192

# Query strings: "The query string can't include spaces, control characters, or the fragment
# identifier (#)."
_INVALID_QUERY: Final = re.compile(r"[\x00-\x20\x7f#]")
_INVALID_URI: Final = re.compile(r"[\x00-\x20\x7f#?]")


@dataclass(frozen=True, slots=True)
class GeneratedResponse:
    """The function generated the response."""

    response: Response


@dataclass(frozen=True, slots=True)
class ModifiedRequest:
    """The function returned the request, possibly modified.

    `body` holds a replaced body, else None. Only origin-request events have an `origin`.
    """

    uri: str
    query: str
    headers: h.HeaderMap
    body: bytes | None
    origin: Origin | None


def check_request_result(
    result: Any,
    sent: Mapping[str, Any],
    association: FunctionAssociation,
    origin: Origin | None = None,
) -> GeneratedResponse | ModifiedRequest:
    """Validate the result of a request function against its event.

    `sent` is `Records[0].cf.request` of the event, `origin` the origin of an origin-request event.

    Raises:
        FunctionResultError: The result breaks a rule.
    """
    if not isinstance(result, dict):
        raise FunctionResultError("The result isn't an object.", code="NotAnObject")
    if "status" in result:
        return GeneratedResponse(parse_response(result, {}, association))
    _check_unchanged(result, sent)
    uri, query = _target(result, sent)
    changed = parse_headers(result.get("headers"))
    check_read_only(changed, sent["headers"], association.event_type)
    if "set-cookie" in changed and "set-cookie" not in sent["headers"]:
        # CloudFront would send the header to the origin, and the viewer would never receive it. The
        # emulator rejects the mistake.
        raise FunctionResultError("The function added Set-Cookie to a request.", code="Disallowed")
    return ModifiedRequest(
        uri=uri,
        query=query,
        headers=changed,
        body=_body(result, sent, association),
        origin=None if origin is None else parse_origin(result, sent["origin"], changed, origin),
    )


def check_response_result(
    result: Any, sent: Mapping[str, Any], association: FunctionAssociation
) -> tuple[Response, bool]:
    """Validate the result of a response function against its event.

    `sent` is `Records[0].cf.response` of the event. Returns the response, and whether the function
    replaced its body.

    Raises:
        FunctionResultError: The result breaks a rule.
    """
    if not isinstance(result, dict):
        raise FunctionResultError("The result isn't an object.", code="NotAnObject")
    response = parse_response(result, sent["headers"], association)
    replaces = result.get("body") is not None
    if association.event_type == "viewer-response":
        # Restrictions on Lambda@Edge, "HTTP status codes": "Lambda@Edge functions for viewer
        # response events cannot modify the HTTP status code of the response".
        if str(response.status) != sent["status"]:
            raise FunctionResultError("The function changed the status.", code="StatusReadOnly")
        if replaces:
            raise FunctionResultError("The function set a body.", code="BodyNotAllowed")
    return response, replaces


def _check_unchanged(result: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
    # Lambda@Edge event structure: "method (read-only)", "clientIp (read-only)".
    if result.get("method") != sent["method"]:
        raise FunctionResultError("The function changed the method.", code="MethodReadOnly")
    if result.get("clientIp", sent["clientIp"]) != sent["clientIp"]:
        raise FunctionResultError("The function changed clientIp.", code="ClientIpReadOnly")


def _target(result: Mapping[str, Any], sent: Mapping[str, Any]) -> tuple[str, str]:
    uri = checked_text(result.get("uri"), "uri")
    query = checked_text(result.get("querystring", ""), "querystring")
    if (uri, query) == (sent["uri"], sent["querystring"]):
        return uri, query
    # Event structure, uri: "The new uri value must begin with a forward slash (/)."
    if not uri.startswith("/") or (uri != sent["uri"] and _INVALID_URI.search(uri)):
        raise FunctionResultError("The uri isn't a path.", code="BadUri")
    if query != sent["querystring"] and _INVALID_QUERY.search(query):
        raise FunctionResultError(
            "The querystring contains spaces, control characters or #.", code="BadQuerystring"
        )
    if len(uri) + len(query) + bool(query) >= MAX_URI_CHARS:
        raise FunctionResultError(
            f"The uri has {MAX_URI_CHARS:,} or more characters.", code="TooLarge"
        )
    return uri, query


def _body(
    result: Mapping[str, Any], sent: Mapping[str, Any], association: FunctionAssociation
) -> bytes | None:
    body = result.get("body")
    if body is None:
        return None
    if not association.include_body:
        raise FunctionResultError(
            "The function association doesn't include the body.", code="BodyNotAllowed"
        )
    if not isinstance(body, dict):
        raise FunctionResultError("The body isn't an object.", code="BadBody")
    action = body.get("action", "read-only")
    if action not in ("read-only", "replace"):
        raise FunctionResultError("The body's action must be read-only or replace.", code="BadBody")
    if body.get("inputTruncated", sent["body"]["inputTruncated"]) != sent["body"]["inputTruncated"]:
        raise FunctionResultError("The function changed inputTruncated.", code="BadBody")
    if action == "read-only":
        # "If action is read-only, Lambda@Edge ignores any changes to encoding or data."
        return None
    encoding = body.get("encoding", "base64")
    if encoding not in ("text", "base64"):
        raise FunctionResultError("The body's encoding must be text or base64.", code="BadEncoding")
    text = checked_text(body.get("data", ""), "body data")
    limits = MAX_BODY_BYTES if encoding == "text" else MAX_BASE64_BODY_BYTES
    if len(text.encode()) > limits[association.event_type]:
        raise FunctionResultError("The replaced body is too large.", code="TooLarge")
    return decode_body(text, encoding)


def apply_modified_request(request: Request, changed: ModifiedRequest) -> Request:
    """Return the request with a function's changes.

    Keeps the disallowed headers, which CloudFront hides from functions.
    """
    headers = {**changed.headers, **h.hidden(request.headers)}
    body = request.body if changed.body is None else changed.body
    if changed.body is not None:
        h.put(headers, "Content-Length", str(len(body)))
    return Request(request.method, changed.uri, changed.query, headers, body, request.http_version)
