"""Cache, origin request and response headers policies, read from the shapes of the CloudFront API.

The policies that AWS manages are known by their ids and documented contents, so that a template
may name them whether or not the API at hand lists them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """Which names a policy takes: `mode` as the API spells it, `names` that it lists."""

    mode: str = "none"
    names: frozenset[str] = frozenset()

    def admits(self, name: str) -> bool:
        """Tell whether the policy takes a viewer's value of this name."""
        if self.mode in {"all", "allViewer", "allViewerAndWhitelistCloudFront"}:
            return True
        if self.mode == "whitelist":
            return name in self.names
        return self.mode == "allExcept" and name not in self.names

    def lists(self, name: str) -> bool:
        """Tell whether the policy asks for this name outright (CloudFront's own headers)."""
        return self.mode in {"whitelist", "allViewerAndWhitelistCloudFront"} and name in self.names


NONE = Choice()
ALL = Choice("all")


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What makes the cache key, and for how long (seconds) an object stays."""

    id: str
    min_ttl: float
    default_ttl: float
    max_ttl: float
    gzip: bool = False
    brotli: bool = False
    headers: Choice = NONE
    cookies: Choice = NONE
    queries: Choice = NONE


@dataclass(frozen=True, slots=True)
class OriginRequestPolicy:
    """What of the viewer's request reaches the origin beside the cache key."""

    id: str
    headers: Choice = NONE
    cookies: Choice = NONE
    queries: Choice = NONE


@dataclass(frozen=True, slots=True)
class Cors:
    """The CORS section of a response headers policy."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int | None = None
    override: bool = False


@dataclass(frozen=True, slots=True)
class ResponseHeadersPolicy:
    """What CloudFront adds to, and removes from, every response. `added` holds (name, value,
    override) of the security and custom sections."""

    id: str
    cors: Cors | None = None
    added: tuple[tuple[str, str, bool], ...] = ()
    removed: frozenset[str] = frozenset()


def _items(holder: Any) -> list[Any]:
    """Give the Items of an API list, which is left out when Quantity is 0."""
    return list(holder.get("Items") or []) if isinstance(holder, Mapping) else []


def _choice(section: Any, mode_key: str, list_key: str, *, lower: bool = False) -> Choice:
    section = section or {}
    names = _items(section.get(list_key))
    return Choice(
        section.get(mode_key, "none"),
        frozenset(name.lower() if lower else name for name in names),
    )


def parse_cache_policy(policy_id: str, config: Mapping[str, Any]) -> CachePolicy:
    """Read a CachePolicyConfig of the CloudFront API."""
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
        queries=_choice(
            parameters.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"
        ),
    )


def parse_origin_request_policy(policy_id: str, config: Mapping[str, Any]) -> OriginRequestPolicy:
    """Read an OriginRequestPolicyConfig of the CloudFront API."""
    return OriginRequestPolicy(
        id=policy_id,
        headers=_choice(config.get("HeadersConfig"), "HeaderBehavior", "Headers", lower=True),
        cookies=_choice(config.get("CookiesConfig"), "CookieBehavior", "Cookies"),
        queries=_choice(config.get("QueryStringsConfig"), "QueryStringBehavior", "QueryStrings"),
    )


def parse_response_headers_policy(
    policy_id: str, config: Mapping[str, Any]
) -> ResponseHeadersPolicy:
    """Read a ResponseHeadersPolicyConfig of the CloudFront API."""
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
    """Write the security section as headers. Understanding response headers policies."""
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
