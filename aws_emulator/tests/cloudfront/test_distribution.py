"""The distribution as the CloudFront API writes it."""

from typing import Any

import pytest

from aws_emulator.cloudfront import managed
from aws_emulator.cloudfront.distributionparts import build_distribution
from aws_emulator.cloudfront.model import Association, Distribution, EventType
from aws_emulator.cloudfront.origins import bucket_of
from aws_emulator.cloudfront.policies import CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy
from aws_emulator.errors import CommandError
from aws_emulator.tests.cloudfront.deployment import behaviour, configuration, items
from aws_emulator.tests.cloudfront.stage import CACHING_OPTIMIZED

VIEWER = "arn:aws:lambda:us-east-1:000000000000:function:viewer:1"
ORIGIN = "arn:aws:lambda:us-east-1:000000000000:function:origin:1"


class FakeLookup:
    """Knows the managed policies, and any function."""

    def cache_policy(self, policy_id: str) -> CachePolicy:
        return managed.CACHE_POLICIES[policy_id]

    def origin_request_policy(self, policy_id: str) -> OriginRequestPolicy:
        return managed.ORIGIN_REQUEST_POLICIES[policy_id]

    def response_headers_policy(self, policy_id: str) -> ResponseHeadersPolicy:
        return managed.RESPONSE_HEADERS_POLICIES[policy_id]

    def signing(self, access_control_id: str) -> str:
        assert access_control_id == "control"
        return "always"

    def association(self, event_type: EventType, arn: str, *, include_body: bool) -> Association:
        return Association(event_type, arn, include_body)


def build(**changes: Any) -> Distribution:
    config = {**configuration(VIEWER, ORIGIN, "control", 8000), **changes}
    found = {
        "Id": "E1",
        "ARN": "arn:aws:cloudfront::000000000000:distribution/E1",
        "DomainName": "d.cloudfront.net",
        "DistributionConfig": config,
    }
    return build_distribution(found, FakeLookup())


def default(**changes: Any) -> dict[str, Any]:
    return {"DefaultCacheBehavior": {**behaviour(), **changes}}


def test_everything_of_the_deployed_distribution_is_read() -> None:
    made = build()
    listed = [
        item["PathPattern"] for item in configuration("", "", "", 1)["CacheBehaviors"]["Items"]
    ]
    assert [each.pattern for each in made.behaviours] == [*listed, "*"]
    assert (made.id, made.domain, made.default_root) == ("E1", "d.cloudfront.net", "index.html")
    assert made.enabled
    portal, live = made.origins["portal"], made.origins["live"]
    assert (portal.kind, portal.signing, portal.region) == ("s3", "always", "us-east-1")
    assert (live.kind, live.protocol, live.port, live.read_timeout) == ("custom", "http", 8000, 4)
    assert live.custom_headers == (("X-Secret", "known"),)
    assert made.groups["group"].members == ("dead", "live")
    assert made.groups["group"].statuses == {500, 502}
    assert (made.errors[404].page, made.errors[404].answer, made.errors[404].min_ttl) == (
        "/sorry.html",
        404,
        0,
    )
    premium = made.behaviours[0]
    assert premium.associations["viewer-request"].arn == VIEWER
    assert not premium.associations["viewer-request"].include_body
    assert made.behaviours[1].associations["viewer-request"].include_body
    assert "POST" in premium.allowed_methods
    assert premium.cached_methods == {"GET", "HEAD"}
    assert made.behaviours[-1].allowed_methods == {"GET", "HEAD"}


def test_what_is_not_emulated_is_said() -> None:
    made = build(
        WebACLId="arn:aws:wafv2:us-east-1:000000000000:global/webacl/x",
        Restrictions={"GeoRestriction": {"RestrictionType": "whitelist"}},
        **default(Compress=True, TrustedKeyGroups={"Enabled": True}),
    )
    said = " ".join(made.notes)
    for word in ("WAF", "geographic", "Compression", "Signed"):
        assert word in said
    assert build().notes == ()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (default(CachePolicyId=""), "legacy"),
        (default(TargetOriginId="nowhere"), "origin"),
        (
            default(
                LambdaFunctionAssociations=items(
                    [{"EventType": "viewer-request", "LambdaFunctionARN": VIEWER}] * 2
                )
            ),
            "two",
        ),
        (
            default(
                LambdaFunctionAssociations=items(
                    [{"EventType": "viewer-request", "LambdaFunctionARN": VIEWER}]
                ),
                FunctionAssociations=items([{"EventType": "viewer-response"}]),
            ),
            "combines",
        ),
        (
            default(FunctionAssociations=items([{"EventType": "viewer-request"}])),
            "CloudFront Function",
        ),
        (
            default(
                LambdaFunctionAssociations=items(
                    [{"EventType": "elsewhere", "LambdaFunctionARN": VIEWER}]
                )
            ),
            "unknown event",
        ),
    ],
)
def test_what_cannot_be_served_is_one_sentence(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(CommandError, match=word):
        build(**changes)


def test_a_distribution_without_lists_has_only_its_default_behaviour() -> None:
    made = build(
        CacheBehaviors={"Quantity": 0}, CustomErrorResponses={}, OriginGroups={"Quantity": 0}
    )
    assert [each.cache.id for each in made.behaviours] == [CACHING_OPTIMIZED]


@pytest.mark.parametrize(
    ("domain", "place"),
    [
        ("b.s3.eu-west-2.amazonaws.com", ("b", "eu-west-2")),
        ("b.s3-eu-west-2.amazonaws.com", ("b", "eu-west-2")),
        ("b.s3.amazonaws.com", ("b", "us-east-1")),
        ("a.b.s3.ap-south-1.amazonaws.com", ("a.b", "ap-south-1")),
        ("example.org", None),
    ],
)
def test_a_bucket_is_read_from_its_domain_name(domain: str, place: tuple[str, str] | None) -> None:
    assert bucket_of(domain) == place
