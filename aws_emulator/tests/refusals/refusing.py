"""Shared by the tests of refusals: the expected error of one call."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.running import Emulator, unique


def refused(code: str | None, call: Callable[..., Any], **arguments: Any) -> str:
    """Make a call that AWS refuses with this error code; return the error message.

    `code` is None where the AWS page states no error code.

    Raises:
        AssertionError: The call succeeds, or fails with another error code.
    """
    try:
        call(**arguments)
    except ClientError as failure:
        error = failure.response["Error"]
    else:
        # Not pytest.fail: the tests of the patches expect an AssertionError without the patch.
        raise AssertionError(f"{getattr(call, '__name__', call)} was not refused")
    assert code in {error["Code"], None}, error
    return str(error["Message"])


def unchecked_client(emulator: Emulator, service: str) -> Any:
    """Return a client that also sends values that its model doesn't allow."""
    return boto3.client(  # type: ignore[call-overload]  # any service, by name
        service,
        region_name="us-east-1",
        endpoint_url=emulator.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False),
    )


def create_table(emulator: Emulator, *, sort_key: bool = False) -> str:
    """Create a table with the string key `id`, and `at` as its sort key; return its name."""
    keys = ["id", "at"] if sort_key else ["id"]
    name = unique("table")
    emulator.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
    )
    return name
