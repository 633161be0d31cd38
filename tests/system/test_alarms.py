"""Every alarm fires, and its topic delivers the message."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.integration

#: Periods before those that an alarm on a band evaluates, and their value.
HISTORY_PERIODS: Final = 24
USUAL: Final = 100.0


#: Alarms of stages with several Regions and a domain, which the running system doesn't have:
#: template -> its parameters besides the topic.
FURTHER_ALARMS: Final = {
    "replication-alarms": {"Stage": "local", "ReplicaRegion": "ap-south-1"},
    "portal-replication-alarms": {
        "OwnBucket": "meridian-local-portal-000000000000",
        "OtherBucket": "meridian-local-portal-000000000000-ap-south-1",
        "OtherRegion": "ap-south-1",
    },
    "health-alarms": {"Region": "ap-south-1", "HealthCheckId": "a-health-check"},
    "sign-ups-alarms": {
        "Queue": "meridian-local-sign-ups",
        "DeadLetters": "meridian-local-sign-ups-dead-letters",
        "Function": "meridian-local-sign-ups",
    },
    "catalogue/alarms": {
        "Stage": "local",
        "Balancer": "app/meridian-local-catalogue/0a1b",
        "Targets": "targetgroup/meridian-local-courses-fn/0a1b",
        "Cluster": "meridian-local-catalogue-us-east-1",
        "Cache": "meridian-local-catalogue",
    },
}


def stack_of(template: str) -> str:
    """Return the name of the stack for one of FURTHER_ALARMS."""
    return f"meridian-local-{template.replace('/', '-')}"


@pytest.fixture(scope="module")
def further_alarms(meridian: System) -> Iterator[None]:
    """The alarms on a replica and on a health check."""
    cloudformation, sns = client("cloudformation", meridian.target), client("sns", meridian.target)
    topic = sns.create_topic(Name="further-alarms")["TopicArn"]
    for template, parameters in FURTHER_ALARMS.items():
        values = parameters | {"AlarmTopic": topic}
        cloudformation.create_stack(
            StackName=stack_of(template),
            TemplateBody=(ROOT / "stacks" / f"{template}.yaml").read_text(),
            Parameters=[{"ParameterKey": it, "ParameterValue": values[it]} for it in values],
        )
    for template in FURTHER_ALARMS:
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=stack_of(template))
    yield
    for template in FURTHER_ALARMS:
        cloudformation.delete_stack(StackName=stack_of(template))
    sns.delete_topic(TopicArn=topic)


@pytest.fixture(scope="module")
def alarms(meridian: System, further_alarms: None) -> list[dict[str, Any]]:
    """The alarms of the running system, and those of a stage with several Regions."""
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


def breaching_data(alarm: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return the namespace and the data that raise an alarm."""
    if "Metrics" in alarm:
        return outside_of_band(alarm)
    value = {"Dimensions": alarm.get("Dimensions", []), "Value": breaching(alarm)}
    now = datetime.now(UTC)
    # One value for each period, in its middle: an alarm may need all of them.
    return alarm["Namespace"], [
        {
            "MetricName": alarm["MetricName"],
            **value,
            "Timestamp": now - timedelta(seconds=alarm["Period"] * (age + 0.5)),
        }
        for age in range(alarm["EvaluationPeriods"])
    ]


def outside_of_band(alarm: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return a usual history, then the periods of an outage, which an alarm on a band evaluates."""
    (stat,) = [it["MetricStat"] for it in alarm["Metrics"] if "MetricStat" in it]
    metric, now = stat["Metric"], datetime.now(UTC)
    outage_periods = alarm["EvaluationPeriods"]
    data = [
        {
            "MetricName": metric["MetricName"],
            "Dimensions": metric["Dimensions"],
            "Value": 0.0 if age < outage_periods else USUAL + age % 3,
            # In the middle of a period.
            "Timestamp": now - timedelta(seconds=stat["Period"] * (age + 0.5)),
        }
        for age in range(outage_periods + HISTORY_PERIODS)
    ]
    return metric["Namespace"], data


def breaching(alarm: dict[str, Any]) -> float:
    """Return a value beyond the alarm's threshold."""
    step = 1 if alarm["ComparisonOperator"].startswith("GreaterThan") else -1
    return float(alarm["Threshold"]) + step


def test_every_alarm_of_the_templates_is_deployed(alarms: list[dict[str, Any]]) -> None:
    from tests.unit.stacks.test_alarm_metrics import ALARMS

    deployed = [it["AlarmName"] for it in alarms]
    for name in ALARMS:
        assert any(f"-{name}" in it for it in deployed), name


def test_every_alarm_fires_on_its_metric_and_notifies(
    meridian: System, alarms: list[dict[str, Any]], inbox: str
) -> None:
    cloudwatch, sqs = client("cloudwatch", meridian.target), client("sqs", meridian.target)
    for alarm in alarms:
        cloudwatch.set_alarm_state(
            AlarmName=alarm["AlarmName"], StateValue="OK", StateReason="before the test"
        )
        namespace, data = breaching_data(alarm)
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
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
