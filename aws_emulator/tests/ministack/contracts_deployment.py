"""Contracts of the patches for CloudFormation and the SAM transform."""

import json
from typing import Any

import pytest

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, stack

_SAM = "AWS::Serverless-2016-10-31"
_CODE = "def handler(event, context):\n    return None\n"


def _stored(emulator: Emulator, template: dict[str, Any]) -> str:
    """Put a template into a bucket and return its URL."""
    bucket = unique("templates")
    storage = emulator.client("s3")
    storage.create_bucket(Bucket=bucket)
    storage.put_object(Bucket=bucket, Key="child.json", Body=json.dumps(template).encode())
    return f"{emulator.endpoint}/{bucket}/child.json"


def _child(emulator: Emulator) -> str:
    """Return the URL of a nested SAM template with a table and a function with an alias."""
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
    return _stored(emulator, template)


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
    """A property that SAM reads during the translation can be a parameter."""
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


def pseudo_parameters(emulator: Emulator) -> None:
    """A condition can use the Region and the account."""
    template = {
        **stack(Topic={"Type": "AWS::SNS::Topic", "Condition": "IsHome"}),
        "Conditions": {
            "IsHome": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
            "IsOwnAccount": {"Fn::Equals": [{"Ref": "AWS::AccountId"}, "000000000000"]},
        },
        "Outputs": {
            name: {"Value": {"Fn::If": [name, "yes", "no"]}} for name in ("IsHome", "IsOwnAccount")
        },
    }
    # A stack needs a resource in every Region.
    template["Resources"]["Queue"] = {"Type": "AWS::SQS::Queue"}
    for region, home in (("us-east-1", "yes"), ("eu-west-2", "no")):
        outputs = emulator.deploy(template, unique("conditional"), region)
        assert outputs == {"IsHome": home, "IsOwnAccount": "yes"}


def nested_stack_transforms(emulator: Emulator) -> None:
    """A nested template can be a SAM template."""
    outputs = emulator.deploy(_parent(_child(emulator)), unique("nested"), Note="1")
    assert ":table/" in outputs["TableArn"]


def nested_stack_attributes(emulator: Emulator) -> None:
    """A nested stack can be updated: unchanged resources keep their attributes."""
    name = unique("again")
    first = emulator.deploy(_parent(_child(emulator)), name, Note="1")
    second = emulator.deploy(_parent(_child(emulator)), name, Note="2")
    assert second == first


def nested_stack_rollback(emulator: Emulator) -> None:
    """A stack can be created after a creation that failed in a nested stack."""
    name = unique("failing")

    def parent(*failing: dict[str, Any]) -> dict[str, Any]:
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
        broken = {f"Broken{index}": resource for index, resource in enumerate(failing)}
        url = _stored(emulator, stack(Bucket=bucket, **broken))
        child = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
        return stack(Child=child)

    policy = {"Bucket": {"Fn::GetAtt": ["Bucket", "Nothing"]}, "PolicyDocument": {}}
    with pytest.raises(AssertionError, match="Nothing"):
        emulator.deploy(parent({"Type": "AWS::S3::BucketPolicy", "Properties": policy}), name)
    buckets = {listed["Name"] for listed in emulator.client("s3").list_buckets()["Buckets"]}
    assert name not in buckets
    emulator.delete(name)
    emulator.deploy(parent(), name)


def accepted_types(emulator: Emulator) -> None:
    """The accepted resource types are listed."""
    listed = emulator.local("accepted")
    # A property is listed as type.property. ACCEPTED_TYPES is empty.
    assert [use for use in listed if "." not in use["type"]] == []


def accepted_properties(emulator: Emulator) -> None:
    """An accepted property is listed while its resource exists."""
    name = unique("traced")
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": name,
            "DefinitionString": definition,
            "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
            "TracingConfiguration": {"Enabled": True},
        },
    }
    emulator.deploy(stack(Role=ROLE, Machine=machine), name)

    def listed() -> list[str]:
        return [use["type"] for use in emulator.local("accepted") if name in use["logical_id"]]

    assert listed() == ["AWS::StepFunctions::StateMachine.TracingConfiguration"]
    emulator.client("cloudformation").delete_stack(StackName=name)
    emulator.client("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    assert listed() == []
