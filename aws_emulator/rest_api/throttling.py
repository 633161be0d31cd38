"""Throttle the requests of a stage: "API Gateway uses the token bucket algorithm"."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate in requests per second, and a burst in requests."""

    rate: float
    burst: int


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Throttle:
    """A token bucket for each method. Times are in seconds of one monotonic clock."""

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        """Set the limits of a stage's methods.

        `limits` maps a method of GetStage's `methodSettings`, such as "~1notes/POST", to its limit;
        "*/*" applies to every other method.
        """
        self._limits = limits
        self._buckets: dict[str, _Bucket] = {}

    def allows(self, resource: str, method: str, now: float) -> bool:
        """Take a token for a request; return whether one was available."""
        key = f"{resource.replace('/', '~1')}/{method}"
        limit = self._limits.get(key, self._limits.get("*/*"))
        if limit is None:
            return True
        bucket = self._buckets.setdefault(key, _Bucket(float(limit.burst), now))
        bucket.tokens = min(limit.burst, bucket.tokens + (now - bucket.at) * limit.rate)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
