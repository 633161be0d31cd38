"""Tests of legacy cache settings: ForwardedValues, MinTTL, DefaultTTL and MaxTTL."""

from typing import Any

import pytest

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.distribution.legacy_cache_settings import parse_legacy_cache_settings
from aws_emulator.cloudfront.model import CacheBehavior
from aws_emulator.cloudfront.policies import ALL, NONE, CachePolicy, NameSelection
from aws_emulator.errors import CommandError
from aws_emulator.tests.cloudfront.deployment import items
from aws_emulator.tests.cloudfront.fakes import (
    FakeOrigins,
    distribution,
    edge_location,
    origin_response,
    request,
    serve,
    x_cache,
)


def forwarded(
    *, headers: list[str] | None = None, cookies: Any = None, query: bool = False, **more: Any
) -> dict[str, Any]:
    values = {"QueryString": query, "Cookies": cookies or {"Forward": "none"}, **more}
    return {**values, "Headers": items(headers)} if headers else values


def parse(
    *, s3: bool = False, settings: dict[str, Any] | None = None, **values: Any
) -> CacheBehavior:
    cache_policy, origin_request_policy = parse_legacy_cache_settings(
        {"ForwardedValues": forwarded(**values), **(settings or {})},
        path_pattern="/a",
        s3_origin=s3,
    )
    return CacheBehavior("/a", "other", cache_policy, origin_request_policy)


def whitelist(*names: str) -> dict[str, Any]:
    return {"Forward": "whitelist", "WhitelistedNames": items(list(names))}


def exchange(behavior: CacheBehavior, *requests: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """Send requests for /a; return the origin requests, and the X-Cache word of each response."""
    origins = FakeOrigins(other=[lambda: origin_response(200, b"x")])
    edge = edge_location(distribution(behavior), origins=origins)
    results = [str(x_cache(serve(edge, request(**each))[0])).split()[0] for each in requests]
    return [sent for _, sent in origins.requests], results


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (0, 86_400, 31_536_000)),
        ({"MinTTL": 1, "DefaultTTL": 2, "MaxTTL": 3}, (1, 2, 3)),
        ({"MinTTL": 90_000}, (90_000, 90_000, 31_536_000)),
        ({"DefaultTTL": 5, "MaxTTL": 4}, (0, 5, 5)),
        ({"DefaultTTL": 0, "MaxTTL": 0}, (0, 0, 0)),
    ],
)
def test_ttls_have_documented_defaults(
    settings: dict[str, int], expected: tuple[float, float, float]
) -> None:
    policy = parse(settings=settings).cache_policy
    assert (policy.min_ttl, policy.default_ttl, policy.max_ttl) == expected


def test_settings_without_forwarding_equal_empty_cache_policy() -> None:
    behavior = parse()
    assert behavior.cache_policy == CachePolicy("", 0, 86_400, 31_536_000)
    sent, results = exchange(
        behavior,
        {"query": "a=1", "cookie": "c=1", "x_a": "1"},
        {"query": "a=2", "cookie": "c=2", "x_a": "2"},
    )
    assert results == ["Miss", "Hit"]
    assert (sent[0].query, "cookie" in sent[0].headers) == ("", False)


def test_listed_headers_are_forwarded_and_cached_by_value() -> None:
    behavior = parse(headers=["X-A"])
    sent, results = exchange(behavior, {"x_a": "1", "x_b": "1"}, {"x_a": "1"}, {"x_a": "2"})
    assert results == ["Miss", "Hit", "Miss"]
    assert h.joined(sent[0].headers, "x-a") == "1"
    assert "x-b" not in sent[0].headers


def test_all_headers_are_forwarded_and_nothing_is_cached() -> None:
    behavior = parse(headers=["*"])
    sent, results = exchange(behavior, {"x_a": "1"}, {"x_a": "1"})
    assert results == ["Miss", "Miss"]
    assert h.joined(sent[0].headers, "x-a") == "1"
    # The viewer's Host header is one of all headers.
    assert h.joined(sent[0].headers, "host") == "x.example"


@pytest.mark.parametrize(
    ("cookies", "expected", "results"),
    [
        ({"Forward": "none"}, None, ["Miss", "Hit", "Hit"]),
        ({"Forward": "all"}, "a=1; sess_1=1; b=1", ["Miss", "Miss", "Miss"]),
        (whitelist("a"), "a=1", ["Miss", "Miss", "Hit"]),
        (whitelist("sess_?"), "sess_1=1", ["Miss", "Hit", "Miss"]),
        (whitelist("s*", "b"), "sess_1=1; b=1", ["Miss", "Hit", "Miss"]),
        (whitelist("sess_"), None, ["Miss", "Hit", "Hit"]),
    ],
)
def test_cookies_are_forwarded_and_cached_by_preference(
    cookies: dict[str, Any], expected: str | None, results: list[str]
) -> None:
    sent, cache_results = exchange(
        parse(cookies=cookies),
        {"cookie": "a=1; sess_1=1; b=1"},
        {"cookie": "a=2; sess_1=1; b=1"},
        {"cookie": "a=1; sess_1=2; b=1"},
    )
    assert cache_results == results
    assert h.joined(sent[0].headers, "cookie") == expected


@pytest.mark.parametrize(
    ("values", "forwarded_query", "results"),
    [
        ({"query": False}, "", ["Miss", "Hit", "Hit"]),
        ({"query": True}, "a=1&b=1", ["Miss", "Miss", "Miss"]),
        ({"query": True, "QueryStringCacheKeys": items(["a"])}, "a=1&b=1", ["Miss", "Miss", "Hit"]),
        ({"query": True, "QueryStringCacheKeys": items([])}, "a=1&b=1", ["Miss", "Miss", "Miss"]),
        ({"query": False, "QueryStringCacheKeys": items(["a"])}, "", ["Miss", "Hit", "Hit"]),
    ],
)
def test_query_strings_are_forwarded_and_cached_by_keys(
    values: dict[str, Any], forwarded_query: str, results: list[str]
) -> None:
    sent, cache_results = exchange(
        parse(**values), {"query": "a=1&b=1"}, {"query": "a=2&b=1"}, {"query": "a=1&b=2"}
    )
    assert cache_results == results
    assert sent[0].query == forwarded_query


@pytest.mark.parametrize(
    ("headers", "compress", "forwarded_encoding", "results"),
    [
        ([], True, "gzip", ["Miss", "Hit"]),
        ([], False, None, ["Miss", "Hit"]),
        (["Accept-Encoding"], True, "gzip, br", ["Miss", "Miss"]),
    ],
)
def test_compression_normalises_accept_encoding_unless_it_is_listed(
    headers: list[str], compress: bool, forwarded_encoding: str | None, results: list[str]
) -> None:
    behavior = parse(headers=headers, settings={"Compress": compress})
    sent, cache_results = exchange(
        behavior, {"accept_encoding": "gzip, br"}, {"accept_encoding": "gzip"}
    )
    assert cache_results == results
    assert h.joined(sent[0].headers, "accept-encoding") == forwarded_encoding


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"headers": ["Connection"]}, "Connection"),
        ({"headers": ["cookie"]}, "cookie"),
        ({"headers": ["Host"], "s3": True}, "Host"),
        ({"headers": ["*"], "s3": True}, r"\*"),
        ({"headers": ["*"], "settings": {"MinTTL": 1}}, "MinTTL"),
        ({"cookies": {"Forward": "some"}}, "Forward"),
    ],
)
def test_settings_that_cloudfront_rejects_are_rejected(
    values: dict[str, Any], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        parse(**values)


def test_host_can_be_forwarded_to_custom_origin() -> None:
    sent, _ = exchange(parse(headers=["Host"]), {})
    assert h.joined(sent[0].headers, "host") == "x.example"


def test_selections_of_policies_are_exact() -> None:
    behavior = parse(query=True, cookies=whitelist("a*"), QueryStringCacheKeys=items(["q"]))
    assert behavior.origin_request_policy is not None
    assert behavior.origin_request_policy.query_strings == ALL
    assert behavior.origin_request_policy.cookies == NONE
    assert behavior.cache_policy.query_strings == NameSelection("whitelist", frozenset({"q"}))
