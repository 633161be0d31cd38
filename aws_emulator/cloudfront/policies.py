"""Cache, origin request and response headers policies, as immutable values.

Legacy cache settings (`ForwardedValues`) also become these values: see
`distribution.legacy_cache_settings`.
"""

from dataclasses import dataclass
from typing import Final

from aws_emulator.cloudfront.wildcards import matches_wildcards

_ALL_MODES: Final = frozenset({"all", "allViewer", "allViewerAndWhitelistCloudFront"})


@dataclass(frozen=True, slots=True)
class NameSelection:
    """The headers, cookies or query strings that a policy includes.

    `mode` is the value of `HeaderBehavior`, `CookieBehavior` or `QueryStringBehavior` in the
    CloudFront API. `wildcards` is True if `names` can contain `*` and `?` (legacy cookie names).
    """

    mode: str = "none"
    names: frozenset[str] = frozenset()
    wildcards: bool = False

    def admits(self, name: str) -> bool:
        """Return whether the policy includes the viewer's value of this name."""
        if self.mode in _ALL_MODES:
            return True
        if self.mode == "whitelist":
            return name in self.names or (
                self.wildcards and any(matches_wildcards(each, name) for each in self.names)
            )
        return self.mode == "allExcept" and name not in self.names


NONE: Final = NameSelection()
ALL: Final = NameSelection("all")


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """The values in the cache key, and the TTLs in seconds.

    `id` is empty for legacy cache settings.
    """

    id: str
    min_ttl: float
    default_ttl: float
    max_ttl: float
    gzip: bool = False
    brotli: bool = False
    headers: NameSelection = NONE
    cookies: NameSelection = NONE
    query_strings: NameSelection = NONE


@dataclass(frozen=True, slots=True)
class OriginRequestPolicy:
    """The values of the viewer request that reach the origin, besides those in the cache key.

    `id` is empty for legacy cache settings.
    """

    id: str
    headers: NameSelection = NONE
    cookies: NameSelection = NONE
    query_strings: NameSelection = NONE


@dataclass(frozen=True, slots=True)
class Cors:
    """The CORS section of a response headers policy. `max_age` is in seconds."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int | None = None
    override: bool = False


@dataclass(frozen=True, slots=True)
class ResponseHeadersPolicy:
    """The headers that CloudFront adds to and removes from responses.

    `added` holds (name, value, override) of the security and custom headers.
    """

    id: str
    cors: Cors | None = None
    added: tuple[tuple[str, str, bool], ...] = ()
    removed: frozenset[str] = frozenset()
