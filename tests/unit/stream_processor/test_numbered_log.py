"""Histories of the numbered log, the design of decision 0031, and of deliberate breaks of it.

`make prove` runs thousands.
"""

import os
from collections.abc import Iterable
from typing import Final

import pytest

from stream_processor.errors import StorageError
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.proof.lake_checker import InvariantError
from tests.unit.stream_processor.proof.numbered_log.breaks import BREAKS
from tests.unit.stream_processor.proof.numbered_log.disruptions import DISRUPTIONS
from tests.unit.stream_processor.proof.numbered_log.history import History
from tests.unit.stream_processor.proof.numbered_log.writer import (
    HOUR_MS,
    Entry,
    LogRecord,
    LogTable,
    NumberedLog,
)

HISTORIES: Final = {"quick": 12, "full": 60, "ci": 400, "deep": 4_000}[
    os.environ.get("HYPOTHESIS_PROFILE", "quick")
]
#: Histories within which a break must be detected.
MAX_HISTORIES: Final = 300


def run_all(histories: Iterable[History]) -> None:
    for history in histories:
        history.run()


def test_numbered_log_neither_loses_nor_duplicates_records() -> None:
    histories = [History(seed) for seed in range(HISTORIES)]
    run_all(histories)
    assert set(DISRUPTIONS) == {name for history in histories for name in history.drawn}
    assert sum(len(history.table.counts) for history in histories) > HISTORIES


@pytest.mark.proof
@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.__name__)
def test_histories_detect_break_of_numbered_log(broken: type[NumberedLog]) -> None:
    with pytest.raises(InvariantError):
        run_all(History(seed, broken) for seed in range(MAX_HISTORIES))


@pytest.mark.parametrize("seed", [1, 7])
def test_seed_repeats_history(seed: int) -> None:
    first, again = History(seed), History(seed)
    first.run()
    again.run()
    assert list(first.aws.objects()) == list(again.aws.objects())
    assert first.counts == again.counts
    assert first.table == again.table


def test_numbered_log_with_deleted_entry_refuses_to_rebuild_its_row() -> None:
    aws, table = FakeAws(), LogTable()
    records = [LogRecord(number, number, f"event-{number}") for number in range(1, 7)]
    NumberedLog(aws.app().lake, table, "clicks.0").write(records, lambda: True)
    first, *_ = aws.s3.list_keys()
    del aws.s3.objects[LAKE, first]
    table.rows.clear()
    with pytest.raises(StorageError, match="hole"):
        NumberedLog(aws.app().lake, table, "clicks.0").write(records, lambda: True)


def test_lowest_record_in_no_entry_is_reported_when_time_ends() -> None:
    """The batch has records of two hours; the time ends after the first entry."""
    aws, table = FakeAws(), LogTable()
    records = [LogRecord(2, 0, "a"), LogRecord(3, HOUR_MS, "b"), LogRecord(4, 0, "c")]
    writer = NumberedLog(aws.app().lake, table, "clicks.0")
    assert writer.write(records, lambda: False) == 3
    assert writer.write(records, lambda: True) is None
    assert [len(Entry.parse(body).records) for _, body, _ in aws.objects()] == [2, 1]
