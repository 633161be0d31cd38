"""Copies of buckets for a Spark job, and what is written back."""

import io
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.spark_run import SparkSubmit, command, copy_in, copy_out

CHANGED: Final = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
keys = st.sampled_from(["a", "b/c", "b/d/e", "b/f"])
contents = st.dictionaries(keys, st.binary(max_size=3), max_size=4)


class Bucket:
    """The objects of a bucket, of which some can't be read."""

    def __init__(self, objects: dict[str, bytes], hidden: set[str]) -> None:
        self.objects, self.hidden = objects, hidden
        self.calls: list[tuple[str, str]] = []

    def get_paginator(self, _operation: str) -> "Bucket":
        return self

    def paginate(self, **_arguments: str) -> list[dict[str, Any]]:
        listed = [{"Key": it, "LastModified": CHANGED} for it in sorted(self.objects)]
        return [{"Contents": listed[:1]}, {}, {"Contents": listed[1:]}]

    def get_object(self, **arguments: str) -> dict[str, Any]:
        if arguments["Key"] in self.hidden:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[arguments["Key"]])}

    def put_object(self, **arguments: Any) -> None:
        self.calls.append(("put", arguments["Key"]))
        self.objects[arguments["Key"]] = arguments["Body"]

    def delete_object(self, **arguments: str) -> None:
        self.calls.append(("delete", arguments["Key"]))
        del self.objects[arguments["Key"]]


@given(contents, contents, st.sets(keys))
def test_only_changes_of_readable_objects_are_written_back(
    before: dict[str, bytes], wanted: dict[str, bytes], hidden: set[str]
) -> None:
    bucket = Bucket(dict(before), hidden)
    with TemporaryDirectory() as name:
        folder = Path(name)
        listed = copy_in(bucket, "bucket", folder)
        assert listed.keys() == before.keys() - hidden
        for key in listed:
            assert (folder / key).stat().st_mtime == CHANGED.timestamp()
        # The job writes the objects that it wants, with another content, and deletes the others.
        for key in listed.keys() - wanted.keys():
            (folder / key).unlink()
        new = {key: value for key, value in wanted.items() if key not in hidden}
        for key, value in new.items():
            if before.get(key) != value or key not in listed:
                (folder / key).parent.mkdir(parents=True, exist_ok=True)
                (folder / key).write_bytes(value)
        copy_out(bucket, "bucket", folder, listed)
    unreadable = {key: value for key, value in before.items() if key in hidden}
    assert bucket.objects == new | unreadable
    unchanged = {key for key, value in new.items() if listed.get(key) and before[key] == value}
    assert not {key for _, key in bucket.calls} & unchanged


def test_command_runs_on_the_copies_without_settings_of_workers() -> None:
    job = SparkSubmit(
        "s3://lake-1/jobs/entry.py",
        ("--lake", "s3://lake-1", "--other=s3a://two/x"),
        "--py-files s3://lake-1/jobs/a.zip --conf spark.executor.cores=2 --conf spark.x.y='1 2'",
    )
    words = command(job, Path("spark-submit"), Path("/copies"))
    assert words[0] == "spark-submit"
    assert words[-8:] == [
        *("--py-files", "/copies/lake-1/jobs/a.zip", "--conf", "spark.x.y=1 2"),
        *("/copies/lake-1/jobs/entry.py", "--lake", "/copies/lake-1", "--other=/copies/two/x"),
    ]
    assert "spark.executor.cores=2" not in words
