"""Hypothesis strategies for viewer requests, cache behaviors and function results."""

from typing import Any

from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.model import CacheBehavior, Request, Viewer
from aws_emulator.cloudfront.policies import CachePolicy, NameSelection, OriginRequestPolicy
from aws_emulator.tests.strategies import json_values

#: Header names with CloudFront rules, and any other name.
_header_names = st.sampled_from(
    [
        "host",
        "via",
        "cookie",
        "content-length",
        "accept-encoding",
        "if-none-match",
        "connection",
        "x-cache",
        "x-edge-location",
        "x-amz-cf-id",
        "set-cookie",
        "cloudfront-viewer-country",
        "x-own",
    ]
) | st.from_regex(h.TOKEN, fullmatch=True).map(str.lower)
_header_values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")
)
paths = st.lists(
    st.text("abcP._-%/~*?", max_size=5) | st.sampled_from(["..", ".", "", "%2e%2E", "%70remium"]),
    max_size=5,
).map(lambda parts: "/" + "/".join(parts))
path_patterns = st.text("ab/*?.P", min_size=1, max_size=8)
query_strings = st.lists(
    st.tuples(st.sampled_from(["a", "b", "A", ""]), st.text("01%=+", max_size=3)), max_size=4
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@st.composite
def viewer_requests(draw: st.DrawFn) -> Request:
    """A parsed viewer request: exactly one Host header, header names in any case."""
    pairs = draw(st.lists(st.tuples(_header_names, _header_values), max_size=6))
    cookies = draw(st.lists(st.sampled_from(["a=1", "b=2", "a=3; c=4", "; ;", "bare"]), max_size=2))
    written = [("Host", "www.example.com")]
    written += [
        (name.title() if draw(st.booleans()) else name, value)
        for name, value in pairs
        if name not in {"host", "cookie"}
    ]
    written += [("Cookie", value) for value in cookies]
    return Request(
        method=draw(st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "DELETE"])),
        uri=draw(paths),
        query=draw(query_strings),
        headers=h.collect(written),
        body=draw(st.binary(max_size=40)),
    )


@st.composite
def viewers(draw: st.DrawFn) -> Viewer:
    """A viewer with any address and a known or unknown location."""
    text = st.none() | st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=8)
    return Viewer(
        str(draw(st.ip_addresses())), draw(st.integers(0, 65_535)), *(draw(text) for _ in range(4))
    )


@st.composite
def name_selections(
    draw: st.DrawFn, modes: tuple[str, ...], names: st.SearchStrategy[str]
) -> NameSelection:
    """The headers, cookies or query strings of a policy."""
    mode = draw(st.sampled_from(modes))
    listed = draw(st.frozensets(names, max_size=4))
    return NameSelection(mode, listed if mode in {"whitelist", "allExcept"} else frozenset())


@st.composite
def cache_behaviors(draw: st.DrawFn) -> CacheBehavior:
    """A cache behavior with any policies and without functions."""
    plain = st.sampled_from(["a", "b", "A", "c"])
    common = ("none", "whitelist", "all", "allExcept")
    min_ttl, default_ttl, max_ttl = sorted(
        draw(st.lists(st.integers(0, 1_000), min_size=3, max_size=3))
    )
    policy = OriginRequestPolicy(
        "request",
        draw(name_selections(("none", "whitelist", "allViewer", "allExcept"), _header_names)),
        draw(name_selections(common, plain)),
        draw(name_selections(common, plain)),
    )
    return CacheBehavior(
        path_pattern="*",
        target_origin_id="origin",
        cache_policy=CachePolicy(
            "cache",
            min_ttl,
            default_ttl,
            max_ttl,
            gzip=draw(st.booleans()),
            brotli=draw(st.booleans()),
            # CloudFront rejects Cookie among the headers; cookies have their own section.
            headers=draw(
                name_selections(("none", "whitelist"), _header_names.filter("cookie".__ne__))
            ),
            cookies=draw(name_selections(common, plain)),
            query_strings=draw(name_selections(common, plain)),
        ),
        origin_request_policy=draw(st.none() | st.just(policy)),
    )


@st.composite
def function_results(draw: st.DrawFn, valid: dict[str, Any]) -> Any:
    """A function result: a valid result with some invalid fields, or any JSON value."""
    if draw(st.integers(0, 9)) == 0:
        return draw(json_values())
    result = dict(valid)
    if draw(st.booleans()):
        result["status"] = draw(
            st.sampled_from(["200", "599", "204", 302, "199", "600", "2x0", True, None, "٢٠٠"])
        )
        result["body"] = draw(st.none() | st.text(max_size=5) | st.integers())
        result["bodyEncoding"] = draw(st.sampled_from(["text", "base64", "gzip", None]))
    entries = st.lists(
        st.fixed_dictionaries(
            {"value": _header_values | st.text(max_size=3) | st.none()},
            optional={"key": _header_names | json_values(2)},
        )
        | json_values(2),
        max_size=2,
    )
    invalid = {
        "headers": st.just({**valid.get("headers", {}), draw(_header_names): draw(entries)}),
        "uri": paths | st.text(max_size=4),
        "querystring": query_strings | st.text(max_size=4),
        "body": json_values(4)
        | st.fixed_dictionaries(
            {
                "action": st.sampled_from(["replace", "read-only", "x"]),
                "encoding": st.sampled_from(["text", "base64", 1]),
                "data": st.text(max_size=6),
            }
        ),
        "origin": json_values(4)
        | st.fixed_dictionaries(
            {"s3": st.dictionaries(st.sampled_from(["domainName", "path", "region"]), st.text())}
        ),
        "method": st.sampled_from(["GET", "PUT"]),
        "statusDescription": st.text(max_size=3) | st.none(),
    }
    for name in draw(st.lists(st.sampled_from(sorted(invalid)), max_size=3, unique=True)):
        if draw(st.booleans()):
            result[name] = draw(invalid[name])
        else:
            result.pop(name, None)
    return result
