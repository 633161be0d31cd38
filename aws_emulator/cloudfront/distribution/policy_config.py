"""Parse cache, origin request and response headers policies of the CloudFront API."""

from collections.abc import Mapping
from typing import Any

from aws_emulator.cloudfront.policies import (
    CachePolicy,
    Cors,
    NameSelection,
    OriginRequestPolicy,
    ResponseHeadersPolicy,
)


def _items(holder: Any) -> list[Any]:
    """Return the Items of an API list; the API omits them if Quantity is 0."""
    return list(holder.get("Items") or []) if isinstance(holder, Mapping) else []


def _choice(section: Any, mode_key: str, list_key: str, *, lower: bool = False) -> NameSelection:
    section = section or {}
    names = _items(section.get(list_key))
    return NameSelection(
        section.get(mode_key, "none"),
        frozenset(name.lower() if lower else name for name in names),
    )


def parse_cache_policy(policy_id: str, config: Mapping[str, Any]) -> CachePolicy:
    """Parse a CachePolicyConfig."""
    parameters = config.get("ParametersInCacheKeyAndForwardedToOrigin") or {}
    minimum = float(config.get("MinTTL", 0))
    # API reference, CachePolicyConfig: DefaultTTL defaults to 86400, MaxTTL to 31536000, and a
    # MinTTL above either raises it.
    default = max(float(config.get("DefaultTTL", 86_400)), minimum)
    return CachePolicy(
        id=policy_id,
        min_ttl=minimum,
        default_ttl=default,
        max_ttl=max(float(config.get("MaxTTL", 31_536_000)), default),
        gzip=bool(parameters.get("EnableAcceptEncodingGzip", False)),
        brotli=bool(parameters.get("EnableAcceptEncodingBrotli", False)),
        headers=_choice(parameters.get("HeadersConfig"), "HeaderBehavior", "Headers", lower=True),
        cookies=_choice(parameters.get("CookiesConfig"), "CookieBehavior", "Cookies"),
        query_strings=_choice(
            parameters.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"
        ),
    )


def parse_origin_request_policy(policy_id: str, config: Mapping[str, Any]) -> OriginRequestPolicy:
    """Parse an OriginRequestPolicyConfig."""
    return OriginRequestPolicy(
        id=policy_id,
        headers=_choice(config.get("HeadersConfig"), "HeaderBehavior", "Headers", lower=True),
        cookies=_choice(config.get("CookiesConfig"), "CookieBehavior", "Cookies"),
        query_strings=_choice(
            config.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"
        ),
    )


def parse_response_headers_policy(
    policy_id: str, config: Mapping[str, Any]
) -> ResponseHeadersPolicy:
    """Parse a ResponseHeadersPolicyConfig."""
    cors = config.get("CorsConfig")
    custom = tuple(
        (item["Header"], item.get("Value", ""), bool(item.get("Override", False)))
        for item in _items(config.get("CustomHeadersConfig"))
    )
    return ResponseHeadersPolicy(
        id=policy_id,
        cors=_parse_cors(cors) if cors else None,
        added=_security(config.get("SecurityHeadersConfig") or {}) + custom,
        removed=frozenset(
            item["Header"].lower() for item in _items(config.get("RemoveHeadersConfig"))
        ),
    )


def _parse_cors(config: Mapping[str, Any]) -> Cors:
    maximum = config.get("AccessControlMaxAgeSec")
    return Cors(
        origins=tuple(_items(config.get("AccessControlAllowOrigins"))),
        methods=tuple(_items(config.get("AccessControlAllowMethods"))),
        headers=tuple(_items(config.get("AccessControlAllowHeaders"))),
        expose=tuple(_items(config.get("AccessControlExposeHeaders"))),
        credentials=bool(config.get("AccessControlAllowCredentials", False)),
        max_age=None if maximum is None else int(maximum),
        override=bool(config.get("OriginOverride", False)),
    )


def _security(config: Mapping[str, Any]) -> tuple[tuple[str, str, bool], ...]:
    """Return the security headers. Source: "Understand response headers policies"."""
    added: list[tuple[str, str, bool]] = []

    def add(key: str, name: str, write: Any) -> None:
        section = config.get(key)
        if section:
            added.append((name, write(section), bool(section.get("Override", False))))

    add("ContentSecurityPolicy", "Content-Security-Policy", lambda s: s["ContentSecurityPolicy"])
    add("ContentTypeOptions", "X-Content-Type-Options", lambda _: "nosniff")
    add("FrameOptions", "X-Frame-Options", lambda s: s["FrameOption"])
    add("ReferrerPolicy", "Referrer-Policy", lambda s: s["ReferrerPolicy"])
    add("StrictTransportSecurity", "Strict-Transport-Security", _transport_security)
    add("XSSProtection", "X-XSS-Protection", _xss_protection)
    return tuple(added)


def _transport_security(section: Mapping[str, Any]) -> str:
    parts = [f"max-age={section['AccessControlMaxAgeSec']}"]
    parts += ["includeSubDomains"] if section.get("IncludeSubdomains") else []
    parts += ["preload"] if section.get("Preload") else []
    return "; ".join(parts)


def _xss_protection(section: Mapping[str, Any]) -> str:
    parts = ["1" if section.get("Protection") else "0"]
    parts += ["mode=block"] if section.get("ModeBlock") else []
    parts += [f"report={section['ReportUri']}"] if section.get("ReportUri") else []
    return "; ".join(parts)
