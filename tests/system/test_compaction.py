"""System tests of compaction, by the operator's command and by the schedule."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.table import Table

from tests.system.test_journey import event, post, stored
from tests.unit.lake.tables import create_tables
from tools.dev import system
from tools.operations import commands as operations
from tools.stack import client

pytestmark = pytest.mark.integration

#: Columns that identify a row.
ROW = ("shard_id", "sequence_number", "record_index", "object_id")


def copy_lake(running: system.System, folder: Path) -> None:
    """Copy the lake's new objects to a folder."""
    s3, bucket = client("s3", running.target), running.deployed.outputs["LakeBucket"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            target = folder / item["Key"]
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, item["Key"], str(target))


def count_distinct_events(lake: duckdb.DuckDBPyConnection) -> int:
    """Assert that the view has each good event once; return the number of events."""
    (once,) = lake.execute("SELECT count(*) FROM events_once").fetchall()[0]
    (distinct,) = lake.execute(
        "SELECT count(*) FROM (SELECT DISTINCT source, message_id FROM events "
        "WHERE verdict = 'good')"
    ).fetchall()[0]
    assert once == distinct
    return int(once)


def send(running: system.System) -> None:
    """Send one event and wait until it is in the lake."""
    sent = event("page", "compacted", properties={"path": "/compacted"})
    assert post(running, "/v1/page", sent).status_code == 200
    assert stored(running, f"message_id = '{sent['messageId']}'", 1)


def iceberg(running: system.System) -> Table:
    """Return the table as PyIceberg loads it by Glue and S3 of the running system."""
    keys = running.target.environment()
    return GlueCatalog(
        "reader",
        client=client("glue", running.target),
        **{
            "s3.endpoint": running.target.endpoint,
            "s3.region": running.target.region,
            "s3.access-key-id": keys["AWS_ACCESS_KEY_ID"],
            "s3.secret-access-key": keys["AWS_SECRET_ACCESS_KEY"],
        },
    ).load_table(f"meridian_{running.target.stage}.events_iceberg")


def iceberg_table(running: system.System, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the rows that PyIceberg finds in the table."""
    table = iceberg(running)
    rows: list[dict[str, Any]] = table.scan(selected_fields=columns).to_arrow().to_pylist()
    return rows


def iceberg_rows(running: system.System) -> list[tuple[object, ...]]:
    """Return the identities of the table's rows."""
    return [tuple(row.values()) for row in iceberg_table(running, ROW)]


def assert_table_has_each_row_once(running: system.System) -> None:
    """Assert that the table has all rows that were in the lake before, and none twice."""
    s3, bucket = client("s3", running.target), running.deployed.outputs["LakeBucket"]
    before = list_keys(running, "events/")
    stack = operations.local_stack(running.target)
    published = operations.run(stack, "table", capture=True)
    assert published.returncode == 0, published.stderr
    rows = iceberg_rows(running)
    assert len(rows) == len(set(rows))
    stored_rows = set()
    for key in before:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        table = pq.read_table(pa.BufferReader(body), columns=list(ROW))
        stored_rows |= {tuple(row[name] for name in ROW) for row in table.to_pylist()}
    assert stored_rows <= set(rows)


def list_keys(running: system.System, prefix: str) -> list[str]:
    s3, bucket = client("s3", running.target), running.deployed.outputs["LakeBucket"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def test_events_view_has_each_row_once_before_and_after_compaction(
    meridian: system.System, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    for _ in range(2):
        send(meridian)
    stack = operations.local_stack(meridian.target)
    first = operations.run(stack, "compact", ["--now"], capture=True)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout.removeprefix("compacted "))["compacted"] >= 1
    copy_lake(meridian, lake)
    assert list(lake.glob("compacted/**/*.parquet"))
    with create_tables(lake) as connection:
        before = count_distinct_events(connection)
        assert before >= 2
        # One late object isn't worth a file.
        for number in (1, 2):
            send(meridian)
            copy_lake(meridian, lake)
            assert count_distinct_events(connection) == before + number

        # Invoke the function as the schedule does, at a time when the hour has ended.
        at = datetime.now(UTC) + timedelta(hours=3)
        answer = client("lambda", meridian.target).invoke(
            FunctionName=f"meridian-{meridian.target.stage}-events",
            Payload=json.dumps({"scheduled_time": f"{at:%Y-%m-%dT%H:%M:%SZ}"}),
        )
        result = json.load(answer["Payload"])
        assert "FunctionError" not in answer, result
        assert result["compacted"] >= 1
        assert result["table"]["added"] >= 1
        assert_table_has_each_row_once(meridian)
        copy_lake(meridian, lake)
        assert count_distinct_events(connection) >= before + 2


def find_object(running: system.System, message_id: object) -> str:
    """Return the key of the object with a message."""
    s3, bucket = client("s3", running.target), running.deployed.outputs["LakeBucket"]
    for key in reversed(list_keys(running, "events/")):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        ids = pq.read_table(pa.BufferReader(body), columns=["message_id"])
        if message_id in ids.column(0).to_pylist():
            return key
    raise AssertionError(f"no object has {message_id}")
