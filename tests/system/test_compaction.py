"""System tests of compaction, by the operator's command and by the schedule."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.system.test_journey import event, post, stored
from tests.unit.lake.tables import create_tables
from tools.dev import system
from tools.operations import commands as operations
from tools.stack import client

pytestmark = pytest.mark.integration


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
        copy_lake(meridian, lake)
        assert count_distinct_events(connection) >= before + 2
