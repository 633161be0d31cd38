"""Unit tests of the commit protocol over one shard.

`test_proof.py` and `make prove` check that it neither loses nor duplicates records.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from stream_processor.commit import protocol
from stream_processor.ingest.records import StreamRecord
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS, padded
from stream_processor.storage.lake_types import (
    ExistingObject,
    HighWaterMark,
    ObjectSummary,
    PendingObject,
    SequencedRecord,
)


@dataclass
class FakeShard:
    """The objects and the high-water mark of one shard, as the protocol needs them."""

    objects: dict[str, tuple[ObjectSummary, list[int]]] = field(default_factory=dict)
    row: HighWaterMark | None = None

    def high_water_mark(self) -> HighWaterMark | None:
        return self.row

    def advance(self, mark: HighWaterMark) -> None:
        if self.row is None or self.row.high < mark.high:
            self.row = mark

    def create(self, key: str, pending: PendingObject[list[int]]) -> ExistingObject | None:
        if key in self.objects:
            return self.existing(key)
        self.objects[key] = (pending.summary, pending.stats)
        return None

    def uncounted(self, mark: HighWaterMark, first: SequencedRecord) -> Sequence[str]:
        ordered = sorted(self.objects.items(), key=lambda item: item[1][0].first)
        return [key for key, (s, _) in ordered if mark.high < s.first < first.sequence]

    def existing(self, key: str) -> ExistingObject:
        summary, rows = self.objects[key]
        return ExistingObject(summary, str(rows))

    def stats(self, key: str) -> list[int]:
        return self.objects[key][1]


def pending_object(
    records: Sequence[StreamRecord], previous: int | None
) -> PendingObject[list[int]]:
    rows = [record.sequence for record in records]
    summary = ObjectSummary(
        first=rows[0],
        last=rows[-1],
        arrived_ms=records[0].arrived_ms,
        previous=previous,
        records=len(rows),
        good=len(rows),
        bad=0,
        duplicate=0,
    )
    return PendingObject(summary, b"", str(rows), rows)


def name_of(record: StreamRecord) -> str:
    return padded(record.sequence)


def commit(shard: FakeShard, records: Sequence[StreamRecord]) -> int | None:
    return protocol.commit(
        records,
        checkpoints=shard,
        objects=shard,
        build=pending_object,
        name=name_of,
        committed=lambda _: None,
        write_missing=lambda *_: None,
        has_time=lambda: True,
    ).unwritten


def test_committed_batch_writes_nothing() -> None:
    shard = FakeShard()
    records = [StreamRecord(n, 0, "") for n in (1, 2, 3)]
    assert commit(shard, records) is None
    before = dict(shard.objects)
    assert commit(shard, records[1:]) is None
    assert shard.objects == before


def test_commit_without_time_reports_first_unwritten_record() -> None:
    shard = FakeShard()
    outcome = protocol.commit(
        [StreamRecord(n, 0, "") for n in (1, 2, 3)],
        checkpoints=shard,
        objects=shard,
        build=lambda rest, previous: pending_object(rest[:1], previous),
        name=name_of,
        committed=lambda _: None,
        write_missing=lambda *_: None,
        has_time=lambda: len(shard.objects) < 2,
    )
    assert (len(outcome.commits), outcome.unwritten) == (2, 3)


def test_commit_raises_error_before_first_object_and_reports_it_after() -> None:
    class Full(FakeShard):
        def create(self, key: str, pending: PendingObject[list[int]]) -> ExistingObject | None:
            if len(self.objects) == limit:
                raise OSError("full")
            return super().create(key, pending)

    def run() -> protocol.Outcome[list[int]]:
        shard = Full()
        return protocol.commit(
            [StreamRecord(n, 0, "") for n in (1, 2, 3)],
            checkpoints=shard,
            objects=shard,
            build=lambda rest, previous: pending_object(rest[:1], previous),
            name=name_of,
            committed=lambda _: None,
            write_missing=lambda *_: None,
            has_time=lambda: True,
        )

    limit = 0
    with pytest.raises(OSError, match="full"):
        run()
    limit = 1
    outcome = run()
    assert outcome.unwritten == 2
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
