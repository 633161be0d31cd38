"""Tests of the origin that an origin-request function selects."""

import copy
from typing import Any

import pytest

from aws_emulator.cloudfront.edge_functions.event import origin_to_event
from aws_emulator.cloudfront.edge_functions.result_origin import parse_origin
from aws_emulator.cloudfront.errors import FunctionResultError
from aws_emulator.cloudfront.headers import HeaderMap
from aws_emulator.cloudfront.model import Origin

CUSTOM = Origin("live", "custom", "localhost", "/stage", (("X-Secret", "s"),), port=8443)
BUCKET = Origin("site", "s3", "b.s3.us-east-1.amazonaws.com", signing_behavior="always")
HEADERS: HeaderMap = {"host": [("Host", "x")]}


def parse(origin: Origin, wanted: Any) -> Origin:
    return parse_origin({"origin": wanted}, origin_to_event(origin), HEADERS, origin)


def custom(**fields: Any) -> dict[str, Any]:
    shown = copy.deepcopy(origin_to_event(CUSTOM))
    shown["custom"].update(fields)
    return shown


def bucket(**fields: Any) -> dict[str, Any]:
    shown = copy.deepcopy(origin_to_event(BUCKET))
    shown["s3"].update(fields)
    return shown


def test_unchanged_origin_is_same_object() -> None:
    assert parse(CUSTOM, origin_to_event(CUSTOM)) is CUSTOM
    assert parse(BUCKET, origin_to_event(BUCKET)) is BUCKET


def test_changed_bucket_keeps_access_control() -> None:
    parsed = parse(BUCKET, bucket(domainName="c.s3.eu-west-2.amazonaws.com", region="eu-west-2"))
    assert (parsed.domain, parsed.region, parsed.signing_behavior) == (
        "c.s3.eu-west-2.amazonaws.com",
        "eu-west-2",
        "always",
    )


def test_bucket_instead_of_custom_origin_has_no_access_control() -> None:
    parsed = parse(CUSTOM, bucket())
    assert (parsed.kind, parsed.signing_behavior) == ("s3", None)


def test_custom_origin_instead_of_bucket_has_defaults() -> None:
    parsed = parse(BUCKET, {"custom": {"domainName": "api.example"}})
    assert (parsed.kind, parsed.protocol, parsed.port, parsed.path) == ("custom", "https", 443, "")


def test_custom_origin_fields_are_applied() -> None:
    parsed = parse(
        CUSTOM,
        custom(
            domainName="other.example",
            path="/v2",
            port=80,
            protocol="http",
            readTimeout=4,
            keepaliveTimeout=60,
            sslProtocols=["TLSv1.1"],
            customHeaders={"x-new": [{"value": "1"}]},
        ),
    )
    assert parsed == Origin(
        "live",
        "custom",
        "other.example",
        "/v2",
        (("X-New", "1"),),
        protocol="http",
        port=80,
        read_timeout=4,
        keepalive_timeout=60,
        ssl_protocols=("TLSv1.1",),
    )


#: Each documented limit: a value at the limit, and one past it.
LIMITS = [
    (custom(domainName="a" * 253), custom(domainName="a" * 254)),
    (bucket(domainName="a" * 128), bucket(domainName="a" * 129)),
    (custom(path="/" + "a" * 254), custom(path="/" + "a" * 255)),
    (custom(port=1024), custom(port=1023)),
    (custom(port=65_535), custom(port=65_536)),
    (custom(port=80), custom(port=81)),
    (custom(port=443), custom(port=444)),
    (custom(readTimeout=4), custom(readTimeout=3)),
    (custom(readTimeout=60), custom(readTimeout=61)),
    (custom(keepaliveTimeout=1), custom(keepaliveTimeout=0)),
    (custom(keepaliveTimeout=60), custom(keepaliveTimeout=61)),
]


@pytest.mark.parametrize(("within", "past"), LIMITS)
def test_origin_limit_is_exact(within: Any, past: Any) -> None:
    origin = BUCKET if "s3" in within else CUSTOM
    parse(origin, within)
    with pytest.raises(FunctionResultError) as caught:
        parse(origin, past)
    assert caught.value.code == "BadOrigin"


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        {},
        [],
        {"s3": {}, "custom": {}},
        {"ftp": {}},
        {"custom": None},
        {"custom": {}},
        custom(domainName=""),
        custom(domainName=None),
        custom(domainName="a:80"),
        custom(domainName="192.0.2.1"),
        custom(domainName="a b"),
        custom(path="a"),
        custom(path="/a/"),
        custom(path="/a b"),
        custom(path="/é"),
        custom(path="/a?b"),
        custom(port="443"),
        custom(port=True),
        custom(protocol="ftp"),
        custom(readTimeout=None),
        custom(sslProtocols="TLSv1.2"),
        custom(sslProtocols=["TLSv9"]),
        custom(customHeaders={"host": [{"value": "x"}]}),
        custom(customHeaders={"connection": [{"value": "x"}]}),
        custom(customHeaders={"x-amz-date": [{"value": "x"}]}),
        custom(customHeaders={"x-edge-a": [{"value": "x"}]}),
        custom(customHeaders=[]),
        bucket(domainName="B.s3.amazonaws.com"),
        bucket(authMethod="sigv4"),
        bucket(authMethod="origin-access-identity", region=""),
    ],
)
def test_invalid_origin_is_rejected(wanted: Any) -> None:
    with pytest.raises(FunctionResultError):
        parse(CUSTOM, wanted)


def test_custom_header_must_not_be_request_header() -> None:
    wanted = custom(customHeaders={"x-own": [{"value": "1"}]})
    with pytest.raises(FunctionResultError, match="also a custom header"):
        parse_origin(
            {"origin": wanted}, origin_to_event(CUSTOM), {"x-own": [("X-Own", "1")]}, CUSTOM
        )
