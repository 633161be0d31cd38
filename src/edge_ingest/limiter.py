"""How much one source may send to one running copy of the function."""

import math
from collections.abc import Callable

from edge_ingest.errors import RateLimitedError
from edge_ingest.settings import Source


class Limiter:
    """A token bucket of events for each source that has a limit.

    Copies of the function share nothing, so a source's limit over the whole edge is this one
    times the copies that run; a limit over all of them is the firewall's to set.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # source: tokens, when they were counted

    def take(self, source: Source, events: int) -> None:
        """Take the events' tokens, or none of them.

        A request larger than the whole bucket passes when the bucket is full, and leaves a debt:
        it would never pass otherwise.

        Raises:
            RateLimitedError: with the whole seconds after which it is worth another try.
        """
        limit = source.rate_limit
        if limit is None:
            return
        now = self._clock()
        tokens, then = self._buckets.get(source.id, (limit.burst, now))
        tokens = min(limit.burst, tokens + (now - then) * limit.events_per_second)
        missing = min(events, limit.burst) - tokens
        if missing > 0:
            self._buckets[source.id] = (tokens, now)
            seconds = math.ceil(missing / limit.events_per_second)
            raise RateLimitedError("rate_limited", "the source sends too much", max(1, seconds))
        self._buckets[source.id] = (tokens - events, now)
