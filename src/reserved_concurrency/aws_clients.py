"""Calls to Lambda."""

import functools
from collections.abc import Iterable, Mapping
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
    """Return the Region's quota, as if `functions` had no reserved concurrency.

    Raises:
        LambdaApiError: Lambda refused a call.
    """
    client = _lambda()
    try:
        limits = client.get_account_settings()["AccountLimit"]
        own = sum(
            client.get_function_concurrency(FunctionName=it).get("ReservedConcurrentExecutions", 0)
            for it in functions
        )
    except (ClientError, BotoCoreError) as error:
        raise LambdaApiError(f"Can't read Lambda's quota: {error}.") from error
    unreserved = limits["UnreservedConcurrentExecutions"] + own
    return Quota(limits["ConcurrentExecutions"], max(0, unreserved - MIN_UNRESERVED_EXECUTIONS))


def set_reservations(reserved: Mapping[str, int | None]) -> None:
    """Set or delete the reserved concurrency of functions. Deletions come first, to free the quota.

    Raises:
        LambdaApiError: Lambda refused a call, for example because another deployment took the rest
            of the quota.
    """
    client = _lambda()
    for name, executions in sorted(reserved.items(), key=lambda it: it[1] or 0):
        try:
            if executions is None:
                client.delete_function_concurrency(FunctionName=name)
            else:
                client.put_function_concurrency(
                    FunctionName=name, ReservedConcurrentExecutions=executions
                )
        except (ClientError, BotoCoreError) as error:
            raise LambdaApiError(f"Can't reserve concurrency for {name}: {error}.") from error
