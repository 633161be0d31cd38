"""The remaining time of a step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.progress import remaining_s


@pytest.mark.parametrize(("done", "total"), [(0, 10), (5, None), (5, 0), (11, 10)])
def test_step_without_progress_or_total_has_no_estimate(done: int, total: int | None) -> None:
    assert remaining_s(done, total, 10.0) is None


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.floats(0, 1e6))
def test_remaining_time_follows_the_rate_so_far(done: int, more: int, elapsed_s: float) -> None:
    left = remaining_s(done, done + more, elapsed_s)
    assert left == pytest.approx(elapsed_s * more / done)
