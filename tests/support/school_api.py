"""The school API as CloudFormation deploys it in one Region, for tests without a deployment."""

import json
import re
from functools import cache
from typing import Any, Final

import yaml

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.model import Definition
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

STACK: Final = ROOT / "stacks" / "school.yaml"
#: The files that AWS::Include inserts into the template's DefinitionBody.
INCLUDED: Final = sorted((ROOT / "src" / "stepfunctions" / "api").glob("*.yaml"))
STAGE: Final = "test"
ACCOUNT: Final = "123456789012"
HOME: Final = "us-east-1"
REGION: Final = "eu-west-2"
POOL_ARN: Final = f"arn:aws:cognito-idp:{HOME}:{ACCOUNT}:userpool/{HOME}_School"
ROLE_ARN: Final = f"arn:aws:iam::{ACCOUNT}:role/api"
OPERATORS_ROLE_ARN: Final = f"arn:aws:iam::{ACCOUNT}:role/operators"
#: The values of pseudo parameters and references, in a Region other than the home Region.
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


def resolve(node: Any) -> Any:
    """Return the node with includes and intrinsic functions resolved, as CloudFormation does."""
    if isinstance(node, dict):
        if set(node) == {"Fn::Transform"}:
            location = STACK.parent / node["Fn::Transform"]["Parameters"]["Location"]
            return resolve(yaml.safe_load(location.read_text()))
        if set(node) == {"Fn::Sub"}:
            return re.sub(r"\$\{([A-Za-z:.]+)\}", lambda status: VALUES[status[1]], node["Fn::Sub"])
        if set(node) == {"Fn::If"}:
            condition, _, otherwise = node["Fn::If"]
            assert condition == "IsHome"
            return resolve(otherwise)
        if set(node) == {"Fn::GetAtt"}:
            return VALUES[".".join(node["Fn::GetAtt"])]
        if set(node) == {"Ref"}:
            return VALUES[node["Ref"]]
        return {name: resolve(it) for name, it in node.items()}
    return [resolve(it) for it in node] if isinstance(node, list) else node


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, as an export returns it."""
    body = resources(STACK)["Api"]["Properties"]["DefinitionBody"]
    # Through JSON, as CloudFormation and an export do.
    resolved = json.loads(json.dumps(resolve(body)))
    assert isinstance(resolved, dict)
    return resolved


@cache
def api() -> Definition:
    """Return the definition that aws_emulator.rest_api parses."""
    return definition.parse(document())
