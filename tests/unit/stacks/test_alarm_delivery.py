"""Every alarm reaches a person: alarm, topic, key policy and subscription fit together."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.transformed import all_stacks, resolve, transformed
from tools.deployment.templates import load

#: Service principal -> resource types whose actions or notifications publish to a topic.
PUBLISHERS = {
    "cloudwatch.amazonaws.com": {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"},
    "budgets.amazonaws.com": {"AWS::Budgets::Budget"},
    "events.amazonaws.com": {"AWS::Events::Rule"},
    "ses.amazonaws.com": {"AWS::SES::ConfigurationSetEventDestination"},
}
#: Types that publish to a topic only if a property names one.
MAY_PUBLISH = {
    "AWS::Budgets::Budget",
    "AWS::Events::Rule",
    "AWS::SES::ConfigurationSetEventDestination",
}
ALARM_TYPES = PUBLISHERS["cloudwatch.amazonaws.com"]

type Parents = tuple[tuple[Path, str], ...]


def _alarms() -> dict[str, tuple[Path, Parents, dict[str, Any]]]:
    return {
        f"{path.name}: {name}": (path, parents, it["Properties"])
        for path, parents in all_stacks()
        for name, it in transformed(path)["Resources"].items()
        if it["Type"] in ALARM_TYPES
    }


ALARMS = _alarms()


def _topics() -> dict[str, tuple[Path, Parents, dict[str, Any]]]:
    return {
        f"{path.name}: {name}": (path, parents, it["Properties"])
        for path, parents in all_stacks()
        for name, it in transformed(path)["Resources"].items()
        if it["Type"] == "AWS::SNS::Topic"
    }


def _services(policy: dict[str, Any], action: str) -> set[str]:
    """Return the services that a key policy allows to perform an action."""
    allowed = set()
    for statement in policy["Statement"]:
        actions = statement["Action"]
        patterns = [actions] if isinstance(actions, str) else actions
        services = statement["Principal"].get("Service", [])
        if any(re.fullmatch(it.replace("*", ".*"), action) for it in patterns):
            allowed |= {services} if isinstance(services, str) else set(services)
    return allowed


@pytest.mark.parametrize("alarm", ALARMS)
def test_alarm_publishes_to_topic_with_key_that_cloudwatch_may_use(alarm: str) -> None:
    """CloudWatch may not use the AWS managed key alias/aws/sns."""
    path, parents, properties = ALARMS[alarm]
    assert properties["AlarmActions"]
    for action in [*properties["AlarmActions"], *properties.get("OKActions", [])]:
        topic_path, topic = resolve(path, action, parents)
        topic_resource = transformed(topic_path)["Resources"][topic]
        assert topic_resource["Type"] == "AWS::SNS::Topic"
        around = next(it for other, it in all_stacks() if other == topic_path)
        key_path, key = resolve(topic_path, topic_resource["Properties"]["KmsMasterKeyId"], around)
        policy = transformed(key_path)["Resources"][key]["Properties"]["KeyPolicy"]
        for needed in ("kms:Decrypt", "kms:GenerateDataKey"):
            assert "cloudwatch.amazonaws.com" in _services(policy, needed)


@pytest.mark.parametrize("topic", _topics())
def test_topic_sends_its_messages_to_the_operator(topic: str) -> None:
    path, _, properties = _topics()[topic]
    condition, subscribed, otherwise = properties["Subscription"]["Fn::If"]
    assert load(path)["Conditions"][condition] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "OperatorEmail"}, ""]}]
    }
    assert subscribed == [{"Protocol": "email", "Endpoint": {"Ref": "OperatorEmail"}}]
    assert otherwise == {"Ref": "AWS::NoValue"}


def test_key_policy_lists_each_publishing_service_and_no_other() -> None:
    key = transformed(ROOT / "stacks" / "alarm-key.yaml")["Resources"]["AlarmKey"]["Properties"]
    types = {
        it["Type"]
        for path, _ in all_stacks()
        for it in transformed(path)["Resources"].values()
        if it["Type"] not in MAY_PUBLISH or "sns" in str(it["Properties"]).lower()
    }
    expected = {service for service, publishers in PUBLISHERS.items() if publishers & types}
    assert _services(key["KeyPolicy"], "kms:GenerateDataKey") == expected


def test_deployment_without_operator_says_that_alarms_have_no_recipient() -> None:
    output = load(ROOT / "template.yaml")["Outputs"]["AlarmRecipient"]["Value"]
    assert output["Fn::If"][2] == "no recipient - set OperatorEmail"
