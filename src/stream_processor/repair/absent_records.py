"""The records of the streams that no object holds, log by log.

The records of a log are compared with the count in its entries: an entry holds an exact set of
records, and no two entries of a log hold the same. Only where the counts differ are rows read. The
first logs of a shard are always read: the stream can have lost some of their records.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stream_processor.ingest.records import Batch
from stream_processor.repair.lake_inventory import log_of
from stream_processor.repair.shard_coverage import Read, ShardCoverage, ShardId
from stream_processor.storage.lake_types import HOUR_MS, SequencedRecord

#: Hours at the beginning of a shard whose rows are always read.
_FIRST_HOURS: Final = 2

#: Return whether a record has rows: one without events has none.
type HasRows = Callable[[ShardId, Batch[Any]], bool]


@dataclass(frozen=True, slots=True)
class AbsentRecords:
    """Records of one log that no object holds, in sequence order."""

    shard: ShardId
    log: str
    batch: Batch[Any]


@dataclass(slots=True)
class _Hours:
    """The records of one shard that weren't compared yet, by hour."""

    stream: str
    seen: set[int] = field(default_factory=set)
    waiting: dict[int, list[SequencedRecord]] = field(default_factory=lambda: defaultdict(list))


class AbsentFinder:
    """Compare the streams with the lake."""

    def __init__(
        self, coverage: Mapping[ShardId, ShardCoverage], read: Read, has_rows: HasRows
    ) -> None:
        self._coverage = coverage
        self._read = read
        self._has_rows = has_rows
        #: The keys of entries that have a record of an entry before them.
        self.doubled: list[str] = []

    def find(self, batches: Iterable[tuple[ShardId, Batch[Any]]]) -> Iterator[AbsentRecords]:
        """Yield the absent records of each log. A shard's batches come one after another."""
        shard: ShardId | None = None
        hours = _Hours("")
        for current, batch in batches:
            if current != shard:
                if shard is not None:
                    yield from self._compare(shard, hours, None)
                shard, hours = current, _Hours(batch.stream)
            for record in batch.records:
                hours.waiting[record.arrived_ms - record.arrived_ms % HOUR_MS].append(record)
            if batch.records:
                # Arrival times are approximate: an hour ends when the next one is nearly over.
                newest = max(record.arrived_ms for record in batch.records)
                yield from self._compare(shard, hours, newest - 2 * HOUR_MS)
        if shard is not None:
            yield from self._compare(shard, hours, None)

    def _compare(
        self, shard: ShardId, hours: _Hours, before_ms: int | None
    ) -> Iterator[AbsentRecords]:
        for hour_ms in sorted(hours.waiting):
            if before_ms is not None and hour_ms >= before_ms:
                return
            hours.seen.add(hour_ms)
            is_first = hour_ms in sorted(hours.seen)[:_FIRST_HOURS]
            absent = self._absent(shard, hour_ms, hours.waiting.pop(hour_ms), is_first=is_first)
            batch = Batch(hours.stream, shard[1], absent)
            absent = [it for it in absent if self._has_rows(shard, _of(batch, it))]
            if absent:
                yield AbsentRecords(shard, log_of(shard, hour_ms), _of(batch, *absent))

    def _absent(
        self, shard: ShardId, hour_ms: int, records: list[SequencedRecord], *, is_first: bool
    ) -> list[SequencedRecord]:
        coverage, log = self._coverage[shard], log_of(shard, hour_ms)
        known = coverage.logs.get(log)
        if not is_first and known is not None and known.records == len(records):
            return []
        if known is not None and known.records > len(records):
            self.doubled += known.doubled(self._read)
        absent = set(coverage.absent(log, [it.sequence for it in records], self._read))
        return [record for record in records if record.sequence in absent]


def _of(batch: Batch[Any], *records: SequencedRecord) -> Batch[Any]:
    return Batch(batch.stream, batch.shard, records)
