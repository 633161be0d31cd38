"""Tests of response headers policies, ranges and conditions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.distribution import managed_policies
from aws_emulator.cloudfront.model import Request, Response
from aws_emulator.cloudfront.policies import Cors, ResponseHeadersPolicy
from aws_emulator.cloudfront.stages.viewer_response import (
    add_cloudfront_headers,
    apply_policy,
    apply_range,
    is_not_modified,
)

BODY = bytes(range(100))
PREFLIGHT = managed_policies.RESPONSE_HEADERS_POLICIES["5cc3b908-e619-4b99-88e5-2cf7f45965bd"]
SECURITY = managed_policies.RESPONSE_HEADERS_POLICIES["67f7725c-6f97-4210-82d7-5512b31e9d03"]


def request(method: str = "GET", **headers: str) -> Request:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request(method, "/", "", h.collect(pairs))


def response(**headers: str) -> Response:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(200, h.collect(pairs), BODY)


def test_policy_keeps_origin_header_without_override() -> None:
    result = response(x_frame_options="DENY", x_content_type_options="other")
    apply_policy(result, SECURITY, request())
    assert h.joined(result.headers, "x-frame-options") == "DENY"
    assert h.joined(result.headers, "x-content-type-options") == "nosniff"
    assert h.joined(result.headers, "strict-transport-security") == "max-age=31536000"


def test_policy_can_add_header_that_it_removes() -> None:
    policy = ResponseHeadersPolicy(
        "id", added=(("Server", "ours", False),), removed=frozenset({"server", "x-powered-by"})
    )
    result = response(server="theirs", x_powered_by="php")
    apply_policy(result, policy, request())
    assert result.headers == {"server": [("Server", "ours")]}


def test_cors_headers_are_added_to_cors_requests_only() -> None:
    result = response()
    apply_policy(result, PREFLIGHT, request())
    assert result.headers == {}
    apply_policy(result, PREFLIGHT, request(origin="https://a.example"))
    assert h.joined(result.headers, "access-control-allow-origin") == "*"
    assert "access-control-allow-methods" not in result.headers


def test_preflight_response_lists_methods() -> None:
    result = response()
    viewer_request = request(
        "OPTIONS", origin="https://a.example", access_control_request_method="PUT"
    )
    apply_policy(result, PREFLIGHT, viewer_request)
    methods = h.joined(result.headers, "access-control-allow-methods")
    assert methods == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    full = Cors(("*",), ("ALL",), ("X-A", "X-B"), max_age=5, credentials=True)
    result = response()
    apply_policy(result, ResponseHeadersPolicy("id", full), viewer_request)
    assert h.joined(result.headers, "access-control-allow-headers") == "X-A, X-B"
    assert h.joined(result.headers, "access-control-max-age") == "5"
    assert h.joined(result.headers, "access-control-allow-credentials") == "true"


@pytest.mark.parametrize(
    ("allowed", "origin", "expected"),
    [
        ("https://a.example", "https://a.example", "https://a.example"),
        ("https://a.example", "http://a.example", None),
        ("a.example", "http://a.example", "http://a.example"),
        ("*.a.example", "https://x.a.example", "https://x.a.example"),
        ("*.a.example", "https://evil-a.example", None),
        ("*.a.example", "https://a.example", None),
        ("*", "https://b.example", "*"),
    ],
)
def test_cors_origin_matches_name_or_wildcard(
    allowed: str, origin: str, expected: str | None
) -> None:
    result = response()
    apply_policy(result, ResponseHeadersPolicy("id", Cors((allowed,))), request(origin=origin))
    assert h.joined(result.headers, "access-control-allow-origin") == expected


@given(st.integers(0, 120), st.integers(0, 120))
def test_range_returns_requested_part(start: int, end: int) -> None:
    part = apply_range(request(range=f"bytes={start}-{end}"), response())
    if end < start:
        assert part.status == 200
    elif start >= len(BODY):
        assert (part.status, part.body) == (416, b"")
        assert h.joined(part.headers, "content-range") == "bytes */100"
    else:
        last = min(end, 99)
        assert (part.status, part.body) == (206, BODY[start : last + 1])
        assert h.joined(part.headers, "content-range") == f"bytes {start}-{last}/100"


@pytest.mark.parametrize(
    ("range_header", "status", "body"),
    [
        ("bytes=90-", 206, BODY[90:]),
        ("bytes=-10", 206, BODY[90:]),
        ("bytes=-1000", 206, BODY),
        ("bytes=-0", 416, b""),
        ("bytes=0-1,5-6", 200, BODY),
        ("bytes=-", 200, BODY),
        ("lines=0-1", 200, BODY),
    ],
)
def test_range_forms_are_supported_or_ignored(range_header: str, status: int, body: bytes) -> None:
    part = apply_range(request(range=range_header), response())
    assert (part.status, part.body) == (status, body)


def test_if_range_mismatch_returns_whole_body() -> None:
    result = response(etag='"new"')
    assert apply_range(request(range="bytes=0-1", if_range='"old"'), result).status == 200
    assert apply_range(request(range="bytes=0-1", if_range='"new"'), result).status == 206


@pytest.mark.parametrize(
    ("viewer_request", "expected"),
    [
        ({"if_none_match": '"a"'}, True),
        ({"if_none_match": 'W/"a", "b"'}, True),
        ({"if_none_match": "*"}, True),
        ({"if_none_match": '"b"'}, False),
        ({"if_modified_since": "then"}, True),
        ({"if_modified_since": "before"}, False),
        # RFC 9110 §13.1.3: a server ignores If-Modified-Since if the request has If-None-Match.
        ({"if_none_match": '"b"', "if_modified_since": "then"}, False),
        ({}, False),
    ],
)
def test_is_not_modified_follows_rfc_9110(viewer_request: dict[str, str], expected: bool) -> None:
    result = response(etag='"a"', last_modified="then")
    assert is_not_modified(request(**viewer_request), result) is expected


def test_cloudfront_headers_replace_origin_headers() -> None:
    result = response(connection="close", x_cache="theirs", via="theirs", server="AmazonS3")
    add_cloudfront_headers(result, "id", "Hit", 7)
    assert "connection" not in result.headers
    assert h.joined(result.headers, "x-cache") == "Hit from cloudfront"
    assert h.joined(result.headers, "server") == "AmazonS3"
    assert h.joined(result.headers, "age") == "7"
    assert h.joined(result.headers, "x-amz-cf-id") == "id"
    assert "cloudfront.net" in (h.joined(result.headers, "via") or "")
