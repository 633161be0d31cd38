"""The band of a metric's history: its limits, its sides, and too little history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack.anomaly_band import MIN_HISTORY_PERIODS, Band, band, parse, split

VALUES = st.floats(0, 1e6, allow_nan=False)
BOTH = "LessThanLowerOrGreaterThanUpperThreshold"


@given(st.lists(VALUES, min_size=MIN_HISTORY_PERIODS, max_size=50), st.floats(0, 10))
def test_band_contains_the_mean_and_grows_with_the_deviations(
    history: list[float], deviations: float
) -> None:
    narrow, wide = band(history, deviations), band(history, deviations + 1)
    assert narrow
    assert wide
    assert wide.lower <= narrow.lower <= narrow.upper <= wide.upper
    mean = sum(history) / len(history)
    assert not Band(narrow.lower - 1e-3, narrow.upper + 1e-3).is_breached(mean, BOTH)


@given(st.lists(VALUES, max_size=MIN_HISTORY_PERIODS - 1))
def test_short_history_has_no_band(history: list[float]) -> None:
    assert band(history, 2) is None


@given(st.lists(VALUES, min_size=MIN_HISTORY_PERIODS, max_size=50))
def test_three_deviations_contain_most_of_the_history(history: list[float]) -> None:
    """Chebyshev's inequality: at most a ninth of the values is outside."""
    expected = band(history, 3)
    assert expected
    tolerant = Band(expected.lower - 1e-3, expected.upper + 1e-3)
    outside = sum(tolerant.is_breached(it, BOTH) for it in history)
    assert outside <= len(history) / 9


@pytest.mark.parametrize(
    ("operator", "below", "above"),
    [
        (BOTH, True, True),
        ("LessThanLowerThreshold", True, False),
        ("GreaterThanUpperThreshold", False, True),
    ],
)
def test_operator_selects_the_sides_of_the_band(operator: str, below: bool, above: bool) -> None:
    expected = Band(1, 2)
    assert expected.is_breached(0.9, operator) == below
    assert expected.is_breached(2.1, operator) == above
    assert not expected.is_breached(1, operator)
    assert not expected.is_breached(2, operator)


def test_operator_without_a_band_is_refused() -> None:
    with pytest.raises(ValueError, match="anomaly band"):
        Band(1, 2).is_breached(1, "GreaterThanThreshold")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ANOMALY_DETECTION_BAND(m1)", ("m1", 2.0)),
        ("ANOMALY_DETECTION_BAND(requests, 4)", ("requests", 4.0)),
        ("ANOMALY_DETECTION_BAND(requests,2.5)", ("requests", 2.5)),
    ],
)
def test_expression_has_a_metric_and_a_width(expression: str, expected: tuple[str, float]) -> None:
    assert parse(expression) == expected


@pytest.mark.parametrize("expression", ["m1 * 2", "", "SUM(METRICS())", "ANOMALY_DETECTION_BAND()"])
def test_other_metric_math_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="isn't supported"):
        parse(expression)


@given(st.dictionaries(st.integers(0, 50), VALUES), st.integers(1, 10))
def test_each_period_is_either_evaluated_or_history(values: dict[int, float], periods: int) -> None:
    history, newest = split(values, periods)
    assert len(history) + len(newest) == len(values)
    assert all(age < periods for age in newest)
