"""What reaches the origin: the defaults, the cache key, the policy, and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront import managed
from aws_emulator.cloudfront.forwarding import VIA, cookie_pairs, to_origin
from aws_emulator.cloudfront.model import Behaviour, Origin, Request, Viewer
from aws_emulator.cloudfront.policies import ALL, CachePolicy, Choice, OriginRequestPolicy
from aws_emulator.tests import strategies

ORIGIN = Origin("o", "s3", "bucket.s3.us-east-1.amazonaws.com")
NARROW = Behaviour("*", "o", CachePolicy("c", 0, 0, 0))
VIEWER = Viewer(
    "192.0.2.7", 5555, country="IN", region="MH", city="Mumbai", time_zone="Asia/Kolkata"
)
POLICIES = managed.ORIGIN_REQUEST_POLICIES
ALL_VIEWER = POLICIES["216adef6-5c7f-47e4-b989-5492eafa07d3"]
EXCEPT_HOST = POLICIES["b689b0a8-53d0-40ab-baf2-68738e2966ac"]
WITH_CLOUDFRONT = POLICIES["33f36d7e-f396-46d9-90e0-52428a34d9dc"]


def request(*pairs: tuple[str, str], query: str = "") -> Request:
    return Request("GET", "/a", query, h.collect([("Host", "school.example"), *pairs]))


def sent(asked: Request, policy: OriginRequestPolicy | None = None) -> h.HeaderMap:
    return to_origin(asked, replace(NARROW, origin_request=policy), ORIGIN, VIEWER).headers


def test_without_a_policy_only_the_defaults_go() -> None:
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


def test_all_viewer_takes_everything_and_the_viewers_host() -> None:
    headers = sent(
        request(("User-Agent", "curl"), ("Cookie", "a=1"), ("X-Forwarded-For", "10.0.0.1")),
        ALL_VIEWER,
    )
    assert h.first(headers, "host") == "school.example"
    assert h.first(headers, "user-agent") == "curl"
    assert h.first(headers, "cookie") == "a=1"
    assert h.first(headers, "x-forwarded-for") == "10.0.0.1,192.0.2.7"
    assert "cloudfront-viewer-country" not in headers


def test_all_but_the_host_gets_the_origins_host() -> None:
    assert h.first(sent(request(("X-Own", "1")), EXCEPT_HOST), "host") == ORIGIN.domain
    assert h.first(sent(request(("X-Own", "1")), EXCEPT_HOST), "x-own") == "1"


def test_cloudfront_headers_come_where_they_are_asked_for_and_overwrite_the_viewers() -> None:
    spoofed = request(("CloudFront-Viewer-Country", "GB"), ("CloudFront-Viewer-Metro-Code", "1"))
    headers = sent(spoofed, WITH_CLOUDFRONT)
    assert h.joined(headers, "cloudfront-viewer-country") == "IN"
    assert h.joined(headers, "cloudfront-viewer-country-region") == "MH"
    assert h.joined(headers, "cloudfront-viewer-city") == "Mumbai"
    assert h.joined(headers, "cloudfront-viewer-time-zone") == "Asia/Kolkata"
    assert h.joined(headers, "cloudfront-viewer-address") == "192.0.2.7:5555"
    assert "cloudfront-viewer-metro-code" not in headers
    assert not [name for name in sent(spoofed) if name.startswith("cloudfront-")]


def test_an_address_is_no_part_of_a_cache_policy() -> None:
    listed = Choice(
        "whitelist", frozenset({"cloudfront-viewer-address", "cloudfront-viewer-country"})
    )
    behaviour = replace(NARROW, cache=replace(NARROW.cache, headers=listed))
    headers = to_origin(request(), behaviour, ORIGIN, VIEWER).headers
    assert h.joined(headers, "cloudfront-viewer-country") == "IN"
    assert "cloudfront-viewer-address" not in headers


#: "Understand how origin request policies and cache policies work together": what of a and b goes,
#: by cache policy (none, all, allow a, block a) and origin request policy (none, all, allow b,
#: block b).
_NONE, _ALL = Choice(), ALL
_ALLOW_A, _BLOCK_A = (Choice(mode, frozenset("a")) for mode in ("whitelist", "allExcept"))
_ALLOW_B, _BLOCK_B = (Choice(mode, frozenset("b")) for mode in ("whitelist", "allExcept"))
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
def test_the_two_policies_work_together(cache: Choice, policy: Choice, expected: str) -> None:
    behaviour = replace(
        NARROW,
        cache=replace(NARROW.cache, cookies=cache, queries=cache),
        origin_request=OriginRequestPolicy("r", cookies=policy, queries=policy),
    )
    asked = request(("Cookie", "a=1; b=2"), ("Cookie", "c=3"), query="a=1&b=2&c=3")
    made = to_origin(asked, behaviour, ORIGIN, VIEWER)
    assert [name for name, _ in cookie_pairs(made.headers)] == list(expected)
    assert [part[0] for part in made.query.split("&") if part] == list(expected)


@given(strategies.edge_behaviours(), strategies.edge_requests(), strategies.edge_viewers())
def test_every_origin_request_is_well_formed(
    behaviour: Behaviour, asked: Request, viewer: Viewer
) -> None:
    made = to_origin(asked, behaviour, ORIGIN, viewer)
    assert (made.method, made.uri, made.body) == (asked.method, asked.uri, asked.body)
    for name in ("host", "user-agent", "x-forwarded-for", "via"):
        assert len(made.headers[name]) >= 1
    assert h.first(made.headers, "x-forwarded-for").endswith(viewer.address)
    assert all(h.is_forwardable(name) for name in made.headers)
    assert all(h.is_value(value) for _, value in h.flatten(made.headers))


def test_a_query_that_goes_whole_goes_as_it_was_written() -> None:
    behaviour = replace(NARROW, origin_request=ALL_VIEWER)
    query = "b=%2F&&a&b=+2&="
    assert to_origin(request(query=query), behaviour, ORIGIN, VIEWER).query == query
