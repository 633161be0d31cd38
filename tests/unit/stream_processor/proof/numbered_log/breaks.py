"""Deliberate breaks of the design, one rule each: the histories must detect every one."""

from collections.abc import Callable, Sequence
from typing import Final

from stream_processor.errors import StorageError
from tests.unit.stream_processor.proof.numbered_log.writer import (
    Entry,
    Known,
    LogRecord,
    NumberedLog,
)


class EntryOverwritten(NumberedLog):
    """PUT without If-None-Match."""

    def put(self, log: str, number: int, high: int, draft: Entry) -> Entry:
        key = self.key(log, number)
        self.bucket._s3.put_object(Bucket=self.bucket.name, Key=key, Body=draft.body())
        return draft


class RefusalMeansDone(NumberedLog):
    """Take a 412 for the answer to the writer's own PUT."""

    def put(self, log: str, number: int, high: int, draft: Entry) -> Entry:
        self.bucket.create(self.key(log, number), draft.body(), {})
        return draft


class RefusedRowsWrittenAgain(NumberedLog):
    """After a 412, write the same rows under the next number."""

    def subtract(self, entry: Entry, draft: Entry, unwritten: dict[int, LogRecord]) -> None:
        if entry is draft:
            super().subtract(entry, draft, unwritten)


class EntrySubtractedByRange(NumberedLog):
    """Take an entry for every record from its first to its last."""

    def subtract(self, entry: Entry, draft: Entry, unwritten: dict[int, LogRecord]) -> None:
        for sequence in [it for it in unwritten if entry.first <= it <= entry.last]:
            del unwritten[sequence]


class RecordsBelowMarkDropped(NumberedLog):
    """Take every record below the highest known one for written."""

    def subtract_known(
        self,
        log: str,
        number: int,
        high: int,
        mine: Sequence[LogRecord],
        unwritten: dict[int, LogRecord],
    ) -> None:
        for record in mine:
            if record.sequence <= high:
                unwritten.pop(record.sequence, None)


class WalkEndsAtFirst(NumberedLog):
    """End the walk back at an entry that begins below the lowest record."""

    def walk_ended(self, entry: Entry, lowest: int) -> bool:
        return entry.first <= lowest


class NewestEntryTakenForHighest(NumberedLog):
    """Rebuild the row from the newest entry's own last record."""

    def rebuilt_high(self, newest: Entry) -> int:
        return newest.last


class RowRaisedBeforeCount(NumberedLog):
    """Raise the row before the entry is counted."""

    def settle(self, log: str, number: int, high: int, entry: Entry, *, created: bool) -> None:
        self.table.advance(log, number + 1, max(high, entry.last))
        self.table.count(self.key(log, number), len(entry.good))


class RefusedEntryNotCounted(NumberedLog):
    """Leave the count of another writer's entry to that writer."""

    def settle(self, log: str, number: int, high: int, entry: Entry, *, created: bool) -> None:
        if created:
            self.table.count(self.key(log, number), len(entry.good))
        self.table.advance(log, number + 1, max(high, entry.last))


class RowRaisedBeforePut(NumberedLog):
    """Raise the row before the entry exists."""

    def put(self, log: str, number: int, high: int, draft: Entry) -> Entry:
        self.table.advance(log, number + 1, max(high, draft.last))
        return super().put(log, number, high, draft)


class RowOfOwnEntryOnly(NumberedLog):
    """Store the last record of the newest entry in the row, although an earlier one is higher."""

    def settle(self, log: str, number: int, high: int, entry: Entry, *, created: bool) -> None:
        super().settle(log, number, entry.last, entry, created=created)


class HourOfFirstRecord(NumberedLog):
    """Write a whole batch to the log of its first record."""

    def log_of(self, record: LogRecord, batch: Sequence[LogRecord]) -> str:
        return super().log_of(batch[0], batch)


class StreamNotInName(NumberedLog):
    """Name a log after its shard without the stream."""

    def log_prefix(self) -> str:
        return f"{self.shard.rpartition('.')[2]}/"


class VerdictsDecidedOnce(NumberedLog):
    """Find duplicates by the entries that were known when the log was opened."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type] # those of NumberedLog
        self._first_known: dict[str, Known] = {}

    def known(self, log: str, number: int) -> Known:
        if log not in self._first_known:
            self._first_known[log] = super().known(log, number)
        return self._first_known[log]


class ErrorsSwallowed(NumberedLog):
    """Acknowledge the batch although an entry failed."""

    def write(self, batch: Sequence[LogRecord], has_time: Callable[[], bool]) -> int | None:
        try:
            return super().write(batch, has_time)
        except StorageError:
            return None


class UnwrittenNotReported(NumberedLog):
    """Acknowledge the batch although the time ended before its last record."""

    def write(self, batch: Sequence[LogRecord], has_time: Callable[[], bool]) -> int | None:
        super().write(batch, has_time)
        return None


BREAKS: Final[tuple[type[NumberedLog], ...]] = (
    EntryOverwritten,
    RefusalMeansDone,
    RefusedRowsWrittenAgain,
    EntrySubtractedByRange,
    RecordsBelowMarkDropped,
    WalkEndsAtFirst,
    NewestEntryTakenForHighest,
    RowRaisedBeforeCount,
    RefusedEntryNotCounted,
    RowRaisedBeforePut,
    RowOfOwnEntryOnly,
    HourOfFirstRecord,
    StreamNotInName,
    VerdictsDecidedOnce,
    ErrorsSwallowed,
    UnwrittenNotReported,
)
