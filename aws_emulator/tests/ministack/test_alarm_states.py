"""The state of an alarm by the values of its periods."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack.alarm_states import Rule, State, periods

VALUES = st.lists(st.none() | st.sampled_from([0.0, 5.0, 6.0]), min_size=1, max_size=5)
STATES: list[State] = ["OK", "ALARM", "INSUFFICIENT_DATA"]


def rule(values: list[float | None], needed: int = 1, missing: str = "missing") -> Rule:
    return Rule("GreaterThanThreshold", 5.0, len(values), needed, missing)


@given(VALUES, st.integers(1, 5), st.sampled_from(STATES))
def test_alarm_rings_from_the_needed_number_of_breaching_periods_on(
    values: list[float | None], needed: int, current: State
) -> None:
    breaching = sum(it == 6.0 for it in values)
    state = rule(values, needed, "notBreaching").state(values, current)
    assert state == ("ALARM" if breaching >= needed else "OK")


@given(VALUES, st.sampled_from(STATES))
def test_missing_data_is_taken_as_the_alarm_says(
    values: list[float | None], current: State
) -> None:
    has_data = any(it is not None for it in values)
    breaches = any(it in {None, 6.0} for it in values)
    assert rule(values, 1, "breaching").state(values, current) == ("ALARM" if breaches else "OK")
    if not has_data:
        assert rule(values, 1, "ignore").state(values, current) == current
        assert rule(values, 1, "missing").state(values, current) == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("GreaterThanThreshold", ["OK", "OK", "ALARM"]),
        ("GreaterThanOrEqualToThreshold", ["OK", "ALARM", "ALARM"]),
        ("LessThanThreshold", ["ALARM", "OK", "OK"]),
        ("LessThanOrEqualToThreshold", ["ALARM", "ALARM", "OK"]),
    ],
)
def test_value_at_threshold_rings_by_the_operator(operator: str, expected: list[str]) -> None:
    one = Rule.of({"ComparisonOperator": operator, "Threshold": 5, "EvaluationPeriods": 1})
    assert [one.state([value], "OK") for value in (4.0, 5.0, 6.0)] == expected


@given(st.lists(st.integers(0, 1_000), max_size=20), st.sampled_from([60, 300]))
def test_each_point_is_in_the_period_of_its_age(ages: list[int], period_s: int) -> None:
    points: list[dict[str, Any]] = [{"Timestamp": 5_000.0 - age} for age in ages]
    groups = periods(points, period_s, 3, 5_000.0)
    assert [len(it) for it in groups] == [
        sum(age // period_s == number for age in ages) for number in range(3)
    ]
