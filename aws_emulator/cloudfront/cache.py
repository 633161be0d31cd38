"""The edge cache: keys, times to live, and a bounded store."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.forwarding import accept_encoding, cookie_pairs, query_pairs
from aws_emulator.cloudfront.model import Behaviour, Request, Response
from aws_emulator.cloudfront.policies import CachePolicy

type CacheKey = tuple[object, ...]

# Control how long CloudFront caches errors: "If you don't specify a value … CloudFront caches …
# for 10 seconds".
ERROR_MIN_TTL = 10.0
# How CloudFront processes and caches HTTP 4xx and 5xx status codes: "always caches", and "caches
# based on Cache-Control headers".
_ERRORS_ALWAYS = frozenset({404, 414, 500, 501, 502, 503, 504})
_ERRORS_IF_CONTROLLED = frozenset({400, 403, 405, 412, 415})
_CACHEABLE = frozenset({200, 203, 204, 300, 301, 302, 307, 308, 410})
_DIRECTIVE = re.compile(r"([a-z-]+)(?:\s*=\s*\"?([0-9]+)\"?)?")

#: The largest body that is kept, and the most bytes that all of them may have.
MAX_OBJECT = 8 * 1024 * 1024
MAX_TOTAL = 128 * 1024 * 1024


def cache_key(
    behaviour: Behaviour, request: Request, own: Mapping[str, tuple[str, str]]
) -> CacheKey:
    """Make the key of a request: never its host, unless the cache policy asks for it. `own` are
    the headers that CloudFront adds, which count instead of the viewer's.

    Understand the cache key: by default the distribution's domain and the URL's path, and "other
    values that you specify in a cache policy". GET and HEAD share a key.
    """
    policy = behaviour.cache
    method = "GET" if request.method in {"GET", "HEAD"} else request.method
    headers = tuple(
        (name, own[name][1] if name in own else h.joined(request.headers, name))
        for name in sorted(policy.headers.names)
    )
    cookies = tuple(
        whole for name, whole in cookie_pairs(request.headers) if policy.cookies.admits(name)
    )
    queries = tuple(
        whole for name, whole in query_pairs(request.query) if policy.queries.admits(name)
    )
    encoding = accept_encoding(policy, h.joined(request.headers, "accept-encoding"))
    return (behaviour.pattern, method, request.uri, queries, headers, cookies, encoding)


def _directives(headers: h.HeaderMap) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for part in (h.joined(headers, "cache-control") or "").lower().split(","):
        match = _DIRECTIVE.match(part.strip())
        if match:
            found[match[1]] = float(match[2]) if match[2] else None
    return found


def _asked_ttl(headers: h.HeaderMap, now: float) -> float | None:
    """Give the seconds that the origin asks for: s-maxage, else max-age, else Expires."""
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


def time_to_live(policy: CachePolicy, headers: h.HeaderMap, now: float) -> float:
    """Give the seconds that an object stays, by the table of "Manage how long content stays".

    `now` is in seconds since the epoch.
    """
    asked = _asked_ttl(headers, now)
    if _directives(headers).keys() & {"no-cache", "no-store", "private"}:
        # The last row, minimum TTL above 0: "CloudFront caches the object for the value of the
        # CloudFront minimum TTL."
        return policy.min_ttl
    if asked is None:
        # "CloudFront caches the object for the greater of … the minimum TTL or default TTL."
        return max(policy.min_ttl, policy.default_ttl)
    return min(max(asked, policy.min_ttl), policy.max_ttl)


def error_time_to_live(
    policy: CachePolicy, status: int, headers: h.HeaderMap, now: float, minimum: float
) -> float:
    """Give the seconds that an error of the origin stays; `minimum` is the error caching minimum
    TTL. "CloudFront caches error responses for the greater of the value in the header or the
    Error Caching Minimum TTL."
    """
    asked = _asked_ttl(headers, now)
    if status in _ERRORS_ALWAYS or (status in _ERRORS_IF_CONTROLLED and asked is not None):
        return max(minimum, min(asked or 0.0, policy.max_ttl))
    return 0.0


def is_cacheable(behaviour: Behaviour, request: Request, status: int) -> bool:
    """Tell whether a response to this request may be kept (errors have a rule of their own)."""
    # "CloudFront always caches responses to GET and HEAD requests. You can also configure
    # CloudFront to cache responses to OPTIONS requests." A HEAD has no body to keep.
    return (
        request.method in behaviour.cached_methods
        and request.method in {"GET", "OPTIONS"}
        and status in _CACHEABLE
        and behaviour.cache.max_ttl > 0
    )


@dataclass(slots=True)
class Entry:
    """A kept response. Times are in seconds of one monotonic clock."""

    response: Response
    stored: float
    expires: float


class Store:
    """The kept responses, least recently used last to stay; bounded in bytes."""

    def __init__(self, max_total: int = MAX_TOTAL) -> None:
        self._entries: OrderedDict[CacheKey, Entry] = OrderedDict()
        self._max_total = max_total
        self._total = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: CacheKey) -> Entry | None:
        """Give an entry, fresh or stale."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: CacheKey, response: Response, now: float, ttl: float) -> None:
        """Keep a response with a whole body for `ttl` seconds."""
        body = response.body or b""
        if ttl <= 0 or len(body) > MAX_OBJECT:
            return
        self.drop(key)
        kept = Response(response.status, h.copy(response.headers), body, response.reason)
        self._entries[key] = Entry(kept, now, now + ttl)
        self._total += len(body)
        while self._total > self._max_total:
            _, oldest = self._entries.popitem(last=False)
            self._total -= len(oldest.response.body or b"")

    def drop(self, key: CacheKey) -> None:
        """Forget an entry, if there is one."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._total -= len(entry.response.body or b"")

    def clear(self) -> None:
        """Forget everything: the distribution was deployed anew."""
        self._entries.clear()
        self._total = 0
