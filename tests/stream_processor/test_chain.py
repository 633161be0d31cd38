"""The chain alone, by the thousand, and the six designs that it was chosen over.

Each design goes through the same simulator with the same faults: a test of exactly-once that no
wrong design fails would prove nothing.
"""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from stream_processor import chain
from stream_processor.chain import Commit, Draft, Found, Mark, Record, Summary
from stream_processor.source import Batch, Packet, packets
from tests.simulator import Faults, Simulator, fault_point, kinesis_records

#: 20,000 runs of the chain in `make prove`.
RUNS = {"quick": 200, "ci": 2_000, "deep": 20_000}[os.environ.get("HYPOTHESIS_PROFILE", "quick")]
#: Runs of a wrong design: enough to see it fail.
WRONG_RUNS = 150
RECORDS = 40
SETTINGS = {
    "BatchSize": 10,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": -1,
}
FAULTS = Faults(crash=0.04, error=0.05, timeout=0.15, overlap=0.1, restart=0.03, throttle=0.05)


@dataclass
class Shelf:
    """One shard's objects and its row: what the chain needs of S3 and DynamoDB, and no more."""

    objects: dict[str, tuple[Summary, list[int]]] = field(default_factory=dict)
    row: Mark | None = None

    def mark(self) -> Mark | None:
        fault_point("row: read", error=OSError)
        return self.row

    def raise_to(self, mark: Mark) -> None:
        fault_point("row: before", error=OSError)
        if self.row is None or self.row.high < mark.high:
            self.row = mark
        fault_point("row: after", error=OSError)

    def put(self, key: str, summary: Summary, rows: list[int], *, overwrite: bool = False) -> bool:
        fault_point("put: before", error=OSError)
        written = overwrite or key not in self.objects
        if written:
            self.objects[key] = (summary, rows)
        fault_point("put: after", error=OSError)
        return written

    def create(self, key: str, draft: Draft[list[int]]) -> Found | None:
        if self.put(key, draft.summary, draft.tally):
            return None
        return self.found(key)

    def between(self, mark: Mark, first: Record) -> Sequence[str]:
        fault_point("list", error=OSError)
        ordered = sorted(self.objects.items(), key=lambda item: item[1][0].first)
        return [key for key, (s, _) in ordered if mark.high < s.first < first.sequence]

    def found(self, key: str) -> Found:
        fault_point("head", error=OSError)
        summary, rows = self.objects[key]
        return Found(summary, str(rows))

    def tally(self, key: str) -> list[int]:
        fault_point("get", error=OSError)
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


type Design = Callable[[Shelf, Sequence[Packet]], int | None]


def row_and_chain(shelf: Shelf, records: Sequence[Packet]) -> int | None:
    def committed(_: Commit[list[int]]) -> None:
        fault_point("counted", error=OSError)

    return chain.commit(
        records,
        marks=shelf,
        objects=shelf,
        draft=draft_of,
        name=name_of,
        committed=committed,
        in_time=lambda: True,
    ).unwritten


_random = itertools.count()


def random_key(shelf: Shelf, records: Sequence[Packet]) -> None:
    draft = draft_of(records, None)
    shelf.put(f"random-{next(_random)}", draft.summary, draft.tally)


def first_and_last(shelf: Shelf, records: Sequence[Packet]) -> None:
    draft = draft_of(records, None)
    shelf.put(f"{records[0].sequence}-{records[-1].sequence}", draft.summary, draft.tally)


def first_overwritten(shelf: Shelf, records: Sequence[Packet]) -> None:
    draft = draft_of(records, None)
    shelf.put(name_of(records[0]), draft.summary, draft.tally, overwrite=True)


def first_and_412_is_done(shelf: Shelf, records: Sequence[Packet]) -> None:
    draft = draft_of(records, None)
    shelf.put(name_of(records[0]), draft.summary, draft.tally)


def row_and_random_key(shelf: Shelf, records: Sequence[Packet]) -> None:
    mark = shelf.mark()
    rest = [r for r in records if mark is None or r.sequence > mark.high]
    if rest:
        random_key(shelf, rest)
        shelf.raise_to(Mark(rest[-1].sequence, 0))


def chain_without_row(shelf: Shelf, records: Sequence[Packet]) -> None:
    high = -1
    while rest := [record for record in records if record.sequence > high]:
        draft = draft_of(rest, None)
        found = shelf.create(name_of(rest[0]), draft)
        high = (found.summary if found else draft.summary).last


def handler_of(shelf: Shelf, design: Design) -> Callable[[dict[str, Any]], Any]:
    def handler(event: dict[str, Any]) -> Any:
        batch: Batch[Packet]
        (batch,) = packets(event)
        left = design(shelf, batch.records)
        failures = [] if left is None else [{"itemIdentifier": str(left)}]
        return {"batchItemFailures": failures}

    return handler


def judged(design: Design, seeds: Sequence[int], faults: Faults = FAULTS) -> tuple[int, int]:
    """In how many runs rows were lost, and in how many some were there twice."""
    lost = twice = 0
    for seed in seeds:
        shelf = Shelf()
        records = kinesis_records([b""] * RECORDS)
        report = Simulator(records, SETTINGS, handler_of(shelf, design), seed, faults).run()
        assert not report.unaccounted
        rows = Counter(row for _, rows in shelf.objects.values() for row in rows)
        lost += len(rows) < RECORDS
        twice += any(count > 1 for count in rows.values())
    return lost, twice


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(20))
def test_the_row_and_the_chain_neither_lose_nor_repeat(part: int) -> None:
    share = RUNS // 20
    assert judged(row_and_chain, range(part * share, (part + 1) * share)) == (0, 0)


@pytest.mark.parametrize(
    ("design", "loses"),
    [
        (random_key, False),
        (first_and_last, False),
        (first_overwritten, True),
        (first_and_412_is_done, True),
        (row_and_random_key, False),
        (chain_without_row, False),
    ],
)
def test_every_other_design_breaks_in_the_same_simulator(design: Design, *, loses: bool) -> None:
    lost, twice = judged(design, range(WRONG_RUNS))
    assert twice > WRONG_RUNS // 20
    assert bool(lost) is loses


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
