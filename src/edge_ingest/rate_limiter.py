"""Token bucket rate limiting by source, inside one execution environment of the function.

`aws_emulator/rest_api/throttling.py` implements API Gateway's token bucket separately: the emulator
must not import this project, and its bucket has different rules (one token per request, no negative
balance, one bucket per method).
"""

import math
from collections.abc import Callable

from edge_ingest.errors import TooManyRequestsError
from edge_ingest.settings import Source


class RateLimiter:
    """One token bucket for each source that has a rate limit; one token per event.

    Execution environments share no state, so the effective limit of a source is its limit times the
    number of environments. Only AWS WAF can limit all of them together.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # source id: (tokens, time of update)

    def take(self, source: Source, events: int) -> None:
        """Take one token per event, or none if the bucket has too few.

        A request with more events than the bucket's capacity passes if the bucket is full, and
        leaves a negative balance. Without this rule such a request could never pass.

        Raises:
            TooManyRequestsError: Too few tokens; `retry_after` is the wait in whole seconds.
        """
        limit = source.rate_limit
        if limit is None:
            return
        now = self._clock()
        tokens, updated = self._buckets.get(source.id, (limit.burst, now))
        tokens = min(limit.burst, tokens + (now - updated) * limit.events_per_second)
        missing = min(events, limit.burst) - tokens
        if missing > 0:
            self._buckets[source.id] = (tokens, now)
            seconds = math.ceil(missing / limit.events_per_second)
            raise TooManyRequestsError(
                "rate_limited", "the source exceeds its rate limit", max(1, seconds)
            )
        self._buckets[source.id] = (tokens - events, now)
