"""Waiting for the lake ends with the last row, with a drained poller, or with an error."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aws_emulator.errors import CommandError
from aws_emulator.event_sources.status import STATUS_FILE
from tools.report.wait import Expected, is_drained, wait_until_stored
from tools.tests.report.lake_files import Bucket, Row

FIRST = datetime(2025, 9, 15, 8, 0, 0, 700_000, tzinfo=UTC)
LAST = FIRST + timedelta(seconds=20)
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/meridian-local-events"


def rows(count: int, verdict: str = "good") -> list[Row]:
    return [{"verdict": verdict}] * count


@dataclass
class Time:
    """A clock that only `sleep` advances; it runs each of `events` at its time."""

    now: float = 0.0
    events: dict[float, Callable[[], object]] = field(default_factory=dict)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [moment for moment in self.events if moment <= self.now]:
            self.events.pop(moment)()


def wait(
    bucket: Bucket, time: Time, accepted: int = 10, rejected: int = 0, status: Path | None = None
) -> int:
    expected = Expected(accepted, rejected, since=FIRST, last_answer=LAST)
    return wait_until_stored(
        bucket.lake, expected, status, timeout=30, clock=time, sleep=time.sleep
    )


def status_file(directory: Path, caught_up_at: datetime, source: str = STREAM) -> Path:
    shard = {"in_flight": 0, "caught_up_at": caught_up_at.timestamp()}
    mapping = {"state": "running", "source_arn": source, "shards": [shard]}
    path = directory / STATUS_FILE
    path.write_text(json.dumps({"updated_at": 0, "mappings": [mapping]}))
    return path


def test_wait_ends_with_the_last_row() -> None:
    bucket, time = Bucket(), Time()
    bucket.put(rows(6), LAST)
    time.events[7.0] = lambda: bucket.put(rows(3) + rows(1, "duplicate"), LAST)

    assert wait(bucket, time) == 10
    assert time.now == 7.0


def test_wait_includes_rejected_events_as_bad_rows() -> None:
    bucket, time = Bucket(), Time()
    bucket.put(rows(10), LAST)
    time.events[3.0] = lambda: bucket.put(rows(2, "bad"), LAST)

    assert wait(bucket, time, rejected=2) == 12
    assert time.now == 3.0


def test_wait_accepts_rejected_events_that_never_arrive() -> None:
    bucket, time = Bucket(), Time()
    bucket.put(rows(10), LAST)

    assert wait(bucket, time, rejected=2) == 10


def test_wait_ignores_rows_of_an_earlier_replay() -> None:
    bucket, time = Bucket(), Time()
    bucket.put(rows(9), FIRST.replace(microsecond=0) - timedelta(seconds=1))
    # LastModified has whole seconds: this object may be newer than the first request.
    bucket.put(rows(4), FIRST.replace(microsecond=0))

    with pytest.raises(CommandError, match=r"^6 of 10 accepted events didn't reach the data lake"):
        wait(bucket, time)
    assert time.now == 30


def test_wait_ends_when_the_poller_is_drained(tmp_path: Path) -> None:
    bucket, time = Bucket(), Time()
    bucket.put(rows(9), LAST)
    time.events[2.0] = lambda: status_file(tmp_path, LAST)

    assert wait(bucket, time, status=tmp_path / STATUS_FILE) == 9
    assert time.now == 2.0


def test_poller_is_drained_after_its_last_record(tmp_path: Path) -> None:
    assert not is_drained(tmp_path / STATUS_FILE, LAST)
    assert is_drained(status_file(tmp_path, LAST), LAST)
    assert not is_drained(status_file(tmp_path, LAST - timedelta(milliseconds=1)), LAST)
    table = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/x"
    assert not is_drained(status_file(tmp_path, LAST, table), LAST)
    (tmp_path / STATUS_FILE).write_text("{")
    assert not is_drained(tmp_path / STATUS_FILE, LAST)
