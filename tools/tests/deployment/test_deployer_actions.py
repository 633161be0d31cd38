"""The pipeline's roles grant existing actions, cover every resource type, and can't escalate."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from tools.deployment.deployer_actions import TEMPLATES, granted_actions, needed_actions
from tools.paths import ROOT

#: Services of resource types that need no permission or have another IAM prefix.
PREFIXES = {
    "ApiGateway": "apigateway",
    "Budgets": "budgets",
    "CloudFront": "cloudfront",
    "CloudTrail": "cloudtrail",
    "CloudWatch": "cloudwatch",
    "CodeDeploy": "codedeploy",
    "Cognito": "cognito-idp",
    "DynamoDB": "dynamodb",
    "Events": "events",
    "Glue": "glue",
    "IAM": "iam",
    "KMS": "kms",
    "Kinesis": "kinesis",
    "Lambda": "lambda",
    "Logs": "logs",
    "S3": "s3",
    "SNS": "sns",
    "SQS": "sqs",
    "Scheduler": "scheduler",
    "SecretsManager": "secretsmanager",
    "WAFv2": "wafv2",
}


def templates() -> list[dict[str, Any]]:
    paths = [ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml"))]
    return [yaml_parse(it.read_text()) for it in paths]


def resources(name: str) -> dict[str, Any]:
    resources_by_id: dict[str, Any] = {}
    for path in TEMPLATES:
        resources_by_id |= yaml_parse(path.read_text())["Resources"]
    resource: dict[str, Any] = resources_by_id[name]
    return resource


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


def test_every_service_of_the_templates_is_granted() -> None:
    services = {
        resource["Type"].split("::")[1]
        for template in templates()
        for resource in template["Resources"].values()
        if resource["Type"].startswith("AWS::")
    } - {"Serverless", "CloudFormation"}
    assert services <= PREFIXES.keys()
    granted = {it.split(":")[0] for it in granted_actions()}
    assert {PREFIXES[it] for it in services} <= granted


#: Types that SAM generates.
GENERATED_TYPES = {
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Function",
    "AWS::StepFunctions::StateMachine",
}


def test_deployment_may_tag_each_resource() -> None:
    """CloudFormation gives each resource the tags of samconfig.toml."""
    types = {
        resource["Type"]
        for template in templates()
        for resource in template["Resources"].values()
        if resource["Type"].startswith("AWS::")
        and resource["Type"].split("::")[1] not in {"Serverless", "CloudFormation"}
    }
    granted = {it.lower() for it in granted_actions()}
    missing = {
        f"{name}: {action}"
        for name in types | GENERATED_TYPES
        for action in tagging_permissions(name)
        if not any(fnmatchcase(action.lower(), it) for it in granted)
    }
    assert missing == set()


def tagging_permissions(resource_type: str) -> list[str]:
    """Return the actions that CloudFormation calls to tag a resource, by the type's schema."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    permissions: list[str] = schema.get("tagging", {}).get("permissions", [])
    # IAM checks s3:PutBucketTagging for the operation DeleteBucketTagging.
    return [it for it in permissions if it != "s3:DeleteBucketTagging"]


def test_roles_are_created_only_with_the_boundary() -> None:
    statements = resources("FunctionsPolicy")["Properties"]["PolicyDocument"]["Statement"]
    dangerous = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"}
    for statement in statements:
        if statement["Effect"] == "Allow" and dangerous & set(statement["Action"]):
            condition = statement["Condition"]["StringEquals"]
            assert condition == {"iam:PermissionsBoundary": {"Ref": "BoundaryArn"}}
    assert not granted_actions() & {"iam:*", "iam:DeleteRolePermissionsBoundary", "*"}


def test_boundary_allows_no_action_of_iam() -> None:
    document = json.dumps(resources("Boundary")["Properties"]["PolicyDocument"])
    assert '"iam:' not in document
    assert '"*"]' not in document.replace('"Resource": "*"', "")


def test_deployment_deletes_no_object() -> None:
    """A bucket with objects can't be deleted, so the roles can't delete the data lake."""
    assert not granted_actions() & {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:*"}


@pytest.mark.parametrize("name", ["FunctionsPolicy", "DataPolicy", "EdgePolicy", "Boundary"])
def test_policy_fits_into_a_managed_policy(name: str) -> None:
    document = resources(name)["Properties"]["PolicyDocument"]
    # IAM and AWS STS quotas: 6,144 characters without white space. The longest ARN of a
    # substitution is shorter than 60 characters.
    text = json.dumps(document, separators=(",", ":"))
    assert len(text) < 5_600


def test_only_jobs_of_an_environment_assume_the_role() -> None:
    (statement,) = resources("DeployRole")["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    condition = statement["Condition"]
    assert condition.keys() == {"StringEquals"}
    subjects = condition["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert all(
        it["Fn::Sub"][0] == "repo:${GitHubRepository}:environment:${Environment}" for it in subjects
    )


def roles() -> dict[str, dict[str, Any]]:
    """Return the properties of every role of the application."""
    return {
        name: resource["Properties"]
        for template in templates()
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }


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


def test_boundary_allows_every_action_of_the_roles() -> None:
    allow, deny = resources("Boundary")["Properties"]["PolicyDocument"]["Statement"]
    denied = [
        f"{name}: {action}"
        for name, role in roles().items()
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        for action in actions(statement)
        if not any(fnmatchcase(action, it) for it in allow["Action"])
        or any(fnmatchcase(action, it) for it in deny["Action"])
    ]
    assert denied == []


def actions(statement: dict[str, Any]) -> list[str]:
    value = statement["Action"]
    return [value] if isinstance(value, str) else list(value)
