"""Build the key under which the cache stores a response."""

from collections.abc import Mapping

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.model import CacheBehavior, Request
from aws_emulator.cloudfront.stages.origin_request import accept_encoding, cookie_pairs, query_pairs

type CacheKey = tuple[object, ...]


def cache_key(
    behavior: CacheBehavior, request: Request, cloudfront_headers: Mapping[str, tuple[str, str]]
) -> CacheKey:
    """Return the cache key of a request.

    `cloudfront_headers` maps a lower-case name to (name, value) of each header that CloudFront
    adds; these replace headers of the same name that the viewer sent.

    Source: "Understand the cache key". By default the key contains the URL path, plus "other
    values that you specify in a cache policy"; it contains the Host header only if the policy lists
    it. GET and HEAD share a key.
    """
    policy = behavior.cache_policy
    method = "GET" if request.method in {"GET", "HEAD"} else request.method
    headers = tuple(
        (
            name,
            cloudfront_headers[name][1]
            if name in cloudfront_headers
            else h.joined(request.headers, name),
        )
        for name in sorted(policy.headers.names)
    )
    cookies = tuple(
        pair for name, pair in cookie_pairs(request.headers) if policy.cookies.admits(name)
    )
    query_strings = tuple(
        pair for name, pair in query_pairs(request.query) if policy.query_strings.admits(name)
    )
    encoding = accept_encoding(policy, h.joined(request.headers, "accept-encoding"))
    return (behavior.path_pattern, method, request.uri, query_strings, headers, cookies, encoding)
