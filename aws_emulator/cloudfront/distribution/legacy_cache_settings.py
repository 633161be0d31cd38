"""Translate legacy cache settings into a cache policy and an origin request policy.

Legacy cache settings are `ForwardedValues` and TTLs.

Sources: API reference, "ForwardedValues", "CookiePreference" and "DefaultCacheBehavior"; "Cache
content based on request headers", "... on cookies" and "... on query string parameters".
"""

from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.cloudfront.policies import (
    ALL,
    NONE,
    CachePolicy,
    NameSelection,
    OriginRequestPolicy,
)
from aws_emulator.errors import CommandError

#: The TTL members of a cache behavior, which only legacy cache settings use, with their defaults in
#: seconds.
DEFAULT_TTLS_S: Final = {"MinTTL": 0, "DefaultTTL": 86_400, "MaxTTL": 31_536_000}
# Cache content based on request headers: "You can configure CloudFront to cache based on the value
# of any request header except the following".
_REJECTED_HEADERS: Final = frozenset(
    {"connection", "cookie", "proxy-authorization", "te", "upgrade"}
)


def parse_legacy_cache_settings(
    behavior: Mapping[str, Any], *, path_pattern: str, s3_origin: bool
) -> tuple[CachePolicy, OriginRequestPolicy]:
    """Return the policies equivalent to a cache behavior's legacy cache settings.

    `behavior` is a CacheBehavior of the CloudFront API.

    Raises:
        CommandError: CloudFront would reject the settings.
    """
    forwarded = behavior["ForwardedValues"]
    headers = _items(forwarded.get("Headers"))
    ttls = {name: float(behavior.get(name, ttl)) for name, ttl in DEFAULT_TTLS_S.items()}
    _check_headers(headers, ttls["MinTTL"], path_pattern=path_pattern, s3_origin=s3_origin)
    all_headers = "*" in headers
    if all_headers:
        # "If you configure CloudFront to forward all headers to your origin, CloudFront doesn't
        # cache the objects associated with this cache behavior. Instead, it sends every request to
        # the origin."
        ttls = dict.fromkeys(ttls, 0.0)
    default_ttl = max(ttls["DefaultTTL"], ttls["MinTTL"])
    selected = frozenset(name.lower() for name in headers)
    cache_policy = CachePolicy(
        id="",
        min_ttl=ttls["MinTTL"],
        default_ttl=default_ttl,
        max_ttl=max(ttls["MaxTTL"], default_ttl),
        # Serve compressed files: "it includes the Accept-Encoding header in the cache key and in
        # origin requests automatically. However, if the Accept-Encoding header is explicitly listed
        # … in the legacy cache settings, CloudFront does not compress the object". Brotli needs a
        # cache policy.
        gzip=bool(behavior.get("Compress")) and "accept-encoding" not in selected,
        headers=NONE if all_headers or not headers else NameSelection("whitelist", selected),
        cookies=_cookies(forwarded.get("Cookies") or {}, path_pattern),
        query_strings=_cached_query_strings(forwarded),
    )
    origin_request_policy = OriginRequestPolicy(
        id="",
        headers=NameSelection("allViewer") if all_headers else NONE,
        # "If you specify true for QueryString and you specify one or more values for
        # QueryStringCacheKeys, CloudFront forwards all query string parameters to the origin, but
        # it only caches based on the query string parameters that you specify."
        query_strings=ALL if forwarded.get("QueryString") else NONE,
    )
    return cache_policy, origin_request_policy


def _check_headers(
    headers: list[str], min_ttl: float, *, path_pattern: str, s3_origin: bool
) -> None:
    # "Host (for Amazon S3 origins)"; CloudFormation, ForwardedValues: "For Amazon S3 origins, you
    # can forward only selected headers; specifying * is not supported."
    rejected = _REJECTED_HEADERS | ({"host", "*"} if s3_origin else frozenset())
    for name in headers:
        if name.lower() in rejected:
            raise CommandError(
                f"CloudFront can't forward the header {name} in ForwardedValues of the cache "
                f"behavior {path_pattern}: remove it from Headers."
            )
    # API reference, MinTTL: "You must specify 0 for MinTTL if you configure CloudFront to forward
    # all headers to your origin".
    if "*" in headers and min_ttl:
        raise CommandError(
            f"The cache behavior {path_pattern} forwards all headers: set its MinTTL to 0."
        )


def _cookies(preference: Mapping[str, Any], path_pattern: str) -> NameSelection:
    forward = preference.get("Forward", "none")
    if forward not in {"none", "whitelist", "all"}:
        raise CommandError(
            f"The cache behavior {path_pattern} has an unknown value for Cookies Forward: "
            f"{forward}. Use none, whitelist or all."
        )
    if forward != "whitelist":
        return NameSelection(forward)
    # Values that you specify, "Whitelist cookies": "* matches 0 or more characters in the cookie
    # name", "? matches exactly one character in the cookie name".
    names = frozenset(_items(preference.get("WhitelistedNames")))
    return NameSelection("whitelist", names, wildcards=True)


def _cached_query_strings(forwarded: Mapping[str, Any]) -> NameSelection:
    if not forwarded.get("QueryString"):
        return NONE
    keys = _items(forwarded.get("QueryStringCacheKeys"))
    return NameSelection("whitelist", frozenset(keys)) if keys else ALL


def _items(section: Any) -> list[str]:
    return list((section or {}).get("Items") or [])
