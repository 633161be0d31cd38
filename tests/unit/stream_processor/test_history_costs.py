"""Tests that the requests of `reconcile` and `verify` don't grow with the lake's history."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from benchmarks import history
from benchmarks.synthetic_lake import SyntheticS3
from stream_processor.storage.s3 import Bucket
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import load

HALF_HOUR: Final = timedelta(minutes=30)
TODAY: Final = datetime(2026, 11, 27, tzinfo=UTC)


def test_comparison_of_one_night_reads_objects_of_one_day() -> None:
    nights = [
        history.compare(*history.lake_of(days, HALF_HOUR, TODAY.date())) for days in (20, 200)
    ]
    assert nights[0] == nights[1]
    assert nights[0].objects == 48
    # The saved states are an object, too.
    assert nights[0].requests["GET"] == 49
    assert nights[0].requests["PUT"] == 1


def test_verify_of_one_night_reads_ten_days_with_one_request_per_object() -> None:
    today = datetime.now(UTC).date()
    nights = [history.verify(*history.lake_of(days, HALF_HOUR, today)) for days in (20, 200)]
    assert nights[0] == nights[1]
    assert nights[0].objects == nights[0].requests["HEAD"] == 2 * 10 * 48
    assert nights[0].requests["GET"] == 0


def test_run_over_whole_lake_is_calculated_from_requests_per_object() -> None:
    night = history.compare(*history.lake_of(20, HALF_HOUR, TODAY.date()))
    whole = history.whole(night, objects=480, days=80, listed_days=8)
    assert whole.requests["GET"] == 490
    assert whole.requests["LIST"] == 10 * night.requests["LIST"]
    assert whole.bytes_read == 10 * night.bytes_read
    put = history.DOLLARS["PUT"]
    assert whole.dollars - put == pytest.approx(10 * (night.dollars - put))


def test_timeout_of_benchmark_is_that_of_template() -> None:
    function = load(ROOT / "stacks" / "stream.yaml")["Resources"]["ChangesFunction"]
    assert function["Properties"]["Timeout"] == history.TIMEOUT_S


def test_synthetic_lake_lists_its_keys_in_pages() -> None:
    s3 = SyntheticS3(TODAY - timedelta(days=2), TODAY, timedelta(seconds=40), b"")
    client: Any = s3
    bucket = Bucket("lake", client)
    keys = [s3.key("events", number) for number in range(s3.count)]
    assert list(bucket.keys("events/")) == keys == sorted(keys)
    assert s3.requests["LIST"] == 5
    assert list(bucket.keys("events/", keys[99])) == keys[100:]
    day, hour = keys[:2160], keys[90:180]
    assert list(bucket.keys("events/date=2026-11-25/")) == day
    assert list(bucket.keys("events/date=2026-11-25/hour=01/")) == hour
    assert list(bucket.folders("events/")) == ["events/date=2026-11-25/", "events/date=2026-11-26/"]
    assert s3.keys_since("events", TODAY - timedelta(hours=1)) == keys[-90:]
    assert list(bucket.deleted("events/")) == []
