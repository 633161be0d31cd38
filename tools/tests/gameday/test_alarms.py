"""Tests of the evaluation of alarms, and of the alarms that each act must and may raise."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.gameday.acts import EDGE, FURTHER, HOME, region_act, replication_act, service_act
from tools.gameday.alarms import Datum, Metric, Rang, evaluate, expected, metric_of, rings

METRIC: Final = Metric("AWS/Route53", "HealthCheckStatus", frozenset({("HealthCheckId", "c")}))
ALARM: Final[dict[str, Any]] = {
    "Namespace": "AWS/Route53",
    "MetricName": "HealthCheckStatus",
    "Dimensions": [{"Name": "HealthCheckId", "Value": "c"}],
    "Statistic": "Minimum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "Threshold": 1,
    "ComparisonOperator": "LessThanThreshold",
    "TreatMissingData": "notBreaching",
}


def data(values: list[float], metric: Metric = METRIC) -> list[Datum]:
    """A value in the middle of each period."""
    return [Datum(metric, 60 * number + 30, value) for number, value in enumerate(values)]


@given(st.lists(st.sampled_from([0.0, 1.0])))
def test_alarm_rings_after_three_breaching_periods_in_a_row(values: list[float]) -> None:
    shown = "".join("x" if it < 1 else "." for it in values)
    assert rings(ALARM, data(values)) == ("xxx" in shown)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=3), st.integers(1, 3))
def test_datapoints_to_alarm_allow_gaps(values: list[float], needed: int) -> None:
    alarm = ALARM | {"DatapointsToAlarm": needed}
    windows = [values[n : n + 3] for n in range(len(values) - 2)]
    assert rings(alarm, data(values)) == any(it.count(0.0) >= needed for it in windows)


def test_missing_periods_count_as_the_alarm_says() -> None:
    gap = [Datum(METRIC, 30, 0), Datum(METRIC, 150, 0)]
    assert not rings(ALARM, gap)
    assert rings(ALARM | {"TreatMissingData": "breaching"}, gap)
    assert not rings(ALARM, [])


@pytest.mark.parametrize(
    ("statistic", "value"), [("Sum", 3.0), ("Average", 1.5), ("Maximum", 2.0), ("Minimum", 1.0)]
)
def test_statistic_combines_the_values_of_a_period(statistic: str, value: float) -> None:
    alarm = ALARM | {"Statistic": statistic, "EvaluationPeriods": 1, "Threshold": value}
    alarm["ComparisonOperator"] = "GreaterThanOrEqualToThreshold"
    values = [Datum(METRIC, 1, 1.0), Datum(METRIC, 2, 2.0)]
    assert rings(alarm, values)
    assert not rings(alarm | {"ComparisonOperator": "GreaterThanThreshold"}, values)


def test_other_dimensions_are_another_metric() -> None:
    other = Metric("AWS/Route53", "HealthCheckStatus", frozenset())
    assert not rings(ALARM, data([0, 0, 0], other))
    assert metric_of(ALARM) == METRIC
    assert metric_of({"Metrics": []}) is None


ALARMS: Final = {"RegionNotServing ap-south-1": ALARM}


def test_lost_region_must_ring_and_others_must_not() -> None:
    act = region_act(FURTHER, "hanging")
    assert evaluate(act, [FURTHER], ALARMS, data([1, 0, 0, 0])).silent == frozenset()
    assert evaluate(act, [FURTHER], ALARMS, data([1, 1, 1])).silent == set(ALARMS)
    false = evaluate(region_act(EDGE, "refused"), [FURTHER], ALARMS, data([0, 0, 0]))
    assert false.false == set(ALARMS)


def test_acts_name_their_alarms() -> None:
    assert expected(region_act(HOME, "slow"), [FURTHER]) == (
        frozenset({f"RegionNotServing {HOME}"}),
        frozenset({"EdgeServerErrors"}),
    )
    assert expected(replication_act(), [FURTHER]) == (
        frozenset({f"AppointmentsReplicationDelayed {FURTHER}"}),
        frozenset(),
    )
    for service in ("kinesis", "s3"):
        assert expected(service_act(HOME, service, "refused"), [FURTHER]) == (
            frozenset(),
            frozenset(),
        )
    assert Rang("act", frozenset("ab"), frozenset("ac"), frozenset()).false == {"b"}
