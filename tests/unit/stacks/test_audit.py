"""The audit trail covers personal data, and the budget reaches the operator."""

import json
from typing import Any

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import load, resources

AUDIT = ROOT / "stacks" / "audit.yaml"
BUDGET = ROOT / "stacks" / "budget.yaml"


def selectors() -> list[dict[str, Any]]:
    """Return the trail's selectors: each field with its operator and values."""
    trail = resources(AUDIT)["Trail"]["Properties"]
    return [
        {it.pop("Field"): it for it in selector["FieldSelectors"]}
        for selector in trail["AdvancedEventSelectors"]
    ]


def recorded(resource_type: str) -> str:
    """Return the ARNs of a type for which data events are recorded, as text."""
    (selector,) = [
        it for it in selectors() if it.get("resources.type") == {"Equals": [resource_type]}
    ]
    assert selector["eventCategory"] == {"Equals": ["Data"]}
    assert "readOnly" not in selector, "reads of personal data are recorded too"
    return json.dumps(selector["resources.ARN"])


def test_trail_records_changes_of_resources() -> None:
    assert {
        "eventCategory": {"Equals": ["Management"]},
        "readOnly": {"Equals": ["false"]},
    } in selectors()


def test_trail_records_access_to_each_table_with_personal_data() -> None:
    """The tables of these stacks hold the students' data, and who of the school saw them."""
    arns = recorded("AWS::DynamoDB::Table")
    names = [
        resource["Properties"]["TableName"]["Fn::Sub"]
        for template in ("foundation.yaml", "portal.yaml")
        for resource in resources(ROOT / "stacks" / template).values()
        if "TableName" in resource["Properties"]
    ]
    assert len(names) == 4
    for name in names:
        assert f"table/{name}" in arns


def test_trail_records_access_to_each_bucket_with_personal_data() -> None:
    arns = recorded("AWS::S3::Object")
    assert "StartsWith" in arns
    assert "${LakeBucket}/" in arns
    assert "${FailuresBucket}/" in arns
    rosters = resources(ROOT / "stacks" / "accounts.yaml")["RostersBucket"]["Properties"]
    assert f"s3:::{rosters['BucketName']['Fn::Sub']}/" in arns


def test_only_this_trail_writes_to_the_bucket_and_uses_the_key() -> None:
    policy = resources(AUDIT)["AuditBucketPolicy"]["Properties"]["PolicyDocument"]
    key = resources(AUDIT)["AuditKey"]["Properties"]["KeyPolicy"]
    for statement in policy["Statement"] + key["Statement"]:
        if statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}:
            (name,) = statement["Condition"]["StringEquals"]["aws:SourceArn"].values()
            assert name.endswith(":trail/meridian-${Stage}-audit"), statement["Sid"]
    trail = resources(AUDIT)["Trail"]
    assert trail["Properties"]["TrailName"] == {"Fn::Sub": "meridian-${Stage}-audit"}
    assert trail["Properties"]["EnableLogFileValidation"] is True
    # CloudTrail checks the bucket's policy when the trail is created.
    assert trail["DependsOn"] == "AuditBucketPolicy"


def test_budget_informs_the_operator_before_and_at_its_limit() -> None:
    budget = resources(BUDGET)["Budget"]["Properties"]
    notifications = budget["NotificationsWithSubscribers"]
    limits = {
        (it["Notification"]["NotificationType"], it["Notification"]["Threshold"])
        for it in notifications
    }
    assert limits == {("ACTUAL", 80), ("FORECASTED", 100)}
    for notification in notifications:
        assert notification["Subscribers"] == [
            {"SubscriptionType": "EMAIL", "Address": {"Ref": "OperatorEmail"}}
        ]


def test_budget_without_recipient_is_refused_before_the_deployment() -> None:
    rule = load(ROOT / "template.yaml")["Rules"]["BudgetRecipient"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "MonthlyBudgetUsd"}, 0]}]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "OperatorEmail"}, ""]}]}
