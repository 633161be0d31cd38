"""Names of the numbered logs of the lake, and of their entries.

A log holds the records of one shard that arrived in one hour (UTC). Its entries have the numbers
0, 1, 2, …

    <prefix>/date=YYYY-MM-DD/hour=HH/<shard>-<number>.parquet

Numbers have 8 digits. Objects of versions before the logs are named after a sequence number of 56
digits (`ShardPrefix`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from stream_processor.storage import lake_keys
from stream_processor.storage.lake_keys import SUFFIX, ShardPrefix
from stream_processor.storage.lake_types import HOUR_MS
from stream_processor.storage.s3 import Bucket

#: Digits of an entry's number.
NUMBER_DIGITS: Final = 8
#: Names of objects that belong to no stream's shard: reprocessed rows and repairs.
_OTHERS: Final = ("again-", "reconciler-")


@dataclass(frozen=True, slots=True, order=True)
class LogName:
    """The name of a log: a prefix of the lake, a start of an hour (Unix ms), and a shard.

    `shard` is unique among all streams (`lake_keys.events_shard`).
    """

    prefix: str
    hour_ms: int
    shard: str

    @classmethod
    def of(cls, prefix: str, shard: str, arrived_ms: int) -> Self:
        """Return the log of a record: that of the hour in which it arrived."""
        return cls(prefix, arrived_ms - arrived_ms % HOUR_MS, shard)

    @property
    def folder(self) -> str:
        """The key prefix of the hour: "<prefix>/date=…/hour=…/"."""
        at = datetime.fromtimestamp(self.hour_ms / 1000, UTC)
        return ShardPrefix(self.prefix, self.shard).hour(at)

    def __str__(self) -> str:
        return f"{self.folder}{self.shard}"

    def key(self, number: int) -> str:
        """Return the key of an entry."""
        return f"{self}-{number:0{NUMBER_DIGITS}d}{SUFFIX}"

    def around(self, first_ms: int, last_ms: int) -> Iterator[Self]:
        """Yield the shard's other logs between two times, oldest first."""
        for hour_ms in range(first_ms - first_ms % HOUR_MS, last_ms + 1, HOUR_MS):
            if hour_ms != self.hour_ms:
                yield type(self)(self.prefix, hour_ms, self.shard)

    def numbers(self, bucket: Bucket) -> list[int]:
        """List the numbers of the log's entries, lowest first.

        Raises:
            StorageError: S3 failed.
        """
        entries = (entry_of(key) for key in bucket.keys(f"{self}-"))
        return [number for log, number in filter(None, entries) if log == self]


def entry_of(key: str) -> tuple[LogName, int] | None:
    """Return the log and the number of an entry; None for any other key."""
    folder, _, name = key.rpartition("/")
    shard, _, number = name.removesuffix(SUFFIX).rpartition("-")
    if not (name.endswith(SUFFIX) and shard and _is_number(number)) or name.startswith(_OTHERS):
        return None
    hour_ms = _hour_ms(folder)
    return (
        None
        if hour_ms is None
        else (LogName(folder.partition("/")[0], hour_ms, shard), int(number))
    )


def parse(text: str) -> LogName | None:
    """Return the log with this name, as `str` returns it; None if it isn't one."""
    named = entry_of(f"{text}-{0:0{NUMBER_DIGITS}d}{SUFFIX}")
    return None if named is None else named[0]


def _is_number(text: str) -> bool:
    return len(text) == NUMBER_DIGITS and text.isascii() and text.isdigit()


def _hour_ms(folder: str) -> int | None:
    """Return the start of the hour of "<prefix>/date=YYYY-MM-DD/hour=HH"; None without one."""
    prefix, _, rest = folder.partition("/")
    if prefix not in (lake_keys.EVENTS, lake_keys.CHANGES):
        return None
    try:
        at = datetime.strptime(rest, "date=%Y-%m-%d/hour=%H").replace(tzinfo=UTC)
    except ValueError:
        return None
    return round(at.timestamp() * 1000)
