"""The check of the nightly reconciliation: due times, the first days, and other objects."""

from datetime import UTC, datetime

import pytest

from stream_processor.repair.overdue import is_overdue
from tests.unit.stream_processor.fakes import FakeAws


def overdue(keys: list[str], at: str) -> bool:
    aws = FakeAws()
    bucket = aws.app().lake
    for key in keys:
        aws.s3.put_object(Bucket=bucket.name, Key=key, Body=b"", Metadata={})
    return is_overdue(bucket, datetime.fromisoformat(at).replace(tzinfo=UTC))


EVENT = "events/date=2026-11-20/hour=09/shardId-000000000000/1.parquet"


@pytest.mark.parametrize(
    ("last_run", "at", "expected"),
    [
        ("2026-11-22", "2026-11-22T05:00", False),
        ("2026-11-21", "2026-11-22T04:59", False),
        ("2026-11-21", "2026-11-22T05:00", True),
        ("2026-11-20", "2026-11-22T04:59", True),
    ],
)
def test_reconciliation_is_overdue_from_five_oclock(last_run: str, at: str, expected: bool) -> None:
    assert overdue([EVENT, f"reconciled/date={last_run}/run.parquet"], at) == expected


@pytest.mark.parametrize("prefix", ["events", "changes"])
def test_reconciliation_that_never_ran_is_overdue_after_the_first_night(prefix: str) -> None:
    key = f"{prefix}/date=2026-11-20/hour=23/shard/1.parquet"
    # Deployed on the 20th: the first run was due in the night to the 21st.
    assert not overdue([key], "2026-11-20T23:20")
    assert not overdue([key], "2026-11-21T04:20")
    assert overdue([key], "2026-11-21T05:20")


def test_reconciliation_of_an_empty_lake_is_not_overdue() -> None:
    assert not overdue([], "2026-11-22T12:20")


def test_reconciliation_is_not_overdue_with_a_later_run_by_an_operator() -> None:
    assert not overdue([EVENT, "reconciled/date=2026-11-22/manual.parquet"], "2026-11-22T04:20")
