"""Find records in objects of versions before the numbered logs, by the sequence numbers of rows.

Such an object is named after its first record. Its first and last record don't tell what it holds:
records between them can be in another object or in none.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import ObjectSummary, SequencedRecord
from stream_processor.storage.s3 import Bucket

#: Redrives once wrote objects with this prefix before the shard's name.
REDRIVE_PREFIX: Final = "redrive-"
#: Batches of one shard run at once at most ("ParallelizationFactor", API_EventSourceMapping
#: Configuration: 10), so at most this many consecutive objects begin before a record that an
#: earlier one holds.
_MAX_OVERLAPS: Final = 16


def missing[R: SequencedRecord](
    bucket: Bucket, keys: ShardPrefix, records: Sequence[R]
) -> Sequence[R]:
    """Return the records that no object with an old name holds.

    A record without a row counts as missing, unless its object is named after it.

    Raises:
        StorageError: S3 failed.
        ObjectMetadataError: An object has no valid summary.
    """
    rest = records
    # Nearly always the record's own hour has its object: the others are listed only without it.
    for before_ms in (0, lake_keys.MAX_OBJECT_SPAN_MS):
        for shard in (keys, ShardPrefix(keys.prefix, REDRIVE_PREFIX + keys.shard)):
            if rest:
                rest = _missing(bucket, shard, rest, before_ms)
    return rest


def sequences(body: bytes) -> set[int]:
    """Return the sequence numbers of an object's rows."""
    column = parquet.read(body, ["sequence_number"]).column("sequence_number")
    return set(map(int, column.unique().to_pylist()))


def _missing[R: SequencedRecord](
    bucket: Bucket, keys: ShardPrefix, records: Sequence[R], before_ms: int
) -> Sequence[R]:
    hours = lake_keys.around(keys.prefix, records, before_ms)
    object_keys = [key for hour in hours for key in keys.within(bucket, hour)]
    objects = _Objects(bucket, keys, sorted(object_keys, key=keys.first))
    return [record for record in records if objects.holding(record.sequence) is None]


@dataclass(slots=True)
class _Objects:
    """The objects of some hours in the order of their first records, read on demand."""

    bucket: Bucket
    keys: ShardPrefix
    ordered: Sequence[str]
    _summaries: dict[str, ObjectSummary] = field(default_factory=dict)
    _sequences: dict[str, set[int]] = field(default_factory=dict)

    def summary(self, key: str) -> ObjectSummary:
        if key not in self._summaries:
            self._summaries[key] = lake_keys.summary(self.bucket, key).summary
        return self._summaries[key]

    def holding(self, sequence: int) -> str | None:
        """Return the key of the object that holds the record; None without one."""
        ended = 0
        for position in range(bisect_right(self.ordered, sequence, key=self.keys.first), 0, -1):
            key = self.ordered[position - 1]
            summary = self.summary(key)
            if sequence <= summary.last:
                if sequence in self._rows_of(key):
                    return key
            elif not summary.late:
                ended += 1
            if ended == _MAX_OVERLAPS:
                return None
        return None

    def _rows_of(self, key: str) -> set[int]:
        if key not in self._sequences:
            body = self.bucket.read(key)
            self._sequences[key] = sequences(body) | {self.keys.first(key)}
        return self._sequences[key]
