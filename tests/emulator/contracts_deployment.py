"""What the shims promise about templates and what they say."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.running import Emulator, unique
from tests.emulator.templates import stack

_SAM = "AWS::Serverless-2016-10-31"
_CODE = "def handler(event, context):\n    return None\n"


def _child(emulator: Emulator) -> str:
    """The address of a nested SAM template that has a table and a function with an alias."""
    template = {
        **stack(
            Table={
                "Type": "AWS::Serverless::SimpleTable",
                "Properties": {},
            },
            Small={
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "InlineCode": _CODE,
                    "AutoPublishAlias": {"Ref": "AliasName"},
                },
            },
        ),
        "Transform": _SAM,
        "Parameters": {"AliasName": {"Type": "String", "Default": "unset"}},
        "Outputs": {"TableArn": {"Value": {"Fn::GetAtt": ["Table", "Arn"]}}},
    }
    bucket = unique("templates")
    storage = emulator.client("s3")
    storage.create_bucket(Bucket=bucket)
    storage.put_object(Bucket=bucket, Key="child.json", Body=json.dumps(template).encode())
    return f"{emulator.endpoint}/{bucket}/child.json"


def _parent(url: str, kind: str = "AWS::CloudFormation::Stack") -> dict[str, Any]:
    return {
        **stack(
            Child={
                "Type": kind,
                "Properties": {"TemplateURL": url, "Parameters": {"AliasName": "live"}},
            }
        ),
        "Parameters": {"Note": {"Type": "String"}},
        "Outputs": {"TableArn": {"Value": {"Fn::GetAtt": ["Child", "Outputs.TableArn"]}}},
    }


def sam_parameters(emulator: Emulator) -> None:
    """A property that SAM needs while it translates may be a parameter."""
    name = unique("aliased")
    template = {
        **stack(
            Aliased={
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": name,
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "InlineCode": _CODE,
                    "AutoPublishAlias": {"Ref": "AliasName"},
                },
            }
        ),
        "Transform": _SAM,
        "Parameters": {"AliasName": {"Type": "String", "Default": "unset"}},
    }
    emulator.deploy(template, unique("aliased"), AliasName="live")
    aliases = emulator.client("lambda").list_aliases(FunctionName=name)["Aliases"]
    assert [alias["Name"] for alias in aliases] == ["live"]


def nested_sam(emulator: Emulator) -> None:
    """A nested template may be a SAM template."""
    outputs = emulator.deploy(_parent(_child(emulator)), unique("nested"), Note="1")
    assert ":table/" in outputs["TableArn"]


def nested_attributes(emulator: Emulator) -> None:
    """A nested stack can be deployed again: what did not change keeps its attributes."""
    name = unique("again")
    first = emulator.deploy(_parent(_child(emulator)), name, Note="1")
    second = emulator.deploy(_parent(_child(emulator)), name, Note="2")
    assert second == first


def table_properties(emulator: Emulator) -> None:
    """A table's time to live, recovery and encryption are those of the template."""
    name = unique("table")
    template = stack(
        Table={
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
            },
        }
    )
    emulator.deploy(template, name)
    tables = emulator.client("dynamodb")
    time_to_live = tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert time_to_live["TimeToLiveStatus"] == "ENABLED"
    assert time_to_live["AttributeName"] == "expires_at"
    backups = tables.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    assert recovery == "ENABLED"
    assert tables.describe_table(TableName=name)["Table"]["SSEDescription"]["Status"] == "ENABLED"


def global_tables(emulator: Emulator) -> None:
    """A global table has its replicas, each with its own stream, and they go with it."""
    name = unique("global")
    template = stack(
        Table={
            "Type": "AWS::DynamoDB::GlobalTable",
            "Properties": {
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
                "Replicas": [
                    {"Region": "us-east-1"},
                    {
                        "Region": "eu-west-2",
                        "DeletionProtectionEnabled": True,
                        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                    },
                ],
            },
        }
    )
    template["Outputs"] = {"StreamArn": {"Value": {"Fn::GetAtt": ["Table", "StreamArn"]}}}
    outputs = emulator.deploy(template, name)
    home, london = emulator.client("dynamodb"), emulator.client("dynamodb", "eu-west-2")
    assert home.describe_table(TableName=name)["Table"]["LatestStreamArn"] == outputs["StreamArn"]
    replica = london.describe_table(TableName=name)["Table"]
    assert ":eu-west-2:" in replica["LatestStreamArn"]
    assert replica["DeletionProtectionEnabled"] is True
    lives = london.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert lives["AttributeName"] == "expires_at"

    home.put_item(TableName=name, Item={"id": {"S": "from home"}})
    london.put_item(TableName=name, Item={"id": {"S": "from London"}})
    for table in (home, london):
        found = {item["id"]["S"] for item in table.scan(TableName=name)["Items"]}
        assert found == {"from home", "from London"}

    emulator.delete(name)
    with pytest.raises(ClientError, match="not found"):
        london.describe_table(TableName=name)


def accepted_types(emulator: Emulator) -> None:
    """What is accepted and not emulated can be read."""
    assert emulator.local("accepted") == []
