"""AWS managed policies by ID, with the settings that AWS documents.

The emulated CloudFront API doesn't have to list them: a template can use any of these IDs.

Sources: "Use managed cache policies", "Use managed origin request policies" and "Use managed
response headers policies" of the CloudFront developer guide.
"""

from typing import Final

from aws_emulator.cloudfront.policies import (
    ALL,
    CachePolicy,
    Cors,
    NameSelection,
    OriginRequestPolicy,
    ResponseHeadersPolicy,
)

_DAY_S: Final = 86_400
_YEAR_S: Final = 31_536_000
_ALL_VIEWER: Final = NameSelection("allViewer")


def _whitelist(*names: str) -> NameSelection:
    return NameSelection("whitelist", frozenset(names))


_ORIGIN_CONTROLS: Final = _whitelist(
    "host", "origin", "x-http-method-override", "x-http-method", "x-method-override"
)

CACHE_POLICIES: Final[dict[str, CachePolicy]] = {
    policy.id: policy
    for policy in (
        # Amplify
        CachePolicy(
            "2e54312d-136d-493c-8eb9-b001f22f67d2",
            2,
            2,
            600,
            gzip=True,
            brotli=True,
            headers=_whitelist("authorization", "cloudfront-viewer-country", "host"),
            cookies=ALL,
            query_strings=ALL,
        ),
        # CachingDisabled
        CachePolicy("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", 0, 0, 0),
        # CachingOptimized
        CachePolicy(
            "658327ea-f89d-4fab-a63d-7e88639e58f6", 1, _DAY_S, _YEAR_S, gzip=True, brotli=True
        ),
        # CachingOptimizedForUncompressedObjects
        CachePolicy("b2884449-e4de-46a7-ac36-70bc7f1ddd6d", 1, _DAY_S, _YEAR_S),
        # Elemental-MediaPackage
        CachePolicy(
            "08627262-05a9-4f76-9ded-b50ca2e3a84f",
            0,
            _DAY_S,
            _YEAR_S,
            gzip=True,
            headers=_whitelist("origin"),
            query_strings=_whitelist("aws.manifestfilter", "start", "end", "m"),
        ),
        # UseOriginCacheControlHeaders
        CachePolicy(
            "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
            0,
            0,
            _YEAR_S,
            gzip=True,
            brotli=True,
            headers=_ORIGIN_CONTROLS,
            cookies=ALL,
        ),
        # UseOriginCacheControlHeaders-QueryStrings
        CachePolicy(
            "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
            0,
            0,
            _YEAR_S,
            gzip=True,
            brotli=True,
            headers=_ORIGIN_CONTROLS,
            cookies=ALL,
            query_strings=ALL,
        ),
    )
}

#: AllViewerAndCloudFrontHeaders-2022-06 lists these: "released through June 2022".
_CLOUDFRONT_HEADERS_2022_06: Final = frozenset(
    {
        "cloudfront-forwarded-proto",
        "cloudfront-is-android-viewer",
        "cloudfront-is-desktop-viewer",
        "cloudfront-is-ios-viewer",
        "cloudfront-is-mobile-viewer",
        "cloudfront-is-smarttv-viewer",
        "cloudfront-is-tablet-viewer",
        "cloudfront-viewer-address",
        "cloudfront-viewer-asn",
        "cloudfront-viewer-city",
        "cloudfront-viewer-country",
        "cloudfront-viewer-country-name",
        "cloudfront-viewer-country-region",
        "cloudfront-viewer-country-region-name",
        "cloudfront-viewer-http-version",
        "cloudfront-viewer-latitude",
        "cloudfront-viewer-longitude",
        "cloudfront-viewer-metro-code",
        "cloudfront-viewer-postal-code",
        "cloudfront-viewer-time-zone",
        "cloudfront-viewer-tls",
    }
)
_PREFLIGHT: Final = ("access-control-request-headers", "access-control-request-method")

ORIGIN_REQUEST_POLICIES: Final[dict[str, OriginRequestPolicy]] = {
    policy.id: policy
    for policy in (
        # AllViewer
        OriginRequestPolicy("216adef6-5c7f-47e4-b989-5492eafa07d3", _ALL_VIEWER, ALL, ALL),
        # AllViewerAndCloudFrontHeaders-2022-06
        OriginRequestPolicy(
            "33f36d7e-f396-46d9-90e0-52428a34d9dc",
            NameSelection("allViewerAndWhitelistCloudFront", _CLOUDFRONT_HEADERS_2022_06),
            ALL,
            ALL,
        ),
        # AllViewerExceptHostHeader
        OriginRequestPolicy(
            "b689b0a8-53d0-40ab-baf2-68738e2966ac",
            NameSelection("allExcept", frozenset({"host"})),
            ALL,
            ALL,
        ),
        # CORS-CustomOrigin
        OriginRequestPolicy("59781a5b-3903-41f3-afcb-af62929ccde1", _whitelist("origin")),
        # CORS-S3Origin
        OriginRequestPolicy(
            "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", _whitelist("origin", *_PREFLIGHT)
        ),
        # Elemental-MediaTailor-PersonalizedManifests
        OriginRequestPolicy(
            "775133bc-15f2-49f9-abea-afb2e0bf67d2",
            _whitelist("origin", *_PREFLIGHT, "user-agent", "x-forwarded-for"),
            query_strings=ALL,
        ),
        # HostHeaderOnly
        OriginRequestPolicy("bf0718e1-ba1e-49d1-88b1-f726733018ae", _whitelist("host")),
        # UserAgentRefererHeaders
        OriginRequestPolicy(
            "acba4595-bd28-49b8-b9fe-13317c0390fa", _whitelist("user-agent", "referer")
        ),
    )
}

_SIMPLE_CORS: Final = Cors(("*",))
_PREFLIGHT_CORS: Final = Cors(
    ("*",), ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"), expose=("*",)
)
_SECURITY: Final = (
    ("X-XSS-Protection", "1; mode=block", False),
    ("X-Frame-Options", "SAMEORIGIN", False),
    ("Referrer-Policy", "strict-origin-when-cross-origin", False),
    ("X-Content-Type-Options", "nosniff", True),
    ("Strict-Transport-Security", "max-age=31536000", False),
)

RESPONSE_HEADERS_POLICIES: Final[dict[str, ResponseHeadersPolicy]] = {
    policy.id: policy
    for policy in (
        # CORS-and-SecurityHeadersPolicy
        ResponseHeadersPolicy("e61eb60c-9c35-4d20-a928-2b84e02af89c", _SIMPLE_CORS, _SECURITY),
        # CORS-With-Preflight
        ResponseHeadersPolicy("5cc3b908-e619-4b99-88e5-2cf7f45965bd", _PREFLIGHT_CORS),
        # CORS-with-preflight-and-SecurityHeadersPolicy
        ResponseHeadersPolicy("eaab4381-ed33-4a86-88ca-d9558dc6cd63", _PREFLIGHT_CORS, _SECURITY),
        # SecurityHeadersPolicy
        ResponseHeadersPolicy("67f7725c-6f97-4210-82d7-5512b31e9d03", None, _SECURITY),
        # SimpleCORS
        ResponseHeadersPolicy("60669652-455b-4ae9-85a4-c4c02393f86c", _SIMPLE_CORS),
    )
}
