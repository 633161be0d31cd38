"""Alarms of the accounts and the API: existing resources, runbook links and notifications."""

import json
import re
from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import of_type, resources

STACKS: Final = sorted(
    path
    for pattern in ("accounts*.yaml", "school*.yaml")
    for path in (ROOT / "stacks").glob(pattern)
)
ALARMS: Final = [
    pytest.param(name, alarm["Properties"], id=name)
    for path in STACKS
    for name, alarm in of_type(path, "AWS::CloudWatch::Alarm").items()
]
#: Namespace → resource types whose name or ARN its alarms have as a dimension.
NAME_PROPERTIES: Final = {
    "AWS/ApiGateway": {"AWS::Serverless::Api": "Name"},
    "AWS/Lambda": {"AWS::Serverless::Function": "FunctionName"},
    "AWS/SQS": {"AWS::SQS::Queue": "QueueName"},
    "AWS/States": {"AWS::Serverless::StateMachine": "Name"},
}


def resource_names(namespace: str) -> set[str]:
    """Return the names of all resources that publish metrics in the namespace."""
    return {
        resource["Properties"][NAME_PROPERTIES[namespace][resource["Type"]]]["Fn::Sub"]
        for path in STACKS
        for resource in resources(path).values()
        if resource["Type"] in NAME_PROPERTIES[namespace]
    }


def metric_filters() -> list[tuple[Any, str]]:
    """Return the namespace and the name of each metric that a metric filter publishes."""
    filters = [
        it
        for name in ("foundation.yaml", "school-office.yaml")
        for it in of_type(ROOT / "stacks" / name, "AWS::Logs::MetricFilter").values()
    ]
    metrics = [
        it
        for metric_filter in filters
        for it in metric_filter["Properties"]["MetricTransformations"]
    ]
    return [(it["MetricNamespace"], it["MetricName"]) for it in metrics]


def dimension_name(value: dict[str, Any]) -> str | None:
    """Return the resource name in a dimension's value; None if CloudFormation resolves it."""
    if "Fn::Sub" not in value:
        return None
    name: str = value["Fn::Sub"].rpartition(":")[2]
    return name


@pytest.mark.parametrize(("name", "alarm"), ALARMS)
def test_alarm_dimension_names_existing_resource(name: str, alarm: dict[str, Any]) -> None:
    if "Dimensions" not in alarm:
        assert (alarm["Namespace"], alarm["MetricName"]) in metric_filters(), name
        return
    dimension = dimension_name(alarm["Dimensions"][0]["Value"])
    assert dimension is None or dimension in resource_names(alarm["Namespace"]), name


@pytest.mark.parametrize(("name", "alarm"), ALARMS)
def test_alarm_links_to_its_runbook_entry(name: str, alarm: dict[str, Any]) -> None:
    anchor = re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()
    assert alarm["AlarmDescription"].endswith(f" docs/runbook.md#{anchor}")


def test_every_alarm_notifies_topic() -> None:
    assert len(ALARMS) == 42
    for parameter in ALARMS:
        actions = parameter.values[1]["AlarmActions"]  # type: ignore[index] # a dict
        assert json.dumps(actions) in {'[{"Ref": "AlarmTopicArn"}]', '[{"Ref": "AlarmTopic"}]'}
