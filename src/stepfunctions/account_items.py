"""The base of adapters of further items of the accounts table, beside accounts.py."""

from typing import TYPE_CHECKING, Any

from stepfunctions import accounts, aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]


class AccountItems:
    """The accounts table in a Region, by the process's client if there is no other one."""

    def __init__(self, table: str, region: str, dynamodb: "DynamoDBClient | None" = None) -> None:
        self._table = table
        self._region = region
        self._injected = dynamodb

    @property
    def _dynamodb(self) -> "DynamoDBClient":
        return self._injected or accounts.client()

    def _item(self, key: Item) -> Item | None:
        """Return the item with a key, read with strong consistency, or None.

        Raises:
            TransientError: DynamoDB failed temporarily.
            PermanentError: DynamoDB rejected the request.
        """
        with aws.translate_errors("DynamoDB"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer.get("Item")
