"""Notices that wait for the Region of the accounts, whose relay and notifier send the emails.

While another Region is the home, a transaction can't write the outbox, because the accounts table
has no replica. It writes the same items to the appointments table:

| pk | sk | attributes |
|---|---|---|
| `NOTICES` | `STUDENT#<sub>/OUTBOX#APPOINTMENT#<slot>` | those of the outbox; `deleted` for none |
"""

from contextlib import suppress
from typing import Any, Final

from bookings import dynamodb_calls
from bookings.errors import ConflictError

PARTITION: Final = "NOTICES"
#: The value of `notice` if the outbox has no item any more.
DELETED: Final = "deleted"
#: Notices that one call delivers, within the function's timeout.
PAGE: Final = 50


class WaitingNotices:
    """The waiting notices of this Region, and the table of the accounts."""

    def __init__(
        self, local: Any, table: str, remote: Any, accounts_table: str, accounts_region: str
    ) -> None:
        """Create the adapter. `local` and `remote` are low-level DynamoDB clients."""
        self._local = local
        self._table = table
        self._remote = remote
        self._accounts_table = accounts_table
        self._accounts_region = accounts_region

    def deliver(self) -> int:
        """Write the next notices to the outbox; return how many. A repetition changes nothing.

        Raises:
            UnavailableError: DynamoDB failed in one of the Regions.
        """
        page = dynamodb_calls.call(
            lambda: self._local.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": PARTITION}},
                ConsistentRead=True,
                Limit=PAGE,
            )
        )["Items"]
        for item in page:
            self._deliver(item)
        return len(page)

    def _deliver(self, item: dict[str, Any]) -> None:
        owner, _, name = item["sk"]["S"].partition("/")
        key = {"pk": {"S": owner}, "sk": {"S": name}}
        # The outbox has a newer change if the home has moved back in between.
        condition: dict[str, Any] = {
            "TableName": self._accounts_table,
            "ConditionExpression": "attribute_not_exists(pk) OR updated_at <= :now",
            "ExpressionAttributeValues": {":now": item["updated_at"]},
        }
        with suppress(ConflictError):
            if item["notice"]["S"] == DELETED:
                dynamodb_calls.call(lambda: self._remote.delete_item(Key=key, **condition))
            else:
                region = {"origin_region": {"S": self._accounts_region}}
                after = {**item, **region, **key}
                dynamodb_calls.call(lambda: self._remote.put_item(Item=after, **condition))
        # If a newer change waits by now, the item stays.
        with suppress(ConflictError):
            dynamodb_calls.call(
                lambda: self._local.delete_item(
                    TableName=self._table,
                    Key={"pk": item["pk"], "sk": item["sk"]},
                    ConditionExpression="updated_at = :now",
                    ExpressionAttributeValues={":now": item["updated_at"]},
                )
            )
