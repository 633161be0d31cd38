"""Evaluate alarms on an anomaly detection band, and refuse other metric math.

Gap: MiniStack rejects a template with an alarm whose property Metrics has expressions.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, AWS::CloudWatch::Alarm.
Delete when: MiniStack evaluates alarms with ANOMALY_DETECTION_BAND.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack import anomaly_band
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Alarm = dict[str, Any]

_TYPE: Final = "AWS::CloudWatch::Alarm"
PROPERTIES: Final = {_TYPE: {"ThresholdMetricId"}}
#: Fields of an alarm on a single metric that one on Metrics doesn't have.
_SINGLE: Final = (
    *("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period"),
    *("Threshold", "Dimensions", "Unit"),
)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Keep Metrics in the record of an alarm, and evaluate the band."""
    provisioners = Symbols(
        "ministack.services.cloudformation.provisioners", "_cw_metric_alarm_record"
    )
    provisioners.wrap("_cw_metric_alarm_record", _recorded)
    service = Symbols(
        "ministack.services.cloudwatch",
        "_evaluate_alarm",
        "_metrics",
        "_dims_key",
        "_calc_stats",
        "_stat_value",
        "_record_history",
        "_dispatch_alarm_actions",
    )
    evaluator = _Evaluator(service)

    def wrapper(original: Callable[[Alarm], None]) -> Callable[[Alarm], None]:
        return lambda alarm: (evaluator.evaluate if alarm.get("Metrics") else original)(alarm)

    service.wrap("_evaluate_alarm", wrapper)


def _recorded(original: Callable[..., Alarm]) -> Callable[..., Alarm]:
    def record(name: str, props: dict[str, Any]) -> Alarm:
        metrics = props.get("Metrics")
        if not metrics:
            return original(name, props)
        _metric_and_deviations(metrics, props.get("ThresholdMetricId"))
        single = {"Namespace": "-", "MetricName": "-", "Threshold": 0}
        alarm = original(name, {**props, **single, "Metrics": None})
        common = {key: value for key, value in alarm.items() if key not in _SINGLE}
        return common | {
            "Metrics": [{"ReturnData": True, **it} for it in metrics],
            "ThresholdMetricId": props["ThresholdMetricId"],
        }

    return record


def _metric_and_deviations(
    metrics: list[dict[str, Any]], threshold_id: str | None
) -> tuple[dict[str, Any], float]:
    """Return the metric of an alarm, and the width of its band.

    Raises:
        ValueError: The alarm isn't on one metric and its band.
    """
    by_id = {str(it["Id"]): it for it in metrics}
    metric_id, deviations = anomaly_band.parse(
        str(by_id.get(str(threshold_id), {}).get("Expression", ""))
    )
    metric = by_id.get(metric_id, {}).get("MetricStat")
    if not metric or len(metrics) != 2:
        raise ValueError("An alarm on Metrics must have one metric and its anomaly band.")
    return dict(metric), deviations


class _Evaluator:
    """Compare the newest periods of a metric with the band of the earlier ones."""

    def __init__(self, service: Symbols) -> None:
        self._service = service

    def evaluate(self, alarm: Alarm) -> None:
        """Set the state of an alarm; without a band it stays as it is."""
        metric, deviations = _metric_and_deviations(alarm["Metrics"], alarm["ThresholdMetricId"])
        periods = int(alarm["EvaluationPeriods"])
        history, newest = anomaly_band.split(self._values(metric), periods)
        expected = anomaly_band.band(history, deviations)
        if expected is None:
            return
        breaching = sum(
            expected.is_breached(it, alarm["ComparisonOperator"]) for it in newest.values()
        )
        # Missing data is taken as not breaching, whatever TreatMissingData says.
        state = "ALARM" if breaching >= int(alarm.get("DatapointsToAlarm") or periods) else "OK"
        if state != alarm["StateValue"]:
            reason = (
                f"Thresholds Crossed: {breaching} of {periods} datapoints were outside the band "
                f"[{expected.lower:.1f}, {expected.upper:.1f}]."
            )
            self._change(alarm, state, reason)

    def _values(self, metric: dict[str, Any]) -> dict[int, float]:
        """Return the statistic of each period by its age; 0 is the current one."""
        source = metric["Metric"]
        dimensions = {it["Name"]: it["Value"] for it in source.get("Dimensions") or []}
        key = (source["Namespace"], source["MetricName"], self._service["_dims_key"](dimensions))
        by_age: dict[int, list[Any]] = {}
        now, period = time.time(), int(metric["Period"])
        for point in self._service["_metrics"].get(key, []):
            by_age.setdefault(max(0, int((now - point["Timestamp"]) // period)), []).append(point)
        return {
            age: self._service["_stat_value"](
                self._service["_calc_stats"](points), metric["Stat"], points
            )
            for age, points in by_age.items()
        }

    def _change(self, alarm: Alarm, state: str, reason: str) -> None:
        before = alarm["StateValue"]
        alarm |= {
            "StateValue": state,
            "StateReason": reason,
            "StateUpdatedTimestamp": int(time.time()),
        }
        self._service["_record_history"](alarm["AlarmName"], before, state, reason)
        self._service["_dispatch_alarm_actions"](alarm, before, state, reason)
