"""The school API as CloudFormation deploys it in one Region, for tests without a deployment."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import yaml

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.model import Definition
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

STACK: Final = ROOT / "stacks" / "school.yaml"
#: The files that AWS::Include inserts into the template's DefinitionBody.
INCLUDED: Final = sorted((ROOT / "src" / "stepfunctions" / "api").rglob("*.yaml"))
STAGE: Final = "test"
ACCOUNT: Final = "123456789012"
HOME: Final = "us-east-1"
REGION: Final = "eu-west-2"
POOL_ARN: Final = f"arn:aws:cognito-idp:{HOME}:{ACCOUNT}:userpool/{HOME}_School"
ROLE_ARN: Final = f"arn:aws:iam::{ACCOUNT}:role/api"
OPERATORS_ROLE_ARN: Final = f"arn:aws:iam::{ACCOUNT}:role/operators"
#: The stage's further Regions, in order.
FURTHER: Final = ("sa-east-1",)
#: The values of pseudo parameters and references, in a Region other than the home Region, without
#: those of the further Regions.
VALUES: Final = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "HomeRegion": HOME,
    "Stage": STAGE,
    "UserPoolArn": POOL_ARN,
    "ApiRole.Arn": ROLE_ARN,
    "Operators.Outputs.RoleArn": OPERATORS_ROLE_ARN,
}
#: Stands for AWS::NoValue: CloudFormation removes the property.
_NO_VALUE: Final = object()


def resolve(node: Any, further: Sequence[str] = FURTHER) -> Any:
    """Return the node with includes and intrinsic functions resolved, as CloudFormation does."""
    replicas = (*further, *[""] * (4 - len(further)))
    values = VALUES | {f"Replica{number}": region for number, region in enumerate(replicas, 1)}
    return _resolve(node, values)


def _resolve(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        if set(node) == {"Fn::Transform"}:
            location = STACK.parent / node["Fn::Transform"]["Parameters"]["Location"]
            return _resolve(yaml.safe_load(location.read_text()), values)
        if set(node) == {"Fn::Sub"}:
            return re.sub(
                r"\$\{([A-Za-z0-9:.]+)\}", lambda status: values[status[1]], node["Fn::Sub"]
            )
        if set(node) == {"Fn::If"}:
            condition, value, otherwise = node["Fn::If"]
            assert condition == "IsHome" or condition.startswith("HasReplica")
            return _resolve(
                value if values.get(condition.removeprefix("Has")) else otherwise, values
            )
        if set(node) == {"Fn::GetAtt"}:
            return values[".".join(node["Fn::GetAtt"])]
        if node == {"Ref": "AWS::NoValue"}:
            return _NO_VALUE
        if set(node) == {"Ref"}:
            return values[node["Ref"]]
        resolved = {name: _resolve(it, values) for name, it in node.items()}
        return {name: it for name, it in resolved.items() if it is not _NO_VALUE}
    return [_resolve(it, values) for it in node] if isinstance(node, list) else node


@cache
def document(further: Sequence[str] = FURTHER) -> dict[str, Any]:
    """The OpenAPI document of a stage with further Regions, as an export returns it."""
    body = resources(STACK)["Api"]["Properties"]["DefinitionBody"]
    # Through JSON, as CloudFormation and an export do.
    resolved = json.loads(json.dumps(resolve(body, further)))
    assert isinstance(resolved, dict)
    return resolved


@cache
def api() -> Definition:
    """Return the definition that aws_emulator.rest_api parses."""
    return definition.parse(document())
