"""The resources of the templates are within the limits that their services document."""

import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from aws_emulator.ministack import service_rules
from tests.support.paths import ROOT
from tests.unit.stacks.transformed import (
    all_stacks,
    policy_statements,
    resolve,
    text_of,
    transformed,
)

CHECKS: Final[dict[str, Callable[[dict[str, Any]], service_rules.Refused]]] = {
    "AWS::CloudWatch::Alarm": service_rules.alarm,
    "AWS::Scheduler::Schedule": lambda props: service_rules.schedule(name_of(props), props),
    "AWS::WAFv2::WebACL": lambda props: service_rules.web_acl(
        {**props, "Name": name_of(props)}, "us-east-1"
    ),
    "AWS::SQS::Queue": lambda props: service_rules.queue_name(name_of(props, "QueueName")),
    "AWS::SNS::Topic": lambda props: service_rules.topic_name(name_of(props, "TopicName")),
    "AWS::SQS::QueuePolicy": lambda props: service_rules.queue_policy(props["PolicyDocument"]),
    "AWS::Logs::LogGroup": lambda props: service_rules.log_group(
        {"logGroupName": name_of(props, "LogGroupName")}
    ),
}


def name_of(props: dict[str, Any], key: str = "Name") -> str:
    """Return a name with a word for each reference; a generated one is a word."""
    return re.sub(r"\$\{[^}]+\}", "reference", text_of(props.get(key, "generated"))) or "generated"


RESOURCES = {
    f"{path.name}: {name}": resource
    for path, _ in all_stacks()
    for name, resource in transformed(path)["Resources"].items()
    if resource["Type"] in CHECKS
}


def test_templates_have_resources_of_each_type() -> None:
    assert {it["Type"] for it in RESOURCES.values()} == set(CHECKS)


@pytest.mark.parametrize("name", RESOURCES)
def test_resource_of_template_is_within_the_limits_of_its_service(name: str) -> None:
    resource = RESOURCES[name]
    assert CHECKS[resource["Type"]](resource["Properties"]) is None


POLICIES = {name: it for name, it in RESOURCES.items() if it["Type"] == "AWS::SQS::QueuePolicy"}


@pytest.mark.parametrize("name", POLICIES)
def test_policy_of_queue_covers_this_queue_only(name: str) -> None:
    properties = POLICIES[name]["Properties"]
    (queue,) = properties["Queues"]
    for statement in properties["PolicyDocument"]["Statement"]:
        assert statement["Resource"] == {"Fn::GetAtt": [queue["Ref"], "Arn"]}


def test_no_filter_of_a_kinesis_stream_reads_another_key_than_data() -> None:
    """ "Kinesis event source mappings only support filtering on the data key" (AWS Lambda)."""
    streams = 0
    for path, parents in all_stacks():
        for name, resource in transformed(path)["Resources"].items():
            if resource["Type"] != "AWS::Lambda::EventSourceMapping":
                continue
            properties = resource["Properties"]
            try:
                owner, source = resolve(path, properties["EventSourceArn"], parents)
            except LookupError:  # the cluster of a parameter
                continue
            if transformed(owner)["Resources"][source]["Type"] != "AWS::Kinesis::Stream":
                continue
            streams += 1
            for rule in properties.get("FilterCriteria", {}).get("Filters", []):
                assert set(json.loads(text_of(rule["Pattern"]))) == {"data"}, f"{path.name}: {name}"
    assert streams


def test_notifier_may_send_to_recipients_in_the_sandbox_from_the_sender_only() -> None:
    """In the sandbox, Amazon SES authorizes an email against the recipient's identity, too."""
    resources = transformed(ROOT / "stacks" / "accounts-notifications.yaml")["Resources"]
    statements = policy_statements(resources["NotifyRole"]["Properties"])
    (statement,) = [it for it in statements if text_of(it["Resource"]).endswith(":identity/*")]
    assert set(statement["Action"]) == {"ses:SendEmail", "ses:SendRawEmail"}
    (address,) = statement["Condition"]["StringEquals"].values()
    assert address == {"Fn::If": ["HasSender", {"Ref": "Sender"}, "none"]}
