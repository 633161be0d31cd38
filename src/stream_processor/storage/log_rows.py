"""The DynamoDB row of a numbered log: how many of its entries are known and counted.

    `chain`     the log's name
    entries     number of known entries
    high        highest sequence number in them, padded; absent for none
    old         last sequence number that the writer before the logs wrote, padded; absent for none
    expires_at  Unix time in seconds

The row is a hint: without it the log is listed. It is never ahead of the entries.
"""

from dataclasses import dataclass
from typing import Any, Final

from stream_processor.ingest.sequence_numbers import padded
from stream_processor.storage.dynamodb import Table
from stream_processor.storage.lake_types import LogPosition
from stream_processor.storage.log_names import LogName

#: Beginning of the key of the items that `migrate` writes, before "<prefix>/<shard>".
OLD_END: Final = "old-end#"
#: A log's row is kept for the stream's retention and this time: later only redrives use the log.
_MARGIN_S: Final = 3 * 86_400


def parse(item: Any) -> LogPosition:
    """Parse the row of a log."""
    high, old = item.get("high"), item.get("old")
    return LogPosition(
        int(item["entries"]["N"]),
        None if high is None else int(high["S"]),
        None if old is None else int(old["S"]),
    )


@dataclass(frozen=True, slots=True)
class LogRow:
    """The row of one log."""

    table: Table
    log: LogName
    retention_hours: int

    @property
    def expires_at(self) -> int:
        """When the row expires, in Unix seconds."""
        return self.log.hour_ms // 1000 + self.retention_hours * 3_600 + _MARGIN_S

    def read(self) -> LogPosition | None:
        """Read the row, strongly consistent; None if it doesn't exist.

        Raises:
            StorageError: DynamoDB failed.
        """
        item = self.table.get({"chain": {"S": str(self.log)}})
        return None if item is None else parse(item)

    def advance(self, position: LogPosition) -> None:
        """Store a position, unless the stored one knows as many entries.

        Raises:
            StorageError: DynamoDB failed.
        """
        entries = {"N": str(position.entries)}
        item: dict[str, Any] = {
            "chain": {"S": str(self.log)},
            "entries": entries,
            "expires_at": {"N": str(self.expires_at)},
        }
        for name, sequence in (("high", position.high), ("old", position.old)):
            if sequence is not None:
                item[name] = {"S": padded(sequence)}
        self.table.put_if(
            item, "attribute_not_exists(entries) OR entries < :entries", {":entries": entries}
        )


def old_end(table: Table, prefix: str, shard: str) -> int | None:
    """Return the last sequence number of a shard that was written before the logs; None for none.

    Raises:
        StorageError: DynamoDB failed.
    """
    item = table.get({"chain": {"S": f"{OLD_END}{prefix}/{shard}"}})
    return None if item is None else int(item["high"]["S"])
