"""Evaluate the alarms of each Region by CloudWatch's rules, every few seconds.

Gap: an alarm is evaluated only while PutMetricData is called, on every metric with its namespace
and name, whatever the dimensions, over all its periods at once, and without TreatMissingData. An
alarm whose dimensions no service publishes fires here and never on AWS; one that needs three
periods fires after the first; one without data keeps its state.
Seen in: ministack 1.5.33, cloudwatch.py, _evaluate_alarm and _evaluate_all_alarms.
Delete when: an alarm returns to OK by itself after its last breaching period.

Once a minute it also publishes the number and the age of the messages in the queues of Amazon SQS.
"""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.alarm_states import Rule, periods
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Alarm = dict[str, Any]

#: CloudWatch evaluates an alarm with a period from a minute on once a minute. Here a person waits.
_INTERVAL_S: Final = 5.0
_QUEUES_INTERVAL_S: Final = 60.0


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Evaluate alarms on one metric, and start the thread that evaluates all."""
    service = Symbols(
        "ministack.services.cloudwatch",
        *("_alarms", "_calc_stats", "_dims_key", "_dispatch_alarm_actions", "_evaluate_alarm"),
        *("_evaluate_parent_alarms", "_metrics", "_record_history", "_stat_value"),
        *("_evaluate_all_alarms", "record_metric"),
    )
    service.wrap("_evaluate_alarm", lambda _original: lambda alarm: _evaluate(service, alarm))
    responses = Symbols("ministack.core.responses", "request_scope")
    queues = Symbols("ministack.services.sqs", "_queues")
    arguments = (service, responses, queues)
    threading.Thread(target=_run, args=arguments, daemon=True, name="alarms").start()


def _run(service: Symbols, responses: Symbols, queues: Symbols) -> None:
    measured = 0.0
    while True:
        time.sleep(_INTERVAL_S)
        try:
            scopes = {key[:2] for key, _ in service["_alarms"].all_items()}
            for account, region in sorted(scopes):
                with responses["request_scope"](account, region):
                    service["_evaluate_all_alarms"]()
            if time.monotonic() - measured >= _QUEUES_INTERVAL_S:
                measured = time.monotonic()
                _measure_queues(service, responses, queues)
        except RuntimeError as error:
            # Another thread has changed a dictionary meanwhile; the next round reads it again.
            print(f"ministack: alarms: {error}", file=sys.stderr, flush=True)


def _measure_queues(service: Symbols, responses: Symbols, queues: Symbols) -> None:
    """Publish the gauges of each queue (Amazon SQS, "Available CloudWatch metrics")."""
    now, record = time.time(), service["record_metric"]
    for (account, region, _), queue in queues["_queues"].all_items():
        visible = [it for it in list(queue["messages"]) if it["visible_at"] <= now]
        age = now - min((it["sent_at"] for it in list(queue["messages"])), default=now)
        dimensions = {"QueueName": queue["attributes"]["QueueArn"].rpartition(":")[2]}
        with responses["request_scope"](account, region):
            count = float(len(visible))
            record("AWS/SQS", "ApproximateNumberOfMessagesVisible", count, "Count", dimensions)
            record("AWS/SQS", "ApproximateAgeOfOldestMessage", age, "Seconds", dimensions)


def _evaluate(service: Symbols, alarm: Alarm) -> None:
    """Set the state of an alarm on one metric.

    Amazon CloudWatch User Guide, "Metrics concepts": "CloudWatch treats each unique combination of
    dimensions as a separate metric, even if the metrics have the same metric name."
    """
    if not alarm.get("Namespace") or not alarm.get("MetricName"):
        return
    dimensions = {it["Name"]: it["Value"] for it in alarm.get("Dimensions") or []}
    key = (alarm["Namespace"], alarm["MetricName"], service["_dims_key"](dimensions))
    rule, period_s = Rule.of(alarm), int(alarm.get("Period") or 60)
    points = list(service["_metrics"].get(key) or ())
    groups = periods(points, period_s, rule.periods, time.time())
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    values = [_value(service, group, statistic) for group in groups]
    state, before = rule.state(values, alarm["StateValue"]), alarm["StateValue"]
    if state == before:
        return
    newest = next((it for it in values if it is not None), None)
    reason = (
        f"Threshold Crossed: {statistic} {newest} {rule.operator} {rule.threshold}"
        if newest is not None
        else f"Threshold Crossed: no datapoints were received for {rule.periods} periods."
    )
    alarm["StateValue"], alarm["StateReason"] = state, reason
    alarm["StateUpdatedTimestamp"] = int(time.time())
    service["_record_history"](alarm["AlarmName"], before, state, reason)
    service["_dispatch_alarm_actions"](alarm, before, state, reason)
    service["_evaluate_parent_alarms"](alarm)


def _value(service: Symbols, points: list[dict[str, Any]], statistic: str) -> float | None:
    stats: Callable[..., Any] = service["_stat_value"]
    return stats(service["_calc_stats"](points), statistic, points) if points else None
