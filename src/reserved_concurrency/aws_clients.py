"""Calls to Lambda."""

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from reserved_concurrency.errors import LambdaApiError
from reserved_concurrency.plan import MIN_UNRESERVED_EXECUTIONS, Quota

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@functools.cache
def _lambda() -> "LambdaClient":
    return boto3.client("lambda")


def read_quota(functions: Iterable[str]) -> Quota:
    """Return the Region's quota, and the present reserved concurrency of `functions`.

    Raises:
        LambdaApiError: Lambda refused a call.
    """
    client = _lambda()
    try:
        limits = client.get_account_settings()["AccountLimit"]
        reserved = {
            name: client.get_function_concurrency(FunctionName=name).get(
                "ReservedConcurrentExecutions", 0
            )
            for name in functions
        }
    except (ClientError, BotoCoreError) as error:
        raise LambdaApiError(
            f"Can't read Lambda's quota: {error}. Check the permissions of the role of this "
            "function, then deploy again."
        ) from error
    unreserved = limits["UnreservedConcurrentExecutions"] + sum(reserved.values())
    free = max(0, unreserved - MIN_UNRESERVED_EXECUTIONS)
    return Quota(limits["ConcurrentExecutions"], free, reserved)


def set_reservation(function: str, executions: int | None) -> None:
    """Set the reserved concurrency of a function; None deletes it.

    Raises:
        LambdaApiError: Lambda refused the call, for example because another deployment took the
            rest of the quota.
    """
    client = _lambda()
    try:
        if executions is None:
            client.delete_function_concurrency(FunctionName=function)
        else:
            client.put_function_concurrency(
                FunctionName=function, ReservedConcurrentExecutions=executions
            )
    except (ClientError, BotoCoreError) as error:
        raise LambdaApiError(
            f"Can't reserve concurrency for {function}: {error}. Deploy again, or deploy with "
            "ReservedConcurrency=none."
        ) from error
