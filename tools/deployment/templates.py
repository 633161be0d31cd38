"""Read the project's templates: resources of the root and its nested stacks, and fixed names.

`recovery` uses the names. Nothing here calls AWS.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.deployment.conditions import may_exist
from tools.paths import ROOT
from tools.stack import DEFAULT_HOME_REGION
from tools.template_yaml import yaml_parse

#: Resource type -> the property with its name. A second resource with the name can't be created.
NAME_PROPERTIES: Final[Mapping[str, str]] = {
    "AWS::Athena::WorkGroup": "Name",
    "AWS::Budgets::Budget": "Budget.BudgetName",
    "AWS::CloudFront::CachePolicy": "CachePolicyConfig.Name",
    "AWS::CloudFront::KeyGroup": "KeyGroupConfig.Name",
    "AWS::CloudFront::OriginAccessControl": "OriginAccessControlConfig.Name",
    "AWS::CloudFront::OriginRequestPolicy": "OriginRequestPolicyConfig.Name",
    "AWS::CloudFront::PublicKey": "PublicKeyConfig.Name",
    "AWS::CloudFront::ResponseHeadersPolicy": "ResponseHeadersPolicyConfig.Name",
    "AWS::CloudTrail::Trail": "TrailName",
    "AWS::Cognito::UserPool": "UserPoolName",
    "AWS::Cognito::UserPoolDomain": "Domain",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::Glue::Database": "DatabaseInput.Name",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::RDS::DBCluster": "DBClusterIdentifier",
    "AWS::RDS::GlobalCluster": "GlobalClusterIdentifier",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Serverless::Function": "FunctionName",
    "AWS::Serverless::StateMachine": "Name",
    "AWS::WAFv2::WebACL": "Name",
}
#: Types that their deletion protection keeps. A deployment neither adopts nor deletes them.
PROTECTED_TYPES: Final = frozenset(
    {
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::RDS::DBCluster",
        "AWS::RDS::GlobalCluster",
    }
)
_APPLICATION: Final = "AWS::Serverless::Application"


@dataclass(frozen=True)
class NamedResource:
    """A resource with a fixed name, in one Region of a stage."""

    type: str
    name: str
    region: str
    #: The template and the logical ID, as in "stacks/stream.yaml: LakeBucket".
    source: str
    #: Its template keeps it after its stack's deletion, and a deployment can adopt it.
    retained: bool

    @property
    def logical_id(self) -> str:
        """The logical ID in its template."""
        return self.source.rpartition(": ")[2]

    @property
    def template(self) -> str:
        """The path of its template, as in "stacks/stream.yaml"."""
        return self.source.partition(": ")[0]


def load(path: Path) -> dict[str, Any]:
    """Return a template with intrinsic functions in their long form.

    Raises:
        TypeError: The document isn't a mapping.
    """
    document = yaml_parse(path.read_text())
    if not isinstance(document, dict):
        raise TypeError(f"{path} isn't a template: its document isn't a mapping.")
    return document


def templates_of(
    region: str,
    home_region: str = DEFAULT_HOME_REGION,
    root: Path = ROOT / "template.yaml",
) -> Iterator[Path]:
    """Yield the root template and the nested ones that a Region gets.

    Stacks that another parameter selects are included: their names may be needed.
    """
    yield root
    template = load(root)
    for resource in template["Resources"].values():
        exists = may_exist(template, resource, region, home_region)
        if resource["Type"] == _APPLICATION and exists:
            location = root.parent / resource["Properties"]["Location"]
            yield from templates_of(region, home_region, location)


@functools.cache
def kept_stacks() -> tuple[str, ...]:
    """Return the logical IDs of the nested stacks that stay after the root's deletion."""
    return tuple(
        name
        for name, it in load(ROOT / "template.yaml")["Resources"].items()
        if it["Type"] == "AWS::Serverless::Application"
        and str(it.get("DeletionPolicy", "")).startswith("Retain")
    )


@functools.cache
def named_resources(
    stage: str, region: str, account: str, home_region: str = DEFAULT_HOME_REGION
) -> tuple[NamedResource, ...]:
    """Return the resources with a fixed name that a stage has in a Region."""
    values = {"Stage": stage, "AWS::Region": region, "AWS::AccountId": account}
    resources = []
    for path in templates_of(region, home_region):
        for logical_id, resource in load(path)["Resources"].items():
            name = fixed_name(resource, values)
            if name is not None:
                source = f"{path.relative_to(ROOT)}: {logical_id}"
                kind = resource["Type"]
                is_kept = resource.get("DeletionPolicy", "Delete") != "Delete"
                retained = is_kept and kind not in PROTECTED_TYPES
                resources.append(NamedResource(kind, name, region, source, retained))
    return tuple(resources)


def fixed_name(resource: Mapping[str, Any], values: Mapping[str, str]) -> str | None:
    """Return the resource's name with the values of references, or None if it isn't fixed.

    A name that refers to anything other than `values`, such as the stack's ID, isn't fixed.
    """
    value: Any = resource.get("Properties", {})
    path = NAME_PROPERTIES.get(resource["Type"])
    if path is None:
        return None
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        value = value.get("Fn::Sub")
    # The long form of Fn::Sub, [text, values], refers to values that aren't known here.
    if not isinstance(value, str):
        return None
    references = re.findall(r"\$\{([^}!]+)\}", value)
    if any(reference not in values for reference in references):
        return None
    return re.sub(r"\$\{([^}!]+)\}", lambda match: values[match[1]], value)
