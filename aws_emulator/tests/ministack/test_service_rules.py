"""Limits of services as properties: every valid setting is accepted, every other one refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.ministack import service_rules as rules

VALID_ALARM = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Period": 60}


@given(st.integers(1, 2_000), st.sampled_from(["minutes", "hours", "days"]))
def test_rate_of_any_positive_number_is_accepted(number: int, unit: str) -> None:
    settings = {"ScheduleExpression": f"rate({number} {unit})"}
    assert rules.schedule("a", settings) is None
    assert rules.schedule("a", {"ScheduleExpression": f"rate(0 {unit})"}) is not None


@given(st.integers(1, 8_000))
def test_period_of_an_alarm_is_short_or_a_number_of_minutes(period: int) -> None:
    error = rules.alarm({**VALID_ALARM, "Period": period})
    assert (error is None) == (period in (10, 20, 30) or period % 60 == 0)


@given(st.integers(1, 200), st.sampled_from([60, 300, 3_600, 7_200]))
def test_alarm_covers_a_day_or_with_long_periods_a_week(periods: int, period: int) -> None:
    error = rules.alarm({**VALID_ALARM, "Period": period, "EvaluationPeriods": periods})
    longest = 7 * 86_400 if period >= 3_600 else 86_400
    assert (error is None) == (period * periods <= longest)


@given(st.integers(1, 20), st.integers(1, 20))
def test_alarm_needs_at_most_as_many_datapoints_as_periods(periods: int, datapoints: int) -> None:
    settings = {**VALID_ALARM, "EvaluationPeriods": periods, "DatapointsToAlarm": datapoints}
    assert (rules.alarm(settings) is None) == (datapoints <= periods)


@given(st.text(max_size=130))
def test_subject_is_short_printable_ascii(text: str) -> None:
    is_valid = len(text) < 100 and text.isascii() and (text.isprintable() or not text)
    assert (rules.subject(text) is None) == is_valid


@given(st.integers(-5, 50_000))
def test_times_of_a_queue_have_their_own_limits(number: int) -> None:
    for name, greatest in (("DelaySeconds", 900), ("WaitTimeSeconds", 20)):
        assert (rules.seconds({name: number}) is None) == (0 <= number <= greatest)


@given(st.floats(0, 30 * 86_400))
def test_metric_is_at_most_two_weeks_old(age_s: float) -> None:
    now = 2_000_000_000.0
    error = rules.metric_data([{"Value": 1.0, "Timestamp": now - age_s}], now)
    assert (error is None) == (now - age_s >= now - 14 * 86_400)


@given(st.lists(st.integers(0, 3), max_size=5))
def test_rules_of_a_web_acl_have_different_priorities(priorities: list[int]) -> None:
    acl = {"Name": "a", "Rules": [{"Priority": it} for it in priorities]}
    error = rules.web_acl(acl, "us-east-1")
    assert (error is None) == (len(set(priorities)) == len(priorities))


@given(st.integers(0, 20_000))
def test_body_of_a_custom_response_is_bounded(length: int) -> None:
    bodies = {"a": {"ContentType": "TEXT_PLAIN", "Content": "x" * length}}
    error = rules.web_acl({"Name": "a", "CustomResponseBodies": bodies}, "us-east-1")
    assert (error is None) == (1 <= length <= 10_240)


@pytest.mark.parametrize(
    ("destination", "is_valid"),
    [
        ("arn:aws:s3:::aws-waf-logs-x", True),
        ("arn:aws-cn:s3:::aws-waf-logs-x", True),
        ("arn:aws:firehose:us-east-1:000000000000:deliverystream/aws-waf-logs-x", True),
        ("arn:aws:logs:us-east-1:000000000000:log-group:aws-waf-logs-x:*", True),
        ("arn:aws:s3:::aws-waf-log-x", False),
        ("arn:aws:sqs:us-east-1:000000000000:aws-waf-logs-x", False),
        ("aws-waf-logs-x", False),
        ("", False),
    ],
)
def test_destination_has_the_prefix_and_a_service_for_logs(
    destination: str, *, is_valid: bool
) -> None:
    error = rules.web_acl_logging({"LogDestinationConfigs": [destination]}, "us-east-1")
    assert (error is None) is is_valid
