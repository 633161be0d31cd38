"""Percentiles by the nearest-rank method."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.report.distribution import Distribution, distribution


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=300))
def test_percentile_is_the_smallest_value_that_covers_its_share(values: list[int]) -> None:
    percentiles = distribution(Counter(values))
    ordered = sorted(values)
    assert percentiles.count == len(values)
    for number in range(1, 101):
        rank = math.ceil(len(values) * number / 100)
        assert percentiles.percentile(number) == ordered[rank - 1]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=50))
def test_curve_rises_from_a_value_to_the_maximum(values: list[int]) -> None:
    curve = distribution(Counter(values)).curve
    assert list(curve) == sorted(curve)
    assert curve[-1] == max(values)


def test_distribution_without_values_is_empty() -> None:
    assert distribution({}) == distribution({5: 0}) == Distribution()
    with pytest.raises(IndexError):
        Distribution().percentile(50)
