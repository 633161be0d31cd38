"""Contracts of the patches for CloudWatch alarms."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack
from aws_emulator.tests.waiting import wait_until


def alarm_evaluation(emulator: Emulator) -> None:
    """An alarm fires on the metric with its dimensions, after as many periods as it needs."""
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
    _needs_two_of_three_periods(emulator)
    _returns_to_ok_without_data(emulator)


def _needs_two_of_three_periods(emulator: Emulator) -> None:
    cloudwatch, name = emulator.client("cloudwatch"), unique("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=name,
        MetricName="Errors",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    states = []
    for age in (0, 2):
        time = datetime.now(UTC) - timedelta(seconds=300 * (age + 0.5))
        metric = {"MetricName": "Errors", "Value": 1, "Timestamp": time}
        cloudwatch.put_metric_data(Namespace=name, MetricData=[metric])
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        states.append(alarm["StateValue"])
    assert states == ["OK", "ALARM"]


def _returns_to_ok_without_data(emulator: Emulator) -> None:
    """No call of PutMetricData is needed: CloudWatch evaluates all alarms again and again."""
    cloudwatch, name = emulator.client("cloudwatch"), unique("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace=name,
        MetricName="Errors",
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    cloudwatch.put_metric_data(Namespace=name, MetricData=[{"MetricName": "Errors", "Value": 1}])

    def states() -> list[str]:
        items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")
        return [it["HistorySummary"].rpartition(" ")[2] for it in items["AlarmHistoryItems"]]

    def rang_and_returned() -> bool:
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return "ALARM" in states() and alarm["StateValue"] == "OK"

    wait_until(rang_and_returned, "the alarm's return to OK")


def alarm_metric_math(emulator: Emulator) -> None:
    """An alarm fires above and below the band of its metric's history, and only there."""
    name, namespace = unique("metric-math"), unique("namespace")
    metric = {"Namespace": namespace, "MetricName": "Requests"}
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": name,
            "Metrics": [
                {"Id": "m", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}},
                {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m, 4)"},
            ],
            "ThresholdMetricId": "band",
            "ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold",
            "EvaluationPeriods": 2,
        },
    }
    emulator.deploy(stack(Anomaly=alarm), name)
    cloudwatch, now = emulator.client("cloudwatch"), datetime.now(UTC)

    def state_after(*values: float, age: int = 0) -> str:
        """Publish values of consecutive periods, the first the newest, and return the state."""
        data = [
            {
                "MetricName": "Requests",
                "Value": value,
                "Timestamp": now - timedelta(seconds=300 * (age + index) + 10),
            }
            for index, value in enumerate(values)
        ]
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
        (described,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        assert described["Metrics"][1]["Expression"] == "ANOMALY_DETECTION_BAND(m, 4)"
        return str(described["StateValue"])

    # The band of a young metric isn't known.
    assert state_after(100, 101, age=20) == "INSUFFICIENT_DATA"
    assert state_after(*[99, 100, 101] * 4, age=2) == "OK"
    assert state_after(0, 0) == "ALARM"
    # The values of a period add up.
    assert state_after(100, 100) == "OK"
    assert state_after(500) == "OK"
    assert state_after(0, 500) == "ALARM"
    # Other metric math is refused instead of ignored.
    alarm["Properties"]["Metrics"][1]["Expression"] = "m * 2"  # type: ignore[index]
    with pytest.raises(AssertionError, match="isn't supported"):
        emulator.deploy(stack(Anomaly=alarm), unique("other-math"))


def _key_policy(service: str) -> str:
    allow: dict[str, Any] = {"Effect": "Allow", "Resource": "*"}
    use = ["kms:Decrypt", "kms:GenerateDataKey*"]
    statements = [
        {**allow, "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*"},
        {**allow, "Principal": {"Service": service}, "Action": use},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class _Alarm:
    """An alarm, its topic and a queue that receives the topic's messages."""

    def __init__(self, emulator: Emulator, key: str) -> None:
        self.name = unique("alarm")
        self._emulator = emulator
        sqs, sns = emulator.client("sqs"), emulator.client("sns")
        self._queue = sqs.create_queue(QueueName=self.name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        encryption = {"KmsMasterKeyId": key} if key else {}
        topic = sns.create_topic(Name=self.name, Attributes=encryption)["TopicArn"]
        queue_arn = attributes["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
        emulator.client("cloudwatch").put_metric_alarm(
            AlarmName=self.name,
            Namespace="test",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[topic],
        )

    def raise_alarm(self) -> None:
        """Set the state ALARM."""
        self._emulator.client("cloudwatch").set_alarm_state(
            AlarmName=self.name, StateValue="ALARM", StateReason="test"
        )

    def messages(self) -> int:
        """Receive the messages and return their number."""
        sqs = self._emulator.client("sqs")
        received = sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        return len(received.get("Messages", []))

    def failures(self) -> list[str]:
        """Return the history's entries about actions."""
        history = self._emulator.client("cloudwatch").describe_alarm_history(
            AlarmName=self.name, HistoryItemType="Action"
        )
        return [it["HistorySummary"] for it in history["AlarmHistoryItems"]]


def _has_one_message(alarm: _Alarm) -> bool:
    return alarm.messages() == 1


def topic_keys(emulator: Emulator) -> None:
    """CloudWatch publishes only with a key whose policy allows it."""
    kms = emulator.client("kms")
    refused = ["alias/aws/sns"]
    for service in ("events.amazonaws.com", "cloudwatch.amazonaws.com"):
        key = kms.create_key(Policy=_key_policy(service))["KeyMetadata"]["KeyId"]
        if service.startswith("cloudwatch"):
            allowed = [key, ""]
        else:
            refused.append(key)
    for key in allowed:
        alarm = _Alarm(emulator, key)
        alarm.raise_alarm()
        wait_until(partial(_has_one_message, alarm), f"the alarm's message with key {key!r}")
        assert alarm.failures() == []
    for key in refused:
        alarm = _Alarm(emulator, key)
        alarm.raise_alarm()
        (failure,) = alarm.failures() or ["the alarm published"]
        assert "does not have authorization to access the SNS topic encryption key" in failure
        assert alarm.messages() == 0
