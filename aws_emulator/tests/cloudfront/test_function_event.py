"""Tests of Lambda@Edge events."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.edge_functions.event import (
    MAX_BODY_BYTES,
    body_to_event,
    request_event,
)
from aws_emulator.cloudfront.model import (
    Distribution,
    EventType,
    FunctionAssociation,
    Origin,
    Request,
    Response,
    Viewer,
)
from aws_emulator.tests.cloudfront import strategies
from aws_emulator.tests.paths import ROOT

FIXTURES = ROOT.parent / "shared/fixtures/cloudfront_events"
DISTRIBUTION = Distribution(
    id="EDFDVBD6EXAMPLE",
    arn="arn:aws:cloudfront::000000000000:distribution/EDFDVBD6EXAMPLE",
    domain="d111111abcdef8.cloudfront.net",
    enabled=True,
    default_root_object="",
    behaviors=(),
    origins={},
)
EXAMPLE_ORIGIN = Origin(
    "example", "custom", "example.org", ssl_protocols=("TLSv1", "TLSv1.1", "TLSv1.2")
)
BUCKET_ORIGIN = Origin("bucket", "s3", "bucket.s3.eu-west-2.amazonaws.com", region="eu-west-2")


def pairs(shown: dict[str, list[dict[str, str]]]) -> h.HeaderMap:
    return h.collect((each["key"], each["value"]) for values in shown.values() for each in values)


@pytest.mark.shared
@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the shared CloudFront events are missing")
@pytest.mark.parametrize(
    "event_type", ["viewer-request", "origin-request", "origin-response", "viewer-response"]
)
def test_event_equals_documented_example(event_type: EventType) -> None:
    documented = json.loads((FIXTURES / f"awsdocs-{event_type}.json").read_text())
    cf = documented["Records"][0]["cf"]
    event_request = cf["request"]
    response = cf.get("response")
    event = request_event(
        DISTRIBUTION,
        FunctionAssociation(event_type, "arn"),
        cf["config"]["requestId"],
        Request(
            event_request["method"],
            event_request["uri"],
            event_request["querystring"],
            pairs(event_request["headers"]),
        ),
        Viewer(event_request["clientIp"]),
        EXAMPLE_ORIGIN if event_type.startswith("origin") else None,
        response
        and Response(
            int(response["status"]), pairs(response["headers"]), b"", response["statusDescription"]
        ),
    )
    assert event == documented


def is_shown(headers: Any) -> None:
    for name, values in headers.items():
        assert name == name.lower()
        assert not h.is_disallowed(name)
        assert values
        assert all(each["key"].lower() == name and set(each) == {"key", "value"} for each in values)


@given(
    strategies.viewer_requests(),
    strategies.viewers(),
    st.sampled_from(["viewer-request", "origin-request"]),
    st.sampled_from([EXAMPLE_ORIGIN, BUCKET_ORIGIN]),
)
def test_event_is_valid_for_any_request(
    request: Request, viewer: Viewer, event_type: EventType, origin: Origin
) -> None:
    association = FunctionAssociation(event_type, "arn", include_body=True)
    at_origin = event_type == "origin-request"
    event = request_event(
        DISTRIBUTION, association, "id", request, viewer, origin if at_origin else None
    )
    assert json.loads(json.dumps(event)) == event
    (record,) = event["Records"]
    assert record["cf"]["config"] == {
        "distributionDomainName": DISTRIBUTION.domain,
        "distributionId": DISTRIBUTION.id,
        "eventType": event_type,
        "requestId": "id",
    }
    shown = record["cf"]["request"]
    is_shown(shown["headers"])
    assert shown["uri"].startswith("/")
    assert shown["querystring"] == request.query
    assert ("origin" in shown) is at_origin
    if at_origin:
        assert len(shown["origin"]) == 1
    assert base64.b64decode(shown["body"]["data"]) == request.body
    # The event contains every allowed header with all of its values, in order.
    for name, values in request.headers.items():
        if not h.is_disallowed(name):
            assert [each["value"] for each in shown["headers"][name]] == [v for _, v in values]


@pytest.mark.parametrize("event_type", ["viewer-request", "origin-request"])
@pytest.mark.parametrize("over", [0, 1])
def test_event_truncates_body_over_limit(event_type: EventType, over: int) -> None:
    limit = MAX_BODY_BYTES[event_type]
    shown = body_to_event(b"x" * (limit + over), event_type)
    assert shown["inputTruncated"] is bool(over)
    assert len(base64.b64decode(shown["data"])) == limit
    assert (shown["action"], shown["encoding"]) == ("read-only", "base64")


def test_body_limits_match_quotas() -> None:
    assert MAX_BODY_BYTES == {"viewer-request": 40_960, "origin-request": 1_048_576}


def test_event_omits_body_without_include_body() -> None:
    request = Request("POST", "/", "", {}, b"secret")
    event = request_event(
        DISTRIBUTION, FunctionAssociation("viewer-request", "arn"), "id", request, Viewer("::1")
    )
    assert "body" not in event["Records"][0]["cf"]["request"]
