"""The pipeline's roles grant existing actions, cover every resource type, and can't escalate."""

import json
import re
from functools import cache
from typing import Any

import pytest

from tools.deployment.deployer_actions import (
    TEMPLATES,
    granted_actions,
    needed_actions,
    statements_of,
)
from tools.paths import ROOT
from tools.template_yaml import yaml_parse
from tools.tests.deployment.policy_statements import allows, listed, substituted

#: A stage with the most characters that template.yaml accepts.
LONG = 12 * "a"
BOUNDARY = {"Ref": "BoundaryArn"}
#: About as long as the ARN of a role or a log group with a generated name.
LONG_ARN = "arn:aws:iam::123456789012:role/" + 64 * "a"


@cache
def templates() -> list[dict[str, Any]]:
    paths = [ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml"))]
    paths += sorted((ROOT / "stacks" / "catalogue").glob("*.yaml"))
    return [yaml_parse(it.read_text()) for it in paths]


@cache
def resources_by_id() -> dict[str, dict[str, Any]]:
    return {
        name: it
        for path in TEMPLATES
        for name, it in yaml_parse(path.read_text())["Resources"].items()
    }


def resources(name: str) -> dict[str, Any]:
    return resources_by_id()[name]


@cache
def roles() -> dict[str, dict[str, Any]]:
    """Return the properties of every role of the application."""
    return {
        name: resource["Properties"]
        for template in templates()
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }


def test_needed_actions_have_no_wildcard() -> None:
    assert needed_actions()
    assert not [it for it in needed_actions() if "*" in it]


def test_granted_actions_exist_in_iam() -> None:
    # cfn-lint takes seconds to import, in each process that collects this file.
    from cfnlint.data import AdditionalSpecs  # type: ignore[import-untyped]
    from cfnlint.helpers import load_resource  # type: ignore[import-untyped]

    services = load_resource(AdditionalSpecs, "Policies.json")
    known = {
        f"{prefix}:{action}".lower()
        for prefix, service in services.items()
        for action in service["Actions"]
    }
    assert [it for it in granted_actions() if "*" not in it and it.lower() not in known] == []


def test_roles_are_created_only_with_the_boundary() -> None:
    statements = resources("FunctionsPolicy")["Properties"]["PolicyDocument"]["Statement"]
    dangerous = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"}
    for statement in statements:
        if statement["Effect"] == "Allow" and dangerous & set(statement["Action"]):
            condition = statement["Condition"]["StringEquals"]
            assert condition == {"iam:PermissionsBoundary": {"Ref": "BoundaryArn"}}
    assert not granted_actions() & {"iam:*", "iam:DeleteRolePermissionsBoundary", "*"}


def test_boundary_allows_no_action_of_iam() -> None:
    statements = resources("Boundary")["Properties"]["PolicyDocument"]["Statement"]
    actions = [it for row in statements if row["Effect"] == "Allow" for it in listed(row["Action"])]
    passing = [row for row in statements if "iam:PassRole" in listed(row["Action"])]
    # NotifyFunction passes the role of its reminders, to one service that can't run code.
    assert [it["Condition"] for it in passing if it["Effect"] == "Allow"] == [
        {
            "StringEquals": {
                "iam:PassedToService": ["emr-serverless.amazonaws.com", "scheduler.amazonaws.com"]
            }
        }
    ]
    actions.remove("iam:PassRole")
    assert [it for it in actions if it.startswith("iam:") or "*" in it] == []


def test_deployment_deletes_no_object() -> None:
    """A bucket with objects can't be deleted, so the roles can't delete the data lake."""
    assert not granted_actions() & {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:*"}


@pytest.mark.parametrize(
    "name",
    [
        *("FunctionsPolicy", "DeploymentPolicy", "DataPolicy", "EdgePolicy", "NamesPolicy"),
        *("NetworkPolicy", "CataloguePolicy", "Boundary"),
    ],
)
def test_policy_fits_into_a_managed_policy(name: str) -> None:
    document = resolved(resources(name)["Properties"]["PolicyDocument"])
    # IAM and AWS STS quotas: 6,144 characters without white space.
    assert len(json.dumps(document, separators=(",", ":"))) <= 6_144


def size(document: Any) -> int:
    """Return the characters of a policy that count, those without white space."""
    return len(json.dumps(resolved(document), separators=(",", ":")))


@pytest.mark.parametrize("name", ["DeployRole", "ServiceRole", *roles()])
def test_policies_of_a_role_are_within_the_quotas_of_iam(name: str) -> None:
    """IAM and AWS STS quotas: inline policies 10,240 characters in all, trust policy 2,048."""
    properties = roles().get(name) or resources(name)["Properties"]
    inline = [it["Fn::If"][1] if "Fn::If" in it else it for it in properties.get("Policies", [])]
    assert sum(size(it["PolicyDocument"]) for it in inline) <= 10_240
    assert size(properties["AssumeRolePolicyDocument"]) <= 2_048


def resolved(value: Any) -> Any:
    """Return a document with the longest value that the parameter Stage accepts."""
    if isinstance(value, list):
        return [resolved(it) for it in value]
    if not isinstance(value, dict):
        return value
    if value == BOUNDARY or "Fn::GetAtt" in value:
        return LONG_ARN
    if "Fn::Sub" in value and isinstance(value["Fn::Sub"], list):
        return substituted({"Fn::Sub": value["Fn::Sub"][0]}, LONG)
    if value.keys() & {"Ref", "Fn::Sub"}:
        text = substituted(value, LONG)
        return LONG_ARN if text.startswith("<") else text
    return {key: resolved(it) for key, it in value.items()}


@pytest.mark.parametrize(
    ("repository", "accepted"),
    [
        ("octo-org/octo-repo", True),
        ("octo_acme/octo.repo", True),
        # OpenID Connect reference of GitHub, "Immutable subject claims".
        ("octo-org@123456/octo-repo@456789", True),
        ("octo-org@123456/octo-repo", False),
        ("octo-org/octo-repo@456789", False),
        ("octo-org@123456/octo-repo@", False),
        ("octo-org/*", False),
        ("octo-org@*/octo-repo@456789", False),
        ("repo:octo-org/octo-repo", False),
        ("octo-org", False),
    ],
)
def test_repository_is_named_with_both_ids_or_without_ids(repository: str, accepted: bool) -> None:
    parameters = yaml_parse(TEMPLATES[0].read_text())["Parameters"]
    pattern = parameters["GitHubRepository"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, repository)) == accepted


def test_every_role_has_the_boundary_of_the_parameter() -> None:
    choice = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    assert roles()
    assert [name for name, it in roles().items() if it.get("PermissionsBoundary") != choice] == []


def test_functions_and_state_machines_name_a_role() -> None:
    """SAM would create a role without the boundary for a function or state machine without one."""
    types = {"AWS::Serverless::Function", "AWS::Serverless::StateMachine"}
    lacking = [
        name
        for template in templates()
        for name, resource in template["Resources"].items()
        if resource["Type"] in types and "Role" not in resource["Properties"]
    ]
    assert lacking == []


#: AWS managed policies of the roles: AWS Managed Policy Reference.
MANAGED_POLICIES = {
    "service-role/AmazonAPIGatewayPushToCloudWatchLogs": [
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "logs:PutLogEvents",
    ]
}


def role_statements() -> list[dict[str, Any]]:
    """Return the statements of every role of the application."""
    return [
        statement for role in roles().values() for statement in statements_of({"Properties": role})
    ]


def test_boundary_allows_exactly_the_actions_of_the_roles() -> None:
    boundary = resources("Boundary")["Properties"]["PolicyDocument"]["Statement"]
    arns = {str(it) for role in roles().values() for it in role.get("ManagedPolicyArns", [])}
    managed = [
        action
        for name, policy_actions in MANAGED_POLICIES.items()
        for action in policy_actions
        if any(name in arn for arn in arns)
    ]
    assert len(arns) == len(MANAGED_POLICIES)
    used = {it for statement in role_statements() for it in listed(statement["Action"])}
    boundary = [it for it in boundary if it["Effect"] == "Allow"]
    # The policies of AWS managed keys grant these to each role.
    of_keys = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"}
    allowed = {it for statement in boundary for it in listed(statement["Action"])}
    assert allowed == used | set(managed) | of_keys


def test_boundary_allows_the_named_resources_of_the_roles() -> None:
    boundary = resources("Boundary")["Properties"]["PolicyDocument"]["Statement"]
    samples = {
        "${AWS::Partition}": "aws",
        "${AWS::AccountId}": "123456789012",
        "${AWS::Region}": "eu-west-2",
        "${HomeRegion}": "us-east-1",
        "${Stage}": "dev",
    }
    checked = 0
    for statement in role_statements():
        for value in listed(statement["Resource"]):
            arn = value["Fn::Sub"] if isinstance(value, dict) and "Fn::Sub" in value else value
            if not isinstance(arn, str):
                continue
            for name, sample in samples.items():
                arn = arn.replace(name, sample)
            if "${" in arn:
                continue
            checked += 1
            for action in listed(statement["Action"]):
                assert allows(boundary, action, arn), f"{action} on {arn}"
    assert checked > 20


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:eu-west-2:123456789012:function:other"),
        ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-2:123456789012:function:other"),
        ("s3:GetObject", "arn:aws:s3:::other/key"),
        ("dynamodb:DeleteItem", "arn:aws:dynamodb:eu-west-2:123456789012:table/other"),
        ("states:StartExecution", "arn:aws:states:eu-west-2:123456789012:stateMachine:other"),
        ("sqs:ReceiveMessage", "arn:aws:sqs:eu-west-2:123456789012:other"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-west-2:123456789012:parameter/other"),
        ("logs:DeleteLogGroup", "arn:aws:logs:eu-west-2:123456789012:log-group:/aws/lambda/other"),
        # A function with this action could act with the role of another application's function.
        (
            "lambda:UpdateFunctionConfiguration",
            "arn:aws:lambda:eu-west-2:1:function:meridian-dev-a",
        ),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/meridian-dev"),
    ],
)
def test_boundary_excludes_other_applications(action: str, arn: str) -> None:
    boundary = resources("Boundary")["Properties"]["PolicyDocument"]["Statement"]
    assert not allows(boundary, action, arn)
