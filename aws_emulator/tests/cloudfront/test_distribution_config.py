"""Tests of parsing a distribution configuration."""

from typing import Any

import pytest

from aws_emulator.cloudfront.distribution import managed_policies
from aws_emulator.cloudfront.distribution.config import parse_distribution
from aws_emulator.cloudfront.model import Distribution, EventType, FunctionAssociation
from aws_emulator.cloudfront.origins.client import bucket_of
from aws_emulator.cloudfront.policies import (
    CachePolicy,
    NameSelection,
    OriginRequestPolicy,
    ResponseHeadersPolicy,
)
from aws_emulator.cloudfront.web_acl.acl import WebAcl
from aws_emulator.errors import CommandError
from aws_emulator.tests.cloudfront.deployment import (
    ALL_VIEWER_EXCEPT_HOST,
    behavior,
    configuration,
    items,
)
from aws_emulator.tests.cloudfront.harness import CACHING_OPTIMIZED

VIEWER = "arn:aws:lambda:us-east-1:000000000000:function:viewer:1"
ORIGIN = "arn:aws:lambda:us-east-1:000000000000:function:origin:1"


class FakeLookup:
    """Resolves the managed policies, and accepts any function."""

    def cache_policy(self, policy_id: str) -> CachePolicy:
        return managed_policies.CACHE_POLICIES[policy_id]

    def origin_request_policy(self, policy_id: str) -> OriginRequestPolicy:
        return managed_policies.ORIGIN_REQUEST_POLICIES[policy_id]

    def response_headers_policy(self, policy_id: str) -> ResponseHeadersPolicy:
        return managed_policies.RESPONSE_HEADERS_POLICIES[policy_id]

    def access_control_signing(self, access_control_id: str) -> str:
        assert access_control_id == "control"
        return "always"

    def trusted_keys(self, key_group_id: str) -> dict[str, str]:
        if key_group_id == "missing":
            raise CommandError("The trusted key group missing does not exist.")
        return {f"key-of-{key_group_id}": "pem"}

    def web_acl(self, arn: str) -> WebAcl:
        return WebAcl(arn, {"DefaultAction": {"Block": {}}})

    def association(
        self, event_type: EventType, arn: str, *, include_body: bool
    ) -> FunctionAssociation:
        return FunctionAssociation(event_type, arn, include_body)


IDENTITY = "origin-access-identity/cloudfront/E74FTE3AJFJ256A"
NO_FORWARDING = {"QueryString": False, "Cookies": {"Forward": "none"}}


def build(**changes: Any) -> Distribution:
    config = {**configuration(VIEWER, ORIGIN, "control", 8000), **changes}
    entries_by_id = {
        "Id": "E1",
        "ARN": "arn:aws:cloudfront::000000000000:distribution/E1",
        "DomainName": "d.cloudfront.net",
        "DistributionConfig": config,
    }
    return parse_distribution(entries_by_id, FakeLookup())


def default(**changes: Any) -> dict[str, Any]:
    return {"DefaultCacheBehavior": {**behavior(), **changes}}


def s3_origin(identity: str, control: str = "") -> dict[str, Any]:
    return {
        "Id": "site",
        "DomainName": "b.s3.us-east-1.amazonaws.com",
        "OriginAccessControlId": control,
        "S3OriginConfig": {"OriginAccessIdentity": identity},
    }


def test_parser_reads_whole_distribution() -> None:
    parsed = build()
    listed = [
        item["PathPattern"] for item in configuration("", "", "", 1)["CacheBehaviors"]["Items"]
    ]
    assert [each.path_pattern for each in parsed.behaviors] == [*listed, "*"]
    assert (parsed.id, parsed.domain, parsed.default_root_object) == (
        "E1",
        "d.cloudfront.net",
        "index.html",
    )
    assert parsed.enabled
    site, live = parsed.origins["site"], parsed.origins["live"]
    assert (site.kind, site.signing_behavior, site.region) == ("s3", "always", "us-east-1")
    assert (live.kind, live.protocol, live.port, live.read_timeout) == ("custom", "http", 8000, 4)
    assert live.custom_headers == (("X-Secret", "known"),)
    assert parsed.origin_groups["group"].members == ("dead", "live")
    assert parsed.origin_groups["group"].statuses == {500, 502}
    assert (
        parsed.custom_error_responses[404].response_page_path,
        parsed.custom_error_responses[404].response_code,
        parsed.custom_error_responses[404].error_caching_min_ttl_s,
    ) == (
        "/sorry.html",
        404,
        0,
    )
    premium = parsed.behaviors[0]
    assert premium.associations["viewer-request"].arn == VIEWER
    assert not premium.associations["viewer-request"].include_body
    assert parsed.behaviors[1].associations["viewer-request"].include_body
    assert "POST" in premium.allowed_methods
    assert premium.cached_methods == {"GET", "HEAD"}
    assert parsed.behaviors[-1].allowed_methods == {"GET", "HEAD"}


def test_parser_reads_keys_of_trusted_key_groups() -> None:
    groups = {"Enabled": True, "Quantity": 2, "Items": ["one", "two"]}
    (parsed,) = build(**default(TrustedKeyGroups=groups)).behaviors[-1:]
    assert parsed.key_groups == ("one", "two")
    assert parsed.trusted_keys == {"key-of-one": "pem", "key-of-two": "pem"}


@pytest.mark.parametrize("groups", [None, {"Enabled": False, "Quantity": 0}])
def test_behavior_without_key_group_needs_no_signature(groups: dict[str, Any] | None) -> None:
    (parsed,) = build(**default(TrustedKeyGroups=groups)).behaviors[-1:]
    assert parsed.key_groups == ()


def test_parser_notes_ignored_settings() -> None:
    parsed = build(
        Restrictions={"GeoRestriction": {"RestrictionType": "whitelist"}},
        **default(Compress=True),
    )
    notes = " ".join(parsed.notes)
    for word in ("geographic", "Compression"):
        assert word in notes
    assert build().notes == ()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (default(CachePolicyId=""), "either CachePolicyId or ForwardedValues"),
        (default(ForwardedValues=NO_FORWARDING), "either CachePolicyId or ForwardedValues"),
        (
            default(
                CachePolicyId="",
                ForwardedValues=NO_FORWARDING,
                OriginRequestPolicyId=ALL_VIEWER_EXCEPT_HOST,
            ),
            "OriginRequestPolicyId",
        ),
        ({"Origins": items([s3_origin("E1")])}, "invalid OriginAccessIdentity"),
        ({"Origins": items([s3_origin(IDENTITY, "control")])}, "both"),
        ({"Origins": items([{**s3_origin(""), "VpcOriginConfig": {"VpcOriginId": "v"}}])}, "VPC"),
        (default(TargetOriginId="nowhere"), "targets the origin"),
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
def test_parser_rejects_invalid_or_unsupported_settings(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(CommandError, match=word):
        build(**changes)


@pytest.mark.parametrize("methods", [["GET", "HEAD"], ["GET", "HEAD", "OPTIONS"]])
def test_origin_group_allows_methods_with_failover(methods: list[str]) -> None:
    parsed = build(**default(TargetOriginId="group", AllowedMethods=items(methods)))
    assert parsed.behaviors[-1].allowed_methods == set(methods)


@pytest.mark.parametrize("target", ["group", "site"])
def test_origin_group_excludes_methods_without_failover(target: str) -> None:
    """CloudFront's API refuses what its failover excludes: "only … GET, HEAD, or OPTIONS"."""
    methods = items(["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"])
    changes = default(TargetOriginId=target, AllowedMethods=methods)
    if target == "site":
        assert len(build(**changes).behaviors[-1].allowed_methods) == 7
        return
    with pytest.raises(CommandError, match="origin group group, so its AllowedMethods can't"):
        build(**changes)


def test_bucket_of_an_origin_has_its_own_read_timeout() -> None:
    """API reference, S3OriginConfig: OriginReadTimeout, 30 seconds by default."""
    short = s3_origin("", "control")
    short["S3OriginConfig"]["OriginReadTimeout"] = 5
    others = [
        it
        for it in configuration(VIEWER, ORIGIN, "control", 8000)["Origins"]["Items"]
        if it["Id"] != "site"
    ]
    parsed = {
        read_timeout: build(Origins=items([origin, *others])).origins["site"].read_timeout
        for read_timeout, origin in ((5, short), (30, s3_origin("", "control")))
    }
    assert parsed == {5: 5, 30: 30}


def test_parser_reads_legacy_cache_settings() -> None:
    parsed = build(
        **default(CachePolicyId="", ForwardedValues={**NO_FORWARDING, "Headers": items(["Origin"])})
    )
    chosen = parsed.behaviors[-1]
    assert chosen.cache_policy == CachePolicy(
        "", 0, 86_400, 31_536_000, headers=NameSelection("whitelist", frozenset({"origin"}))
    )
    assert chosen.origin_request_policy == OriginRequestPolicy("")


def test_parser_reads_origin_access_identity() -> None:
    others = [
        each
        for each in configuration(VIEWER, ORIGIN, "control", 8000)["Origins"]["Items"]
        if each["Id"] != "site"
    ]
    site = build(Origins=items([s3_origin(IDENTITY), *others])).origins["site"]
    assert site.signing_behavior is None
    assert site.access_identity is not None
    assert site.access_identity.id == "E74FTE3AJFJ256A"
    # The value of !GetAtt Identity.S3CanonicalUserId on MiniStack.
    assert len(site.access_identity.canonical_user_id) == 64


def test_distribution_without_lists_has_default_behavior_only() -> None:
    parsed = build(
        CacheBehaviors={"Quantity": 0}, CustomErrorResponses={}, OriginGroups={"Quantity": 0}
    )
    assert [each.cache_policy.id for each in parsed.behaviors] == [CACHING_OPTIMIZED]


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("b.s3.eu-west-2.amazonaws.com", ("b", "eu-west-2")),
        ("b.s3-eu-west-2.amazonaws.com", ("b", "eu-west-2")),
        ("b.s3.amazonaws.com", ("b", "us-east-1")),
        ("a.b.s3.ap-south-1.amazonaws.com", ("a.b", "ap-south-1")),
        ("example.org", None),
    ],
)
def test_bucket_of_parses_domain_name(domain: str, expected: tuple[str, str] | None) -> None:
    assert bucket_of(domain) == expected


@pytest.mark.parametrize(
    ("region", "refused"), [("us-east-1", False), ("eu-west-2", True), (None, True)]
)
def test_domain_name_needs_certificate_in_us_east_1(region: str | None, refused: bool) -> None:
    arn = f"arn:aws:acm:{region}:123456789012:certificate/1"
    certificate = {"ACMCertificateArn": arn} if region else {"CloudFrontDefaultCertificate": True}
    changes = {
        "Aliases": {"Quantity": 1, "Items": ["www.example.com"]},
        "ViewerCertificate": certificate,
    }
    if refused:
        with pytest.raises(CommandError, match="certificate of ACM in us-east-1"):
            build(**changes)
    else:
        assert build(**changes).id == "E1"
