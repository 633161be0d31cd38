"""Adapter for one DynamoDB table. SDK errors become `StorageError`."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from stream_processor.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]


@cache
def client() -> "DynamoDBClient":
    """Return the client of this process, created at its first use, with short timeouts."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 5}
    )
    return boto3.client("dynamodb", config=config)


class Table:
    """One table."""

    def __init__(self, name: str, dynamodb: "DynamoDBClient | None" = None) -> None:
        self.name = name
        self._injected = dynamodb

    @property
    def _dynamodb(self) -> "DynamoDBClient":
        return self._injected if self._injected is not None else client()

    def get(self, key: Item) -> Item | None:
        """Read an item, strongly consistent, because writes depend on it; None if there is none.

        Raises:
            StorageError: DynamoDB failed.
        """
        try:
            answer = self._dynamodb.get_item(TableName=self.name, Key=key, ConsistentRead=True)
        except _failures() as error:
            raise StorageError(self._failure("read", error)) from error
        return answer.get("Item")

    def put_if(self, item: Item, condition: str, values: Item | None = None) -> bool:
        """Write an item and return True; False if the condition doesn't hold.

        Raises:
            StorageError: DynamoDB failed for another reason than the condition.
        """
        value_arguments: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        try:
            self._dynamodb.put_item(
                TableName=self.name, Item=item, ConditionExpression=condition, **value_arguments
            )
        except _failures() as error:
            if _code(error) == "ConditionalCheckFailedException":
                return False
            raise StorageError(self._failure("write", error)) from error
        return True

    def query(self, condition: str, values: Item, *, is_consistent: bool = False) -> Iterator[Item]:
        """Yield the items of one partition in order.

        Raises:
            StorageError: DynamoDB failed.
        """
        query = {"KeyConditionExpression": condition, "Values": values}
        yield from self._pages("query", ConsistentRead=is_consistent, **query)

    def scan(self) -> Iterator[Item]:
        """Yield every item, as of the read of its page (consistent reads).

        Raises:
            StorageError: DynamoDB failed.
        """
        yield from self._pages("scan", ConsistentRead=True)

    def _pages(self, operation: str, **query: Any) -> Iterator[Item]:
        values = query.pop("Values", None)
        if values:
            query["ExpressionAttributeValues"] = values
        while True:
            try:
                page = getattr(self._dynamodb, operation)(TableName=self.name, **query)
            except _failures() as error:
                raise StorageError(self._failure("read", error)) from error
            yield from page.get("Items", [])
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _failure(self, operation: str, error: Exception) -> str:
        return (
            f"Can't {operation} table {self.name}: {_code(error)}. "
            "Check that the table exists and that the role may use it."
        )


@cache
def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    return (ClientError, BotoCoreError, HTTPClientError)


def _code(error: Exception) -> str:
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)
