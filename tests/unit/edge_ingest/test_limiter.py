"""A source's bucket: exact at its edge, told when it is worth another try."""

import pytest

from edge_ingest.errors import RateLimitedError
from edge_ingest.limiter import Limiter
from edge_ingest.settings import RateLimit, Source
from tests.unit.edge_ingest.edge import Clock

SOURCE = Source("portal", "k", rate_limit=RateLimit(events_per_second=10, burst=20))


def refusal(limiter: Limiter, events: int, source: Source = SOURCE) -> int | None:
    """Seconds of Retry-After, or None where the events pass."""
    try:
        limiter.take(source, events)
    except RateLimitedError as error:
        return error.retry_after
    return None


def test_the_burst_is_exact_at_n_and_one_past_it() -> None:
    assert refusal(Limiter(Clock()), 20) is None
    limiter = Limiter(Clock())
    assert refusal(limiter, 19) is None
    assert refusal(limiter, 1) is None
    assert refusal(limiter, 1) == 1


def test_after_retry_after_it_passes() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    limiter.take(SOURCE, 20)
    assert refusal(limiter, 15) == 2
    clock.now += 1.4
    assert refusal(limiter, 15) == 1
    clock.now += 1
    assert refusal(limiter, 15) is None


def test_a_request_larger_than_the_bucket_passes_when_it_is_full_and_is_paid_off() -> None:
    clock = Clock()
    limiter = Limiter(clock)
    assert refusal(limiter, 100) is None
    assert refusal(limiter, 1) == 9
    clock.now += 8.2
    assert refusal(limiter, 1) is None


def test_sources_do_not_share_and_no_limit_is_none() -> None:
    limiter = Limiter(Clock())
    limiter.take(SOURCE, 20)
    assert refusal(limiter, 20, SOURCE._replace(id="other")) is None
    for _ in range(100):
        limiter.take(Source("free", "f"), 10_000)


def test_the_error_is_a_429() -> None:
    limiter = Limiter(Clock())
    limiter.take(SOURCE, 20)
    with pytest.raises(RateLimitedError) as caught:
        limiter.take(SOURCE, 1)
    assert caught.value.code == "rate_limited"
