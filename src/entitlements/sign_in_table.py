"""The item of the office's table with a student's newest sign-ins."""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from entitlements.sign_ins import SignIns, record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient

#: Attempts of two sign-ins at once.
_ATTEMPTS: Final = 3


@cache
def _functions() -> "LambdaClient":
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1}
    )
    return boto3.client("lambda", config=config)


def replaced_until(
    dynamodb: "DynamoDBClient", subject: str, limit: int, sign_in_at: int | None
) -> int:
    """Return until when the student's sign-ins are replaced; 0 for none.

    Args:
        dynamodb: The client.
        subject: The student's `sub`.
        limit: Sign-ins that stay.
        sign_in_at: The time of a new sign-in, in seconds since the epoch; None for a refresh.

    Raises:
        ClientError: DynamoDB or Lambda refused a call.
        BotoCoreError: A call had no answer.
    """
    for _ in range(_ATTEMPTS):
        known, stored = _read(dynamodb, subject)
        if sign_in_at is None:
            return known.replaced_until
        changed = record(known, sign_in_at, limit)
        if changed is known:
            return known.replaced_until
        try:
            _write(dynamodb, subject, changed, stored)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            continue
        if changed.replaced_until > known.replaced_until:
            _deny(subject, changed.replaced_until)
        return changed.replaced_until
    return known.replaced_until


def _key(subject: str) -> dict[str, Any]:
    return {"pk": {"S": f"STUDENT#{subject}"}, "sk": {"S": "SIGN-INS"}}


def _read(dynamodb: "DynamoDBClient", subject: str) -> tuple[SignIns, Any]:
    """Return the sign-ins, and the attribute with their times; None without an item."""
    page = dynamodb.get_item(
        TableName=os.environ["OFFICE_TABLE"],
        Key=_key(subject),
        ConsistentRead=True,
        ProjectionExpression="pk, sk, times, replaced_until",
    )
    item: Mapping[str, Any] = page.get("Item", {})
    times = [int(it["N"]) for it in item.get("times", {}).get("L", [])]
    until = int(item.get("replaced_until", {}).get("N", "0"))
    return SignIns(times, until), item.get("times")


def _write(dynamodb: "DynamoDBClient", subject: str, changed: SignIns, stored: Any) -> None:
    values: dict[str, Any] = {
        ":times": {"L": [{"N": str(it)} for it in changed.times]},
        ":until": {"N": str(changed.replaced_until)},
    }
    condition = "attribute_not_exists(pk)"
    if stored is not None:
        values[":stored"] = stored
        condition = "times = :stored"
    dynamodb.update_item(
        TableName=os.environ["OFFICE_TABLE"],
        Key=_key(subject),
        UpdateExpression="SET times = :times, replaced_until = :until",
        ConditionExpression=condition,
        ExpressionAttributeValues=values,
    )


def _deny(subject: str, until: int) -> None:
    """Let the deny-list refuse the access tokens of the replaced sign-ins, without waiting.

    Raises:
        ClientError: Lambda refused the call.
    """
    answer = _functions().invoke(
        FunctionName=os.environ["REVOCATIONS_FUNCTION"],
        InvocationType="Event",
        Payload=json.dumps({"sign_ins": {"user": subject, "until": until}}),
    )
    if answer["StatusCode"] != 202:
        raise ClientError({"Error": {"Code": "NotAccepted", "Message": ""}}, "Invoke")
