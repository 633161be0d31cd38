"""The chain alone, over one shelf: what it does first, what it leaves, and how it says so.

That it neither loses nor repeats is for `test_proof.py` and `make prove`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from stream_processor import chain
from stream_processor.chain import Draft, Found, Mark, Record, Summary
from stream_processor.source import Packet


@dataclass
class Shelf:
    """One shard's objects and its row: what the chain needs of S3 and DynamoDB, and no more."""

    objects: dict[str, tuple[Summary, list[int]]] = field(default_factory=dict)
    row: Mark | None = None

    def mark(self) -> Mark | None:
        return self.row

    def raise_to(self, mark: Mark) -> None:
        if self.row is None or self.row.high < mark.high:
            self.row = mark

    def create(self, key: str, draft: Draft[list[int]]) -> Found | None:
        if key in self.objects:
            return self.found(key)
        self.objects[key] = (draft.summary, draft.tally)
        return None

    def between(self, mark: Mark, first: Record) -> Sequence[str]:
        ordered = sorted(self.objects.items(), key=lambda item: item[1][0].first)
        return [key for key, (s, _) in ordered if mark.high < s.first < first.sequence]

    def found(self, key: str) -> Found:
        summary, rows = self.objects[key]
        return Found(summary, str(rows))

    def tally(self, key: str) -> list[int]:
        return self.objects[key][1]


def draft_of(records: Sequence[Packet], previous: int | None) -> Draft[list[int]]:
    rows = [record.sequence for record in records]
    summary = Summary(
        first=rows[0],
        last=rows[-1],
        arrived_ms=records[0].arrived_ms,
        previous=previous,
        records=len(rows),
        good=len(rows),
        bad=0,
        duplicate=0,
    )
    return Draft(summary, b"", str(rows), rows)


def name_of(record: Packet) -> str:
    return chain.padded(record.sequence)


def row_and_chain(shelf: Shelf, records: Sequence[Packet]) -> int | None:
    return chain.commit(
        records,
        marks=shelf,
        objects=shelf,
        draft=draft_of,
        name=name_of,
        committed=lambda _: None,
        in_time=lambda: True,
    ).unwritten


def test_a_batch_that_is_committed_already_writes_nothing() -> None:
    shelf = Shelf()
    records = [Packet(n, 0, "") for n in (1, 2, 3)]
    assert row_and_chain(shelf, records) is None
    before = dict(shelf.objects)
    assert row_and_chain(shelf, records[1:]) is None
    assert shelf.objects == before


def test_time_that_runs_out_names_the_first_record_that_is_left() -> None:
    shelf = Shelf()
    outcome = chain.commit(
        [Packet(n, 0, "") for n in (1, 2, 3)],
        marks=shelf,
        objects=shelf,
        draft=lambda rest, previous: draft_of(rest[:1], previous),
        name=name_of,
        committed=lambda _: None,
        in_time=lambda: len(shelf.objects) < 2,
    )
    assert (len(outcome.commits), outcome.unwritten) == (2, 3)


def test_an_error_before_the_first_object_is_raised_and_after_it_reported() -> None:
    class Full(Shelf):
        def create(self, key: str, draft: Draft[list[int]]) -> Found | None:
            if len(self.objects) == limit:
                raise OSError("full")
            return super().create(key, draft)

    def run() -> chain.Outcome[list[int]]:
        shelf = Full()
        return chain.commit(
            [Packet(n, 0, "") for n in (1, 2, 3)],
            marks=shelf,
            objects=shelf,
            draft=lambda rest, previous: draft_of(rest[:1], previous),
            name=name_of,
            committed=lambda _: None,
            in_time=lambda: True,
        )

    limit = 0
    with pytest.raises(OSError, match="full"):
        run()
    limit = 1
    outcome = run()
    assert outcome.unwritten == 2
    assert isinstance(outcome.error, OSError)


@pytest.mark.parametrize("sequence", [0, 9, 10, 10**38, 10**55, 10**56 - 1])
def test_padded_numbers_are_in_order_as_texts(sequence: int) -> None:
    """A DynamoDB Number would be at its end at 38 digits."""
    assert chain.padded(sequence) < chain.padded(sequence + 1) or sequence == 10**56 - 1
    assert len(chain.padded(sequence)) == chain.SEQUENCE_DIGITS
    assert int(chain.padded(sequence)) == sequence


def test_a_summary_survives_its_metadata() -> None:
    for previous in (None, 0, 10**55):
        summary = Summary(1, 10**55, 7, previous, 3, 2, 1, 0)
        assert Summary.parse(summary.metadata()) == summary
