"""The school's API as it is deployed in one region, without a deployment."""

import json
import re
from functools import cache
from typing import Any

import yaml

from aws_emulator.rest_api import definition
from aws_emulator.rest_api.model import Definition
from tests.support.paths import ROOT

STAGE = "test"
ACCOUNT = "123456789012"
HOME = "us-east-1"
REGION = "eu-west-2"
POOL_ARN = f"arn:aws:cognito-idp:{HOME}:{ACCOUNT}:userpool/{HOME}_School"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/api"
#: What CloudFormation puts in place of names, in a region that is not the home region.
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "HomeRegion": HOME,
    "Stage": STAGE,
    "UserPoolArn": POOL_ARN,
    "ApiRole.Arn": ROLE_ARN,
}


def resolve(node: Any) -> Any:
    """Do what AWS::Include and CloudFormation do with the file."""
    if isinstance(node, dict):
        if set(node) == {"Fn::Sub"}:
            return re.sub(r"\$\{([A-Za-z:.]+)\}", lambda found: VALUES[found[1]], node["Fn::Sub"])
        if set(node) == {"Fn::GetAtt"}:
            return VALUES[".".join(node["Fn::GetAtt"])]
        if set(node) == {"Ref"}:
            return VALUES[node["Ref"]]
        return {name: resolve(it) for name, it in node.items()}
    return [resolve(it) for it in node] if isinstance(node, list) else node


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, as an export gives it."""
    text = (ROOT / "src" / "stepfunctions" / "api.yaml").read_text()
    # Through JSON, as everything goes that CloudFormation and an export touch.
    found = json.loads(json.dumps(resolve(yaml.safe_load(text))))
    assert isinstance(found, dict)
    return found


@cache
def api() -> Definition:
    """The API as aws_emulator/rest_api serves it."""
    return definition.parse(document())
