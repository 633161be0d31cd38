"""Every alarm on a single metric fires, and its topic delivers the message."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.integration

#: Alarms on metric math, which the emulator doesn't evaluate.
NOT_EVALUATED = {"TrafficAnomaly"}


@pytest.fixture(scope="module")
def replication(meridian: System) -> Iterator[None]:
    """The alarms on a replica: the running system has one Region, and none of its own."""
    cloudformation, sns = client("cloudformation", meridian.target), client("sns", meridian.target)
    topic = sns.create_topic(Name="replication-alarms")["TopicArn"]
    values = {"Stage": "local", "AlarmTopic": topic, "ReplicaRegion": "ap-south-1"}
    name = "meridian-local-replication"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(ROOT / "stacks" / "replication-alarms.yaml").read_text(),
        Parameters=[{"ParameterKey": it, "ParameterValue": values[it]} for it in values],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
    yield
    cloudformation.delete_stack(StackName=name)
    sns.delete_topic(TopicArn=topic)


@pytest.fixture(scope="module")
def alarms(meridian: System, replication: None) -> list[dict[str, Any]]:
    """The alarms of the running system and of a replica, with single metrics."""
    pages = client("cloudwatch", meridian.target).get_paginator("describe_alarms").paginate()
    metrics = [alarm for page in pages for alarm in page["MetricAlarms"]]
    return [it for it in metrics if it["AlarmName"].startswith("meridian-local")]


@pytest.fixture
def inbox(meridian: System, alarms: list[dict[str, Any]]) -> Iterator[str]:
    """A queue that is subscribed to every topic of the alarms; its URL."""
    sqs, sns = client("sqs", meridian.target), client("sns", meridian.target)
    url = sqs.create_queue(QueueName="alarm-inbox")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": attributes["QueueArn"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    topics = {topic for alarm in alarms for topic in alarm["AlarmActions"]}
    subscriptions = [
        sns.subscribe(
            TopicArn=it, Protocol="sqs", Endpoint=attributes["QueueArn"], ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        for it in sorted(topics)
    ]
    yield url
    for entry in subscriptions:
        sns.unsubscribe(SubscriptionArn=entry)
    sqs.delete_queue(QueueUrl=url)


def breaching(alarm: dict[str, Any]) -> float:
    """Return a value beyond the alarm's threshold."""
    step = 1 if alarm["ComparisonOperator"].startswith("GreaterThan") else -1
    return float(alarm["Threshold"]) + step


def test_every_alarm_of_the_templates_is_deployed(alarms: list[dict[str, Any]]) -> None:
    from tests.unit.stacks.test_alarm_metrics import ALARMS

    deployed = [it["AlarmName"] for it in alarms]
    for name in ALARMS.keys() - NOT_EVALUATED:
        assert any(f"-{name}" in it for it in deployed), name


def test_every_alarm_fires_on_its_metric_and_notifies(
    meridian: System, alarms: list[dict[str, Any]], inbox: str
) -> None:
    cloudwatch, sqs = client("cloudwatch", meridian.target), client("sqs", meridian.target)
    for alarm in alarms:
        cloudwatch.set_alarm_state(
            AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="before the test"
        )
        metric = {
            "MetricName": alarm["MetricName"],
            "Dimensions": alarm.get("Dimensions", []),
            "Value": breaching(alarm),
        }
        cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[metric])
    expected = {it["AlarmName"] for it in alarms}
    notified: set[str] = set()

    def all_notified() -> bool:
        received = sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10)
        for message in received.get("Messages", []):
            sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
            event = json.loads(json.loads(message["Body"])["Message"])
            if event["NewStateValue"] == "ALARM":
                notified.add(event["AlarmName"])
        return expected <= notified

    with suppress(AssertionError):  # The next line names the missing alarms.
        wait_until(all_notified, "a message from every alarm", 60)
    assert expected - notified == set()
