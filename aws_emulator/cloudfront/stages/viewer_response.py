"""Prepare a response for the viewer: response headers policy, CloudFront headers, ranges."""

import re
from email.utils import formatdate
from typing import Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.model import Request, Response
from aws_emulator.cloudfront.policies import Cors, ResponseHeadersPolicy
from aws_emulator.cloudfront.stages.origin_request import VIA

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_ALL_METHODS: Final = ("GET", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def apply_policy(
    response: Response, policy: ResponseHeadersPolicy | None, request: Request
) -> None:
    """Apply a response headers policy in place.

    Source: "Understand response headers policies".
    """
    if policy is None:
        return
    # "CloudFront removes the headers first and then adds any headers that are specified in other
    # sections of the response headers policy."
    for name in policy.removed:
        response.headers.pop(name, None)
    origin = h.first(request.headers, "origin")
    if policy.cors is not None and origin:
        for name, value in _cors(policy.cors, origin, request):
            _add(response, name, value, override=policy.cors.override)
    for name, value, override in policy.added:
        _add(response, name, value, override=override)


def _add(response: Response, name: str, value: str, *, override: bool) -> None:
    if override or name.lower() not in response.headers:
        h.put(response.headers, name, value)


def _cors(cors: Cors, origin: str, request: Request) -> list[tuple[str, str]]:
    allowed = next((each for each in cors.origins if _is_origin(each, origin)), None)
    if allowed is None:
        return []
    added = [("Access-Control-Allow-Origin", "*" if allowed == "*" else origin)]
    if cors.credentials:
        added.append(("Access-Control-Allow-Credentials", "true"))
    preflight = request.method == "OPTIONS" and "access-control-request-method" in request.headers
    if not preflight:
        if cors.expose:
            added.append(("Access-Control-Expose-Headers", ", ".join(cors.expose)))
        return added
    # CloudFront adds Access-Control-Allow-Methods, -Headers and -Max-Age only "in responses to CORS
    # preflight requests".
    methods = _ALL_METHODS if "ALL" in cors.methods else cors.methods
    if methods:
        added.append(("Access-Control-Allow-Methods", ", ".join(methods)))
    if cors.headers:
        added.append(("Access-Control-Allow-Headers", ", ".join(cors.headers)))
    if cors.max_age is not None:
        added.append(("Access-Control-Max-Age", str(cors.max_age)))
    return added


def _is_origin(pattern: str, origin: str) -> bool:
    # On Access-Control-Allow-Origin: "The wildcard character (*) is allowed as the leftmost part
    # of the domain (*.example.org)."
    if pattern == "*":
        return True
    scheme, separator, host = pattern.rpartition("://")
    actual_scheme, _, actual = origin.partition("://")
    if separator and scheme != actual_scheme:
        return False
    if host.startswith("*."):
        return actual.endswith(host[1:]) and len(actual) > len(host) - 1
    return actual == host


def add_cloudfront_headers(
    response: Response, request_id: str, x_cache: str, age: int | None
) -> None:
    """Add the headers that CloudFront sets on every response, in place. `age` is in seconds."""
    for name in h.HOP_BY_HOP:
        response.headers.pop(name, None)
    if "server" not in response.headers:
        h.put(response.headers, "Server", "CloudFront")
    if "date" not in response.headers:
        h.put(response.headers, "Date", formatdate(usegmt=True))
    if age is not None:
        h.put(response.headers, "Age", str(age))
    h.put(response.headers, "X-Cache", f"{x_cache} from cloudfront")
    # "Via - CloudFront sets the value to: Via: http-version alphanumeric-string.cloudfront.net
    # (CloudFront)".
    h.put(response.headers, "Via", VIA)
    h.put(response.headers, "X-Amz-Cf-Pop", "LOCAL1-C1")
    h.put(response.headers, "X-Amz-Cf-Id", request_id)


def is_not_modified(request: Request, response: Response) -> bool:
    """Return whether the viewer already has this cached response (RFC 9110 §13.2.2)."""
    tags = h.joined(request.headers, "if-none-match")
    if tags is not None:
        etag = h.first(response.headers, "etag").removeprefix("W/")
        offered = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return bool(etag) and ("*" in offered or etag in offered)
    since = h.first(request.headers, "if-modified-since")
    return bool(since) and since == h.first(response.headers, "last-modified")


def apply_range(request: Request, response: Response) -> Response:
    """Return the requested range of a cached response.

    Returns the whole response without a Range header, and for several ranges (RFC 9110 §14.2: a
    server may ignore Range).
    """
    match = _RANGE.fullmatch(h.first(request.headers, "range").strip())
    body = response.body or b""
    if match is None or response.status != 200 or match[0] == "bytes=-":
        return response
    condition = h.first(request.headers, "if-range")
    if condition and condition not in {
        h.first(response.headers, "etag"),
        h.first(response.headers, "last-modified"),
    }:
        return response
    total = len(body)
    if match[1]:
        start = int(match[1])
        end = min(int(match[2]) if match[2] else total - 1, total - 1)
        if match[2] and int(match[2]) < start:
            return response
    else:
        start, end = max(0, total - int(match[2])), total - 1
    headers = h.copy(response.headers)
    if start >= total or start > end:
        h.put(headers, "Content-Range", f"bytes */{total}")
        h.put(headers, "Content-Length", "0")
        return Response(416, headers, b"", "Range Not Satisfiable")
    part = body[start : end + 1]
    h.put(headers, "Content-Range", f"bytes {start}-{end}/{total}")
    h.put(headers, "Content-Length", str(len(part)))
    return Response(206, headers, part, "Partial Content")
