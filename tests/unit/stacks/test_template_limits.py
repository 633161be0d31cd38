"""The templates are within the quotas of CloudFormation, and of the services that they configure.

Names have the longest stage that template.yaml accepts, and the longest names of Regions.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.paths import ROOT
from tests.unit.stacks.test_dashboards import DASHBOARDS, widgets
from tests.unit.stacks.transformed import all_stacks, text_of, transformed
from tools.deployment.templates import load

#: CloudFormation quotas: bytes of a template in S3 after the macros, and elements of a template.
MAX_BYTES: Final = 1_000_000
MAX_ELEMENTS: Final = {"Resources": 500, "Parameters": 200, "Outputs": 200}
#: CloudFormation quotas, "Template description"; "Parameter description".
MAX_DESCRIPTION_BYTES: Final = 1_024
MAX_PARAMETER_DESCRIPTION: Final = 4_000

#: The longest value of each reference in a name.
LONGEST: Final = {
    "Stage": 12 * "a",
    "AWS::Region": "ap-northeast-1",
    "AWS::AccountId": 12 * "1",
    # The first part of a stack's ID.
    "Suffix": 8 * "f",
    "Prefix": f"meridian-{12 * 'a'}-origin-key-{8 * 'f'}",
    "KeyA": 36 * "k",
    "KeyB": 36 * "k",
    # The parameters' MaxLength.
    "Domain": 53 * "d",
    "OperatorEmail": 78 * "o",
    "Region": "ap-northeast-1",
    "ReplicaRegion": "ap-northeast-1",
    "OtherRegion": "ap-northeast-1",
    "EdgeAuthFunction": 64 * "f",
    "EdgeIngestFunction": 64 * "f",
}
#: Type -> path to a name or description in its properties -> the greatest length. Sources: the API
#: references of the operations that create the resource.
LENGTHS: Final[dict[str, dict[str, int]]] = {
    "AWS::ApiGateway::RestApi": {"Name": 1_024},
    "AWS::Athena::NamedQuery": {"Name": 128, "Description": 1_024, "QueryString": 262_144},
    "AWS::EMRServerless::Application": {"Name": 64},
    "AWS::Athena::WorkGroup": {"Name": 128, "Description": 1_024},
    "AWS::Budgets::Budget": {"Budget.BudgetName": 100},
    # Application Auto Scaling, PutScalingPolicy.
    "AWS::ApplicationAutoScaling::ScalingPolicy": {"PolicyName": 256},
    # CreateCluster, CreateService: up to 255 characters.
    "AWS::ECS::Cluster": {"ClusterName": 255},
    "AWS::ECS::Service": {"ServiceName": 255},
    # CreateServerlessCache; CreateUser.
    "AWS::ElastiCache::ServerlessCache": {"ServerlessCacheName": 40},
    "AWS::ElastiCache::User": {"UserId": 40, "UserName": 40},
    # CreateLoadBalancer, CreateTargetGroup: "a maximum of 32 characters".
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {"Name": 32},
    "AWS::ElasticLoadBalancingV2::TargetGroup": {"Name": 32},
    "AWS::CloudFront::CachePolicy": {"CachePolicyConfig.Name": 128},
    "AWS::CloudFront::Distribution": {"DistributionConfig.Comment": 128},
    "AWS::CloudFront::KeyGroup": {"KeyGroupConfig.Name": 128},
    "AWS::CloudFront::OriginAccessControl": {"OriginAccessControlConfig.Name": 64},
    "AWS::CloudFront::OriginRequestPolicy": {"OriginRequestPolicyConfig.Name": 128},
    "AWS::CloudFront::PublicKey": {"PublicKeyConfig.Name": 128},
    "AWS::CloudFront::ResponseHeadersPolicy": {"ResponseHeadersPolicyConfig.Name": 128},
    "AWS::CloudTrail::Trail": {"TrailName": 128},
    "AWS::CloudWatch::Alarm": {"AlarmDescription": 1_024},
    "AWS::CloudWatch::Dashboard": {"DashboardName": 255},
    "AWS::Cognito::UserPool": {"UserPoolName": 128},
    "AWS::Cognito::UserPoolClient": {"ClientName": 128},
    # "The first domain name you enter can't exceed 64 octets" (RequestCertificate, DomainName).
    "AWS::CertificateManager::Certificate": {"DomainName": 64},
    "AWS::Cognito::UserPoolDomain": {"Domain": 63},
    "AWS::Cognito::UserPoolGroup": {"GroupName": 128, "Description": 2_048},
    "AWS::DynamoDB::GlobalTable": {"TableName": 255},
    "AWS::DynamoDB::Table": {"TableName": 255},
    "AWS::Events::EventBus": {"Name": 256},
    "AWS::Events::Rule": {"Name": 64},
    "AWS::Glue::Database": {"DatabaseInput.Name": 255},
    "AWS::Kinesis::Stream": {"Name": 128},
    "AWS::KMS::Key": {"Description": 8_192},
    "AWS::Lambda::Function": {"FunctionName": 64, "Description": 256},
    # PutDeliverySource, PutDeliveryDestination.
    "AWS::Logs::Delivery": {"DeliverySourceName": 60},
    "AWS::Logs::DeliveryDestination": {"Name": 60},
    "AWS::Logs::DeliverySource": {"Name": 60},
    "AWS::Logs::LogGroup": {"LogGroupName": 512},
    "AWS::Logs::QueryDefinition": {"Name": 255, "QueryString": 10_000},
    "AWS::S3::Bucket": {"BucketName": 63},
    "AWS::SES::ConfigurationSet": {"Name": 64},
    "AWS::SNS::Topic": {"TopicName": 256},
    "AWS::SQS::Queue": {"QueueName": 80},
    "AWS::Scheduler::Schedule": {"Name": 64, "Description": 512},
    "AWS::SecretsManager::Secret": {"Name": 512, "Description": 2_048},
    "AWS::StepFunctions::StateMachine": {"StateMachineName": 80},
    "AWS::WAFv2::WebACL": {"Name": 128},
}

#: AWS WAF charges more for a web ACL above this, and refuses one above 5,000 ("Web ACL capacity
#: units (WCUs) in AWS WAF").
INCLUDED_WCUS: Final = 1_500
#: "AWS Managed Rules rule groups list".
MANAGED_WCUS: Final = {
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
}
#: "Using rule statements in AWS WAF": the base of each, and each text transformation.
STATEMENT_WCUS: Final = {
    "ByteMatchStatement": 2,
    "RateBasedStatement": 2,
    "RegexMatchStatement": 3,
}
TRANSFORMATION_WCUS: Final = 10
#: AWS WAF quotas: characters of a regular expression.
MAX_REGEX: Final = 512


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return "template: logical ID" -> the properties of the resources of a type."""
    return {
        f"{path.name}: {name}": resource.get("Properties", {})
        for path, _ in all_stacks()
        for name, resource in transformed(path)["Resources"].items()
        if resource["Type"] == kind
    }


def longest(value: Any) -> str:
    """Return a string or Fn::Sub with the longest values of its references."""
    text = text_of(value)
    for name, sample in LONGEST.items():
        text = text.replace(f"${{{name}}}", sample)
    assert "${" not in text, text
    return text


def included(value: Any) -> Iterator[Path]:
    """Yield the files that AWS::Include inserts."""
    if isinstance(value, list):
        for part in value:
            yield from included(part)
    elif isinstance(value, dict):
        if value.get("Name") == "AWS::Include":
            yield (ROOT / "stacks" / value["Parameters"]["Location"]).resolve()
        for part in value.values():
            yield from included(part)


@pytest.mark.parametrize("path", sorted({it for it, _ in all_stacks()}), ids=lambda it: it.name)
def test_template_is_within_the_quotas_of_cloudformation(path: Path) -> None:
    template = transformed(path)
    files = list(included(template))
    size = len(json.dumps(template)) + sum(it.stat().st_size for it in files)
    assert size <= MAX_BYTES
    for element, most in MAX_ELEMENTS.items():
        assert len(template.get(element, {})) <= most
    assert len(str(template.get("Description", "")).encode()) <= MAX_DESCRIPTION_BYTES
    for parameter in template.get("Parameters", {}).values():
        assert len(parameter.get("Description", "")) <= MAX_PARAMETER_DESCRIPTION


def test_some_template_includes_files() -> None:
    assert any(list(included(transformed(path))) for path, _ in all_stacks())


@pytest.mark.parametrize("kind", LENGTHS)
def test_names_and_descriptions_are_not_too_long(kind: str) -> None:
    resources = of_type(kind)
    assert resources
    for name, properties in resources.items():
        for path, most in LENGTHS[kind].items():
            value: Any = properties
            for part in path.split("."):
                value = value.get(part) if value else None
            if value is not None:
                assert len(longest(value)) <= most, f"{name}: {path}"


def test_every_type_with_a_fixed_name_has_a_limit() -> None:
    named = {
        resource["Type"]
        for path, _ in all_stacks()
        for resource in transformed(path)["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if key.endswith("Name") and "meridian-${Stage}" in text_of(value)
    }
    assert named <= LENGTHS.keys()


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_dashboard_is_within_the_quotas_of_cloudwatch(dashboard: str) -> None:
    """CloudWatch service quotas: 500 widgets and 2,500 metrics in all, 500 in a widget."""
    listed = widgets(dashboard)
    counts = [len(it["properties"].get("metrics", [])) for it in listed]
    assert len(listed) <= 500
    assert max(counts) <= 500
    assert sum(counts) <= 2_500


@pytest.mark.parametrize("alarm", of_type("AWS::CloudWatch::Alarm"))
def test_alarm_has_few_metrics(alarm: str) -> None:
    """CloudWatch service quotas: up to 10 metrics in an alarm on a metric math expression."""
    assert len(of_type("AWS::CloudWatch::Alarm")[alarm].get("Metrics", [])) <= 10


def test_distribution_is_within_the_quotas_of_cloudfront() -> None:
    (properties,) = of_type("AWS::CloudFront::Distribution").values()
    config = properties["DistributionConfig"]
    # CloudFront quotas: 75 cache behaviors, 100 origins, 30 custom headers of an origin, 4 key
    # groups of a behavior; 5 public keys in a key group.
    behaviors = [config["DefaultCacheBehavior"], *config["CacheBehaviors"]]
    assert len(behaviors) <= 75
    assert len(config["Origins"]) <= 100
    assert max(len(it.get("OriginCustomHeaders", [])) for it in config["Origins"]) <= 30
    assert max(len(it.get("TrustedKeyGroups", [])) for it in behaviors) <= 4
    (keys,) = of_type("AWS::CloudFront::KeyGroup").values()
    assert len(keys["KeyGroupConfig"]["Items"]) <= 5
    for policy in of_type("AWS::CloudFront::CachePolicy").values():
        key = policy["CachePolicyConfig"]["ParametersInCacheKeyAndForwardedToOrigin"]
        assert len(key["HeadersConfig"].get("Headers", [])) <= 10
    for policy in of_type("AWS::CloudFront::OriginRequestPolicy").values():
        assert len(policy["OriginRequestPolicyConfig"]["HeadersConfig"].get("Headers", [])) <= 10


def capacity(value: Any) -> int:
    """Return the WCUs of a part of a rule, without the savings of equal transformations."""
    if isinstance(value, list):
        return sum(capacity(it) for it in value)
    if not isinstance(value, dict):
        return 0
    units = sum(STATEMENT_WCUS.get(name, 0) for name in value)
    units += TRANSFORMATION_WCUS * len(value.get("TextTransformations", []))
    if "ManagedRuleGroupStatement" in value:
        units += MANAGED_WCUS[value["ManagedRuleGroupStatement"]["Name"]]
    return units + sum(capacity(it) for it in value.values())


def regexes(value: Any) -> Iterator[str]:
    """Yield the regular expressions of a web ACL."""
    if isinstance(value, list):
        for part in value:
            yield from regexes(part)
    elif isinstance(value, dict):
        if "RegexString" in value:
            yield value["RegexString"]
        for part in value.values():
            yield from regexes(part)


@pytest.mark.parametrize("acl", of_type("AWS::WAFv2::WebACL"))
def test_web_acl_is_within_the_included_capacity(acl: str) -> None:
    properties = of_type("AWS::WAFv2::WebACL")[acl]
    assert 0 < capacity(properties["Rules"]) <= INCLUDED_WCUS
    assert all(0 < len(it) <= MAX_REGEX for it in regexes(properties["Rules"]))


#: What an API's definition may refer to. Each keeps its value for the life of the stack: the stage
#: and the home are in names, the user pool is retained, and a role with a generated name is not
#: replaced.
CONSTANT: Final = {
    *("ApiRole", "HealthRole", "HomeRegion", "Operators", "Stage", "UserPoolArn"),
    *("AWS::AccountId", "AWS::Partition", "AWS::Region"),
}


#: What the definition of an API that is always deployed may refer to, too: the further Regions.
CHANGING: Final = {"AWS::NoValue", *(f"Replica{number}" for number in range(1, 5))}


def test_definition_of_an_api_refers_to_constants_or_is_always_deployed() -> None:
    """SAM renews the deployment of an API if the text of its definition changes, not a value."""
    checked = set()
    for path, _ in all_stacks():
        always = {
            name
            for name, resource in load(path)["Resources"].items()
            if resource.get("Properties", {}).get("AlwaysDeploy") is True
        }
        for name, resource in transformed(path)["Resources"].items():
            if resource["Type"] != "AWS::ApiGateway::RestApi":
                continue
            allowed = CONSTANT | (CHANGING if name in always else set())
            names = set()
            texts = [it.read_text() for it in included(resource)]
            texts.append(json.dumps(resource["Properties"]["Body"]))
            for text in texts:
                names |= set(re.findall(r"\$\{([\w:]+)\}", text))
                names |= set(re.findall(r"\bRef\"?: \"?([\w:]+)", text))
                names |= set(re.findall(r"Fn::GetAtt\"?: \[\"?(\w+)", text))
            assert names <= allowed, path.name
            checked |= names
    assert checked == CONSTANT | CHANGING
