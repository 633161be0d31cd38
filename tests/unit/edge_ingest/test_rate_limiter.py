"""Tests for `rate_limiter`: burst, refill, `retry_after` and negative balance."""

import pytest

from edge_ingest.errors import TooManyRequestsError
from edge_ingest.rate_limiter import RateLimiter
from edge_ingest.settings import RateLimit, Source
from tests.unit.edge_ingest.harness import Clock

SOURCE = Source("portal", "k", rate_limit=RateLimit(events_per_second=10, burst=20))


def retry_after(limiter: RateLimiter, events: int, source: Source = SOURCE) -> int | None:
    """Return the seconds of Retry-After, or None if the limiter admits the events."""
    try:
        limiter.take(source, events)
    except TooManyRequestsError as error:
        return error.retry_after
    return None


def test_limiter_admits_exactly_the_burst() -> None:
    assert retry_after(RateLimiter(Clock()), 20) is None
    limiter = RateLimiter(Clock())
    assert retry_after(limiter, 19) is None
    assert retry_after(limiter, 1) is None
    assert retry_after(limiter, 1) == 1


def test_limiter_admits_events_after_retry_after() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    limiter.take(SOURCE, 20)
    assert retry_after(limiter, 15) == 2
    clock.now += 1.4
    assert retry_after(limiter, 15) == 1
    clock.now += 1
    assert retry_after(limiter, 15) is None


def test_request_over_capacity_passes_when_bucket_is_full() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    assert retry_after(limiter, 100) is None
    assert retry_after(limiter, 1) == 9
    clock.now += 8.2
    assert retry_after(limiter, 1) is None


def test_sources_have_separate_buckets_or_no_limit() -> None:
    limiter = RateLimiter(Clock())
    limiter.take(SOURCE, 20)
    assert retry_after(limiter, 20, SOURCE._replace(id="other")) is None
    for _ in range(100):
        limiter.take(Source("free", "f"), 10_000)


def test_error_code_is_rate_limited() -> None:
    limiter = RateLimiter(Clock())
    limiter.take(SOURCE, 20)
    with pytest.raises(TooManyRequestsError) as caught:
        limiter.take(SOURCE, 1)
    assert caught.value.code == "rate_limited"
