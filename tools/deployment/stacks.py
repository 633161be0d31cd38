"""Read and delete the CloudFormation stacks of a Region, with their nested stacks."""

import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from aws_emulator.stack_failures import is_missing
from tools.deployment.templates import PROTECTED_TYPES
from tools.template_yaml import yaml_parse

POLL_S: Final = 5.0
#: Deleting a distribution takes up to 15 minutes, a global table's replica longer.
DELETED_WITHIN_S: Final = 3600.0
#: Why `make destroy` keeps a resource, by its type.
REASONS: Final = {
    "AWS::Cognito::UserPool": "it holds the users and their passwords",
    "AWS::Cognito::UserPoolGroup": "it holds who belongs to it",
    "AWS::DynamoDB::GlobalTable": "it holds accounts, appointments or profiles",
    "AWS::DynamoDB::Table": "it holds state that the data lake depends on",
    "AWS::S3::Bucket": "it holds objects",
    "AWS::Kinesis::Stream": "it can hold events that no function has processed",
    "AWS::SQS::Queue": "it can hold messages that no function has processed",
    "AWS::KMS::Key": "it encrypts resources that are kept",
    "AWS::Lambda::Function": (
        "CloudFront removes the replicas of an edge function within hours; repeat the command then"
    ),
    "AWS::ApiGateway::Account": "other APIs of the account in this Region use it",
    "AWS::IAM::Role": "API Gateway writes the logs of all APIs in this Region with it",
    "AWS::RDS::GlobalCluster": "the clusters of other Regions can belong to it",
}
#: CloudFormation retains these, but they go with their function or state machine ("The
#: DeleteStateMachine API action deletes all versions and aliases associated with a state machine",
#: AWS Step Functions Developer Guide, "Authorization for versions and aliases").
DELETED_WITH_PARENT: Final = frozenset(
    {
        *("AWS::Lambda::Alias", "AWS::Lambda::Version"),
        "AWS::StepFunctions::StateMachineVersion",
    }
)
#: The owner of a resource whose stack the caller may not read.
UNKNOWN_OWNER: Final = "a stack that the caller may not read"
ACCESS_DENIED: Final = {"AccessDenied", "AccessDeniedException", "403"}
#: Each status of a stack but DELETE_COMPLETE (AWS CloudFormation API Reference, "StackSummary").
EXISTING_STATUSES: Final = (
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_FAILED",
    "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "IMPORT_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
)
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
    """The stacks of one Region.

    Args:
        cloudformation: A boto3 client.
        poll_s: The time between two reads of a stack's status during its deletion, in seconds.
    """

    def __init__(self, cloudformation: Any, poll_s: float = POLL_S) -> None:
        self._client = cloudformation
        self._poll_s = poll_s

    def status(self, name: str) -> str | None:
        """Return a stack's status, or None if it doesn't exist.

        Raises:
            ClientError: CloudFormation refused the call.
        """
        try:
            (stack,) = self._client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if is_missing(error):
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
        # DescribeStacks without a name needs a grant on all stacks ("This requires ListStacks and
        # DescribeStacks permissions"), and shows their parameters. A list has summaries only.
        # It has deleted stacks, too: each failed deployment of the last 90 days leaves some.
        pages = self._client.get_paginator("list_stacks").paginate(
            StackStatusFilter=EXISTING_STATUSES
        )
        names = {str(it["StackName"]) for page in pages for it in page["StackSummaries"]}
        return sorted(it for it in names if nested.fullmatch(it) and self.status(it))

    def kept_resources(self, name: str) -> list[KeptResource]:
        """Return the resources that DeletionPolicy keeps, without their versions and aliases."""
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
            and it["Type"] not in DELETED_WITH_PARENT | {"AWS::CloudFormation::Stack"}
            and logical_id in physical
        ]

    def protected_resources(self, name: str) -> list[KeptResource]:
        """Return the resources of a stack that their deletion protection keeps."""
        return [
            KeptResource(str(it["ResourceType"]), str(it["PhysicalResourceId"]))
            for it in self._resources(name)
            if it["ResourceType"] in PROTECTED_TYPES
        ]

    def owned(self, name: str) -> set[tuple[str, str]]:
        """Return the types and logical IDs of the resources of a stack and its nested stacks.

        Raises:
            ClientError: CloudFormation refused a call.
        """
        try:
            resources = self._resources(name)
        except ClientError as error:
            if is_missing(error):
                return set()
            raise
        owned: set[tuple[str, str]] = set()
        for resource in resources:
            if resource["ResourceStatus"] == "DELETE_SKIPPED":
                continue  # The resource exists, but the stack no longer has it.
            owned.add((str(resource["ResourceType"]), str(resource["LogicalResourceId"])))
            if resource["ResourceType"] == "AWS::CloudFormation::Stack":
                owned |= self.owned(str(resource["PhysicalResourceId"]))
        return owned

    def owner(self, physical_id: str) -> str:
        """Return the name of the stack that has a resource; '' for none.

        UNKNOWN_OWNER if the caller may not look for it.

        Raises:
            ClientError: CloudFormation refused the call.
        """
        try:
            described = self._client.describe_stack_resources(PhysicalResourceId=physical_id)
            # A deleted stack is found, too, for 90 days.
            owners = {
                str(it["StackName"]): str(it["StackId"])
                for it in described["StackResources"]
                if it["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
            }
            return next((name for name, it in owners.items() if self.status(it)), "")
        except ClientError as error:
            if is_missing(error):
                return ""
            if error.response["Error"]["Code"] in ACCESS_DENIED:
                return UNKNOWN_OWNER
            raise

    def delete(self, name: str) -> None:
        """Delete a stack and wait until it is gone.

        Raises:
            ClientError: CloudFormation refused a call.
            CommandError: CloudFormation couldn't delete a resource, or needed too long.
        """
        if not self._is_deleted(name):
            raise CommandError(_failure(name, self._delete_failures(name)))

    def delete_failed_creation(self, name: str) -> None:
        """Delete a stack whose creation failed. Resources that can't be deleted stay.

        Raises:
            ClientError: CloudFormation refused a call.
            CommandError: The stack still exists.
        """
        if self._is_deleted(name):
            return
        retained = [
            str(it["LogicalResourceId"])
            for it in self._summaries(name)
            if it["ResourceStatus"] == "DELETE_FAILED"
        ]
        if not self._is_deleted(name, RetainResources=retained):
            reasons = "; ".join(self._delete_failures(name)) or "no reason"
            raise CommandError(
                f"Can't delete the stack {name}, whose creation failed: {reasons}. Delete it in "
                "the CloudFormation console, then repeat the command."
            )

    def _is_deleted(self, name: str, **options: Any) -> bool:
        """Delete a stack; return False if CloudFormation couldn't delete a resource.

        Raises:
            CommandError: CloudFormation needed too long.
        """
        self._client.delete_stack(StackName=name, **options)
        deadline = time.monotonic() + DELETED_WITHIN_S
        while (status := self.status(name)) is not None:
            if status == "DELETE_FAILED":
                return False
            if time.monotonic() > deadline:
                raise CommandError(
                    f"{name} is still in {status} after {DELETED_WITHIN_S / 60:.0f} minutes. Run "
                    "the command again to continue."
                )
            time.sleep(self._poll_s)
        return True

    def _summaries(self, name: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=name)
        return [it for page in pages for it in page["StackResourceSummaries"]]

    def _resources(self, name: str) -> list[dict[str, Any]]:
        """Return the summaries of the resources that exist."""
        return [
            it
            for it in self._summaries(name)
            if it["ResourceStatus"] != "DELETE_COMPLETE" and it.get("PhysicalResourceId")
        ]

    def _delete_failures(self, name: str) -> list[str]:
        """Return the reasons of the failed resources in a stack and its nested stacks."""
        reasons = []
        for stack in self.tree(name):
            for resource in self._resources(stack):
                nested = resource["ResourceType"] == "AWS::CloudFormation::Stack"
                if resource["ResourceStatus"] == "DELETE_FAILED" and not nested:
                    reason = str(resource.get("ResourceStatusReason", "no reason")).rstrip(".")
                    reasons.append(f"{resource['LogicalResourceId']}: {reason}")
        return reasons


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
