"""Tests of the headers, cookies and query strings that reach the origin."""

from dataclasses import replace

import pytest
from hypothesis import given

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.distribution import managed_policies
from aws_emulator.cloudfront.model import CacheBehavior, Origin, Request, Viewer
from aws_emulator.cloudfront.policies import ALL, CachePolicy, NameSelection, OriginRequestPolicy
from aws_emulator.cloudfront.stages.origin_request import VIA, build_origin_request, cookie_pairs
from aws_emulator.tests.cloudfront import strategies

ORIGIN = Origin("o", "s3", "bucket.s3.us-east-1.amazonaws.com")
NARROW = CacheBehavior("*", "o", CachePolicy("c", 0, 0, 0))
VIEWER = Viewer(
    "192.0.2.7", 5555, country="IN", region="MH", city="Mumbai", time_zone="Asia/Kolkata"
)
POLICIES = managed_policies.ORIGIN_REQUEST_POLICIES
ALL_VIEWER = POLICIES["216adef6-5c7f-47e4-b989-5492eafa07d3"]
EXCEPT_HOST = POLICIES["b689b0a8-53d0-40ab-baf2-68738e2966ac"]
WITH_CLOUDFRONT = POLICIES["33f36d7e-f396-46d9-90e0-52428a34d9dc"]


def request(*pairs: tuple[str, str], query: str = "") -> Request:
    return Request("GET", "/a", query, h.collect([("Host", "www.example.com"), *pairs]))


def sent(viewer_request: Request, policy: OriginRequestPolicy | None = None) -> h.HeaderMap:
    return build_origin_request(
        viewer_request, replace(NARROW, origin_request_policy=policy), ORIGIN, VIEWER
    ).headers


def test_origin_request_without_policy_has_default_headers_only() -> None:
    headers = sent(
        request(
            ("User-Agent", "curl"),
            ("Accept", "*/*"),
            ("Cookie", "a=1"),
            ("Authorization", "Bearer x"),
            ("Referer", "x"),
            ("Range", "bytes=0-1"),
            ("Content-Type", "text/plain"),
        )
    )
    assert {name: h.joined(headers, name) for name in headers} == {
        "host": ORIGIN.domain,
        "user-agent": "Amazon CloudFront",
        "x-forwarded-for": "192.0.2.7",
        "via": VIA,
        "range": "bytes=0-1",
        "content-type": "text/plain",
    }


def test_all_viewer_forwards_all_headers_including_host() -> None:
    headers = sent(
        request(("User-Agent", "curl"), ("Cookie", "a=1"), ("X-Forwarded-For", "10.0.0.1")),
        ALL_VIEWER,
    )
    assert h.first(headers, "host") == "www.example.com"
    assert h.first(headers, "user-agent") == "curl"
    assert h.first(headers, "cookie") == "a=1"
    assert h.first(headers, "x-forwarded-for") == "10.0.0.1,192.0.2.7"
    assert "cloudfront-viewer-country" not in headers


def test_all_viewer_except_host_uses_origin_host() -> None:
    assert h.first(sent(request(("X-Own", "1")), EXCEPT_HOST), "host") == ORIGIN.domain
    assert h.first(sent(request(("X-Own", "1")), EXCEPT_HOST), "x-own") == "1"


def test_cloudfront_headers_overwrite_viewers_if_policy_lists_them() -> None:
    spoofed = request(("CloudFront-Viewer-Country", "GB"), ("CloudFront-Viewer-Metro-Code", "1"))
    headers = sent(spoofed, WITH_CLOUDFRONT)
    assert h.joined(headers, "cloudfront-viewer-country") == "IN"
    assert h.joined(headers, "cloudfront-viewer-country-region") == "MH"
    assert h.joined(headers, "cloudfront-viewer-city") == "Mumbai"
    assert h.joined(headers, "cloudfront-viewer-time-zone") == "Asia/Kolkata"
    assert h.joined(headers, "cloudfront-viewer-address") == "192.0.2.7:5555"
    assert "cloudfront-viewer-metro-code" not in headers
    assert not [name for name in sent(spoofed) if name.startswith("cloudfront-")]


def test_cache_policy_does_not_add_viewer_address() -> None:
    listed = NameSelection(
        "whitelist", frozenset({"cloudfront-viewer-address", "cloudfront-viewer-country"})
    )
    behavior = replace(NARROW, cache_policy=replace(NARROW.cache_policy, headers=listed))
    headers = build_origin_request(request(), behavior, ORIGIN, VIEWER).headers
    assert h.joined(headers, "cloudfront-viewer-country") == "IN"
    assert "cloudfront-viewer-address" not in headers


#: "Understand how origin request policies and cache policies work together": cache policy, origin
#: request policy, and the names that CloudFront forwards.
_NONE, _ALL = NameSelection(), ALL
_ALLOW_A, _BLOCK_A = (NameSelection(mode, frozenset("a")) for mode in ("whitelist", "allExcept"))
_ALLOW_B, _BLOCK_B = (NameSelection(mode, frozenset("b")) for mode in ("whitelist", "allExcept"))
TABLE = [
    (_NONE, _NONE, ""),
    (_NONE, _ALL, "abc"),
    (_NONE, _ALLOW_B, "b"),
    (_NONE, _BLOCK_B, "ac"),
    (_ALL, _NONE, "abc"),
    (_ALL, _ALLOW_B, "abc"),
    (_ALL, _BLOCK_B, "abc"),
    (_ALLOW_A, _NONE, "a"),
    (_ALLOW_A, _ALL, "abc"),
    (_ALLOW_A, _ALLOW_B, "ab"),
    (_ALLOW_A, _BLOCK_B, "ac"),
    (_BLOCK_A, _NONE, "bc"),
    (_BLOCK_A, _ALL, "abc"),
    (_BLOCK_A, _ALLOW_B, "bc"),
    (_BLOCK_A, _BLOCK_B, "abc"),
]


@pytest.mark.parametrize(("cache", "policy", "expected"), TABLE)
def test_cache_policy_and_origin_request_policy_combine(
    cache: NameSelection, policy: NameSelection, expected: str
) -> None:
    behavior = replace(
        NARROW,
        cache_policy=replace(NARROW.cache_policy, cookies=cache, query_strings=cache),
        origin_request_policy=OriginRequestPolicy("r", cookies=policy, query_strings=policy),
    )
    viewer_request = request(("Cookie", "a=1; b=2"), ("Cookie", "c=3"), query="a=1&b=2&c=3")
    result = build_origin_request(viewer_request, behavior, ORIGIN, VIEWER)
    assert [name for name, _ in cookie_pairs(result.headers)] == list(expected)
    assert [part[0] for part in result.query.split("&") if part] == list(expected)


@given(strategies.cache_behaviors(), strategies.viewer_requests(), strategies.viewers())
def test_origin_request_is_well_formed(
    behavior: CacheBehavior, viewer_request: Request, viewer: Viewer
) -> None:
    result = build_origin_request(viewer_request, behavior, ORIGIN, viewer)
    assert (result.method, result.uri, result.body) == (
        viewer_request.method,
        viewer_request.uri,
        viewer_request.body,
    )
    for name in ("host", "user-agent", "x-forwarded-for", "via"):
        assert len(result.headers[name]) >= 1
    assert h.first(result.headers, "x-forwarded-for").endswith(viewer.address)
    assert all(h.is_forwardable(name) for name in result.headers)
    assert all(h.is_value(value) for _, value in h.flatten(result.headers))


def test_forwarded_query_string_is_unchanged() -> None:
    behavior = replace(NARROW, origin_request_policy=ALL_VIEWER)
    query = "b=%2F&&a&b=+2&="
    assert build_origin_request(request(query=query), behavior, ORIGIN, VIEWER).query == query
