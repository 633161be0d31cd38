"""Evaluate an alarm on the metric with exactly its dimensions, as CloudWatch does.

Gap: an alarm is evaluated on every metric with its namespace and name, whatever the dimensions. An
alarm whose dimensions no service publishes fires here and never on AWS.
Seen in: ministack 1.5.33, cloudwatch.py, _evaluate_alarm.
Delete when: _evaluate_alarm compares the dimensions.
"""

from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Alarm = dict[str, Any]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Show the evaluation only the alarm's own metric.

    Amazon CloudWatch User Guide, "Metrics concepts": "CloudWatch treats each unique combination of
    dimensions as a separate metric, even if the metrics have the same metric name."
    """
    service = Symbols("ministack.services.cloudwatch", "_evaluate_alarm", "_metrics", "_dims_key")

    def wrapper(original: Callable[[Alarm], None]) -> Callable[[Alarm], None]:
        def evaluate(alarm: Alarm) -> None:
            key = (alarm.get("Namespace"), alarm.get("MetricName"), _dimensions(alarm, service))
            every = service["_metrics"]
            service["_metrics"] = {key: every[key]} if key in every else {}
            try:
                original(alarm)
            finally:
                service["_metrics"] = every

        return evaluate

    service.wrap("_evaluate_alarm", wrapper)


def _dimensions(alarm: Alarm, service: Symbols) -> str:
    dimensions = {it["Name"]: it["Value"] for it in alarm.get("Dimensions") or []}
    return str(service["_dims_key"](dimensions))
