"""Tests of parsing policies, and of the AWS managed policies."""

from aws_emulator.cloudfront.distribution import managed_policies
from aws_emulator.cloudfront.distribution.policy_config import (
    parse_cache_policy,
    parse_origin_request_policy,
    parse_response_headers_policy,
)
from aws_emulator.cloudfront.policies import ALL, CachePolicy, Cors, NameSelection


def test_parser_reads_cache_policy() -> None:
    policy = parse_cache_policy(
        "id",
        {
            "MinTTL": 1,
            "DefaultTTL": 2,
            "MaxTTL": 3,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": True,
                "EnableAcceptEncodingBrotli": False,
                "HeadersConfig": {
                    "HeaderBehavior": "whitelist",
                    "Headers": {"Quantity": 1, "Items": ["Authorization"]},
                },
                "CookiesConfig": {"CookieBehavior": "allExcept", "Cookies": {"Items": ["A"]}},
                "QueryStringsConfig": {"QueryStringBehavior": "all"},
            },
        },
    )
    assert policy == CachePolicy(
        "id",
        1,
        2,
        3,
        gzip=True,
        headers=NameSelection("whitelist", frozenset({"authorization"})),
        cookies=NameSelection("allExcept", frozenset({"A"})),
        query_strings=ALL,
    )


def test_ttls_have_documented_defaults() -> None:
    assert parse_cache_policy("id", {"MinTTL": 0}) == CachePolicy("id", 0, 86_400, 31_536_000)
    assert parse_cache_policy("id", {"MinTTL": 90_000}).default_ttl == 90_000
    assert parse_cache_policy("id", {"MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 0}).max_ttl == 0


def test_parser_reads_origin_request_policy() -> None:
    policy = parse_origin_request_policy(
        "id",
        {
            "HeadersConfig": {
                "HeaderBehavior": "allViewerAndWhitelistCloudFront",
                "Headers": {"Items": ["CloudFront-Viewer-City"]},
            },
            "CookiesConfig": {"CookieBehavior": "all"},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        },
    )
    assert policy.headers.admits("anything")
    assert policy.headers.names == {"cloudfront-viewer-city"}
    assert policy.cookies.admits("a")
    assert not policy.query_strings.admits("a")


def test_parser_reads_response_headers_policy() -> None:
    policy = parse_response_headers_policy(
        "id",
        {
            "CorsConfig": {
                "AccessControlAllowOrigins": {"Items": ["https://a.example"]},
                "AccessControlAllowMethods": {"Items": ["GET"]},
                "AccessControlAllowHeaders": {"Items": ["X-A"]},
                "AccessControlExposeHeaders": {"Items": ["X-B"]},
                "AccessControlAllowCredentials": True,
                "AccessControlMaxAgeSec": 5,
                "OriginOverride": True,
            },
            "SecurityHeadersConfig": {
                "ContentSecurityPolicy": {"ContentSecurityPolicy": "x 'self'", "Override": False},
                "ContentTypeOptions": {"Override": True},
                "FrameOptions": {"FrameOption": "DENY", "Override": True},
                "ReferrerPolicy": {"ReferrerPolicy": "no-referrer", "Override": False},
                "StrictTransportSecurity": {
                    "AccessControlMaxAgeSec": 9,
                    "IncludeSubdomains": True,
                    "Preload": True,
                    "Override": True,
                },
                "XSSProtection": {"Protection": True, "ReportUri": "/r", "Override": False},
            },
            "CustomHeadersConfig": {
                "Items": [{"Header": "X-C", "Value": "c", "Override": False}, {"Header": "X-D"}]
            },
            "RemoveHeadersConfig": {"Items": [{"Header": "X-Powered-By"}]},
        },
    )
    assert policy.cors == Cors(
        ("https://a.example",),
        ("GET",),
        ("X-A",),
        ("X-B",),
        credentials=True,
        max_age=5,
        override=True,
    )
    assert policy.added == (
        ("Content-Security-Policy", "x 'self'", False),
        ("X-Content-Type-Options", "nosniff", True),
        ("X-Frame-Options", "DENY", True),
        ("Referrer-Policy", "no-referrer", False),
        ("Strict-Transport-Security", "max-age=9; includeSubDomains; preload", True),
        ("X-XSS-Protection", "1; report=/r", False),
        ("X-C", "c", False),
        ("X-D", "", False),
    )
    assert policy.removed == {"x-powered-by"}


def test_managed_policies_are_listed_by_id() -> None:
    assert managed_policies.CACHE_POLICIES["4135ea2d-6df8-44a3-9df3-4b5a84be39ad"].max_ttl == 0
    assert len(managed_policies.CACHE_POLICIES) == 7
    assert len(managed_policies.ORIGIN_REQUEST_POLICIES) == 8
    assert len(managed_policies.RESPONSE_HEADERS_POLICIES) == 5
