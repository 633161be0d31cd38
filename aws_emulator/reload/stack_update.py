"""Update a deployed stack with changed templates without a build."""

import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.endpoint import Endpoint
from aws_emulator.errors import CommandError
from aws_emulator.reload.file_tree import relative
from aws_emulator.reload.packaging import StackNode, read_stacks, upload_document
from aws_emulator.reload.templates import NESTED, load

#: As in aws_emulator.sam_cli: an update of the emulator takes seconds.
TIMEOUT_S: Final = 240.0
_POLL_S: Final = 0.1
#: CloudFormation's message for a template without changes.
_NO_UPDATES: Final = "No updates are to be performed"
_CANCELLED: Final = "cancelled"


class UpdateError(CommandError):
    """Raised when a stack wasn't updated. The text has the resource, its line and the reason."""


@dataclass
class StackUpdater:
    """A deployed root stack that follows its templates.

    `base` is the folder to which messages show paths.
    """

    endpoint: Endpoint
    stack: str
    template: Path
    base: Path
    node: StackNode = field(init=False)
    _uploaded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Read the deployed stack again, after another deployment."""
        self._cloudformation = self.endpoint.client("cloudformation")
        self._s3 = self.endpoint.client("s3")
        self.node = read_stacks(self._cloudformation, self.stack, load(self.template))

    @property
    def bucket(self) -> str:
        """The emulated bucket of packaged templates."""
        return f"aws-emulator-reload-{self.endpoint.region}"

    def update(self, changed: Collection[Path]) -> bool:
        """Update the stack with changed templates and files. Return False if nothing changed.

        CloudFormation rolls a failed update back.

        Raises:
            TemplateError: A template can't be read.
            UpdateError: CloudFormation rejected or rolled back the update.
            BuildNeededError: A function needs `sam build`.
        """
        packaged = self.node.package(changed, self._upload)
        if packaged is None:
            return False
        location = upload_document(self._upload, packaged.deployed)
        try:
            updated = self._apply(packaged, location)
        except (ClientError, BotoCoreError) as error:
            raise UpdateError(f"{relative(self.template, self.base)}: {error}") from error
        self.node = packaged
        self._name_stacks(packaged)
        return updated

    def _upload(self, name: str, content: bytes) -> str:
        if not self._uploaded:
            region = self.endpoint.region
            location = {} if region == "us-east-1" else {"LocationConstraint": region}
            configuration = {"CreateBucketConfiguration": location} if location else {}
            with suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):
                self._s3.create_bucket(Bucket=self.bucket, **configuration)
        if name not in self._uploaded:
            self._s3.put_object(Bucket=self.bucket, Key=name, Body=content)
            self._uploaded.add(name)
        if name.endswith(".template"):
            return f"{self.endpoint.url}/{self.bucket}/{name}"
        return f"s3://{self.bucket}/{name}"

    def _apply(self, packaged: StackNode, location: str) -> bool:
        stack = self._describe()
        declared = packaged.source.document.get("Parameters") or {}
        parameter_names = [it["ParameterKey"] for it in stack.get("Parameters", [])]
        seen = {event["EventId"] for _, event in self._failed_events(packaged)}
        try:
            self._cloudformation.update_stack(
                StackName=self.stack,
                TemplateURL=location,
                Parameters=[
                    {"ParameterKey": name, "UsePreviousValue": True}
                    for name in parameter_names
                    if name in declared
                ],
                Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
                Tags=stack.get("Tags", []),
            )
        except ClientError as error:
            if _NO_UPDATES in str(error):
                return False
            raise
        deadline = time.monotonic() + TIMEOUT_S
        while (status := str(self._describe()["StackStatus"])).endswith("_IN_PROGRESS"):
            if time.monotonic() > deadline:
                raise UpdateError(f"{self.stack} was not updated within {TIMEOUT_S:g} s: {status}.")
            time.sleep(_POLL_S)
        if status != "UPDATE_COMPLETE":
            raise UpdateError(self._reason(packaged, seen, status))
        return True

    def _describe(self) -> dict[str, Any]:
        stack: dict[str, Any]
        (stack,) = self._cloudformation.describe_stacks(StackName=self.stack)["Stacks"]
        return stack

    def _reason(self, packaged: StackNode, seen: Collection[str], status: str) -> str:
        """Return the first failed resource with its line, and CloudFormation's reason."""
        failed = [it for it in self._failed_events(packaged) if it[1]["EventId"] not in seen]
        # The failure of a nested stack only repeats the failure of one of its resources.
        own = [it for it in failed if it[1]["ResourceType"] not in NESTED] or failed
        if not own:
            return f"{self.stack} ended in {status} without a reason."
        node, event = min(own, key=lambda it: it[1]["Timestamp"])
        name = str(event["LogicalResourceId"])
        path = relative(node.source.path, self.base)
        line = node.source.lines.get(name)
        location = path if line is None else f"{path}:{line}"
        reason = str(event.get("ResourceStatusReason", status)).strip()
        return f"{location}: {name}: {reason}"

    def _failed_events(self, packaged: StackNode) -> list[tuple[StackNode, dict[str, Any]]]:
        """Return the failure events of the stack and its nested stacks, without cancellations."""
        events = []
        for node in packaged.all():
            if node.stack is None:
                continue
            with suppress(ClientError):
                pages = self._cloudformation.get_paginator("describe_stack_events")
                for page in pages.paginate(StackName=node.stack):
                    events += [
                        (node, event)
                        for event in page["StackEvents"]
                        if str(event["ResourceStatus"]).endswith("_FAILED")
                        and _CANCELLED not in str(event.get("ResourceStatusReason", "")).lower()
                    ]
        return events

    def _name_stacks(self, node: StackNode) -> None:
        """Set the names of nested stacks that the update has created."""
        missing = [name for name, child in node.children.items() if child.stack is None]
        if missing and node.stack is not None:
            answer = self._cloudformation.describe_stack_resources(StackName=node.stack)
            for resource in answer["StackResources"]:
                if resource["LogicalResourceId"] in missing:
                    child = node.children[resource["LogicalResourceId"]]
                    child.stack = resource.get("PhysicalResourceId")
        for child in node.children.values():
            self._name_stacks(child)
