"""Throttling at the stage: "API Gateway uses the token bucket algorithm"."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """Tokens per second, and how many a full bucket holds."""

    rate: float
    burst: int


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Throttle:
    """A bucket per method that has settings of its own; every other method shares one per method.

    "*/*" are the settings of the stage. Times are seconds of any one clock.
    """

    def __init__(self, limits: Mapping[str, Limit]) -> None:
        """`limits` as GetStage has its method settings: "~1accounts/POST", "*/*"."""
        self._limits = limits
        self._buckets: dict[str, _Bucket] = {}

    def allows(self, resource: str, method: str, now: float) -> bool:
        """Take a token for a request, if there is one."""
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
