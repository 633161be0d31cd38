"""The lake is listed, counted and copied; what goes wrong is one sentence."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from aws_emulator.errors import CommandError
from tools.report.lake import Counts, Lake, copies
from tools.tests.report.lake_files import Bucket

NOW = datetime(2025, 9, 15, tzinfo=UTC)


def test_only_the_parquet_objects_of_the_events_count() -> None:
    bucket = Bucket()
    later, first = bucket.put([], NOW), bucket.put([], NOW)
    for key in ("changes/x.parquet", "events/_manifest.json"):
        bucket.objects[key] = (b"", {}, NOW)

    assert [item.key for item in bucket.lake.objects()] == sorted([later, first])


def test_an_object_says_what_it_holds() -> None:
    bucket = Bucket()
    key = bucket.put([{"verdict": v} for v in ("good", "good", "bad", "duplicate")], NOW)

    assert bucket.lake.counts(key) == Counts(good=2, bad=1, duplicate=1)
    assert bucket.lake.counts(key).rows == 4


@pytest.mark.parametrize("metadata", [{}, {"good": "1", "bad": "0"}, {"good": "x"}])
def test_an_object_that_does_not_say_it(metadata: dict[str, str]) -> None:
    bucket = Bucket({"events/a.parquet": (b"", metadata, NOW)})

    with pytest.raises(CommandError, match="does not say how many rows"):
        bucket.lake.counts("events/a.parquet")


def test_copies_are_there_for_as_long_as_they_are_read(tmp_path: Path) -> None:
    bucket = Bucket()
    keys = [bucket.put([{"verdict": "good"}], NOW), bucket.put([], NOW)]
    lake = bucket.lake

    with copies(lake, tmp_path) as found:
        assert [copy.original.key for copy in found] == keys
        assert [copy.path.read_bytes() for copy in found] == [bucket.objects[k][0] for k in keys]
        assert [copy.counts.good for copy in found] == [1, 0]
    assert list(tmp_path.iterdir()) == []


class Broken:
    """An S3 client whose every call fails."""

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
    ("error", "sentence"),
    [
        (ClientError({"Error": {"Code": "NoSuchBucket"}}, "x"), r"cannot be read \(NoSuchBucket\)"),
        (EndpointConnectionError(endpoint_url="http://x"), "does not answer"),
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
def test_a_lake_that_is_gone(
    error: Exception, sentence: str, call: Callable[[Lake, Path], object], tmp_path: Path
) -> None:
    lake = Lake(cast("Any", Broken(error)), "lake-bucket")

    with pytest.raises(CommandError, match=f"s3://lake-bucket {sentence}"):
        call(lake, tmp_path / "copy")
