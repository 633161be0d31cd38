"""Unit tests of the commit protocol over one log.

`test_proof.py` and `make prove` check that it neither loses nor duplicates records.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from stream_processor.commit import protocol
from stream_processor.errors import MissingObjectError
from stream_processor.ingest.records import StreamRecord
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS, padded
from stream_processor.storage.lake_types import (
    ExistingObject,
    LogPosition,
    ObjectSummary,
    PendingObject,
    SequencedRecord,
)


@dataclass(eq=False)
class FakeLog:
    """The entries and the row of one log, as the protocol needs them."""

    entries: dict[int, PendingObject[list[int]]] = field(default_factory=dict)
    row: LogPosition | None = None
    counted: list[int] = field(default_factory=list)

    def position(self) -> LogPosition:
        return self.row or LogPosition(0, None, None)

    def advance(self, position: LogPosition) -> None:
        if self.row is None or self.row.entries < position.entries:
            self.row = position

    def in_old_objects[R: SequencedRecord](self, records: Sequence[R]) -> set[int]:
        raise AssertionError(f"there are no old objects: {records}")

    def key(self, number: int) -> str:
        return str(number)

    def create(self, number: int, pending: PendingObject[list[int]]) -> ExistingObject | None:
        if number in self.entries:
            return self.existing(number)
        self.entries[number] = pending
        return None

    def existing(self, number: int) -> ExistingObject:
        if number not in self.entries:
            raise MissingObjectError("deleted")
        return ExistingObject(self.entries[number].summary, self.entries[number].digest)

    def sequences(self, number: int) -> set[int]:
        return set(self.entries[number].stats)

    def stats(self, number: int) -> list[int]:
        return self.entries[number].stats

    def count(self, number: int, stats: list[int]) -> None:
        del stats
        self.counted.append(number)

    @property
    def records(self) -> list[int]:
        """The records of all entries."""
        return sorted(it for entry in self.entries.values() for it in entry.stats)


def draft(
    _: FakeLog, position: LogPosition, rest: Sequence[StreamRecord]
) -> PendingObject[list[int]]:
    """Make an entry of at most two records. A record without a payload has no row."""
    taken = rest[:2]
    rows = [record.sequence for record in taken if record.payload]
    summary = ObjectSummary(
        first=taken[0].sequence,
        last=taken[-1].sequence,
        arrived_ms=0,
        previous=position.high,
        records=len(rows),
        good=len(rows),
        bad=0,
        duplicate=0,
    )
    return PendingObject(summary, b"", str(rows), rows, len(taken))


def records(*numbers: int, payload: str = "x") -> list[StreamRecord]:
    return [StreamRecord(number, 0, payload) for number in numbers]


def commit(log: FakeLog, batch: Sequence[StreamRecord], has_time: bool = True) -> int | None:
    return protocol.commit(
        batch, open_log=lambda _: log, draft=draft, has_time=lambda: has_time
    ).unwritten


def test_committed_batch_writes_nothing() -> None:
    log = FakeLog()
    assert commit(log, records(1, 2, 3)) is None
    before = dict(log.entries)
    assert commit(log, records(2, 3)) is None
    assert log.entries == before


def test_record_between_those_of_an_entry_is_written() -> None:
    log = FakeLog()
    commit(log, records(1, 5))
    commit(log, records(1, 3, 5, 7))
    assert log.records == [1, 3, 5, 7]


def test_writer_continues_after_entries_that_its_row_does_not_know() -> None:
    log = FakeLog()
    commit(log, records(1, 2, 3, 4))
    log.row = None
    commit(log, records(3, 4, 5, 6))
    assert log.records == [1, 2, 3, 4, 5, 6]
    assert log.counted == [0, 1, 0, 1, 2]


def test_commit_without_time_reports_lowest_unwritten_record() -> None:
    log = FakeLog()
    assert commit(log, records(1, 2, 3), has_time=False) == 3
    assert commit(log, records(1, 2), has_time=False) is None


def test_records_without_rows_make_no_entry() -> None:
    log = FakeLog()
    assert commit(log, records(1, 2, 3, payload="")) is None
    assert (log.entries, log.row) == ({}, None)


def test_records_of_deleted_entry_are_written_again() -> None:
    log = FakeLog()
    commit(log, records(1, 2, 3, 4, 5, 6))
    del log.entries[1]
    commit(log, records(1, 2, 3, 4, 5, 6))
    assert log.records == [1, 2, 3, 4, 5, 6]
    assert sorted(log.entries) == [0, 2, 3]


def test_batch_with_a_record_twice_writes_it_once() -> None:
    log = FakeLog()
    assert commit(log, records(1, 1, 2)) is None
    assert log.records == [1, 2]


def test_commit_raises_error_before_first_entry_and_reports_it_after() -> None:
    class Full(FakeLog):
        def create(self, number: int, pending: PendingObject[list[int]]) -> ExistingObject | None:
            if number == limit:
                raise OSError("full")
            return super().create(number, pending)

    def run() -> protocol.Outcome[list[int]]:
        log = Full()
        return protocol.commit(
            records(1, 2, 3), open_log=lambda _: log, draft=draft, has_time=lambda: True
        )

    limit = 0
    with pytest.raises(OSError, match="full"):
        run()
    limit = 1
    outcome = run()
    assert outcome.unwritten == 3
    assert isinstance(outcome.error, OSError)


@pytest.mark.parametrize("sequence", [0, 9, 10, 10**38, 10**55, 10**56 - 1])
def test_padded_sequence_numbers_sort_as_text(sequence: int) -> None:
    """They are text because a DynamoDB number has 38 digits at most."""
    assert padded(sequence) < padded(sequence + 1) or sequence == 10**56 - 1
    assert len(padded(sequence)) == SEQUENCE_DIGITS
    assert int(padded(sequence)) == sequence


def test_object_summary_is_parsed_from_its_metadata() -> None:
    for previous in (None, 0, 10**55):
        summary = ObjectSummary(1, 10**55, 7, previous, 3, 2, 1, 0)
        assert ObjectSummary.parse(summary.metadata()) == summary
