"""Conditions of a template that depend on the Region and on the home Region."""

from typing import Any

import pytest

from tools.deployment.conditions import evaluate, may_exist

CONDITIONS: dict[str, Any] = {
    "IsHome": {"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "HomeRegion"}]},
    "IsEdge": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
    "IsServing": {"Fn::Or": [{"Condition": "IsHome"}, {"Fn::Not": [{"Condition": "IsEdge"}]}]},
    "HasTrail": {"Fn::Equals": [{"Ref": "AuditTrail"}, "true"]},
    "HasBudget": {"Fn::And": [{"Condition": "IsHome"}, {"Condition": "HasTrail"}]},
    "HasEither": {"Fn::Or": [{"Condition": "IsHome"}, {"Condition": "HasTrail"}]},
    "HasNoTrail": {"Fn::Not": [{"Condition": "HasTrail"}]},
}


@pytest.mark.parametrize(
    ("condition", "region", "home", "value"),
    [
        ("IsHome", "us-east-1", "us-east-1", True),
        ("IsHome", "us-east-1", "eu-west-2", False),
        ("IsServing", "us-east-1", "us-east-1", True),
        ("IsServing", "us-east-1", "eu-west-2", False),
        ("IsServing", "ap-south-1", "eu-west-2", True),
        ("HasTrail", "us-east-1", "us-east-1", None),
        ("HasNoTrail", "us-east-1", "us-east-1", None),
        # One operand can decide the function, whatever the unknown one is.
        ("HasBudget", "ap-south-1", "eu-west-2", False),
        ("HasBudget", "eu-west-2", "eu-west-2", None),
        ("HasEither", "eu-west-2", "eu-west-2", True),
        ("HasEither", "ap-south-1", "eu-west-2", None),
    ],
)
def test_condition_is_evaluated_by_region_and_home(
    condition: str, region: str, home: str, value: bool | None
) -> None:
    template = {"Conditions": CONDITIONS}
    assert evaluate(template, {"Condition": condition}, region, home) is value
    exists = may_exist(template, {"Condition": condition}, region, home)
    assert exists is (value is not False)


def test_resource_without_a_condition_exists_everywhere() -> None:
    assert may_exist({}, {"Type": "AWS::SQS::Queue"}, "eu-west-2", "us-east-1")
