"""Contracts of the patches for CloudWatch alarms."""

import json
import urllib.request
from typing import Any

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.waiting import wait_until


def alarm_dimensions(emulator: Emulator) -> None:
    """An alarm fires on the metric with its dimensions, and on no other metric of the name."""
    cloudwatch = emulator.client("cloudwatch")
    namespace, name = unique("namespace"), unique("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=namespace,
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": "ours"}],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )

    def state_after(dimensions: list[dict[str, str]]) -> str:
        metric: dict[str, Any] = {"MetricName": "Errors", "Dimensions": dimensions, "Value": 1}
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=[metric])
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"])

    ours = {"Name": "FunctionName", "Value": "ours"}
    for others in (
        [],
        [{"Name": "FunctionName", "Value": "theirs"}],
        [ours, {"Name": "Resource", "Value": "ours:live"}],
    ):
        assert state_after(others) != "ALARM"
    assert state_after([ours]) == "ALARM"


def alarm_metric_math(emulator: Emulator) -> None:
    """A stack with an alarm on metric math is created, and the alarm is listed as accepted."""
    stack = unique("metric-math")
    requests = {"Namespace": "AWS/CloudFront", "MetricName": "Requests"}
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "Metrics": [
                {"Id": "m", "MetricStat": {"Metric": requests, "Period": 300, "Stat": "Sum"}},
                {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m, 4)"},
            ],
            "ThresholdMetricId": "band",
            "ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold",
            "EvaluationPeriods": 1,
        },
    }
    cloudformation = emulator.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps({"Resources": {"Anomaly": alarm}})
    )

    def accepted() -> bool:
        with urllib.request.urlopen(f"{emulator.endpoint}/_local/accepted", timeout=10) as answer:
            return any(it.get("stack") == stack for it in json.load(answer))

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    wait_until(lambda: not status().endswith("IN_PROGRESS"), "the end of the creation", 30)
    assert status() == "CREATE_COMPLETE"
    assert accepted()
    cloudformation.delete_stack(StackName=stack)
    wait_until(lambda: not accepted(), "the deletion", 30)
