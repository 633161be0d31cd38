"""Contracts of the patches for CloudFormation and the SAM transform."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import ROLE, stack, stored
from aws_emulator.tests.waiting import wait_until

_SAM = "AWS::Serverless-2016-10-31"
_CODE = "def handler(event, context):\n    return None\n"


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
    return stored(emulator, template)


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


def undefined_conditions(emulator: Emulator) -> None:
    """A template that uses a condition without defining it is refused."""
    queue = {"Type": "AWS::SQS::Queue"}
    chosen = {"Fn::If": ["IsHome", "1", "2"]}
    output = {"Value": "1", "Condition": "IsHome"}
    for template in (
        stack(Queue=queue | {"Properties": {"DelaySeconds": chosen}}),
        stack(Queue=queue, Other=queue | {"Condition": "IsHome"}),
        stack(Queue=queue) | {"Outputs": {"Name": output}},
    ):
        message = _error(partial(emulator.deploy, template, unique("undefined")))
        assert "nresolved condition dependency IsHome" in message
        defined = {"Conditions": {"IsHome": {"Fn::Equals": ["1", "1"]}}}
        emulator.deploy(template | defined, unique("defined"))


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


def _error(call: Callable[[], Any]) -> str:
    """Return the message of a refused call, or an empty string if it succeeds."""
    try:
        call()
    except (AssertionError, ClientError) as error:
        return str(error)
    return ""


def deletion_protection(emulator: Emulator) -> None:
    """A stack with a protected table or user pool can't be deleted."""
    name = unique("protected")
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "DeletionProtectionEnabled": True,
        },
    }
    pool = {"Type": "AWS::Cognito::UserPool", "Properties": {"DeletionProtection": "ACTIVE"}}
    outputs = {"PoolId": {"Value": {"Ref": "Pool"}}}
    outputs_by_name = emulator.deploy({**stack(Table=table, Pool=pool), "Outputs": outputs}, name)
    cognito = emulator.client("cognito-idp")
    refusal = _error(lambda: cognito.delete_user_pool(UserPoolId=outputs_by_name["PoolId"]))
    assert "deletion protection" in refusal
    emulator.client("cloudformation").delete_stack(StackName=name)
    resources = _settled_resources(emulator, name)
    assert {it["LogicalResourceId"] for it in resources} == {"Table", "Pool"}
    assert {it["ResourceStatus"] for it in resources} == {"DELETE_FAILED"}
    # Without protection, both can be deleted.
    emulator.client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
    cognito.update_user_pool(UserPoolId=outputs_by_name["PoolId"], DeletionProtection="INACTIVE")
    emulator.delete(name)


def _settled_resources(emulator: Emulator, name: str) -> list[dict[str, Any]]:
    """Wait until the stack's deletion has failed, and return its resources."""
    cloudformation = emulator.client("cloudformation")

    def failed() -> bool:
        (described,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return bool(described["StackStatus"] == "DELETE_FAILED")

    wait_until(failed, f"the failed deletion of {name}", interval_s=0.05)
    resources: list[dict[str, Any]] = cloudformation.describe_stack_resources(StackName=name)[
        "StackResources"
    ]
    return resources


def name_collisions(emulator: Emulator) -> None:
    """A stack can't take over an existing resource with the name in its template."""
    name = unique("taken")
    emulator.client("sqs").create_queue(QueueName=name)
    emulator.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    emulator.client("logs").create_log_group(logGroupName=name)
    emulator.client("sns").create_topic(Name=name)
    emulator.client("glue").create_database(DatabaseInput={"Name": name})
    kinds: dict[str, dict[str, Any]] = {
        "AWS::SQS::Queue": {"QueueName": name},
        "AWS::Kinesis::Stream": {"Name": name, "ShardCount": 1},
        "AWS::Logs::LogGroup": {"LogGroupName": name},
        "AWS::SNS::Topic": {"TopicName": name},
        "AWS::Glue::Database": {"CatalogId": "000000000000", "DatabaseInput": {"Name": name}},
    }
    for kind, properties in kinds.items():
        template = stack(It={"Type": kind, "Properties": properties})
        assert "AlreadyExists" in _error(partial(emulator.deploy, template, unique("second")))


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
