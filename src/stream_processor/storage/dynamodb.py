"""DynamoDB: the high-water rows, the live minutes, the appointments."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from stream_processor.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]


@cache
def client() -> "DynamoDBClient":
    """The client of this process, made at its first use. An attempt is bounded by seconds."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 5}
    )
    return boto3.client("dynamodb", config=config)


class Table:
    """One table. A lost condition is an answer, everything else that fails is StorageError."""

    def __init__(self, name: str, dynamodb: "DynamoDBClient | None" = None) -> None:
        self.name = name
        self._given = dynamodb

    @property
    def _dynamodb(self) -> "DynamoDBClient":
        return self._given if self._given is not None else client()

    def get(self, key: Item) -> Item | None:
        """An item as it is now: strongly consistent, because a decision to write hangs on it."""
        try:
            answer = self._dynamodb.get_item(TableName=self.name, Key=key, ConsistentRead=True)
        except _failures() as error:
            raise StorageError(f"DynamoDB did not read {self.name}: {_name(error)}") from error
        return answer.get("Item")

    def put_if(self, item: Item, condition: str, values: Item | None = None) -> bool:
        """Write an item if the condition holds; False where it does not."""
        values_given: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        try:
            self._dynamodb.put_item(
                TableName=self.name, Item=item, ConditionExpression=condition, **values_given
            )
        except _failures() as error:
            if _name(error) == "ConditionalCheckFailedException":
                return False
            raise StorageError(f"DynamoDB did not write {self.name}: {_name(error)}") from error
        return True

    def query(self, condition: str, values: Item) -> Iterator[Item]:
        """The items of one partition, in order."""
        yield from self._pages("query", KeyConditionExpression=condition, Values=values)

    def scan(self) -> Iterator[Item]:
        """Every item, each as it was when its page was read."""
        yield from self._pages("scan", ConsistentRead=True)

    def _pages(self, operation: str, **query: Any) -> Iterator[Item]:
        values = query.pop("Values", None)
        if values:
            query["ExpressionAttributeValues"] = values
        while True:
            try:
                page = getattr(self._dynamodb, operation)(TableName=self.name, **query)
            except _failures() as error:
                raise StorageError(f"DynamoDB did not read {self.name}: {_name(error)}") from error
            yield from page.get("Items", [])
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]


@cache
def _failures() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    return (ClientError, BotoCoreError, HTTPClientError)


def _name(error: Exception) -> str:
    response: Mapping[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code") or type(error).__name__)
