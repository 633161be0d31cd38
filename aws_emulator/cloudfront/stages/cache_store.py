"""Store cached responses in memory."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from aws_emulator.cloudfront import headers as h
from aws_emulator.cloudfront.model import Response
from aws_emulator.cloudfront.stages.cache_key import CacheKey

#: The largest body that the store accepts, and the limit for all bodies together.
MAX_OBJECT_BYTES: Final = 8 * 1024 * 1024
MAX_TOTAL_BYTES: Final = 128 * 1024 * 1024


@dataclass(slots=True)
class CacheEntry:
    """A cached response. Times are in seconds of one monotonic clock."""

    response: Response
    stored: float
    expires: float


class CacheStore:
    """Cached responses, limited in bytes; evicts the least recently used first."""

    def __init__(self, max_total: int = MAX_TOTAL_BYTES) -> None:
        self._entries: OrderedDict[CacheKey, CacheEntry] = OrderedDict()
        self._max_total = max_total
        self._total = 0
        self._cleared = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: CacheKey) -> CacheEntry | None:
        """Return an entry, fresh or stale, or None."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: CacheKey, response: Response, now: float, ttl: float) -> None:
        """Store a copy of a response, including its body, for `ttl` seconds.

        `now` is the time before the request to the origin. Skips a body over MAX_OBJECT_BYTES, and
        a response to a request from before the last `clear`: the origin can have changed since.
        """
        body = response.body or b""
        if ttl <= 0 or len(body) > MAX_OBJECT_BYTES or now < self._cleared:
            return
        self.drop(key)
        copied = Response(response.status, h.copy(response.headers), body, response.reason)
        self._entries[key] = CacheEntry(copied, now, now + ttl)
        self._total += len(body)
        while self._total > self._max_total:
            _, oldest = self._entries.popitem(last=False)
            self._total -= len(oldest.response.body or b"")

    def drop(self, key: CacheKey) -> None:
        """Remove an entry if it exists."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._total -= len(entry.response.body or b"")

    def clear(self, now: float) -> None:
        """Remove every entry, after a deployment or an invalidation."""
        self._cleared = now
        self._entries.clear()
        self._total = 0
