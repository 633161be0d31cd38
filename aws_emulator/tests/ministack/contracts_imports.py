"""Contracts of the imports of existing resources and stacks."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack, stored

_RETAIN = {"DeletionPolicy": "Retain"}


def _table(name: str) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::GlobalTable",
        **_RETAIN,
        "Properties": {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "Replicas": [{"Region": "us-east-1"}],
        },
    }


def _stream(name: str) -> dict[str, Any]:
    return {"Type": "AWS::Kinesis::Stream", **_RETAIN, "Properties": {"Name": name}}


def _item(kind: str, logical_id: str, **identifier: str) -> dict[str, Any]:
    return {
        "ResourceType": kind,
        "LogicalResourceId": logical_id,
        "ResourceIdentifier": identifier,
    }


def _import(emulator: Emulator, name: str, template: dict[str, Any], *items: dict[str, Any]) -> str:
    """Import resources into a stack and return its ID."""
    cloudformation = emulator.client("cloudformation")
    change_set = {"StackName": name, "ChangeSetName": unique("import")}
    created = cloudformation.create_change_set(
        **change_set,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(template),
        ResourcesToImport=list(items),
    )
    wait = {"Delay": 0, "MaxAttempts": 600}
    cloudformation.get_waiter("change_set_create_complete").wait(**change_set, WaiterConfig=wait)
    cloudformation.execute_change_set(**change_set)
    cloudformation.get_waiter("stack_import_complete").wait(StackName=name, WaiterConfig=wait)
    return str(created["StackId"])


def _left(emulator: Emulator) -> str:
    """Delete a stack that retains a table with an item and a stream; return their name."""
    name = unique("left")
    emulator.deploy(stack(Table=_table(name), Stream=_stream(name)), name)
    emulator.client("dynamodb").put_item(TableName=name, Item={"pk": {"S": "kept"}})
    emulator.delete(name)
    return name


def resource_imports(emulator: Emulator) -> None:
    """A new stack imports a table and a stream, a root nests it, and an update follows."""
    left, child, root = _left(emulator), unique("child"), unique("root")
    template = stack(Table=_table(left), Stream=_stream(left))
    items = [
        _item("AWS::DynamoDB::GlobalTable", "Table", TableName=left),
        _item("AWS::Kinesis::Stream", "Stream", Name=left),
    ]
    stack_id = _import(emulator, child, template, *items)
    nested = {
        "Type": "AWS::CloudFormation::Stack",
        **_RETAIN,
        "Properties": {"TemplateURL": stored(emulator, template)},
    }
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    emulator.deploy(stack(Handle=handle), root)
    _import(
        emulator,
        root,
        stack(Handle=handle, Child=nested),
        _item("AWS::CloudFormation::Stack", "Child", StackId=stack_id),
    )
    # The imported resources are updated as those that the stack created.
    more = template | {"Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Stream", "Arn"]}}}}
    more["Resources"]["Queue"] = {"Type": "AWS::SQS::Queue"}
    changed = {**nested, "Properties": {"TemplateURL": stored(emulator, more)}}
    arn = {"Arn": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Arn"]}}}
    outputs = emulator.deploy({**stack(Child=changed), "Outputs": arn}, root)
    assert outputs["Arn"].endswith(f":stream/{left}")
    assert emulator.client("dynamodb").scan(TableName=left)["Count"] == 1
    resources = emulator.client("cloudformation").describe_stack_resources(StackName=root)
    assert [it["PhysicalResourceId"] for it in resources["StackResources"]] == [stack_id]


def _refused(emulator: Emulator, name: str, template: dict[str, Any], *items: Any) -> str:
    """Return the reason with which CloudFormation refuses an import."""
    with pytest.raises((ClientError, WaiterError)) as refusal:
        _import(emulator, name, template, *items)
    error = refusal.value
    if isinstance(error, WaiterError):
        return str(error.last_response["StatusReason"])
    return str(error)


def refused_imports(emulator: Emulator) -> None:
    """A resource needs a deletion policy and no other stack, and must exist."""
    left = _left(emulator)
    item = _item("AWS::Kinesis::Stream", "Stream", Name=left)
    unprotected = stack(Stream={"Type": "AWS::Kinesis::Stream", "Properties": {"Name": left}})
    assert "DeletionPolicy" in _refused(emulator, unique("none"), unprotected, item)
    missing = _item("AWS::Kinesis::Stream", "Stream", Name="missing")
    reason = _refused(emulator, unique("missing"), stack(Stream=_stream("missing")), missing)
    assert "missing" in reason
    owner = unique("owner")
    _import(emulator, owner, stack(Stream=_stream(left)), item)
    reason = _refused(emulator, unique("second"), stack(Stream=_stream(left)), item)
    assert (
        f"already exists in stack arn:aws:cloudformation:us-east-1:000000000000:stack/{owner}"
        in (reason)
    )
    # An import changes nothing else.
    more = stack(Stream=_stream(left), Queue={"Type": "AWS::SQS::Queue"}, Table=_table(left))
    table = _item("AWS::DynamoDB::GlobalTable", "Table", TableName=left)
    assert "missing from ResourceToImport" in _refused(emulator, owner, more, table)


def refused_nesting(emulator: Emulator) -> None:
    """A stack is nested only with its own template and tags, and without nested stacks."""
    topic = stack(Topic={"Type": "AWS::SNS::Topic"})
    url, child, root = stored(emulator, topic), unique("child"), unique("root")
    emulator.deploy(topic, child)
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    emulator.deploy(stack(Handle=handle), root)

    def reason(name: str, **properties: Any) -> str:
        described = emulator.client("cloudformation").describe_stacks(StackName=name)
        stack_id = described["Stacks"][0]["StackId"]
        nested = {"Type": "AWS::CloudFormation::Stack", **_RETAIN, "Properties": properties}
        item = _item("AWS::CloudFormation::Stack", "Child", StackId=stack_id)
        return _refused(emulator, root, stack(Handle=handle, Child=nested), item)

    other = stored(
        emulator, stack(Topic={"Type": "AWS::SNS::Topic"}, Queue={"Type": "AWS::SQS::Queue"})
    )
    assert "TemplateURL" in reason(child, TemplateURL=other)
    assert "Tags" in reason(child, TemplateURL=url, Tags=[{"Key": "a", "Value": "b"}])
    parent = unique("parent")
    with_child = stack(
        It={"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    )
    emulator.deploy(with_child, parent)
    assert "nested stacks" in reason(parent, TemplateURL=stored(emulator, with_child))


def stack_resource_lookup(emulator: Emulator) -> None:
    """A physical ID leads to the resources of its stack; a deleted stack has none."""
    name = unique("looked-up")
    cloudformation = emulator.client("cloudformation")
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
    emulator.deploy(stack(Queue=queue, Stream=_stream(name)), name)
    url = emulator.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    for physical_id in (url, name):
        described = cloudformation.describe_stack_resources(PhysicalResourceId=physical_id)
        assert {it["StackName"] for it in described["StackResources"]} == {name}
        assert {it["LogicalResourceId"] for it in described["StackResources"]} == {
            "Queue",
            "Stream",
        }
    emulator.delete(name)
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stack_resources(PhysicalResourceId=name)
