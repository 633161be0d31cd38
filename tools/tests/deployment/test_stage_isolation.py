"""The roles of one GitHub environment can't reach the resources of another stage."""

import tomllib
from typing import Any, Final

import pytest

from tools.deployment.sam_transform import transformed
from tools.paths import ROOT
from tools.tests.deployment.policy_statements import (
    boundary_statements,
    conditions_met,
    decision,
    deploy_role_statements,
    listed,
    resource,
    service_role_statements,
)
from tools.tests.deployment.test_handler_actions import (
    SAMPLES,
    authorization_reference,
    deployed_types,
    resource_types,
)

STAGES: Final = ("staging", "prod")
PIPELINE: Final = ROOT / "pipeline" / "deployer.yaml"
_ACCOUNT: Final = "123456789012"
BUCKET: Final = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-abc"
API: Final = "arn:aws:apigateway:eu-west-2::/restapis/a1"

#: Actions that destroy data or open it, on a resource with a generated ID.
TAGGED_ONLY: Final = (
    ("kms:PutKeyPolicy", f"arn:aws:kms:eu-west-2:{_ACCOUNT}:key/0a"),
    ("kms:ScheduleKeyDeletion", f"arn:aws:kms:eu-west-2:{_ACCOUNT}:key/0a"),
    ("kms:UntagResource", f"arn:aws:kms:eu-west-2:{_ACCOUNT}:key/0a"),
    ("kms:TagResource", f"arn:aws:kms:eu-west-2:{_ACCOUNT}:key/0a"),
    ("acm:DeleteCertificate", f"arn:aws:acm:eu-west-2:{_ACCOUNT}:certificate/0a"),
    ("acm:RemoveTagsFromCertificate", f"arn:aws:acm:eu-west-2:{_ACCOUNT}:certificate/0a"),
    ("cognito-idp:DeleteUserPool", f"arn:aws:cognito-idp:eu-west-2:{_ACCOUNT}:userpool/a_B"),
    ("cognito-idp:DeleteUserPoolClient", f"arn:aws:cognito-idp:eu-west-2:{_ACCOUNT}:userpool/a_B"),
    ("cognito-idp:UpdateUserPool", f"arn:aws:cognito-idp:eu-west-2:{_ACCOUNT}:userpool/a_B"),
    ("cloudfront:DeleteDistribution", f"arn:aws:cloudfront::{_ACCOUNT}:distribution/E1"),
    ("cloudfront:UpdateDistribution", f"arn:aws:cloudfront::{_ACCOUNT}:distribution/E1"),
    ("apigateway:DELETE", API),
    ("apigateway:DELETE", f"{API}/stages/api"),
    ("apigateway:DELETE", "arn:aws:apigateway:eu-west-2::/apikeys/a1"),
    ("apigateway:DELETE", "arn:aws:apigateway:eu-west-2::/usageplans/a1"),
)

#: Types and prefixes of actions that IAM can't limit to a stage. The Service Authorization
#: Reference lists no condition key for policies of CloudFront, whose IDs are generated. A user pool
#: gets a web ACL only from a caller that both services allow to associate it, and each limits its
#: own resource.
WITHOUT_A_MARK: Final = {
    ("AWS::CloudFront::CachePolicy", "cloudfront"),
    ("AWS::Cognito::UserPool", "wafv2"),
    ("AWS::Route53::HealthCheck", "route53"),
    ("AWS::WAFv2::WebACL", "cognito-idp"),
}


def other(stage: str) -> str:
    """Return the other one of the two stages."""
    return STAGES[1 - STAGES.index(stage)]


def has_tag_condition(action: str, resource_type: str) -> bool:
    """Return whether IAM knows the tags of a resource type."""
    prefix = action.partition(":")[0]
    types = authorization_reference()[prefix]["Resources"]
    keys = {name.lower(): it.get("ConditionKeys", []) for name, it in types.items()}
    return "aws:ResourceTag/${TagKey}" in keys[resource_type.lower()]


def granted(statements: list[dict[str, Any]]) -> set[str]:
    """Return the actions of the Allow statements."""
    return {
        str(action)
        for it in statements
        if it["Effect"] == "Allow"
        for action in listed(it["Action"])
    }


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "statements", [service_role_statements, deploy_role_statements, boundary_statements]
)
def test_role_reaches_no_resource_of_another_stage(statements: Any, stage: str) -> None:
    own = statements()
    checked, reached = 0, set()
    for name, (resource_type, sample) in SAMPLES.items():
        arn = sample.replace("-dev", f"-{other(stage)}").replace("_dev", f"_{other(stage)}")
        for action in granted(own):
            types = resource_types(action)
            if types is None or resource_type.lower() not in types:
                continue
            checked += 1
            tag = other(stage) if has_tag_condition(action, resource_type) else None
            if decision(own, action, arn, stage, tag):
                reached.add((name, action.partition(":")[0]))
    assert checked > 20
    assert reached <= WITHOUT_A_MARK


@pytest.mark.parametrize(("action", "arn"), TAGGED_ONLY)
@pytest.mark.parametrize("stage", STAGES)
def test_service_role_changes_only_resources_with_the_tag_of_its_stage(
    stage: str, action: str, arn: str
) -> None:
    statements = service_role_statements()
    assert decision(statements, action, arn, stage, stage)
    assert not decision(statements, action, arn, stage, other(stage))
    assert not decision(statements, action, arn, stage, None)


@pytest.mark.parametrize("action", ["kms:TagResource", "kms:Decrypt", "kms:CreateGrant"])
def test_service_role_neither_marks_nor_uses_a_key_of_another_stage(action: str) -> None:
    arn = f"arn:aws:kms:eu-west-2:{_ACCOUNT}:key/0a"
    for_service = {"kms:GrantIsForAWSResource": "true"}
    for tag, expected in (("staging", True), ("prod", False)):
        allowed = decision(
            service_role_statements(), action, arn, "staging", tag, context=for_service
        )
        assert allowed == expected


def test_service_role_grants_the_use_of_a_key_to_services_only() -> None:
    arn = f"arn:aws:kms:eu-west-2:{_ACCOUNT}:key/0a"
    for is_for_service in ("true", "false"):
        allowed = decision(
            service_role_statements(),
            *("kms:CreateGrant", arn, "prod", "prod"),
            context={"kms:GrantIsForAWSResource": is_for_service},
        )
        assert allowed == (is_for_service == "true")
    assert not decision(service_role_statements(), "kms:CreateGrant", arn, "prod", "prod")


@pytest.mark.parametrize(
    ("requested", "expected"), [("prod", True), ("staging", False), (None, False)]
)
def test_service_role_creates_only_keys_with_the_tag_of_its_stage(
    requested: str | None, expected: bool
) -> None:
    statements = service_role_statements()
    allowed = decision(statements, "kms:CreateKey", "*", "prod", None, requested=requested)
    assert allowed == expected
    # The key has no tag yet when AWS KMS authorizes its tags.
    new_key = f"arn:aws:kms:eu-west-2:{_ACCOUNT}:key/0a"
    tags = decision(statements, "kms:TagResource", new_key, "prod", None, requested=requested)
    assert tags == expected


def test_service_role_associates_no_web_acl_across_stages() -> None:
    pool = f"arn:aws:cognito-idp:eu-west-2:{_ACCOUNT}:userpool/eu-west-2_a"
    acl = f"arn:aws:wafv2:eu-west-2:{_ACCOUNT}:regional/webacl/meridian-prod-user-pool/0a"
    statements = service_role_statements()
    assert not decision(statements, "cognito-idp:AssociateWebACL", pool, "staging", "prod")
    assert not decision(statements, "wafv2:AssociateWebACL", acl, "staging", "prod")


def test_smoke_test_of_a_stage_creates_users_in_its_own_pool_only() -> None:
    pool = f"arn:aws:cognito-idp:eu-west-2:{_ACCOUNT}:userpool/eu-west-2_a"
    for tag, expected in (("staging", True), ("prod", False), (None, False)):
        allowed = decision(
            deploy_role_statements(), "cognito-idp:AdminCreateUser", pool, "staging", tag
        )
        assert allowed == expected


def test_job_writes_packages_under_its_own_prefix_only() -> None:
    statements = deploy_role_statements(creates_buckets=False)
    assert decision(statements, "s3:PutObject", f"{BUCKET}/meridian-staging/0a", "staging", None)
    for key in ("meridian-prod/0a", "meridian-staging", "0a"):
        assert not decision(statements, "s3:PutObject", f"{BUCKET}/{key}", "staging", None)


def test_cloudformation_reads_packages_under_its_own_prefix_only() -> None:
    statements = service_role_statements()
    assert decision(statements, "s3:GetObject", f"{BUCKET}/meridian-prod/0a", "prod", None)
    assert not decision(statements, "s3:GetObject", f"{BUCKET}/meridian-staging/0a", "prod", None)


def test_only_production_may_change_the_bucket_of_sam() -> None:
    creates = {
        name: transformed(PIPELINE)["Resources"][name]["Properties"]["Parameters"][
            "CreatesSamBuckets"
        ]
        for name in ("Staging", "Production")
    }
    assert creates == {"Staging": "false", "Production": "true"}
    for allowed, stage in ((False, "staging"), (True, "prod")):
        statements = deploy_role_statements(creates_buckets=allowed)
        assert decision(statements, "s3:PutBucketPolicy", BUCKET, stage, None) == allowed
        stack = f"arn:aws:cloudformation:eu-west-2:{_ACCOUNT}:stack/aws-sam-cli-managed-default/0a"
        action = "cloudformation:ExecuteChangeSet"
        assert decision(statements, action, stack, stage, None) == allowed
        assert decision(statements, "cloudformation:DescribeStacks", stack, stage, None)


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("cloudformation:CreateChangeSet", "cloudformation:eu-west-2:{}:stack/meridian-prod-a/0a"),
        ("cloudformation:GetTemplate", "cloudformation:eu-west-2:{}:stack/meridian-prod-a/0a"),
        ("iam:PassRole", "iam::{}:role/meridian-cloudformation-prod"),
        ("iam:PassRole", "iam::{}:role/meridian-prod-eu-west-2-Stream-Role-1"),
        ("sts:AssumeRole", "iam::{}:role/meridian-deployer-prod"),
    ],
)
def test_jobs_of_staging_start_nothing_in_production(action: str, arn: str) -> None:
    full = f"arn:aws:{arn.format(_ACCOUNT)}"
    for statements in (deploy_role_statements(), service_role_statements()):
        assert not decision(statements, action, full, "staging", None)


def test_stages_share_no_prefix_of_their_names() -> None:
    """The patterns end the stage with a hyphen, so `prod` doesn't match `prod2`."""
    queue = f"arn:aws:sqs:eu-west-2:{_ACCOUNT}:meridian-prod2-feedback"
    assert not decision(service_role_statements(), "sqs:DeleteQueue", queue, "prod", None)
    assert decision(service_role_statements(), "sqs:DeleteQueue", queue, "prod2", None)


def test_roles_give_the_stacks_of_their_stage_its_tags() -> None:
    """samconfig.toml has tags, and nested stacks get them."""
    for statements in (deploy_role_statements(), service_role_statements()):
        for stage, expected in (("prod", True), ("staging", False)):
            stack = f"arn:aws:cloudformation:eu-west-2:{_ACCOUNT}:stack/meridian-{stage}-a/0a"
            allowed = decision(statements, "cloudformation:TagResource", stack, "prod", None)
            assert allowed == expected


def test_each_role_trusts_only_jobs_of_its_environment() -> None:
    (statement,) = resource("DeployRole")["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    condition = statement["Condition"]
    # StringEquals has no wildcards, so the subject belongs to one repository and environment.
    assert condition.keys() == {"StringEquals"}
    assert condition["StringEquals"]["token.actions.githubusercontent.com:sub"] == {
        "Fn::Sub": "repo:${GitHubRepository}:environment:${GitHubEnvironment}"
    }
    for index, name in enumerate(("Staging", "Production")):
        parameters = transformed(PIPELINE)["Resources"][name]["Properties"]["Parameters"]
        assert parameters["GitHubEnvironment"] == {
            "Fn::Select": [index, {"Ref": "GitHubEnvironments"}]
        }
        assert parameters["Stage"] == {"Fn::Select": [index, {"Ref": "Stages"}]}


def test_environments_give_their_stacks_the_tag_and_prefix_of_the_policies() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    checked = 0
    for name, environment in config.items():
        if not isinstance(environment, dict):
            continue
        parameters = environment.get("deploy", {}).get("parameters", {})
        overrides = dict(pair.split("=", 1) for pair in parameters.get("parameter_overrides", []))
        if "Stage" not in overrides:
            continue
        checked += 1
        stage = overrides["Stage"]
        assert f"stage={stage}" in parameters["tags"], name
        assert parameters["s3_prefix"] == f"meridian-{stage}", name
        assert parameters["stack_name"] == f"meridian-{stage}-{parameters['region']}", name
    assert checked >= 5


@pytest.mark.parametrize(
    "resource_type",
    [
        *("AWS::KMS::Key", "AWS::Cognito::UserPool", "AWS::CloudFront::Distribution"),
        *("AWS::ApiGateway::RestApi", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::UsagePlan"),
        "AWS::CertificateManager::Certificate",
    ],
)
def test_cloudformation_tags_the_type_when_it_creates_a_resource(resource_type: str) -> None:
    """Without the tag, the service role couldn't delete its own resource."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    assert resource_type in deployed_types()
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    assert schema["tagging"]["tagOnCreate"]


def test_conditions_of_the_evaluation_follow_iam() -> None:
    key = "aws:ResourceTag/stage"
    assert conditions_met({"StringNotEquals": {key: "a"}}, {}, "a")
    assert not conditions_met({"StringEquals": {key: "a"}}, {}, "a")
    assert conditions_met({"Null": {key: "true"}}, {}, "a")
    assert not conditions_met({"Null": {key: "false"}}, {}, "a")
    assert conditions_met({"StringEquals": {key: {"Ref": "Stage"}}}, {key: "a"}, "a")
    with pytest.raises(LookupError, match="DateLessThan"):
        conditions_met({"DateLessThan": {key: "a"}}, {}, "a")
