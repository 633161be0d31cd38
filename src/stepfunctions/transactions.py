"""Transactions of DynamoDB whose conditions may fail."""

from typing import TYPE_CHECKING, Any

from stepfunctions import aws
from stepfunctions.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def transact(dynamodb: "DynamoDBClient", actions: list[dict[str, Any]]) -> set[int]:
    """Write all actions or none; return the places of those whose condition failed.

    Raises:
        TransientError: DynamoDB failed temporarily, or another transaction has an item.
        PermanentError: DynamoDB rejected the request.
    """
    from botocore.exceptions import ClientError

    def send() -> list[str]:
        try:
            dynamodb.transact_write_items(TransactItems=actions)  # type: ignore[arg-type] # the stubs want one type per action
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            reasons: Any = error.response.get("CancellationReasons", [])
            return [str(it.get("Code", "None")) for it in reasons]
        return []

    with aws.translate_errors("DynamoDB"):
        codes = send()
    if "ValidationError" in codes:
        raise PermanentError("DynamoDB rejected an action of the transaction.")
    others = set(codes) - {"None", "ConditionalCheckFailed"}
    if others:
        raise TransientError(f"DynamoDB cancelled the transaction: {', '.join(sorted(others))}.")
    return {index for index, code in enumerate(codes) if code != "None"}
