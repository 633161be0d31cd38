"""`make destroy` deletes a stack with its nested stacks and keeps the resources with data."""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.model import StringShape

from aws_emulator.endpoint import Endpoint
from aws_emulator.errors import CommandError
from aws_emulator.launcher import Emulator
from aws_emulator.processes import free_port, supervise
from tools.deployment.destroy import delete_edge_functions, delete_environment
from tools.deployment.edge_functions import left_behind
from tools.deployment.environments import Environment
from tools.deployment.recovery import recover
from tools.deployment.reminders import delete_schedules, schedules_of
from tools.deployment.retained_resources import Clients
from tools.deployment.stacks import EXISTING_STATUSES, REASONS, KeptResource, Stacks

pytestmark = pytest.mark.integration

STACK: Final = "meridian-gone-us-east-1"
GONE: Final = Environment("gone", "us-east-1", "gone", STACK, {"Stage": "gone"})


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """MiniStack without the other servers."""
    directory: Path = tmp_path_factory.mktemp("destroy")
    with supervise(directory) as processes:
        emulator = Emulator(processes, free_port(), ("us-east-1",))
        emulator.start_ministack()
        yield Endpoint(emulator.endpoint)


def clients_of(endpoint: Endpoint) -> Clients:
    return lambda service, _region: endpoint.client(service)


def queue(name: str, **attributes: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}, **attributes}


def template(resources: dict[str, Any]) -> str:
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})


@pytest.fixture
def stacks(endpoint: Endpoint) -> Iterator[Stacks]:
    """A stack with a kept nested stack, a deleted one, and kept and deleted queues in each."""
    s3, cloudformation = endpoint.client("s3"), endpoint.client("cloudformation")
    s3.create_bucket(Bucket="templates")
    for name in ("kept", "deleted"):
        resources = {"Work": queue(f"gone-{name}-work")}
        if name == "kept":
            resources["Data"] = queue("gone-kept-data", DeletionPolicy="Retain")
        body = template(resources)
        s3.put_object(Bucket="templates", Key=f"{name}.json", Body=body.encode())
    nested = {
        name: {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {"TemplateURL": f"{endpoint.url}/templates/{name}.json"},
        }
        for name in ("kept", "deleted")
    }
    nested["kept"]["DeletionPolicy"] = "Retain"
    body = template(
        {
            "Kept": nested["kept"],
            "Deleted": nested["deleted"],
            "Data": queue("gone-data", DeletionPolicy="RetainExceptOnCreate"),
            "Work": queue("gone-work"),
        }
    )
    cloudformation.create_stack(StackName=STACK, TemplateBody=body)
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1}
    )
    yield Stacks(cloudformation, poll_s=0.1)
    sqs = endpoint.client("sqs")
    for url in sqs.list_queues(QueueNamePrefix="gone-").get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=url)


def names(endpoint: Endpoint) -> set[str]:
    urls = endpoint.client("sqs").list_queues(QueueNamePrefix="gone-").get("QueueUrls", [])
    return {it.rsplit("/", 1)[1] for it in urls}


def test_destroy_deletes_all_stacks_and_keeps_announced_resources(
    stacks: Stacks, endpoint: Endpoint
) -> None:
    tree = list(stacks.tree(STACK))
    assert len(tree) == 3
    announced = {
        it.physical_id.rsplit("/", 1)[-1] for name in tree for it in stacks.kept_resources(name)
    }
    delete_environment(GONE, stacks, ["Kept"])
    assert [it for it in tree if stacks.status(it)] == []
    assert names(endpoint) == announced == {"gone-data", "gone-kept-data"}


def test_destroy_continues_after_an_interruption(stacks: Stacks, endpoint: Endpoint) -> None:
    """The first run was stopped after the root's deletion, so the kept nested stack remains."""
    tree = list(stacks.tree(STACK))
    stacks.delete(STACK)
    assert stacks.status(STACK) is None
    (remaining,) = stacks.existing(STACK, ["Kept"])
    assert remaining in {it.split("/")[1] if it.startswith("arn:") else it for it in tree}
    delete_environment(GONE, stacks, ["Kept"])
    assert stacks.existing(STACK, ["Kept"]) == []
    assert not any(stacks.status(it) for it in tree)
    assert "gone-kept-data" in names(endpoint)


def test_deleted_stacks_are_not_listed() -> None:
    """CloudFormation lists them for 90 days."""
    client = boto3.client("cloudformation", region_name="us-east-1")
    shape = client.meta.service_model.shape_for("StackStatus")
    assert isinstance(shape, StringShape)
    assert {*EXISTING_STATUSES, "DELETE_COMPLETE"} == set(shape.enum)


def test_recovery_deletes_nested_stack_that_sam_delete_kept(
    stacks: Stacks, endpoint: Endpoint
) -> None:
    stacks.delete(STACK)
    assert stacks.existing(STACK, ["Kept"])
    result = recover(GONE, clients_of(endpoint), "000000000000", poll_s=0.1, nested_stacks=["Kept"])
    assert result.deleted_status is None
    assert stacks.existing(STACK, ["Kept"]) == []
    assert names(endpoint) == {"gone-data", "gone-kept-data"}


def test_recovery_keeps_nested_stacks_of_complete_stack(stacks: Stacks, endpoint: Endpoint) -> None:
    tree = list(stacks.tree(STACK))
    recover(GONE, clients_of(endpoint), "000000000000", poll_s=0.1, nested_stacks=["Kept"])
    assert all(stacks.status(it) for it in tree)
    delete_environment(GONE, stacks, ["Kept"])


def test_missing_stack_has_no_status(endpoint: Endpoint) -> None:
    assert Stacks(endpoint.client("cloudformation")).status("meridian-none-us-east-1") is None


def test_kept_resource_is_printed_with_its_reason() -> None:
    assert KeptResource("AWS::S3::Bucket", "b").line() == "  AWS::S3::Bucket b: it holds objects"
    assert all(REASONS.values())


class FailingStacks:
    """A CloudFormation client whose deletion fails with a reason, as AWS's does for replicas."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.retained: list[str] = []

    def delete_stack(self, RetainResources: Sequence[str] = (), **_: str) -> None:  # noqa: N803 - boto3's name
        """Start the deletion."""
        self.retained += RetainResources

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": "DELETE_FAILED"}]}

    def get_paginator(self, _: str) -> "FailingStacks":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        resource = {
            "LogicalResourceId": "EdgeAuthFunction",
            "ResourceType": "AWS::Lambda::Function",
            "PhysicalResourceId": "meridian-gone-edge-auth",
            "ResourceStatus": "DELETE_FAILED",
            "ResourceStatusReason": self.reason,
        }
        return [{"StackResourceSummaries": [resource]}]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (
            "Lambda was unable to delete arn:... because it is a replicated function.",
            "within hours of the distribution; then run the command again",
        ),
        ("Access denied", "can't delete .* EdgeAuthFunction: Access denied"),
    ],
)
def test_failed_deletion_names_cause_and_next_step(reason: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        Stacks(FailingStacks(reason)).delete("meridian-gone-us-east-1")


def test_failed_creation_that_cannot_be_deleted_names_cause_and_next_step() -> None:
    """The second attempt keeps the resources that the first one couldn't delete."""
    client = FailingStacks("Access denied.")
    expected = r"creation failed: EdgeAuthFunction: Access denied\. Delete it in the CloudFormation"
    with pytest.raises(CommandError, match=expected):
        Stacks(client).delete_failed_creation("meridian-gone-us-east-1")
    assert client.retained == ["EdgeAuthFunction"]


def test_missing_stack_owns_no_resources(endpoint: Endpoint) -> None:
    assert Stacks(endpoint.client("cloudformation")).owned("meridian-none-us-east-1") == set()


def test_stack_owns_the_resources_of_its_nested_stacks(stacks: Stacks) -> None:
    owned = stacks.owned(STACK)
    assert {name for kind, name in owned if kind == "AWS::SQS::Queue"} == {"Data", "Work"}
    assert ("AWS::CloudFormation::Stack", "Kept") in owned
    delete_environment(GONE, stacks, ["Kept"])


def test_edge_functions_are_deleted_when_their_replicas_are_gone(endpoint: Endpoint) -> None:
    functions, front = endpoint.client("lambda"), endpoint.client("cloudfront")
    names = [f"meridian-gone-edge-{kind}-0123abcd" for kind in ("auth", "ingest")]
    others = ["meridian-gone-edge-settings", "meridian-gone-2-edge-auth-0123abcd", "meridian-gone"]
    arns = {it: create_function(endpoint, it) for it in (*names, *others)}
    distribution = front.create_distribution(DistributionConfig=config(arns[names[0]]))
    assert left_behind("gone", functions) == names

    text = delete_edge_functions(GONE, functions)
    assert text.startswith("Deleted 1 edge functions. CloudFront still has replicas of")
    assert f"{names[0]}." in text
    assert f"`make destroy PLACE=gone CONFIRM={STACK}`" in text
    assert left_behind("gone", functions) == names[:1]

    identity = distribution["Distribution"]["Id"]
    disabled = front.update_distribution(
        Id=identity,
        IfMatch=distribution["ETag"],
        DistributionConfig=config(arns[names[0]], enabled=False),
    )
    front.delete_distribution(Id=identity, IfMatch=disabled["ETag"])
    assert delete_edge_functions(GONE, functions) == "Deleted 1 edge functions."
    assert delete_edge_functions(GONE, functions) == "Deleted 0 edge functions."
    assert {it["FunctionName"] for it in functions.list_functions()["Functions"]} == set(others)
    for name in others:
        functions.delete_function(FunctionName=name)


def create_function(endpoint: Endpoint, name: str) -> str:
    """Create a function; return the ARN of its first version."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = endpoint.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps(trust)
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return event\n")
    created = endpoint.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": package.getvalue()},
        Publish=True,
    )
    return str(created["FunctionArn"]).removesuffix(":1") + ":1"


def config(version: str, *, enabled: bool = True) -> Any:
    """Return the configuration of a distribution that runs a function."""
    association = {"EventType": "viewer-request", "LambdaFunctionARN": version}
    origin = {
        "Id": "site",
        "DomainName": "site.example",
        "CustomOriginConfig": {
            "HTTPPort": 80,
            "HTTPSPort": 443,
            "OriginProtocolPolicy": "https-only",
        },
    }
    return {
        "CallerReference": "replicas",
        "Comment": "",
        "Enabled": enabled,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "site",
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
            "LambdaFunctionAssociations": {"Quantity": 1, "Items": [association]},
        },
    }


def test_destroy_deletes_the_reminders_of_its_stage_only(endpoint: Endpoint) -> None:
    """More schedules than a page of ListSchedules has, and those of other stages."""
    scheduler = endpoint.client("scheduler")
    others = {"meridian-other-reminder-1", "meridian-gone-sweep", "meridian-gone2-reminder-1"}
    reminders = {f"meridian-gone-reminder-{number}" for number in range(101)}
    for name in others | reminders:
        scheduler.create_schedule(
            Name=name,
            ScheduleExpression="at(2999-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": "arn:aws:sqs:us-east-1:000000000000:q",
                "RoleArn": "arn:aws:iam::000000000000:role/r",
            },
        )
    names = schedules_of("gone", scheduler)
    assert set(names) == reminders
    # A reminder that was due meanwhile.
    delete_schedules([*names, "meridian-gone-reminder-due"], scheduler)
    assert schedules_of("gone", scheduler) == []
    left = scheduler.list_schedules(NamePrefix="meridian-")["Schedules"]
    assert {it["Name"] for it in left} == others
