"""The causes of a failed deployment: the resources that failed in the nested stacks.

For a nested stack, the events of its parent only list the resources that failed ("Embedded stack
... was not successfully created"), and `sam deploy` prints the events of the root only.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

_NESTED: Final = "AWS::CloudFormation::Stack"
#: CloudFormation stops the other resources of a stack after the first failure.
_CANCELLED: Final = re.compile(r"Resource (creation|update) cancelled")


def is_missing(error: ClientError) -> bool:
    """Return whether there is no stack with the name; CloudFormation has no code for that."""
    return "does not exist" in str(error)


def newest_event(cloudformation: Any, name: str) -> datetime | None:
    """Return the time of a stack's newest event, by CloudFormation's clock; None without a stack.

    Raises:
        ClientError: AWS refused the call.
    """
    try:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    except ClientError as problem:
        if is_missing(problem):
            return None
        raise
    return events[0]["Timestamp"] if events else None


def causes(cloudformation: Any, name: str, since: datetime | None) -> list[str]:
    """Return the resources that failed after a time, with their reasons, the first one first.

    A resource is written as a path of logical IDs from the root. Returns an empty list if AWS
    doesn't answer: the output of `sam deploy` is all there is then.
    """
    try:
        failures = sorted(_failures(cloudformation, name, since, ()), key=lambda it: it[0])
    except (ClientError, BotoCoreError):
        return []
    return list(dict.fromkeys(text for _, text in failures))


def _failures(
    cloudformation: Any, stack: str, since: datetime | None, path: tuple[str, ...]
) -> Iterator[tuple[datetime, str]]:
    for event in _events_after(cloudformation, stack, since):
        is_own = event.get("PhysicalResourceId") == event["StackId"]
        reason = str(event.get("ResourceStatusReason", "no reason")).strip().rstrip(".")
        if is_own or not event["ResourceStatus"].endswith("_FAILED") or _CANCELLED.match(reason):
            continue
        below = (*path, str(event["LogicalResourceId"]))
        nested: list[tuple[datetime, str]] = []
        if event["ResourceType"] == _NESTED and event.get("PhysicalResourceId"):
            nested = list(_failures(cloudformation, event["PhysicalResourceId"], since, below))
        yield from nested or [
            (event["Timestamp"], f"{'/'.join(below)} ({event['ResourceType']}): {reason}")
        ]


def _events_after(
    cloudformation: Any, stack: str, since: datetime | None
) -> Iterator[dict[str, Any]]:
    """Yield the events of a stack, which CloudFormation returns newest first."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            if since is not None and event["Timestamp"] <= since:
                return
            yield event
