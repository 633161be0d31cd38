"""Calls to AWS Account Management, and to CloudWatch Logs in each Region."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from edge_logs.errors import LogsApiError

#: A Region in an outage must not use the time of the others.
_CONFIG: Final = Config(
    connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}
)
_ENABLED: Final = ("ENABLED", "ENABLED_BY_DEFAULT")


def enabled_regions() -> list[str]:
    """Return the Regions that the account has enabled, sorted.

    Raises:
        LogsApiError: The account's Regions can't be read.
    """
    client = boto3.client("account", config=_CONFIG)
    try:
        pages = client.get_paginator("list_regions").paginate(
            RegionOptStatusContains=list(_ENABLED)
        )
        return sorted(str(it["RegionName"]) for page in pages for it in page["Regions"])
    except (ClientError, BotoCoreError) as error:
        raise LogsApiError(
            f"Can't list the Regions of the account: {error}. Check the permission "
            "account:ListRegions of this function's role."
        ) from error


def set_retention(region: str, groups: list[str], days: int) -> None:
    """Create the log groups that are missing, and set the retention of each.

    Raises:
        LogsApiError: CloudWatch Logs refused a call or isn't reachable.
    """
    with _logs(region) as client:
        for group in groups:
            # Lambda@Edge or an earlier run may have created it.
            with suppress(client.exceptions.ResourceAlreadyExistsException):
                client.create_log_group(logGroupName=group)
            client.put_retention_policy(logGroupName=group, retentionInDays=days)


def delete_groups(region: str, groups: list[str]) -> None:
    """Delete the log groups that exist.

    Raises:
        LogsApiError: CloudWatch Logs refused a call or isn't reachable.
    """
    with _logs(region) as client:
        for group in groups:
            # An earlier deletion of the stack may have been interrupted.
            with suppress(client.exceptions.ResourceNotFoundException):
                client.delete_log_group(logGroupName=group)


@contextmanager
def _logs(region: str) -> Iterator[Any]:
    """Provide a client of CloudWatch Logs.

    Raises:
        LogsApiError: CloudWatch Logs refused a call or isn't reachable.
    """
    client = boto3.client("logs", region_name=region, config=_CONFIG)
    try:
        yield client
    except (ClientError, BotoCoreError) as error:
        raise LogsApiError(str(error)) from error
