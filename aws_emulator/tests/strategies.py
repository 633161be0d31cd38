"""Hypothesis strategies for CloudFront requests, behaviors and event source mappings."""

from typing import Any

from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as edge_headers
from aws_emulator.cloudfront.model import Behaviour, Request, Viewer
from aws_emulator.cloudfront.policies import CachePolicy, Choice, OriginRequestPolicy
from aws_emulator.simulator.faults import Faults

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)


def json_values(max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Any JSON value that Python and JSON agree on."""
    return st.recursive(
        _scalars,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=max_leaves,
    )


#: Names that rules speak of, beside any other.
_edge_names = st.sampled_from(
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
) | st.from_regex(edge_headers.TOKEN, fullmatch=True).map(str.lower)
_edge_values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")
)
edge_paths = st.lists(
    st.text("abcP._-%/~*?", max_size=5) | st.sampled_from(["..", ".", "", "%2e%2E", "%70remium"]),
    max_size=5,
).map(lambda parts: "/" + "/".join(parts))
edge_patterns = st.text("ab/*?.P", min_size=1, max_size=8)
edge_queries = st.lists(
    st.tuples(st.sampled_from(["a", "b", "A", ""]), st.text("01%=+", max_size=3)), max_size=4
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@st.composite
def edge_requests(draw: st.DrawFn) -> Request:
    """A viewer's request as the edge reads it: exactly one Host, names in any case."""
    pairs = draw(st.lists(st.tuples(_edge_names, _edge_values), max_size=6))
    cookies = draw(st.lists(st.sampled_from(["a=1", "b=2", "a=3; c=4", "; ;", "bare"]), max_size=2))
    written = [("Host", "school.example")]
    written += [
        (name.title() if draw(st.booleans()) else name, value)
        for name, value in pairs
        if name not in {"host", "cookie"}
    ]
    written += [("Cookie", value) for value in cookies]
    return Request(
        method=draw(st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "DELETE"])),
        uri=draw(edge_paths),
        query=draw(edge_queries),
        headers=edge_headers.collect(written),
        body=draw(st.binary(max_size=40)),
    )


@st.composite
def edge_viewers(draw: st.DrawFn) -> Viewer:
    """A visitor from anywhere, whose place may be unknown."""
    text = st.none() | st.text(st.characters(codec="utf-8", min_codepoint=32), max_size=8)
    return Viewer(
        str(draw(st.ip_addresses())), draw(st.integers(0, 65_535)), *(draw(text) for _ in range(4))
    )


@st.composite
def edge_choices(draw: st.DrawFn, modes: tuple[str, ...], names: st.SearchStrategy[str]) -> Choice:
    """A section of a policy."""
    mode = draw(st.sampled_from(modes))
    listed = draw(st.frozensets(names, max_size=4))
    return Choice(mode, listed if mode in {"whitelist", "allExcept"} else frozenset())


@st.composite
def edge_behaviours(draw: st.DrawFn) -> Behaviour:
    """A cache behaviour with any policies, and no functions."""
    plain = st.sampled_from(["a", "b", "A", "c"])
    common = ("none", "whitelist", "all", "allExcept")
    least, default, most = sorted(draw(st.lists(st.integers(0, 1_000), min_size=3, max_size=3)))
    policy = OriginRequestPolicy(
        "request",
        draw(edge_choices(("none", "whitelist", "allViewer", "allExcept"), _edge_names)),
        draw(edge_choices(common, plain)),
        draw(edge_choices(common, plain)),
    )
    return Behaviour(
        pattern="*",
        target="origin",
        cache=CachePolicy(
            "cache",
            least,
            default,
            most,
            gzip=draw(st.booleans()),
            brotli=draw(st.booleans()),
            # CloudFront takes no Cookie among the headers: cookies have a section of their own.
            headers=draw(edge_choices(("none", "whitelist"), _edge_names.filter("cookie".__ne__))),
            cookies=draw(edge_choices(common, plain)),
            queries=draw(edge_choices(common, plain)),
        ),
        origin_request=draw(st.none() | st.just(policy)),
    )


@st.composite
def edge_results(draw: st.DrawFn, legal: dict[str, Any]) -> Any:
    """What a function might return: a legal result with a few places spoilt, or any JSON."""
    if draw(st.integers(0, 9)) == 0:
        return draw(json_values())
    result = dict(legal)
    if draw(st.booleans()):
        result["status"] = draw(
            st.sampled_from(["200", "599", "204", 302, "199", "600", "2x0", True, None, "٢٠٠"])
        )
        result["body"] = draw(st.none() | st.text(max_size=5) | st.integers())
        result["bodyEncoding"] = draw(st.sampled_from(["text", "base64", "gzip", None]))
    entries = st.lists(
        st.fixed_dictionaries(
            {"value": _edge_values | st.text(max_size=3) | st.none()},
            optional={"key": _edge_names | json_values(2)},
        )
        | json_values(2),
        max_size=2,
    )
    spoilt = {
        "headers": st.just({**legal.get("headers", {}), draw(_edge_names): draw(entries)}),
        "uri": edge_paths | st.text(max_size=4),
        "querystring": edge_queries | st.text(max_size=4),
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
    for name in draw(st.lists(st.sampled_from(sorted(spoilt)), max_size=3, unique=True)):
        if draw(st.booleans()):
            result[name] = draw(spoilt[name])
        else:
            result.pop(name, None)
    return result


# --- event source mappings ---


@st.composite
def mapping_settings(draw: st.DrawFn) -> dict[str, Any]:
    """Generate settings of an event source mapping by their API names."""
    tumbling = draw(st.sampled_from([0, 0, 1]))
    settings: dict[str, Any] = {
        "BatchSize": draw(st.integers(1, 12)),
        "MaximumBatchingWindowInSeconds": draw(st.sampled_from([0, 1])),
        "BisectBatchOnFunctionError": draw(st.booleans()),
        "FunctionResponseTypes": draw(st.sampled_from([[], ["ReportBatchItemFailures"]])),
        "MaximumRetryAttempts": draw(st.sampled_from([-1, 0, 1, 3])),
        "MaximumRecordAgeInSeconds": draw(st.sampled_from([-1, -1, 1, 5])),
        "ParallelizationFactor": draw(st.sampled_from([1, 1, 3])),
        "TumblingWindowInSeconds": tumbling,
    }
    if draw(st.booleans()):
        pattern = '{"data": {"key": [{"anything-but": "b"}]}}'
        settings["FilterCriteria"] = {"Filters": [{"Pattern": pattern}]}
    return settings


def record_payloads() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Generate record data that instructs the handler of test_conservation.py."""
    return st.lists(
        st.fixed_dictionaries(
            {
                "do": st.sampled_from(["", "", "", "raise", "report", "nonsense"]),
                "times": st.integers(0, 2),
                "key": st.sampled_from("abcde"),
            }
        ),
        max_size=30,
    )


def simulator_faults() -> st.SearchStrategy[Faults]:
    """Generate fault probabilities of all kinds, including zero."""
    rates = st.sampled_from([0.0, 0.0, 0.05, 0.2])
    return st.builds(
        Faults,
        crash=rates,
        error=rates,
        timeout=rates,
        overlap=rates,
        throttle=rates,
        restart=st.sampled_from([0.0, 0.0, 0.03]),
        limit=st.integers(0, 12),
    )
