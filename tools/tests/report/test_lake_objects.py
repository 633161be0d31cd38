"""The lake's objects: listing, row counts, copies and S3 errors."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from aws_emulator.errors import CommandError
from tools.report.lake_objects import Counts, Lake, copies
from tools.tests.report.lake_files import Bucket

NOW = datetime(2025, 9, 15, tzinfo=UTC)


def test_listing_contains_only_parquet_objects_of_events() -> None:
    bucket = Bucket()
    later, first = bucket.put([], NOW), bucket.put([], NOW)
    for key in ("changes/x.parquet", "events/_manifest.json"):
        bucket.objects[key] = (b"", {}, NOW)

    assert [item.key for item in bucket.lake.objects()] == sorted([later, first])


def test_counts_come_from_the_object_metadata() -> None:
    bucket = Bucket()
    key = bucket.put([{"verdict": v} for v in ("good", "good", "bad", "duplicate")], NOW)

    assert bucket.lake.counts(key) == Counts(good=2, bad=1, duplicate=1)
    assert bucket.lake.counts(key).rows == 4


@pytest.mark.parametrize("metadata", [{}, {"good": "1", "bad": "0"}, {"good": "x"}])
def test_counts_fail_without_valid_metadata(metadata: dict[str, str]) -> None:
    bucket = Bucket({"events/a.parquet": (b"", metadata, NOW)})

    with pytest.raises(CommandError, match="has no valid row counts"):
        bucket.lake.counts("events/a.parquet")


def test_copies_exist_only_inside_the_context(tmp_path: Path) -> None:
    bucket = Bucket()
    keys = [bucket.put([{"verdict": "good"}], NOW), bucket.put([], NOW)]
    lake = bucket.lake

    with copies(lake, tmp_path) as copied:
        assert [copy.original.key for copy in copied] == keys
        assert [copy.path.read_bytes() for copy in copied] == [bucket.objects[k][0] for k in keys]
        assert [copy.counts.good for copy in copied] == [1, 0]
    assert list(tmp_path.iterdir()) == []


class Broken:
    """An S3 client whose calls all fail."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_paginator(self, _name: str) -> "Broken":
        return self

    def paginate(self, **_: str) -> list[Any]:
        raise self._error

    def head_object(self, **_: str) -> io.BytesIO:
        raise self._error

    get_object = head_object


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClientError({"Error": {"Code": "NoSuchBucket"}}, "x"), "NoSuchBucket"),
        (EndpointConnectionError(endpoint_url="http://x"), "EndpointConnectionError"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda lake, _: lake.objects(),
        lambda lake, _: lake.counts("k"),
        lambda lake, path: lake.copy("k", path),
    ],
)
def test_s3_error_becomes_a_command_error(
    error: Exception, reason: str, call: Callable[[Lake, Path], object], tmp_path: Path
) -> None:
    lake = Lake(cast("Any", Broken(error)), "lake-bucket")

    with pytest.raises(CommandError, match=f"Can't read the data lake s3://lake-bucket: {reason}"):
        call(lake, tmp_path / "copy")
