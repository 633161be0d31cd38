"""A Region's lake and its Iceberg table on the emulator's S3 and Glue, written by this process."""

import threading
from dataclasses import replace
from typing import Any, Final

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

from stream_processor.compaction.compact import Compaction
from stream_processor.handlers.events import EventsHandler
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.s3 import Bucket
from stream_processor.table.publish import EventsTable, Published, folders_between
from tests.unit.stream_processor.fakes import FAILURES, LAKE, SETTINGS, FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, packed, rejected
from tests.unit.stream_processor.test_erasure import ARRIVED, NOW, OTHER
from tests.unit.stream_processor.test_erasure import Lake as FakeLake

DATABASE: Final = "meridian_test"
REGION: Final = "us-east-1"
_FOLDERS: Final = folders_between(ARRIVED, ARRIVED)


class _Aws(FakeAws):
    """Fakes of the tables; S3 and Glue are the emulator's."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(settings=SETTINGS)
        options: Any = {
            "endpoint_url": endpoint,
            "region_name": REGION,
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }
        self.live_s3 = boto3.client("s3", **options)
        self.live_glue = boto3.client("glue", **options)

    def app(self) -> AppContext:
        fakes = super().app()
        return replace(
            fakes,
            lake=Bucket(LAKE, self.live_s3),
            failures=Bucket(FAILURES, self.live_s3),
            glue=self.live_glue,
        )


class LiveLake(FakeLake):
    """The writer, compaction, erasure and committer. Two may not write records at once."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint
        aws = _Aws(endpoint)
        self.aws = aws
        self._s3 = aws.live_s3
        for bucket in (LAKE, FAILURES):
            aws.live_s3.create_bucket(Bucket=bucket)
            aws.live_s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        aws.live_glue.create_database(DatabaseInput={"Name": DATABASE})
        self._numbers = iter(range(1_000_000))
        self._writing = threading.Lock()

    def send(self, user: str) -> None:
        """Write a record with an event of a user, another event, and a bad one."""
        with self._writing:
            number = next(self._numbers)
            events = [accepted(f"m{number}", userId=user), accepted(f"n{number}", userId=OTHER)]
            bad = rejected("properties_size", raw="{}")
            record = packed(header(f"request-{number}"), events, [bad])
            event = self.put(record)
        EventsHandler(self.aws.app()).handle(event, lambda: True)

    def publish(self) -> Published:
        """Let the table have what the lake has."""
        table = EventsTable.of(self.aws.app())
        return table.publish(_FOLDERS, lambda: True)

    def compact(self) -> int:
        day = ARRIVED.replace(hour=0)
        return Compaction(self.aws.app()).run(day, NOW, lambda: True).compacted

    def stored(self) -> list[dict[str, Any]]:
        """Return the rows of all objects of events."""
        rows: list[dict[str, Any]] = []
        for page in self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=LAKE, Prefix="events/"
        ):
            for item in page.get("Contents", []):
                body = self._s3.get_object(Bucket=LAKE, Key=item["Key"])["Body"].read()
                rows += pq.read_table(pa.BufferReader(body)).to_pylist()
        return rows
