"""The checkpoint of a shard: one DynamoDB item that holds its high-water mark.

Key `chain`: "<stream>#<shard>"; `high`: padded sequence number; `arrived`: Unix ms.
"""

from stream_processor.ingest.sequence_numbers import padded
from stream_processor.storage.dynamodb import Table
from stream_processor.storage.lake_types import HighWaterMark


class Checkpoint:
    """The checkpoint item of one shard."""

    def __init__(self, table: Table, name: str) -> None:
        self._table = table
        self._name = name

    def read(self) -> HighWaterMark | None:
        """Read the high-water mark; None if the item doesn't exist.

        Raises:
            StorageError: DynamoDB failed.
        """
        item = self._table.get({"chain": {"S": self._name}})
        if item is None:
            return None
        return HighWaterMark(int(item["high"]["S"]), int(item["arrived"]["N"]))

    def advance(self, mark: HighWaterMark) -> None:
        """Store `mark`, unless the stored mark is equal or higher.

        Padded sequence numbers have one width, so DynamoDB's string order is their numeric order.

        Raises:
            StorageError: DynamoDB failed.
        """
        high = {"S": padded(mark.high)}
        self._table.put_if(
            {
                "chain": {"S": self._name},
                "high": high,
                "arrived": {"N": str(mark.arrived_ms)},
            },
            "attribute_not_exists(high) OR high < :high",
            {":high": high},
        )
