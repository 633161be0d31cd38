"""Laws of the cache key, the table of times to live, and the bound of the store."""

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.cache import (
    ERROR_MIN_TTL,
    MAX_OBJECT,
    Store,
    cache_key,
    error_time_to_live,
    is_cacheable,
    time_to_live,
)
from aws_emulator.cloudfront.forwarding import accept_encoding
from aws_emulator.cloudfront.model import Behaviour, Request, Response
from aws_emulator.cloudfront.policies import CachePolicy, Choice
from aws_emulator.tests import strategies

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
NOTHING = Behaviour("*", "o", CachePolicy("c", 0, 60, 600))


def request(query: str = "", **headers: str) -> Request:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Request("GET", "/a", query, h.collect([("Host", "one.example"), *pairs]))


@given(strategies.edge_behaviours(), strategies.edge_requests())
def test_what_the_policy_does_not_name_never_splits_the_key(
    behaviour: Behaviour, asked: Request
) -> None:
    other = replace(asked, headers=h.copy(asked.headers))
    listed = behaviour.cache.headers.names
    for name in list(other.headers):
        if name not in listed and name not in {"cookie", "accept-encoding"}:
            del other.headers[name]
    other.headers["x-not-listed"] = [("X-Not-Listed", "1")]
    if behaviour.cache.cookies.mode == "none":
        other.headers["cookie"] = [("Cookie", "z=9")]
    if behaviour.cache.queries.mode == "none":
        other.query = "z=9"
    assert cache_key(behaviour, asked, {}) == cache_key(behaviour, other, {})


@given(strategies.edge_behaviours(), strategies.edge_requests())
def test_path_always_splits_the_key_and_host_only_where_it_is_listed(
    behaviour: Behaviour, asked: Request
) -> None:
    key = cache_key(behaviour, asked, {})
    assert key != cache_key(behaviour, replace(asked, uri=asked.uri + "x"), {})
    other = replace(asked, headers={**asked.headers, "host": [("Host", "two.example")]})
    listed = "host" in behaviour.cache.headers.names
    assert (key != cache_key(behaviour, other, {})) is listed


@given(strategies.edge_behaviours(), strategies.edge_requests())
def test_head_shares_the_key_of_get_and_no_other_method_does(
    behaviour: Behaviour, asked: Request
) -> None:
    keys = [
        cache_key(behaviour, replace(asked, method=method), {})
        for method in ("GET", "HEAD", "OPTIONS")
    ]
    assert keys[0] == keys[1] != keys[2]


def test_listed_cookies_and_parameters_split_the_key() -> None:
    chosen = Choice("whitelist", frozenset({"a"}))
    behaviour = replace(NOTHING, cache=replace(NOTHING.cache, cookies=chosen, queries=chosen))
    key = cache_key(behaviour, request("a=1&b=1", cookie="a=1; b=1"), {})
    assert key == cache_key(behaviour, request("b=2&a=1", cookie="b=2; a=1"), {})
    assert key != cache_key(behaviour, request("a=2&b=1", cookie="a=1; b=1"), {})
    assert key != cache_key(behaviour, request("a=1&b=1", cookie="a=2; b=1"), {})


def test_a_cloudfront_header_in_the_key_is_cloudfronts_and_not_the_viewers() -> None:
    country = "cloudfront-viewer-country"
    listed = Choice("whitelist", frozenset({country}))
    behaviour = replace(NOTHING, cache=replace(NOTHING.cache, headers=listed))
    own = {country: ("CloudFront-Viewer-Country", "IN")}
    spoofed = request(cloudfront_viewer_country="GB")
    assert cache_key(behaviour, spoofed, own) == cache_key(behaviour, request(), own)


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


def said(cache_control: str | None = None, expires: float | None = None) -> h.HeaderMap:
    pairs = [("Cache-Control", cache_control)] if cache_control else []
    if expires is not None:
        at = datetime.fromtimestamp(NOW + expires, UTC)
        pairs.append(("Expires", format_datetime(at, usegmt=True)))
    return h.collect(pairs)


#: The table of "Manage how long content stays in the cache": headers, (min, default, max), seconds.
TABLE = [
    (said("max-age=100"), (0, 50, 1000), 100),
    (said("max-age=2000"), (0, 50, 1000), 1000),
    (said("max-age=0"), (0, 50, 1000), 0),
    (said("max-age=5"), (10, 50, 1000), 10),
    (said("max-age=100"), (10, 50, 1000), 100),
    (said("max-age=2000"), (10, 50, 1000), 1000),
    (said(), (0, 50, 1000), 50),
    (said(), (60, 60, 1000), 60),
    (said("public"), (0, 50, 1000), 50),
    (said("max-age=5, s-maxage=100"), (0, 50, 1000), 100),
    (said("s-maxage=2000"), (0, 50, 1000), 1000),
    (said(expires=100), (0, 50, 1000), 100),
    (said(expires=2000), (0, 50, 1000), 1000),
    (said(expires=-5), (0, 50, 1000), 0),
    (said("max-age=7", expires=100), (0, 50, 1000), 7),
    (said("no-store"), (0, 50, 1000), 0),
    (said("no-cache"), (10, 50, 1000), 10),
    (said("private, max-age=100"), (10, 50, 1000), 10),
    (h.collect([("Expires", "0")]), (0, 50, 1000), 0),
    (said("max-age=100"), (0, 0, 0), 0),
]


@pytest.mark.parametrize(("headers", "ttls", "expected"), TABLE)
def test_the_table_of_times_to_live(
    headers: h.HeaderMap, ttls: tuple[float, float, float], expected: float
) -> None:
    assert time_to_live(CachePolicy("c", *ttls), headers, NOW) == expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (404, said(), 10),
        (500, said("max-age=60"), 60),
        (404, said("max-age=5"), 10),
        (403, said(), 0),
        (403, said("max-age=60"), 60),
        (418, said("max-age=60"), 0),
        (502, said("max-age=99999"), 600),
    ],
)
def test_errors_stay_by_a_rule_of_their_own(
    status: int, headers: h.HeaderMap, expected: float
) -> None:
    assert error_time_to_live(NOTHING.cache, status, headers, NOW, ERROR_MIN_TTL) == expected


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
def test_what_may_be_kept(method: str, status: int, expected: bool) -> None:
    assert is_cacheable(NOTHING, replace(request(), method=method), status) is expected
    off = replace(NOTHING, cache=CachePolicy("c", 0, 0, 0))
    assert not is_cacheable(off, replace(request(), method=method), status)


def test_the_store_is_bounded_and_drops_what_was_used_least() -> None:
    store = Store(max_total=30)
    for name in "abc":
        store.put((name,), Response(200, {}, b"x" * 10), 0, 60)
    assert store.get(("a",)) is not None
    store.put(("d",), Response(200, {}, b"x" * 10), 0, 60)
    assert [store.get((name,)) is not None for name in "abcd"] == [True, False, True, True]
    store.put(("a",), Response(200, {}, b"y" * 30), 0, 60)
    assert len(store) == 1
    store.clear()
    store.put(("e",), Response(200, {}, b"x" * 30), 0, 60)
    assert len(store) == 1


@pytest.mark.parametrize(("length", "kept"), [(MAX_OBJECT, True), (MAX_OBJECT + 1, False)])
def test_an_object_past_the_limit_is_not_kept(length: int, kept: bool) -> None:
    store = Store()
    store.put(("a",), Response(200, {}, b"x" * length), 0, 60)
    assert (store.get(("a",)) is not None) is kept


def test_what_may_stay_no_time_is_not_kept() -> None:
    store = Store()
    store.put(("a",), Response(200, {}, b"x"), 0, 0)
    assert len(store) == 0


def test_what_is_kept_is_a_copy() -> None:
    store = Store()
    response = Response(200, {"a": [("A", "1")]}, b"x")
    store.put(("a",), response, 0, 60)
    response.headers["a"].append(("Set-Cookie", "another visitor's"))
    entry = store.get(("a",))
    assert entry is not None
    assert entry.response.headers == {"a": [("A", "1")]}
