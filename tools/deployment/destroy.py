"""Delete an environment's stacks in order; keep the resources with data, and print them.

The command can be repeated: it continues with what still exists. Regional stacks go before the home
Region's, because they read its user pool and tables.
"""

import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

from aws_emulator.errors import CommandError
from tools.deployment.environments import Environment, environments_of_stage
from tools.paths import ROOT

_POLL_S: Final = 5.0
#: Deleting a distribution takes up to 15 minutes, a global table's replica longer.
DELETED_WITHIN_S: Final = 3600.0
#: Why `make destroy` keeps a resource, by its type.
REASONS: Final = {
    "AWS::Cognito::UserPool": "it holds the users and their passwords",
    "AWS::DynamoDB::GlobalTable": "it holds accounts, appointments or profiles",
    "AWS::DynamoDB::Table": "it holds state that the data lake depends on",
    "AWS::S3::Bucket": "it holds objects",
    "AWS::Kinesis::Stream": "it can hold events that no function has processed",
    "AWS::SQS::Queue": "it can hold messages that no function has processed",
    "AWS::KMS::Key": "it encrypts resources that are kept",
    "AWS::Lambda::Function": (
        "CloudFront removes the replicas of an edge function within hours; delete it after that"
    ),
    "AWS::Lambda::Version": "it is deleted with its function",
    "AWS::ApiGateway::Account": "other APIs of the account in this Region use it",
    "AWS::IAM::Role": "API Gateway writes the logs of all APIs in this Region with it",
}
#: Lambda's error for a function whose replicas CloudFront hasn't removed yet (Amazon CloudFront
#: Developer Guide, "Delete Lambda@Edge functions and replicas").
_REPLICATED: Final = "replicated function"


@dataclass(frozen=True)
class KeptResource:
    """A resource that stays after its stack's deletion."""

    type: str
    physical_id: str

    def line(self) -> str:
        """Return the resource and the reason as one line of text."""
        return f"  {self.type} {self.physical_id}: {REASONS.get(self.type, 'its template says so')}"


class Stacks:
    """The stacks of one Region."""

    def __init__(self, cloudformation: Any, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = cloudformation
        self._sleep = sleep

    def status(self, name: str) -> str | None:
        """Return a stack's status, or None if it doesn't exist.

        Raises:
            ClientError: CloudFormation refused the call.
        """
        try:
            (stack,) = self._client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        status = str(stack["StackStatus"])
        return None if status == "DELETE_COMPLETE" else status

    def tree(self, name: str) -> Iterator[str]:
        """Yield a stack and its nested stacks, parents first."""
        yield name
        for resource in self._resources(name):
            if resource["ResourceType"] == "AWS::CloudFormation::Stack":
                yield from self.tree(str(resource["PhysicalResourceId"]))

    def existing(self, name: str, kept_stacks: Collection[str]) -> list[str]:
        """Return a stack with its nested stacks, parents first, or what remained of them.

        Args:
            name: The name of the root stack.
            kept_stacks: Logical IDs of the nested stacks that stay after the root's deletion.

        Raises:
            ClientError: CloudFormation refused a call.
        """
        if self.status(name):
            return list(self.tree(name))
        # CloudFormation names a nested stack <parent>-<logical ID>-<random characters>.
        nested = re.compile(
            rf"{re.escape(name)}-(?:{'|'.join(map(re.escape, kept_stacks))})-[\w-]+"
        )
        pages = self._client.get_paginator("describe_stacks").paginate()
        names = [str(it["StackName"]) for page in pages for it in page["Stacks"]]
        return sorted(it for it in names if nested.fullmatch(it) and self.status(it))

    def kept_resources(self, name: str) -> list[KeptResource]:
        """Return the resources of a stack whose DeletionPolicy keeps them."""
        template = self._client.get_template(StackName=name, TemplateStage="Processed")
        resources: Mapping[str, Any] = _mapping(template["TemplateBody"])["Resources"]
        physical = {
            str(it["LogicalResourceId"]): str(it["PhysicalResourceId"])
            for it in self._resources(name)
        }
        return [
            KeptResource(str(it["Type"]), physical[logical_id])
            for logical_id, it in resources.items()
            if str(it.get("DeletionPolicy", "")).startswith("Retain")
            and it["Type"] != "AWS::CloudFormation::Stack"
            and logical_id in physical
        ]

    def delete(self, name: str, timeout_s: float = DELETED_WITHIN_S) -> None:
        """Delete a stack and wait until it is gone.

        Raises:
            CommandError: CloudFormation couldn't delete a resource, or needed too long.
        """
        self._client.delete_stack(StackName=name)
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status(name)
            if status is None:
                return
            if status == "DELETE_FAILED":
                raise CommandError(_failure(name, self._delete_failures(name)))
            if time.monotonic() > deadline:
                raise CommandError(
                    f"{name} is still in {status} after {timeout_s / 60:.0f} minutes. Run the "
                    "command again to continue."
                )
            self._sleep(_POLL_S)

    def _resources(self, name: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=name)
        return [
            it
            for page in pages
            for it in page["StackResourceSummaries"]
            if it["ResourceStatus"] != "DELETE_COMPLETE" and it.get("PhysicalResourceId")
        ]

    def _delete_failures(self, name: str) -> list[str]:
        """Return the reasons of the failed resources in a stack and its nested stacks."""
        reasons = []
        for stack in self.tree(name):
            for resource in self._resources(stack):
                nested = resource["ResourceType"] == "AWS::CloudFormation::Stack"
                if resource["ResourceStatus"] == "DELETE_FAILED" and not nested:
                    reason = str(resource.get("ResourceStatusReason", "no reason"))
                    reasons.append(f"{resource['LogicalResourceId']}: {reason}")
        return reasons


def destroy(environment: Environment, confirmation: str | None = None) -> None:
    """Delete an environment's stacks; for the home Region, first the stage's regional stacks.

    Args:
        environment: The stack to delete.
        confirmation: The stack's name; by default the environment variable CONFIRM.

    Raises:
        CommandError: The confirmation is missing, or CloudFormation couldn't delete a resource.
    """
    order = [environment]
    if environment.is_home:
        order = [it for it in environments_of_stage(environment.stage) if not it.is_home] + order
    regions = {it.region: Stacks(boto3.client("cloudformation", it.region)) for it in order}
    kept_stacks = _kept_stacks()
    existing = [it for it in order if regions[it.region].existing(it.stack_name, kept_stacks)]
    if not existing:
        print(f"Stage {environment.stage} has no stack in {', '.join(it.region for it in order)}.")
        return
    kept_resources = [_print_plan(it, regions[it.region], kept_stacks) for it in existing]
    confirmed_name = confirmation if confirmation is not None else os.environ.get("CONFIRM", "")
    if confirmed_name != environment.stack_name:
        raise CommandError(
            f"Nothing was deleted. To delete the stacks above, run `make destroy "
            f"PLACE={environment.name} CONFIRM={environment.stack_name}`."
        )
    for each in existing:
        delete_environment(each, regions[each.region], kept_stacks)
    print(
        f"Deleted {len(existing)} stacks. {sum(map(len, kept_resources))} resources are kept; see "
        "above."
    )


def delete_environment(
    environment: Environment, stacks: Stacks, kept_stacks: Collection[str]
) -> None:
    """Delete a stack, then the nested stacks that CloudFormation kept.

    A nested stack with `DeletionPolicy: RetainExceptOnCreate` stays as a stack without a parent.
    The logical IDs of these are `kept_stacks`.

    Raises:
        CommandError: CloudFormation couldn't delete a resource.
    """
    print(
        f"Deleting {environment.stack_name} in {environment.region}. It can take 30 minutes.",
        flush=True,
    )
    if stacks.status(environment.stack_name):
        stacks.delete(environment.stack_name)
    for name in reversed(stacks.existing(environment.stack_name, kept_stacks)):
        stacks.delete(name)


def _kept_stacks() -> list[str]:
    """Return the logical IDs of the nested stacks that stay after the root's deletion."""
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    return [
        name
        for name, it in resources.items()
        if it["Type"] == "AWS::Serverless::Application"
        and str(it.get("DeletionPolicy", "")).startswith("Retain")
    ]


def _print_plan(
    environment: Environment, stacks: Stacks, kept_stacks: Collection[str]
) -> list[KeptResource]:
    tree = stacks.existing(environment.stack_name, kept_stacks)
    kept_resources = [it for name in tree for it in stacks.kept_resources(name)]
    print(
        f"{environment.stack_name} in {environment.region}: {len(tree)} stacks will be deleted. "
        "Kept:"
    )
    for resource in kept_resources:
        print(resource.line())
    return kept_resources


def _failure(name: str, reasons: list[str]) -> str:
    listed = "; ".join(reasons) or "no reason"
    if any(_REPLICATED in it for it in reasons):
        return (
            f"{name} is almost deleted. CloudFront removes the replicas of the edge functions "
            f"within hours of the distribution; then run the command again. ({listed})"
        )
    return f"CloudFormation can't delete {name}: {listed}. Solve the cause and run it again."


def _mapping(body: Any) -> Mapping[str, Any]:
    """Return a template body as a mapping; GetTemplate returns YAML as text, JSON as a mapping."""
    document: Mapping[str, Any] = yaml_parse(body) if isinstance(body, str) else body
    return document
