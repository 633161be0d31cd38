"""The pipeline's roles allow what the handlers of each deployed resource type call.

Source of the handlers' actions: the schemas of CloudFormation's registry ("Resource type schema",
`handlers`), which cfn-lint contains. Source of the resource types of each action: the Service
Authorization Reference, which cfn-lint contains too.
"""

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final

import pytest
from samcli.lib.bootstrap.bootstrap import _get_stack_template  # the template of SAM's own bucket

from tools.deployment.fixed_names import TRANSFORMED
from tools.deployment.sam_transform import transformed, translate
from tools.deployment.templates import named_resources
from tools.paths import ROOT
from tools.tests.deployment.policy_statements import (
    allows,
    deploy_role_statements,
    listed,
    service_role_statements,
)
from tools.tests.deployment.unused_handler_actions import UNUSED

TEMPLATES: Final = (
    ROOT / "template.yaml",
    *sorted((ROOT / "stacks").glob("*.yaml")),
    *sorted((ROOT / "stacks" / "catalogue").glob("*.yaml")),
)
BUCKET: Final = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-abc"


def _arn(service: str, resource: str, *, region: str = "eu-west-2") -> str:
    return f"arn:aws:{service}:{region}:123456789012:{resource}"


def _api(path: str) -> str:
    return f"arn:aws:apigateway:eu-west-2::/{path}"


#: By type: the resource type in the Service Authorization Reference, and an ARN as a deployment of
#: the stage `dev` gets it. AWS generates the IDs of some types.
SAMPLES: Final = {
    "AWS::ApiGateway::ApiKey": ("ApiKey", _api("apikeys/a1")),
    "AWS::ApiGateway::RestApi": ("RestApi", _api("restapis/a1")),
    "AWS::ApiGateway::Stage": ("Stage", _api("restapis/a1/stages/api")),
    "AWS::ApiGateway::UsagePlan": ("UsagePlan", _api("usageplans/a1")),
    "AWS::Athena::NamedQuery": ("workgroup", _arn("athena", "workgroup/meridian-dev")),
    "AWS::Athena::WorkGroup": ("workgroup", _arn("athena", "workgroup/meridian-dev")),
    "AWS::EMRServerless::Application": (
        "applications",
        _arn("emr-serverless", "/applications/00a1"),
    ),
    "AWS::Budgets::Budget": (
        "budget",
        _arn("budgets", "budget/meridian-dev-operator@school.example", region=""),
    ),
    "AWS::ApiGateway::DomainName": ("DomainName", _api("domainnames/global-api.school.example")),
    "AWS::CertificateManager::Certificate": ("certificate", _arn("acm", "certificate/0a1b")),
    "AWS::Route53::HealthCheck": ("healthcheck", "arn:aws:route53:::healthcheck/0a1b"),
    "AWS::CloudFront::CachePolicy": (
        "cache-policy",
        _arn("cloudfront", "cache-policy/0a", region=""),
    ),
    "AWS::CloudFront::Distribution": (
        "distribution",
        _arn("cloudfront", "distribution/E1", region=""),
    ),
    "AWS::CloudTrail::Trail": ("trail", _arn("cloudtrail", "trail/meridian-dev-audit")),
    "AWS::CloudWatch::Alarm": ("alarm", _arn("cloudwatch", "alarm:meridian-dev-eu-west-2-a-B")),
    "AWS::CloudWatch::Dashboard": (
        "dashboard",
        _arn("cloudwatch", "dashboard/meridian-dev-edge", region=""),
    ),
    "AWS::CodeDeploy::Application": (
        "application",
        _arn("codedeploy", "application:meridian-dev-eu-west-2-a-ServerlessDeploymentApplication"),
    ),
    "AWS::CodeDeploy::DeploymentGroup": (
        "deploymentgroup",
        _arn("codedeploy", "deploymentgroup:meridian-dev-eu-west-2-a/b"),
    ),
    "AWS::Cognito::UserPool": ("userpool", _arn("cognito-idp", "userpool/eu-west-2_Ab1")),
    "AWS::DynamoDB::GlobalTable": ("table", _arn("dynamodb", "table/meridian-dev-accounts")),
    "AWS::DynamoDB::Table": ("table", _arn("dynamodb", "table/meridian-dev-sent")),
    "AWS::ECS::Cluster": ("cluster", _arn("ecs", "cluster/meridian-dev-catalogue")),
    "AWS::ECS::Service": (
        "service",
        _arn("ecs", "service/meridian-dev-catalogue/meridian-dev-catalogue"),
    ),
    "AWS::ElastiCache::ServerlessCache": (
        "serverlesscache",
        _arn("elasticache", "serverlesscache:meridian-dev-catalogue"),
    ),
    "AWS::ElastiCache::User": ("user", _arn("elasticache", "user:meridian-dev-catalogue")),
    "AWS::ElastiCache::UserGroup": (
        "usergroup",
        _arn("elasticache", "usergroup:meridian-dev-catalogue"),
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        "loadbalancer/app/",
        _arn("elasticloadbalancing", "loadbalancer/app/meridian-dev-catalogue/0a"),
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": (
        "targetgroup",
        _arn("elasticloadbalancing", "targetgroup/meridian-dev-courses-fn/0a"),
    ),
    "AWS::RDS::DBCluster": ("cluster", _arn("rds", "cluster:meridian-dev-catalogue-eu-west-2")),
    "AWS::RDS::DBInstance": ("db", _arn("rds", "db:meridian-dev-eu-west-2-a-firstinstance-1")),
    "AWS::RDS::GlobalCluster": (
        "global-cluster",
        _arn("rds", "global-cluster:meridian-dev-catalogue", region=""),
    ),
    "AWS::Events::EventBus": ("event-bus", _arn("events", "event-bus/meridian-dev")),
    "AWS::Events::Rule": (
        "rule-on-custom-event-bus",
        _arn("events", "rule/meridian-dev/meridian-dev-notifications"),
    ),
    "AWS::Glue::Database": ("database", _arn("glue", "database/meridian_dev")),
    "AWS::Glue::Table": ("table", _arn("glue", "table/meridian_dev/events")),
    "AWS::IAM::Role": ("role", _arn("iam", "role/meridian-dev-eu-west-2-a-Role-1", region="")),
    "AWS::KMS::Key": ("key", _arn("kms", "key/0a1b")),
    "AWS::Kinesis::Stream": ("stream", _arn("kinesis", "stream/meridian-dev-events")),
    "AWS::Lambda::EventSourceMapping": (
        "eventSourceMapping",
        _arn("lambda", "event-source-mapping:0a1b"),
    ),
    "AWS::Lambda::Function": ("function", _arn("lambda", "function:meridian-dev-events")),
    "AWS::Logs::LogGroup": (
        "log-group",
        _arn("logs", "log-group:/aws/lambda/meridian-dev-events:*"),
    ),
    "AWS::S3::Bucket": ("bucket", "arn:aws:s3:::meridian-dev-lake-123456789012-eu-west-2"),
    "AWS::SES::ConfigurationSet": (
        "configuration-set",
        _arn("ses", "configuration-set/meridian-dev"),
    ),
    "AWS::SNS::Topic": ("topic", _arn("sns", "meridian-dev-stream-alarms")),
    "AWS::SQS::Queue": ("queue", _arn("sqs", "meridian-dev-feedback")),
    "AWS::Scheduler::Schedule": (
        "schedule",
        _arn("scheduler", "schedule/default/meridian-dev-hourly-compaction"),
    ),
    "AWS::SecretsManager::Secret": (
        "Secret",
        _arn("secretsmanager", "secret:meridian-dev-origin-key-1b2c3d4e-A-Ab1"),
    ),
    "AWS::StepFunctions::StateMachine": (
        "statemachine",
        _arn("states", "stateMachine:meridian-dev-account"),
    ),
    "AWS::WAFv2::WebACL": ("webacl", _arn("wafv2", "regional/webacl/meridian-dev-user-pool/0a")),
}


@cache
def deployed_types() -> frozenset[str]:
    """Return the types that CloudFormation creates, without nested stacks and custom resources."""
    types = {it["Type"] for path in TEMPLATES for it in transformed(path)["Resources"].values()}
    return frozenset(
        it for it in types if it.startswith("AWS::") and it != "AWS::CloudFormation::Stack"
    )


@cache
def handler_actions(resource_type: str) -> frozenset[str]:
    """Return the actions of the handlers that create, read, update, delete and tag a resource.

    CloudFormation gives each resource the tags of samconfig.toml.
    """
    # cfn-lint takes seconds to import, in each process that collects this file.
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    actions = [
        action
        for operation, handler in schema["handlers"].items()
        if operation != "list"
        for action in handler["permissions"]
    ]
    actions += schema.get("tagging", {}).get("permissions", [])
    return frozenset(map(_folded, actions))


def _folded(action: str) -> str:
    prefix, _, name = action.partition(":")
    return f"{prefix.lower()}:{name}"


def used_actions(resource_type: str) -> set[str]:
    """Return the handlers' actions that a deployment of this project can cause."""
    unused = [pattern for it in UNUSED.values() for pattern in it]
    return {
        action
        for action in handler_actions(resource_type)
        if not any(fnmatchcase(action, pattern) for pattern in unused)
    }


@cache
def authorization_reference() -> dict[str, Any]:
    from cfnlint.data import AdditionalSpecs  # type: ignore[import-untyped]
    from cfnlint.helpers import load_resource  # type: ignore[import-untyped]

    services: dict[str, Any] = load_resource(AdditionalSpecs, "Policies.json")
    return services


def resource_types(action: str) -> list[str] | None:
    """Return the lower-case resource types of an action, or None if IAM has no such action."""
    prefix, _, name = action.partition(":")
    entry = authorization_reference().get(prefix, {}).get("Actions", {}).get(name.lower())
    return None if entry is None else [it.lower() for it in entry.get("Resources", [])]


def granted(statements: list[dict[str, Any]], action: str) -> bool:
    """Return whether a statement allows an action on any resource; wildcards must match whole."""
    allowed = [it for statement in statements for it in listed(statement["Action"])]
    return any(fnmatchcase(action.lower(), str(it).lower()) for it in allowed)


@pytest.mark.slow
def test_service_role_allows_each_action_of_the_handlers() -> None:
    statements = [it for it in service_role_statements() if it["Effect"] == "Allow"]
    missing = sorted(
        f"{name}: {action}"
        for name in deployed_types()
        for action in used_actions(name)
        if not granted(statements, action)
    )
    assert missing == []


def test_service_role_allows_the_handlers_actions_on_the_resources_arn() -> None:
    statements = service_role_statements()
    missing = sorted(
        f"{name}: {action} on {arn}"
        for name, (resource_type, arn) in SAMPLES.items()
        for action in used_actions(name)
        if resource_type.lower() in (resource_types(action) or [])
        if not allows(statements, action, arn)
    )
    assert missing == []


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("events:PutTargets", _arn("events", "rule/meridian-dev-account-stopped")),
        ("wafv2:UpdateWebACL", _arn("wafv2", "global/webacl/meridian-dev/0a", region="us-east-1")),
        ("logs:PutRetentionPolicy", _arn("logs", "log-group:/aws/apigateway/meridian-dev:*")),
        ("logs:CreateLogGroup", _arn("logs", "log-group:/aws/apigateway/meridian-dev")),
        # "Identity-based policy examples for Amazon Aurora": an instance has default groups.
        ("rds:CreateDBInstance", _arn("rds", "pg:default.aurora-postgresql17")),
        ("rds:CreateDBInstance", _arn("rds", "og:default:aurora-postgresql-17")),
    ],
)
def test_service_role_reaches_names_that_end_with_the_stage_and_default_groups(
    action: str, arn: str
) -> None:
    assert allows(service_role_statements(), action, arn)


def test_samples_have_names_of_the_templates() -> None:
    """A sample with another name would prove nothing about the deployment."""
    names: dict[str, set[str]] = {}
    for region in ("us-east-1", "eu-west-2"):
        for named in named_resources("dev", region, "123456789012", region):
            names.setdefault(TRANSFORMED.get(named.type, named.type), set()).add(named.name)
    generated = {"AWS::Cognito::UserPool", "AWS::CloudFront::CachePolicy"}
    foreign = {
        kind: arn
        for kind, (_, arn) in SAMPLES.items()
        if kind in names
        and kind not in generated
        and not any(re.search(rf"[:/]{re.escape(name)}(?![\w-])", arn) for name in names[kind])
    }
    assert foreign == {}


def test_each_deployed_type_with_an_arn_has_a_sample() -> None:
    assert SAMPLES.keys() <= deployed_types()


def test_actions_without_resource_types_are_granted_on_all_resources() -> None:
    """Service Authorization Reference: such an action needs a Resource of `*`."""
    statements = [
        it for it in service_role_statements() + deploy_role_statements() if it["Effect"] == "Allow"
    ]
    limited = sorted(
        action
        for statement in statements
        for action in listed(statement["Action"])
        if resource_types(action) == [] and not allows(statements, action, "*")
    )
    assert limited == []


def test_unused_actions_are_actions_of_the_handlers() -> None:
    actions = {action for name in deployed_types() for action in handler_actions(name)}
    stale = [
        pattern
        for it in UNUSED.values()
        for pattern in it
        if not any(fnmatchcase(action, pattern) for action in actions)
    ]
    assert stale == []


def test_roles_grant_no_action_that_is_listed_as_unused() -> None:
    """An action that the role grants is used, so its reason in the list would be wrong."""
    allowed = {
        action
        for statement in service_role_statements()
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        if "*" not in action
    }
    contradictions = sorted(
        action
        for action in allowed
        for it in UNUSED.values()
        for pattern in it
        if fnmatchcase(action, pattern)
    )
    assert contradictions == []


def test_web_acls_have_a_name_that_the_policies_match() -> None:
    """CloudFormation begins a generated name of a web ACL with its logical ID, not the stack's."""
    names = [
        it["Properties"].get("Name")
        for path in TEMPLATES
        for it in transformed(path)["Resources"].values()
        if it["Type"] == "AWS::WAFv2::WebACL"
    ]
    assert names
    assert [it for it in names if not str(it).startswith("{'Fn::Sub': 'meridian-${Stage}")] == []


def test_both_roles_may_use_each_transform_of_the_templates() -> None:
    names = {"Serverless-2016-10-31"}
    names |= {
        name.removeprefix("AWS::") for path in TEMPLATES for name in _transforms(transformed(path))
    }
    assert names == {"Serverless-2016-10-31", "Include"}
    for statements in (service_role_statements(), deploy_role_statements()):
        for name in names:
            arn = f"arn:aws:cloudformation:eu-west-2:aws:transform/{name}"
            assert allows(statements, "cloudformation:CreateChangeSet", arn), arn


def _transforms(value: Any) -> set[str]:
    """Return the names of the macros in Fn::Transform, at any depth."""
    if isinstance(value, dict):
        own = {value["Fn::Transform"]["Name"]} if "Fn::Transform" in value else set()
        return own.union(*(_transforms(it) for it in value.values()))
    if isinstance(value, list):
        return set().union(*(_transforms(it) for it in value))
    return set()


def test_service_role_allows_lambda_edge_to_replicate_and_remove_replicas() -> None:
    """CloudFront Developer Guide, "Set up IAM permissions and roles for Lambda@Edge"."""
    arn = _arn("lambda", "function:meridian-dev-auth-Ab1:1", region="us-east-1")
    for action in ("lambda:GetFunction", "lambda:EnableReplication*", "lambda:DisableReplication*"):
        assert allows(service_role_statements(), action, arn), action
    written = {action for it in service_role_statements() for action in listed(it["Action"])}
    # "You must add the asterisk (*) at the end" of both.
    assert {"lambda:EnableReplication*", "lambda:DisableReplication*"} <= written


def test_deploy_role_can_create_the_bucket_of_sam_in_a_region_without_one() -> None:
    """`sam deploy --resolve-s3` creates its stack with the caller's rights."""
    resources = translate(json.loads(_get_stack_template()))["Resources"].values()
    statements = deploy_role_statements()
    deletions = {"s3:DeleteBucket", "s3:DeleteBucketPolicy"}
    missing = sorted(
        action
        for it in resources
        for action in used_actions(it["Type"]) - deletions
        if action not in BUCKET_SETTINGS_OF_THE_APPLICATION
        and not allows(statements, action, BUCKET)
    )
    assert missing == []


#: Settings of the application's buckets that SAM's bucket doesn't have.
BUCKET_SETTINGS_OF_THE_APPLICATION: Final = {
    "iam:PassRole",
    "s3:PutBucketLogging",
    "s3:PutBucketNotification",
    "s3:PutBucketOwnershipControls",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
}
