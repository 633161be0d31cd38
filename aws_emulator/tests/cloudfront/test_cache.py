"""Tests of the cache key, the TTL rules and the cache store."""

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.model import CacheBehavior, Request, Response
from aws_emulator.cloudfront.policies import CachePolicy, NameSelection
from aws_emulator.cloudfront.stages.cache_key import cache_key
from aws_emulator.cloudfront.stages.cache_store import MAX_OBJECT_BYTES, CacheStore
from aws_emulator.cloudfront.stages.cache_ttl import (
    ERROR_CACHING_MIN_TTL_S,
    error_ttl,
    is_cacheable,
    object_ttl,
)
from aws_emulator.cloudfront.stages.origin_request import accept_encoding
from aws_emulator.tests.cloudfront import strategies

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
NOTHING = CacheBehavior("*", "o", CachePolicy("c", 0, 60, 600))


def request(query: str = "", **headers: str) -> Request:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request("GET", "/a", query, h.collect([("Host", "one.example"), *pairs]))


@given(strategies.cache_behaviors(), strategies.viewer_requests())
def test_cache_key_ignores_values_outside_policy(
    behavior: CacheBehavior, viewer_request: Request
) -> None:
    other = replace(viewer_request, headers=h.copy(viewer_request.headers))
    listed = behavior.cache_policy.headers.names
    for name in list(other.headers):
        if name not in listed and name not in {"cookie", "accept-encoding"}:
            del other.headers[name]
    other.headers["x-not-listed"] = [("X-Not-Listed", "1")]
    if behavior.cache_policy.cookies.mode == "none":
        other.headers["cookie"] = [("Cookie", "z=9")]
    if behavior.cache_policy.query_strings.mode == "none":
        other.query = "z=9"
    assert cache_key(behavior, viewer_request, {}) == cache_key(behavior, other, {})


@given(strategies.cache_behaviors(), strategies.viewer_requests())
def test_cache_key_contains_path_and_contains_host_only_if_listed(
    behavior: CacheBehavior, viewer_request: Request
) -> None:
    key = cache_key(behavior, viewer_request, {})
    assert key != cache_key(behavior, replace(viewer_request, uri=viewer_request.uri + "x"), {})
    other = replace(
        viewer_request, headers={**viewer_request.headers, "host": [("Host", "two.example")]}
    )
    listed = "host" in behavior.cache_policy.headers.names
    assert (key != cache_key(behavior, other, {})) is listed


@given(strategies.cache_behaviors(), strategies.viewer_requests())
def test_cache_key_is_shared_by_get_and_head_only(
    behavior: CacheBehavior, viewer_request: Request
) -> None:
    keys = [
        cache_key(behavior, replace(viewer_request, method=method), {})
        for method in ("GET", "HEAD", "OPTIONS")
    ]
    assert keys[0] == keys[1] != keys[2]


def test_cache_key_contains_listed_cookies_and_query_strings() -> None:
    chosen = NameSelection("whitelist", frozenset({"a"}))
    behavior = replace(
        NOTHING, cache_policy=replace(NOTHING.cache_policy, cookies=chosen, query_strings=chosen)
    )
    key = cache_key(behavior, request("a=1&b=1", cookie="a=1; b=1"), {})
    assert key == cache_key(behavior, request("b=2&a=1", cookie="b=2; a=1"), {})
    assert key != cache_key(behavior, request("a=2&b=1", cookie="a=1; b=1"), {})
    assert key != cache_key(behavior, request("a=1&b=1", cookie="a=2; b=1"), {})


def test_cache_key_uses_cloudfront_header_instead_of_viewers() -> None:
    country = "cloudfront-viewer-country"
    listed = NameSelection("whitelist", frozenset({country}))
    behavior = replace(NOTHING, cache_policy=replace(NOTHING.cache_policy, headers=listed))
    own = {country: ("CloudFront-Viewer-Country", "IN")}
    spoofed = request(cloudfront_viewer_country="GB")
    assert cache_key(behavior, spoofed, own) == cache_key(behavior, request(), own)


@pytest.mark.parametrize(
    ("gzip", "brotli", "offered", "expected"),
    [
        (True, True, "gzip, deflate, br", "br,gzip"),
        (True, True, "gzip", "gzip"),
        (True, False, "br, gzip", "gzip"),
        (True, True, "identity", None),
        (True, True, "gzip;q=0, br", "br"),
        (True, True, None, None),
        (False, False, "gzip, br", None),
    ],
)
def test_accept_encoding_is_normalised(
    gzip: bool, brotli: bool, offered: str | None, expected: str | None
) -> None:
    policy = CachePolicy("c", 0, 0, 0, gzip=gzip, brotli=brotli)
    assert accept_encoding(policy, offered) == expected


def cache_headers(cache_control: str | None = None, expires: float | None = None) -> h.HeaderMap:
    pairs = [("Cache-Control", cache_control)] if cache_control else []
    if expires is not None:
        at = datetime.fromtimestamp(NOW + expires, UTC)
        pairs.append(("Expires", format_datetime(at, usegmt=True)))
    return h.collect(pairs)


#: The table in "Manage how long content stays in the cache": headers, (min, default, max) TTL, and
#: the expected seconds.
TABLE = [
    (cache_headers("max-age=100"), (0, 50, 1000), 100),
    (cache_headers("max-age=2000"), (0, 50, 1000), 1000),
    (cache_headers("max-age=0"), (0, 50, 1000), 0),
    (cache_headers("max-age=5"), (10, 50, 1000), 10),
    (cache_headers("max-age=100"), (10, 50, 1000), 100),
    (cache_headers("max-age=2000"), (10, 50, 1000), 1000),
    (cache_headers(), (0, 50, 1000), 50),
    (cache_headers(), (60, 60, 1000), 60),
    (cache_headers("public"), (0, 50, 1000), 50),
    (cache_headers("max-age=5, s-maxage=100"), (0, 50, 1000), 100),
    (cache_headers("s-maxage=2000"), (0, 50, 1000), 1000),
    (cache_headers(expires=100), (0, 50, 1000), 100),
    (cache_headers(expires=2000), (0, 50, 1000), 1000),
    (cache_headers(expires=-5), (0, 50, 1000), 0),
    (cache_headers("max-age=7", expires=100), (0, 50, 1000), 7),
    (cache_headers("no-store"), (0, 50, 1000), 0),
    (cache_headers("no-cache"), (10, 50, 1000), 10),
    (cache_headers("private, max-age=100"), (10, 50, 1000), 10),
    (h.collect([("Expires", "0")]), (0, 50, 1000), 0),
    (cache_headers("max-age=100"), (0, 0, 0), 0),
]


@pytest.mark.parametrize(("headers", "ttls", "expected"), TABLE)
def test_object_ttl_follows_documented_table(
    headers: h.HeaderMap, ttls: tuple[float, float, float], expected: float
) -> None:
    assert object_ttl(CachePolicy("c", *ttls), headers, NOW) == expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (404, cache_headers(), 10),
        (500, cache_headers("max-age=60"), 60),
        (404, cache_headers("max-age=5"), 10),
        (403, cache_headers(), 0),
        (403, cache_headers("max-age=60"), 60),
        (418, cache_headers("max-age=60"), 0),
        (502, cache_headers("max-age=99999"), 600),
    ],
)
def test_error_ttl_follows_documented_rule(
    status: int, headers: h.HeaderMap, expected: float
) -> None:
    assert (
        error_ttl(NOTHING.cache_policy, status, headers, NOW, ERROR_CACHING_MIN_TTL_S) == expected
    )


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("GET", 200, True),
        ("GET", 301, True),
        ("GET", 206, False),
        ("GET", 304, False),
        ("HEAD", 200, False),
        ("POST", 200, False),
        ("OPTIONS", 200, False),
    ],
)
def test_is_cacheable_by_method_and_status(method: str, status: int, expected: bool) -> None:
    assert is_cacheable(NOTHING, replace(request(), method=method), status) is expected
    off = replace(NOTHING, cache_policy=CachePolicy("c", 0, 0, 0))
    assert not is_cacheable(off, replace(request(), method=method), status)


def test_store_evicts_least_recently_used_entry_at_limit() -> None:
    store = CacheStore(max_total=30)
    for name in "abc":
        store.put((name,), Response(200, {}, b"x" * 10), 0, 60)
    assert store.get(("a",)) is not None
    store.put(("d",), Response(200, {}, b"x" * 10), 0, 60)
    assert [store.get((name,)) is not None for name in "abcd"] == [True, False, True, True]
    store.put(("a",), Response(200, {}, b"y" * 30), 0, 60)
    assert len(store) == 1
    store.clear(1)
    store.put(("e",), Response(200, {}, b"x" * 30), 1, 60)
    assert len(store) == 1


def test_response_to_request_before_invalidation_is_not_stored() -> None:
    store = CacheStore()
    store.clear(5)
    store.put(("a",), Response(200, {}, b"before the change"), 4, 60)
    assert store.get(("a",)) is None
    store.put(("a",), Response(200, {}, b"after the change"), 6, 60)
    assert store.get(("a",)) is not None


@pytest.mark.parametrize(
    ("length", "stored"), [(MAX_OBJECT_BYTES, True), (MAX_OBJECT_BYTES + 1, False)]
)
def test_store_skips_object_over_limit(length: int, stored: bool) -> None:
    store = CacheStore()
    store.put(("a",), Response(200, {}, b"x" * length), 0, 60)
    assert (store.get(("a",)) is not None) is stored


def test_store_skips_object_with_zero_ttl() -> None:
    store = CacheStore()
    store.put(("a",), Response(200, {}, b"x"), 0, 0)
    assert len(store) == 0


def test_store_copies_response_headers() -> None:
    store = CacheStore()
    response = Response(200, {"a": [("A", "1")]}, b"x")
    store.put(("a",), response, 0, 60)
    response.headers["a"].append(("Set-Cookie", "another visitor's"))
    entry = store.get(("a",))
    assert entry is not None
    assert entry.response.headers == {"a": [("A", "1")]}
