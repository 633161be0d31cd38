"""System test of the daily marts: the workflow runs the Spark job on the lake of this Region."""

import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.waiting import wait_until
from tests.system.test_compaction import copy_lake
from tests.system.test_journey import event, post, stored
from tests.unit.lake.test_marts import answers, rows_of
from tools.dev import system
from tools.lake_sql.tables import open_lake
from tools.setup import spark
from tools.stack import client, describe_stack

pytestmark = pytest.mark.integration

#: A job starts Spark, which takes longer while other tests run.
JOB_S = 300


@pytest.fixture
def outputs(meridian: system.System) -> dict[str, str]:
    if not spark.is_installed():
        pytest.skip("Spark isn't installed: run `make spark`")
    return describe_stack(meridian.target).outputs


def run(meridian: system.System, machine: str) -> dict[str, Any]:
    """Run the workflow to its end and return its execution."""
    machines = client("stepfunctions", meridian.target)
    execution = machines.start_execution(stateMachineArn=machine)["executionArn"]

    def ended() -> dict[str, Any] | None:
        description = machines.describe_execution(executionArn=execution)
        return dict(description) if description["status"] != "RUNNING" else None

    return wait_until(ended, "the end of the marts' execution", timeout_s=JOB_S)


def assert_marts_equal_duckdb(meridian: system.System, folder: Path) -> None:
    """Compare what Spark wrote about the lake of the running functions with DuckDB's answers."""
    copy_lake(meridian, folder)
    days = sorted((folder / "events").glob("date=*"))
    assert days
    with open_lake(folder) as lake:
        for day in (date.fromisoformat(it.name.removeprefix("date=")) for it in days):
            for mart, rows in answers(lake, day).items():
                assert rows_of(folder, mart, day) == rows, (mart, day)


def test_workflow_writes_the_marts_of_the_lake(
    meridian: system.System, outputs: dict[str, str], tmp_path: Path
) -> None:
    path = "/marts-of-the-lake"
    sent = event("page", "marts", properties={"path": path})
    assert post(meridian, "/v1/page", sent).status_code == 200
    assert stored(meridian, f"message_id = '{sent['messageId']}'", 1)
    execution = run(meridian, outputs["MartsMachine"])
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    assert json.loads(execution["output"])["jobRunId"]
    assert_marts_equal_duckdb(meridian, tmp_path)
    s3, bucket = client("s3", meridian.target), outputs["LakeBucket"]
    answers: list[tuple[int, int]] = []
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix="marts/pages/")["Contents"]:
        body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
        mart = pq.read_table(io.BytesIO(body)).to_pylist()
        answers += [(it["views"], it["visitors"]) for it in mart if it["page_path"] == path]
    assert answers == [(1, 1)]
