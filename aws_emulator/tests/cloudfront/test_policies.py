"""Policies as the CloudFront API writes them, and the ones that AWS manages."""

from aws_emulator.cloudfront import managed
from aws_emulator.cloudfront.policies import (
    ALL,
    CachePolicy,
    Choice,
    Cors,
    parse_cache_policy,
    parse_origin_request_policy,
    parse_response_headers_policy,
)


def test_a_cache_policy_is_read() -> None:
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
        headers=Choice("whitelist", frozenset({"authorization"})),
        cookies=Choice("allExcept", frozenset({"A"})),
        queries=ALL,
    )


def test_the_times_to_live_have_the_documented_defaults() -> None:
    assert parse_cache_policy("id", {"MinTTL": 0}) == CachePolicy("id", 0, 86_400, 31_536_000)
    assert parse_cache_policy("id", {"MinTTL": 90_000}).default_ttl == 90_000
    assert parse_cache_policy("id", {"MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 0}).max_ttl == 0


def test_an_origin_request_policy_is_read() -> None:
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
    assert not policy.queries.admits("a")


def test_a_response_headers_policy_is_read() -> None:
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


def test_the_managed_policies_are_known_by_their_ids() -> None:
    assert managed.CACHE_POLICIES["4135ea2d-6df8-44a3-9df3-4b5a84be39ad"].max_ttl == 0
    assert len(managed.CACHE_POLICIES) == 7
    assert len(managed.ORIGIN_REQUEST_POLICIES) == 8
    assert len(managed.RESPONSE_HEADERS_POLICIES) == 5
