"""Decide how long the cache keeps a response."""

import re
from email.utils import parsedate_to_datetime
from typing import Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.model import CacheBehavior, Request
from aws_emulator.cloudfront.policies import CachePolicy

# Control how long CloudFront caches errors: "If you don't specify a value … CloudFront caches …
# for 10 seconds".
ERROR_CACHING_MIN_TTL_S: Final = 10.0
# How CloudFront processes and caches HTTP 4xx and 5xx status codes: "always caches", and "caches
# based on Cache-Control headers".
_ALWAYS_CACHED_ERRORS: Final = frozenset({404, 414, 500, 501, 502, 503, 504})
_ERRORS_CACHED_BY_HEADER: Final = frozenset({400, 403, 405, 412, 415})
_CACHEABLE_STATUSES: Final = frozenset({200, 203, 204, 300, 301, 302, 307, 308, 410})
_DIRECTIVE: Final = re.compile(r"([a-z-]+)(?:\s*=\s*\"?([0-9]+)\"?)?")


def _directives(headers: h.HeaderMap) -> dict[str, float | None]:
    directives: dict[str, float | None] = {}
    for part in (h.joined(headers, "cache-control") or "").lower().split(","):
        match = _DIRECTIVE.match(part.strip())
        if match:
            directives[match[1]] = float(match[2]) if match[2] else None
    return directives


def _origin_ttl(headers: h.HeaderMap, now: float) -> float | None:
    """Return the seconds that the origin requests: s-maxage, else max-age, else Expires."""
    directives = _directives(headers)
    for name in ("s-maxage", "max-age"):
        value = directives.get(name)
        if value is not None:
            return value
    expires = h.first(headers, "expires")
    if expires:
        try:
            return max(0.0, parsedate_to_datetime(expires).timestamp() - now)
        except (ValueError, TypeError, OverflowError):
            # RFC 9111 §5.3: an invalid date means "already expired".
            return 0.0
    return None


def object_ttl(policy: CachePolicy, headers: h.HeaderMap, now: float) -> float:
    """Return the seconds that the cache keeps a response with these headers.

    `now` is in seconds since the epoch. Source: the table in "Manage how long content stays in the
    cache".
    """
    requested = _origin_ttl(headers, now)
    if _directives(headers).keys() & {"no-cache", "no-store", "private"}:
        # The last row, minimum TTL above 0: "CloudFront caches the object for the value of the
        # CloudFront minimum TTL."
        return policy.min_ttl
    if requested is None:
        # "CloudFront caches the object for the greater of … the minimum TTL or default TTL."
        return max(policy.min_ttl, policy.default_ttl)
    return min(max(requested, policy.min_ttl), policy.max_ttl)


def error_ttl(
    policy: CachePolicy, status: int, headers: h.HeaderMap, now: float, min_ttl_s: float
) -> float:
    """Return the seconds that the cache keeps an error response of the origin.

    `min_ttl_s` is the error caching minimum TTL, `now` is in seconds since the epoch. "CloudFront
    caches error responses for the greater of the value in the header or the Error Caching Minimum
    TTL."
    """
    requested = _origin_ttl(headers, now)
    cached = status in _ALWAYS_CACHED_ERRORS or (
        status in _ERRORS_CACHED_BY_HEADER and requested is not None
    )
    return max(min_ttl_s, min(requested or 0.0, policy.max_ttl)) if cached else 0.0


def is_cacheable(behavior: CacheBehavior, request: Request, status: int) -> bool:
    """Return whether the cache may store a response that is not an error."""
    # "CloudFront always caches responses to GET and HEAD requests. You can also configure
    # CloudFront to cache responses to OPTIONS requests." A HEAD response has no body to store.
    return (
        request.method in behavior.cached_methods
        and request.method in {"GET", "OPTIONS"}
        and status in _CACHEABLE_STATUSES
        and behavior.cache_policy.max_ttl > 0
    )
