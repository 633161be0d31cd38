"""What the shims promise about templates and what they say."""

import json
from typing import Any

import pytest

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, stack

_SAM = "AWS::Serverless-2016-10-31"
_CODE = "def handler(event, context):\n    return None\n"


def _stored(emulator: Emulator, template: dict[str, Any]) -> str:
    """The address of a template that was put into a bucket."""
    bucket = unique("templates")
    storage = emulator.client("s3")
    storage.create_bucket(Bucket=bucket)
    storage.put_object(Bucket=bucket, Key="child.json", Body=json.dumps(template).encode())
    return f"{emulator.endpoint}/{bucket}/child.json"


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


def pseudo_parameters(emulator: Emulator) -> None:
    """A condition may ask for the region and the account."""
    template = {
        **stack(Topic={"Type": "AWS::SNS::Topic", "Condition": "IsHome"}),
        "Conditions": {
            "IsHome": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
            "IsOurs": {"Fn::Equals": [{"Ref": "AWS::AccountId"}, "000000000000"]},
        },
        "Outputs": {
            name: {"Value": {"Fn::If": [name, "yes", "no"]}} for name in ("IsHome", "IsOurs")
        },
    }
    # A stack needs a resource, wherever it is.
    template["Resources"]["Queue"] = {"Type": "AWS::SQS::Queue"}
    for region, home in (("us-east-1", "yes"), ("eu-west-2", "no")):
        outputs = emulator.deploy(template, unique("conditional"), region)
        assert outputs == {"IsHome": home, "IsOurs": "yes"}


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


def nested_cleanup(emulator: Emulator) -> None:
    """After a creation that failed inside, the same stack can be created."""
    name = unique("failing")

    def parent(*nothing: dict[str, Any]) -> dict[str, Any]:
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}
        broken = {f"Broken{index}": resource for index, resource in enumerate(nothing)}
        url = _stored(emulator, stack(Bucket=bucket, **broken))
        child = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
        return stack(Child=child)

    policy = {"Bucket": {"Fn::GetAtt": ["Bucket", "Nothing"]}, "PolicyDocument": {}}
    with pytest.raises(AssertionError, match="Nothing"):
        emulator.deploy(parent({"Type": "AWS::S3::BucketPolicy", "Properties": policy}), name)
    buckets = {found["Name"] for found in emulator.client("s3").list_buckets()["Buckets"]}
    assert name not in buckets
    emulator.delete(name)
    emulator.deploy(parent(), name)


def accepted_types(emulator: Emulator) -> None:
    """What is accepted and not emulated can be read."""
    listed = emulator.local("accepted")
    # A property is listed as type.property; no type is accepted today.
    assert [use for use in listed if "." not in use["type"]] == []


def accepted_properties(emulator: Emulator) -> None:
    """A property that has no effect is listed while its resource exists."""
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
