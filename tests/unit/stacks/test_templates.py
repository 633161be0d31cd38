"""Rules for all CloudFormation templates of the project."""

import itertools
import json
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import get_session

from tests.support.paths import ROOT
from tests.unit.stacks.transformed import all_stacks, resolve
from tools.deployment.conditions import evaluate
from tools.deployment.region_values import HOME_VALUES, SIGN_IN_HOST
from tools.deployment.templates import fixed_name
from tools.deployment.templates import load as long_form

CATALOGUE = sorted((ROOT / "stacks" / "catalogue").glob("*.yaml"))
TEMPLATES = [ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml")), *CATALOGUE]


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms: !Ref x is {"Ref": x}, the rest {"Fn::Name": x}."""


def _short_form(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {"Ref" if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@cache
def _document(path: Path) -> dict[str, Any]:
    document = yaml.load(path.read_text(), Loader=_Loader)
    assert isinstance(document, dict)
    return document


def load(path: Path) -> dict[str, Any]:
    """Return a copy of the template, which the caller may change."""
    return deepcopy(_document(path))


def resources(path: Path) -> dict[str, dict[str, Any]]:
    return dict(load(path)["Resources"])


def of_type(path: Path, kind: str) -> dict[str, dict[str, Any]]:
    return {name: it for name, it in resources(path).items() if it["Type"] == kind}


#: Stacks that a parameter may remove, with their conditions. Their data stays.
OPTIONAL_STACKS = {"Audit": "HasAuditTrail", "Budget": "HasBudget", "Names": "HasNames"}
# An application of Amazon EMR Serverless has no data.
OPTIONAL_STACKS["Analytics"] = "HasSparkJobs"
# Tables and queries of the audit trail.
OPTIONAL_STACKS["AuditTables"] = "HasAuditTables"
# The bucket of the log files stays.
OPTIONAL_STACKS["RequestLogFiles"] = "HasEdgeRequestLogs"
OPTIONAL_STACKS["RequestLogTables"] = "HasRequestLogTables"
OPTIONAL_STACKS["SignInName"] = "HasSignInName"
#: The catalogue's stack: the database stays, because it is protected against deletion.
OPTIONAL_STACKS["CourseCatalogue"] = "HasCatalogue"
#: Certificates, records and health checks of the domain names, which a parameter may remove.
NAMES = {
    "edge.yaml": dict.fromkeys(("Certificate", "DomainIPv4", "DomainIPv6"), "HasDomain"),
    "names.yaml": {"NotEvacuated": "HasMarkRegion"},
}


#: Keys come and go with their rotation. Each allowed value of MediaKeys and OriginKeys has one.
ROTATED_KEYS = {
    file: {f"{kind}{key}": f"Has{key}" for kind in kinds for key in "AB"}
    for file, kinds in {
        "edge-media.yaml": ("Key", "EncodedKey", "PublicKey"),
        "school-keys.yaml": ("OriginKey", "ApiKey", "UsagePlanKey"),
    }.items()
}
#: Alarms on replication, one stack for each Region in the parameter ReplicaRegions.
REPLICA_ALARMS = {
    f"{name}{n}": f"HasReplica{n}"
    for name in ("Replication", "PortalReplication")
    for n in range(1, 5)
}
#: Athena's tables over the lakes of the further Regions, a stack for each; they have no data.
FURTHER_LAKES = {f"Region{n}": f"HasReplica{n}" for n in range(1, 5)}
#: The role of the replication of the portal's bucket, which has copies in further Regions only.
REPLICATION_ROLE = {"Replication": "HasCopy1"}
#: Alarms on the health checks of the Regions, one stack for each.
HEALTH_ALARMS = {f"Region{n}": f"HasRegion{n}" for n in range(1, 6)}
#: Identity providers that a parameter names. A removed one keeps its users.
PROVIDERS = {
    # Nor does the app client in an existing user pool have data.
    "foundation.yaml": {
        "IdentityProviderStack": "HasProviders",
        "ExistingUserPool": "HasExistingPool",
        # The pool keeps the users without its replica.
        "PoolReplica": "HasPoolReplica",
    },
    "identity-providers.yaml": {
        "Google": "HasGoogle",
        "SchoolOidc": "HasOidc",
        "SchoolSaml": "HasSaml",
    },
}
#: Event source mappings of the topics after the first one. A cluster's offsets stay.
FURTHER_TOPICS = {f"Topic{n}Mapping": f"HasTopic{n}" for n in range(2, 5)}
#: Some Regions that can be the home.
HOME_REGIONS = ("us-east-1", "eu-west-2", "ap-south-1")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_only_regions_control_resource_conditions(path: Path) -> None:
    """A mistyped parameter can't delete a resource on which the system depends.

    The only parameter is HomeRegion, which `make preflight` compares with the deployed stacks.
    """
    template = long_form(path)
    used = {name: it["Condition"] for name, it in resources(path).items() if "Condition" in it}
    if path == ROOT / "template.yaml":
        assert {name: used.pop(name) for name in OPTIONAL_STACKS} == OPTIONAL_STACKS
    if path.name == "stream.yaml":
        assert used.pop("Kafka") == "HasKafka"
    if path.name == "stream-kafka.yaml":
        assert {name: used.pop(name) for name in FURTHER_TOPICS} == FURTHER_TOPICS
    if path in CATALOGUE:
        return  # tests/unit/stacks/test_catalogue.py lists all conditions.
    providers = PROVIDERS.get(path.name, {})
    assert {name: used.pop(name) for name in providers} == providers
    if path.name == "home-alarms.yaml":
        assert {name: used.pop(name) for name in REPLICA_ALARMS} == REPLICA_ALARMS
    if path.name == "lake-all-regions.yaml":
        assert {name: used.pop(name) for name in FURTHER_LAKES} == FURTHER_LAKES
    if path.name == "edge-alarms.yaml":
        assert {name: used.pop(name) for name in HEALTH_ALARMS} == HEALTH_ALARMS
    expected = NAMES.get(path.name, {})
    assert {name: used.pop(name) for name in expected} == expected
    if path.name == "portal.yaml":
        assert {name: used.pop(name) for name in REPLICATION_ROLE} == REPLICATION_ROLE
    rotated = ROTATED_KEYS.get(path.name, {})
    assert {name: used.pop(name) for name in rotated} == rotated
    for name, condition in used.items():
        for region, home in itertools.product(HOME_REGIONS, repeat=2):
            assert evaluate(template, {"Condition": condition}, region, home) is not None, name


#: Types whose resources hold data or messages.
DATA_TYPES = {
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::DynamoDB::GlobalTable",
    "AWS::Kinesis::Stream",
    "AWS::Cognito::UserPool",
    "AWS::SQS::Queue",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_resources_with_data_are_retained_unless_their_creation_fails(path: Path) -> None:
    for name, resource in resources(path).items():
        if resource["Type"] in DATA_TYPES:
            assert resource.get("DeletionPolicy") == "RetainExceptOnCreate", name
            assert resource.get("UpdateReplacePolicy") == "Retain", name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_resource_with_fixed_name_does_not_outlive_its_failed_creation(path: Path) -> None:
    """With `Retain`, it would stay, and the next deployment would find its name taken."""
    values = {"Stage": "dev", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}
    for name, resource in resources(path).items():
        if fixed_name(resource, values) is not None:
            assert resource.get("DeletionPolicy") != "Retain", name


def test_nested_stack_with_data_is_retained_unless_its_creation_fails() -> None:
    foundation = resources(ROOT / "template.yaml")["Foundation"]
    assert foundation["DeletionPolicy"] == "RetainExceptOnCreate"
    assert foundation["UpdateReplacePolicy"] == "Retain"


def statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    policies = resource["Properties"].get("Policies", [])
    documents = [p.get("PolicyDocument", p) for p in policies if isinstance(p, dict)]
    return [one for document in documents for one in document.get("Statement", [])]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_permission_for_some_attributes_refuses_a_request_for_all(path: Path) -> None:
    """A request that names no attribute has all of them, and passes `dynamodb:Attributes` alone.

    DynamoDB, "Using IAM policy conditions for fine-grained access control": its examples have
    `dynamodb:Select` with StringEqualsIfExists, because not every request has the key.
    """
    for name, resource in resources(path).items():
        for statement in statements(resource):
            conditions = statement.get("Condition", {})
            operators = {it for it, keys in conditions.items() if "dynamodb:Select" in keys}
            assert operators <= {"StringEqualsIfExists"}, name
            keys = {key for it in conditions.values() for key in it}
            if "dynamodb:Attributes" in keys and statement["Action"] != "dynamodb:UpdateItem":
                assert "dynamodb:Select" in keys, name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_policy_grants_every_action_or_every_resource(path: Path) -> None:
    kinds = {"AWS::IAM::Role", "AWS::Serverless::Function", "AWS::Serverless::StateMachine"}
    for name, resource in resources(path).items():
        if resource["Type"] not in kinds:
            continue
        for statement in statements(resource):
            if statement["Effect"] != "Allow":
                continue
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                assert "*" not in action, f"{name}: {action}"
            if statement.get("Resource") == "*":
                # Service Authorization Reference: these actions don't support resource ARNs. X-Ray,
                # CloudWatch metrics, Lambda's quota, and log delivery for Step Functions.
                listed = [actions] if isinstance(actions, str) else actions
                known = (
                    *("xray:", "ecr:GetAuthorizationToken", *METRICS, *LAMBDA_QUOTA),
                    *(*LAMBDA_MAPPINGS, *LOG_DELIVERY, *NETWORK),
                )
                assert all(action.startswith(known) for action in listed), f"{name}: {actions}"


METRICS = ("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:PutMetricData")
LAMBDA_QUOTA = ("lambda:GetAccountSettings",)
#: AWSLambdaVPCAccessExecutionRole, for functions in a network.
NETWORK = (
    *("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
)
#: Service Authorization Reference, "AWS Lambda": the action has no resource types.
LAMBDA_MAPPINGS = ("lambda:ListEventSourceMappings",)
#: Step Functions, "Logging using CloudWatch Logs", IAM policies: "Resource": "*".
LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_each_bucket_is_private_and_encrypted(path: Path) -> None:
    for name, resource in of_type(path, "AWS::S3::Bucket").items():
        assert resource["Properties"]["BucketEncryption"], name
        assert set(resource["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}, (
            name
        )


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_each_function_is_built_by_the_makefile(path: Path) -> None:
    makefile = (ROOT / "src" / "Makefile").read_text()
    document = load(path)
    common = document.get("Globals", {}).get("Function", {})
    for name, resource in of_type(path, "AWS::Serverless::Function").items():
        assert resource["Metadata"]["BuildMethod"] == "makefile", name
        assert f"build-{name}:" in makefile, name
        properties = {**common, **resource["Properties"]}
        assert (path.parent / properties["CodeUri"]).resolve() == ROOT / "src", name
        assert properties["Runtime"] == "python3.13", name


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_edge_functions_use_only_supported_properties(path: Path) -> None:
    """CloudFront, "Restrictions on Lambda@Edge": no environment variables, layers or X-Ray."""
    unsupported = {
        "Environment",
        "Layers",
        "VpcConfig",
        "Tracing",
        "DeadLetterQueue",
        "Architectures",
    }
    document = load(path)
    common = document.get("Globals", {}).get("Function", {})
    edge = [n for n in of_type(path, "AWS::Serverless::Function") if n in EDGE_FUNCTIONS]
    for name in edge:
        properties = {**common, **resources(path)[name]["Properties"]}
        assert not unsupported & properties.keys(), name
        assert properties["MemorySize"] <= 128, name
        assert properties["Timeout"] <= (5 if name == "EdgeAuthFunction" else 30), name


EDGE_FUNCTIONS = {"EdgeAuthFunction", "EdgeIngestFunction"}


def test_rules_for_edge_functions_apply_to_existing_functions() -> None:
    names = {name for path in TEMPLATES for name in of_type(path, "AWS::Serverless::Function")}
    assert names >= EDGE_FUNCTIONS


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_custom_resource_timeout_is_at_most_five_minutes(path: Path) -> None:
    for name, resource in resources(path).items():
        if resource["Type"].startswith("Custom::"):
            assert int(resource["Properties"]["ServiceTimeout"]) <= 300, name


def cache_behaviors() -> dict[str, dict[str, Any]]:
    """Return the distribution's cache behaviors by path pattern, the default one as "*"."""
    distribution = resources(ROOT / "stacks" / "edge.yaml")["Distribution"]["Properties"]
    config = distribution["DistributionConfig"]
    behaviors = {it["PathPattern"]: it for it in config["CacheBehaviors"]}
    return {"*": config["DefaultCacheBehavior"], **behaviors}


def edge_functions(behavior: dict[str, Any]) -> set[tuple[str, str]]:
    """Return event type and function version of a cache behavior's associations."""
    return {
        (it["EventType"], it["LambdaFunctionARN"]["Fn::GetAtt"])
        for it in behavior.get("LambdaFunctionAssociations", [])
    }


EDGE_AUTH = ("viewer-request", "Functions.Outputs.EdgeAuthVersionArn")
EDGE_INGEST = ("origin-request", "Functions.Outputs.EdgeIngestVersionArn")
ERROR_PAGES = ("origin-response", "Functions.Outputs.EdgeAuthVersionArn")


def test_distribution_uses_versions_with_settings() -> None:
    """A version without settings denies every request."""
    associations = {
        it for behavior in cache_behaviors().values() for it in edge_functions(behavior)
    }
    assert associations == {EDGE_AUTH, EDGE_INGEST, ERROR_PAGES}
    outputs = load(ROOT / "stacks" / "edge-functions.yaml")["Outputs"]
    for name in ("EdgeAuth", "EdgeIngest"):
        value = outputs[f"{name}VersionArn"]["Value"]
        assert value == {"Fn::GetAtt": f"{name}Version.VersionArn"}


def test_origins_receive_session_cookies_only_through_edge_auth() -> None:
    """edge_auth removes session cookies; the collector generates its responses itself."""
    authorized, collected = set(), set()
    for pattern, behavior in cache_behaviors().items():
        functions = edge_functions(behavior) - {ERROR_PAGES}
        if functions == {EDGE_AUTH}:
            authorized.add(pattern)
        elif "OriginRequestPolicyId" in behavior:
            assert functions == {EDGE_INGEST}
            collected.add(pattern)
    pages = {"/premium/*", "/premium", "/courses/*", "/courses", "/app/*", "/app"}
    assert authorized == pages | {"/auth/*", "/api/*", "/catalogue/staff/*"}
    assert collected == {"/v1/*", "/beacon/*", "/pixel/*", "/sourceConfig*"}


NOT_STORED = {"/auth/*", "/api/*", "/catalogue/staff/*"}


def test_browsers_do_not_reuse_pages_behind_edge_auth() -> None:
    """A stored page is shown only after edge_auth has allowed the request again."""
    policies = of_type(ROOT / "stacks" / "edge.yaml", "AWS::CloudFront::ResponseHeadersPolicy")
    for pattern, behavior in cache_behaviors().items():
        # The responses of edge_auth below /auth/, of the API and to the catalogue's staff have
        # Cache-Control: no-store.
        if EDGE_AUTH not in edge_functions(behavior) or pattern in NOT_STORED:
            continue
        policy = policies[behavior["ResponseHeadersPolicyId"]["Ref"]]["Properties"]
        headers = policy["ResponseHeadersPolicyConfig"]["CustomHeadersConfig"]["Items"]
        cache_control = {"Header": "Cache-Control", "Value": "private, no-cache", "Override": True}
        assert cache_control in headers, pattern


def test_app_client_has_one_owner_of_its_settings() -> None:
    """An update of the client by CloudFormation, or its rollback, would reset the settings."""
    client = resources(ROOT / "stacks" / "foundation.yaml")["UserPoolClient"]["Properties"]
    # Each of these properties is immutable or never changes.
    assert client.keys() == {"UserPoolId", "ClientName", "GenerateSecret"}
    owner = resources(ROOT / "stacks" / "edge-client.yaml")["PortalClientSettings"]
    text, values = owner["Properties"]["Settings"]["Fn::Sub"]
    settings = json.loads(text.replace("${Providers}", "").replace("${Mapped}", ""))
    assert settings["AllowedOAuthFlows"] == ["code"]
    # "Your app client must have write permissions to the mapped attributes" of a provider.
    mapped = set(json.loads(f"[{values['Mapped']['Fn::If'][1].removeprefix(',')}]"))
    providers = resources(ROOT / "stacks" / "identity-providers.yaml").values()
    assert mapped == {name for it in providers for name in it["Properties"]["AttributeMapping"]}
    # Rotation needs a client without ALLOW_REFRESH_TOKEN_AUTH ("Refresh tokens").
    assert settings["RefreshTokenRotation"]["Feature"] == "ENABLED"
    assert "ALLOW_REFRESH_TOKEN_AUTH" not in settings["ExplicitAuthFlows"]


@pytest.mark.parametrize(
    ("name", "region_and_home", "parameters"),
    [
        ("RegionalStack", ("ap-south-1", "eu-west-2"), {"AppointmentsStreamArn", "UserPoolArn"}),
        ("EdgeStack", ("us-east-1", "eu-west-2"), {*HOME_VALUES} - {SIGN_IN_HOST, "OriginKeys"}),
    ],
)
def test_root_rule_refuses_stack_without_values_of_other_stacks(
    name: str, region_and_home: tuple[str, str], parameters: set[str]
) -> None:
    """The rule applies to one kind of stack."""
    template = long_form(ROOT / "template.yaml")
    rule = template["Rules"][name]
    for region, home in [region_and_home, ("us-east-1", "us-east-1"), ("eu-west-2", "eu-west-2")]:
        applies = evaluate(template, rule["RuleCondition"], region, home)
        assert applies is ((region, home) == region_and_home)
    (assertion,) = rule["Assertions"]
    assert "make deploy PLACE=" in " ".join(assertion["AssertDescription"].split())
    checked = {
        it["Fn::Not"][0]["Fn::Equals"][0]["Ref"]: it["Fn::Not"][0]["Fn::Equals"][1]
        for it in assertion["Assert"]["Fn::And"]
    }
    assert checked == dict.fromkeys(parameters, "none")
    assert {template["Parameters"][it]["Default"] for it in parameters} == {"none"}


@pytest.mark.parametrize(
    ("stack", "parameter", "arn"),
    [
        ("stream", "AppointmentsStreamArn", "arn:aws:dynamodb:r:1:table/t/stream/2026"),
        ("school", "UserPoolArn", "arn:aws:cognito-idp:r:1:userpool/r_1"),
    ],
)
def test_regional_stack_rejects_the_default_of_required_parameters(
    stack: str, parameter: str, arn: str
) -> None:
    """The root's default is `none`. The nested stack rejects it with the next step."""
    assert load(ROOT / "template.yaml")["Parameters"][parameter]["Default"] == "none"
    parameter_definition = load(ROOT / "stacks" / f"{stack}.yaml")["Parameters"][parameter]
    assert not re.fullmatch(parameter_definition["AllowedPattern"], "none")
    assert re.fullmatch(parameter_definition["AllowedPattern"], arn)
    assert "`make deploy PLACE=` looks it up" in parameter_definition["ConstraintDescription"]


def test_each_bucket_denies_requests_without_tls() -> None:
    denied = {
        resolve(path, policy["Properties"]["Bucket"], parents)
        for path, parents in all_stacks()
        for policy in of_type(path, "AWS::S3::BucketPolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Action"] == "s3:*"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    buckets = {(path, name) for path in TEMPLATES for name in of_type(path, "AWS::S3::Bucket")}
    assert buckets == denied


def test_web_acl_blocks_exactly_the_public_operations_of_user_pools() -> None:
    """The public operations need no IAM credentials; the account workflow's operations do."""
    model = get_session().get_service_model("cognito-idp")
    public = {
        name
        for name in model.operation_names
        if "smithy.api#noAuth" in (model.operation_model(name).auth or [])
        or model.operation_model(name).auth_type == "none"
    }
    acl = resources(ROOT / "stacks" / "foundation.yaml")["UserPoolWebAcl"]["Properties"]
    (rule,) = acl["Rules"]
    patterns = [
        statement["RegexMatchStatement"]["RegexString"]
        for statement in rule["Statement"]["OrStatement"]["Statements"]
    ]
    # AWS WAF, "Regex match rule statement": RegexString has 1 to 512 characters.
    assert max(map(len, patterns)) <= 512
    blocked = {
        name
        for name in model.operation_names
        if any(re.search(it, f"AWSCognitoIdentityProviderService.{name}") for it in patterns)
    }
    assert "InitiateAuth" in public
    assert blocked == public


@pytest.mark.parametrize("name", ["Schema", "AliasAttributes", "UsernameAttributes"])
def test_user_pool_keeps_properties_that_cannot_be_updated(name: str) -> None:
    """A new pool would have no users (CloudFormation, AWS::Cognito::UserPool)."""
    pool = resources(ROOT / "stacks" / "foundation.yaml")["UserPool"]["Properties"]
    assert pool.get(name) == {"UsernameAttributes": ["email"]}.get(name)
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}


def test_sender_parameter_accepts_address_or_nothing_in_every_stack() -> None:
    root = load(ROOT / "template.yaml")["Parameters"]["Sender"]
    assert root["Default"] == ""
    for path in (ROOT / "template.yaml", *(ROOT / "stacks").glob("*.yaml")):
        sender = load(path).get("Parameters", {}).get("Sender")
        if sender:
            for value in ("", "school@example.com"):
                assert re.fullmatch(sender["AllowedPattern"], value), path
            assert not re.fullmatch(sender["AllowedPattern"], "school")
