"""The metrics in log lines."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack.embedded_metrics import Datum, embedded, filtered

MADE = [{"metricNamespace": "n", "metricName": "Waiting", "metricValue": "$.waiting"}]


def line(**fields: Any) -> str:
    directive = {
        "Namespace": "shop",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Rows", "Unit": "Count"}],
    }
    metadata = {"Timestamp": 1_790_000_000_500, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": metadata, "service": "events", **fields})


@given(st.integers(0, 10**6) | st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
def test_line_has_the_values_of_its_metric(value: int | list[int]) -> None:
    values = tuple(float(it) for it in (value if isinstance(value, list) else [value]))
    expected = Datum("shop", "Rows", values, "Count", {"service": "events"}, 1_790_000_000.5)
    assert embedded(line(Rows=value)) == [expected]


@pytest.mark.parametrize("fields", [{}, {"Rows": "many"}, {"Rows": True}, {"Rows": None}])
def test_metric_without_a_number_has_no_value(fields: dict[str, Any]) -> None:
    assert embedded(line(**fields)) == []


@given(st.text())
def test_any_other_line_has_no_metric(text: str) -> None:
    assert embedded(text) == []
    assert embedded(json.dumps({"CloudWatchMetrics": text})) == []


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.message = "parked" }', True),
        ('{ $.message = "parked" && $.waiting >= 7 }', True),
        ("{ $.waiting > 7 }", False),
        ('{ $.message != "parked" }', False),
        ('{ $.missing = "x" }', False),
    ],
)
def test_filter_makes_a_metric_of_matching_lines(pattern: str, matches: bool) -> None:
    message = json.dumps({"message": "parked", "waiting": 7})
    assert filtered(pattern, MADE, message) == ([Datum("n", "Waiting", (7.0,))] if matches else [])
    assert filtered(pattern, MADE, "no JSON") == []


def test_fixed_value_counts_lines() -> None:
    transformations = [{"metricNamespace": "n", "metricName": "Errors", "metricValue": "1"}]
    (datum,) = filtered('{ $.level = "ERROR" }', transformations, '{"level": "ERROR"}')
    assert datum.values == (1.0,)


@pytest.mark.parametrize("pattern", ["ERROR", "{ $.a IS NULL }", '{ $.a = "x" || $.b = 1 }'])
def test_other_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="filter pattern"):
        filtered(pattern, MADE, "{}")
