"""Contracts of the patches for references, failures and rollbacks of nested stacks."""

from typing import Any

import pytest

from aws_emulator import stack_failures
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack, stored


def _bucket(name: str, **attributes: str) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", **attributes, "Properties": {"BucketName": name}}


def _failing(**references: Any) -> dict[str, Any]:
    """Return a resource whose creation fails, after those that it refers to."""
    policy = {"Bucket": {"Fn::GetAtt": ["Bucket", "Nothing"]}, "PolicyDocument": references}
    return {"Type": "AWS::S3::BucketPolicy", "Properties": policy}


def _nesting(emulator: Emulator, **resources: Any) -> dict[str, Any]:
    url = stored(emulator, stack(**resources))
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}


def _buckets(emulator: Emulator, prefix: str) -> set[str]:
    """Return the parts of bucket names after the prefix."""
    names = {bucket["Name"] for bucket in emulator.client("s3").list_buckets()["Buckets"]}
    return {name.removeprefix(f"{prefix}-") for name in names if name.startswith(f"{prefix}-")}


_POLICIES: dict[str, dict[str, str]] = {
    "default": {},
    "retain": {"DeletionPolicy": "Retain"},
    "except": {"DeletionPolicy": "RetainExceptOnCreate"},
}


def _three_buckets(prefix: str) -> dict[str, Any]:
    """Return a bucket for each deletion policy; the failing resource needs the first."""
    return {
        {"default": "Bucket"}.get(name, name.title()): _bucket(f"{prefix}-{name}", **policy)
        for name, policy in _POLICIES.items()
    }


def nested_stack_references(emulator: Emulator) -> None:
    """A resource of a nested stack has the value of a secret, also after an update."""
    name, parameters = unique("reference"), emulator.client("ssm")

    def deploy(secret: str, description: str) -> str:
        emulator.deploy(
            stack(
                Child=_nesting(
                    emulator,
                    **{
                        f"Secret{secret}": {
                            "Type": "AWS::SecretsManager::Secret",
                            "Properties": {"SecretString": f"the value {secret}"},
                        },
                        "Parameter": {
                            "Type": "AWS::SSM::Parameter",
                            "Properties": {
                                "Name": name,
                                "Type": "String",
                                "Description": description,
                                "Value": {
                                    "Fn::Sub": f"{{{{resolve:secretsmanager:${{Secret{secret}}}}}}}"
                                },
                            },
                        },
                    },
                )
            ),
            name,
        )
        return str(parameters.get_parameter(Name=name)["Parameter"]["Value"])

    assert deploy("One", "first") == "the value One"
    assert deploy("One", "changed") == "the value One"
    assert deploy("Two", "changed") == "the value Two"


def nested_stack_rollback(emulator: Emulator) -> None:
    """A nested stack that fails deletes what it created, except with Retain."""
    prefix = unique("failing")
    broken = {
        **_three_buckets(prefix),
        "Broken": _failing(all=[{"Ref": "Retain"}, {"Ref": "Except"}]),
    }
    with pytest.raises(AssertionError, match="Nothing"):
        emulator.deploy(stack(Child=_nesting(emulator, **broken)), prefix)
    assert _buckets(emulator, prefix) == {"retain"}
    emulator.delete(prefix)
    emulator.client("s3").delete_bucket(Bucket=f"{prefix}-retain")
    emulator.deploy(stack(Child=_nesting(emulator, **_three_buckets(prefix))), prefix)
    # The deletion of a stack is not the operation that created the resources.
    emulator.delete(prefix)
    assert _buckets(emulator, prefix) == {"retain", "except"}


def nested_stack_failures(emulator: Emulator) -> None:
    """The parent of a nested stack that fails has its ARN, and the name of what failed in it."""
    name = unique("reasons")
    cloudformation = emulator.client("cloudformation")
    missing = "arn:aws:lambda:us-east-1:000000000000:function:missing"
    failing = {"ServiceToken": missing, "ServiceTimeout": 1}
    broken = {
        "Bucket": _bucket(f"{name}-bucket"),
        "Broken": {"Type": "Custom::Broken", "DependsOn": "Bucket", "Properties": failing},
    }

    def failures(stack_id: str) -> list[tuple[str, str, str]]:
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
        return [
            (it["LogicalResourceId"], it["PhysicalResourceId"], it["ResourceStatusReason"])
            for it in events
            if it["ResourceStatus"].endswith("_FAILED")
        ]

    with pytest.raises(AssertionError):
        emulator.deploy(
            stack(Child=_nesting(emulator, Grandchild=_nesting(emulator, **broken))), name
        )
    ((_, child, reason),) = failures(name)
    assert reason == (
        f"Embedded stack {child} was not successfully created: The following resource(s) failed "
        "to create: [Grandchild]."
    )
    own, (_, grandchild, _) = failures(child)
    assert own[1:] == (child, "The following resource(s) failed to create: [Grandchild].")
    assert [it[0] for it in failures(grandchild)] == [grandchild.split("/")[1], "Broken"]
    (cause,) = stack_failures.causes(cloudformation, name, None)
    assert cause.startswith("Child/Grandchild/Broken (Custom::Broken): ")
    assert "missing" in cause
    emulator.delete(name)

    emulator.deploy(stack(Child=_nesting(emulator, Bucket=broken["Bucket"])), name)
    before = stack_failures.newest_event(cloudformation, name)
    with pytest.raises(AssertionError):
        emulator.deploy(stack(Child=_nesting(emulator, **broken)), name)
    ((_, child, reason),) = failures(name)
    assert reason == (
        f"Embedded stack {child} was not successfully updated. Currently in "
        "UPDATE_ROLLBACK_IN_PROGRESS with reason: The following resource(s) failed to create: "
        "[Broken]."
    )
    (cause,) = stack_failures.causes(cloudformation, name, before)
    assert cause.startswith("Child/Broken (Custom::Broken): ")


def parent_rollback(emulator: Emulator, outcome: str) -> set[str]:
    """Fail a parent after its nested stack is complete; return the buckets that remain."""
    emulator.local(f"nested-rollback?outcome={outcome}", "POST")
    prefix = unique("parent")
    broken = {**_failing(), "DependsOn": "Child"}
    own = _bucket(f"{prefix}-own", DeletionPolicy="RetainExceptOnCreate")
    with pytest.raises(AssertionError, match="Nothing"):
        emulator.deploy(
            stack(Bucket=own, Child=_nesting(emulator, **_three_buckets(prefix)), Broken=broken),
            prefix,
        )
    emulator.local("nested-rollback?outcome=retain", "POST")
    return _buckets(emulator, prefix)


def failed_update(emulator: Emulator) -> set[str]:
    """Fail an update that adds buckets to a nested stack; return the buckets that remain."""
    prefix = unique("updated")
    first = {"Bucket": _bucket(f"{prefix}-default")}
    emulator.deploy(stack(Child=_nesting(emulator, **first)), prefix)
    broken = {
        **_three_buckets(prefix),
        "Broken": _failing(all=[{"Ref": "Retain"}, {"Ref": "Except"}]),
    }
    with pytest.raises(AssertionError, match="Nothing"):
        emulator.deploy(stack(Child=_nesting(emulator, **broken)), prefix)
    return _buckets(emulator, prefix)


def failed_update_in_nested_stack_of_nested_stack(emulator: Emulator) -> tuple[str, str]:
    """Fail an update that changes a queue two levels down; return its timeouts before and after."""
    name = unique("grandchild")

    def parent(timeout_s: int, **others: Any) -> dict[str, Any]:
        properties = {"QueueName": name, "VisibilityTimeout": timeout_s}
        grandchild = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": properties}, **others}
        return stack(Child=_nesting(emulator, Grandchild=_nesting(emulator, **grandchild)))

    def timeout() -> str:
        sqs = emulator.client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        return str(answer["Attributes"]["VisibilityTimeout"])

    emulator.deploy(parent(30), name)
    before = timeout()
    missing = {"Fn::GetAtt": ["Queue", "Nothing"]}
    broken = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": {"Ref": "Queue"}, "PolicyDocument": missing},
    }
    with pytest.raises(AssertionError, match="Grandchild"):
        emulator.deploy(parent(60, Broken=broken), name)
    return before, timeout()


def replaced_table(emulator: Emulator) -> None:
    """An update can't replace a table with a name of its own, also in a nested stack."""
    name = unique("replaced")

    def table(key: str) -> dict[str, Any]:
        properties = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        }
        return {"Type": "AWS::DynamoDB::Table", "Properties": properties}

    def keys() -> list[Any]:
        described = emulator.client("dynamodb").describe_table(TableName=name)["Table"]
        return list(described["KeySchema"])

    cloudformation = emulator.client("cloudformation")

    def of_table(key: str, *, is_nested: bool) -> dict[str, Any]:
        if is_nested:
            return stack(Child=_nesting(emulator, Table=table(key)))
        return stack(Table=table(key))

    for is_nested in (False, True):
        emulator.deploy(of_table("first", is_nested=is_nested), name)
        before, newest = keys(), stack_failures.newest_event(cloudformation, name)
        with pytest.raises(AssertionError, match="UPDATE_ROLLBACK_COMPLETE"):
            emulator.deploy(of_table("second", is_nested=is_nested), name)
        (cause,) = stack_failures.causes(cloudformation, name, newest)
        assert "cannot update a stack when a custom-named resource requires replacing" in cause
        assert keys() == before
        emulator.delete(name)
