"""Build the origin request: default headers, cache key values, origin request policy values."""

from typing import Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.model import CacheBehavior, Origin, Request, Viewer
from aws_emulator.cloudfront.policies import CachePolicy
from aws_emulator.cloudfront.viewer import ORIGIN_POLICY_ONLY, cloudfront_headers

# Request and response behavior for custom origins, "HTTP request headers and CloudFront behavior":
# "CloudFront forwards the header to your origin" regardless of the policies. The table lists
# `Origin` too, but in practice CloudFront forwards it only if a policy includes it.
_DEFAULT_HEADERS: Final = frozenset(
    {
        "cache-control",
        "content-length",
        "content-md5",
        "content-type",
        "date",
        "from",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "max-forwards",
        "pragma",
        "range",
        "request-range",
        "warning",
    }
)
VIA: Final = "1.1 00000000000000000000000000000000.cloudfront.net (CloudFront)"


def cookie_pairs(headers: h.HeaderMap) -> list[tuple[str, str]]:
    """Return the cookies of a request as (name, raw "name=value" pair)."""
    parts = [part.strip() for _, value in headers.get("cookie", []) for part in value.split(";")]
    return [(part.partition("=")[0].strip(), part) for part in parts if part]


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a raw query string as (name, raw "name=value" pair)."""
    return [(part.partition("=")[0], part) for part in query.split("&") if part]


def accept_encoding(policy: CachePolicy, value: str | None) -> str | None:
    """Return the normalised Accept-Encoding for the cache key, None if the key has none.

    "Compression support": "Normalizes the header to Accept-Encoding: br,gzip and includes the
    normalized header in the cache key."
    """
    offered = {
        part.split(";")[0].strip().lower()
        for part in (value or "").split(",")
        if part.replace(" ", "").partition(";q=")[2] not in {"0", "0.0", "0.00", "0.000"}
    }
    encodings = [
        name
        for name, enabled in (("br", policy.brotli), ("gzip", policy.gzip))
        if enabled and name in offered
    ]
    return ",".join(encodings) or None


def build_origin_request(
    request: Request, behavior: CacheBehavior, origin: Origin, viewer: Viewer
) -> Request:
    """Return the origin request, which CloudFront first passes to the origin-request function.

    "Control origin requests": "All URL query strings, HTTP headers, and cookies that you include in
    the cache key are automatically included in origin requests"; the origin request policy adds to
    them.
    """
    cache, policy = behavior.cache_policy, behavior.origin_request_policy
    added_headers = cloudfront_headers(request, viewer)
    headers: h.HeaderMap = {}
    for name, pairs in request.headers.items():
        forwarded = (
            name in _DEFAULT_HEADERS
            or cache.headers.admits(name)
            or (policy is not None and policy.headers.admits(name))
        )
        if forwarded and h.is_forwardable(name) and name not in {"cookie", "accept-encoding"}:
            headers[name] = list(pairs)
    _set_cloudfront_headers(headers, behavior, added_headers)
    _set_default_headers(headers, request, origin, viewer)
    _set_encoding(headers, request, behavior)
    _set_cookies(headers, request, behavior)
    return Request(
        method=request.method,
        uri=request.uri,
        query=_query(request, behavior),
        headers=headers,
        body=request.body,
        http_version=request.http_version,
    )


def _set_cloudfront_headers(
    headers: h.HeaderMap, behavior: CacheBehavior, added_headers: dict[str, tuple[str, str]]
) -> None:
    # Restrictions on Lambda@Edge, "CloudFront headers": "If the viewer request includes headers
    # that have these names, and you configured CloudFront to add these headers … then CloudFront
    # overwrites the header values that were in the viewer request."
    policy = behavior.origin_request_policy
    requested = set(behavior.cache_policy.headers.names) - ORIGIN_POLICY_ONLY
    if policy is not None and policy.headers.mode != "allExcept":
        requested |= policy.headers.names
    for name in requested:
        if name.startswith("cloudfront-"):
            headers.pop(name, None)
            if name in added_headers:
                headers[name] = [added_headers[name]]


def _set_default_headers(
    headers: h.HeaderMap, request: Request, origin: Origin, viewer: Viewer
) -> None:
    # Control origin requests: "The HTTP headers that CloudFront automatically includes in every
    # origin request, including Host, User-Agent, and X-Amz-Cf-Id".
    if "host" not in headers:
        h.put(headers, "Host", origin.domain)
    # "If you do not configure CloudFront to cache objects based on values in the User-Agent header,
    # CloudFront adds a User-Agent header with the value: Amazon CloudFront".
    if "user-agent" not in headers:
        h.put(headers, "User-Agent", "Amazon CloudFront")
    # "Client IP addresses": the viewer's address is appended to the end of X-Forwarded-For.
    forwarded_for = h.joined(request.headers, "x-forwarded-for")
    addresses = f"{forwarded_for},{viewer.address}" if forwarded_for else viewer.address
    h.put(headers, "X-Forwarded-For", addresses)
    h.put(headers, "Via", ", ".join(filter(None, (h.joined(request.headers, "via"), VIA))))


def _set_encoding(headers: h.HeaderMap, request: Request, behavior: CacheBehavior) -> None:
    cache, policy = behavior.cache_policy, behavior.origin_request_policy
    offered = h.joined(request.headers, "accept-encoding")
    if offered is None:
        return
    if cache.gzip or cache.brotli:
        # "If the viewer does not support Brotli or Gzip … CloudFront includes
        # Accept-Encoding: identity in the corresponding origin request."
        h.put(headers, "Accept-Encoding", accept_encoding(cache, offered) or "identity")
    elif cache.headers.admits("accept-encoding") or (
        policy is not None and policy.headers.admits("accept-encoding")
    ):
        h.put(headers, "Accept-Encoding", offered)


def _set_cookies(headers: h.HeaderMap, request: Request, behavior: CacheBehavior) -> None:
    cache, policy = behavior.cache_policy, behavior.origin_request_policy
    selected = [
        pair
        for name, pair in cookie_pairs(request.headers)
        if cache.cookies.admits(name) or (policy is not None and policy.cookies.admits(name))
    ]
    if selected:
        h.put(headers, "Cookie", "; ".join(selected))


def _query(request: Request, behavior: CacheBehavior) -> str:
    cache, policy = behavior.cache_policy, behavior.origin_request_policy
    if "all" in {cache.query_strings.mode, policy.query_strings.mode if policy else "none"}:
        return request.query
    return "&".join(
        pair
        for name, pair in query_pairs(request.query)
        if cache.query_strings.admits(name)
        or (policy is not None and policy.query_strings.admits(name))
    )
