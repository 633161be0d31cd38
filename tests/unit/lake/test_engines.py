"""Tests that DuckDB, Spark and Athena run the same views and queries."""

import json
import os
import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from aws_emulator.simulator import dynamodb_records
from stream_processor.compaction.compact import Compaction
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.repair.reprocess_bad_rows import BadRowReprocessor
from tests.support.paths import ROOT
from tests.unit.lake.spark_sql import INDEXED, plain
from tests.unit.lake.tables import VIEWS, open_lake
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    rejected,
)
from tests.unit.stream_processor.test_repairs import AppointmentsTable, reconcile
from tools.lake_sql.tables import REGIONS_VIEW, open_regions
from tools.setup import spark

QUERIES: Final = sorted((ROOT / "lake" / "queries").glob("*.sql"))
INDEXED_VIEW: Final = ROOT / "lake" / "index" / "events_once.sql"
SPARK: Final = spark.FOLDER / "bin" / "python"
DAY: Final = date(2026, 11, 21)


def always() -> bool:
    return True


@pytest.fixture(scope="module")
def aws() -> FakeAws:
    """Return a lake with copies, bad and reprocessed rows, a compacted hour and a late row."""
    fake_aws = FakeAws()
    rng = random.Random(3)
    for turn in range(12):
        campaign = {"campaign": {"source": rng.choice(["mail", "search"])}}
        good = [
            accepted(f"m{rng.randrange(20)}", f"/{n}", n, anonymousId=f"v{n % 3}", context=campaign)
            for n in range(4)
        ]
        raw = json.dumps({"type": "page", "messageId": f"late{turn}", "anonymousId": "v"})
        bad = [rejected(), rejected("properties_size", raw=raw)]
        records = [packed(header(f"r{turn}", country="GB", device="mobile"), good, bad), b"\xff"]
        arrived = datetime(2026, 11, 21, 11 + turn % 3, tzinfo=UTC).timestamp()
        shard = f"shardId-{turn % 2:012d}"
        event = kinesis_event(records, first=1 + 10 * turn, shard=shard, arrived=arrived)
        EventsHandler(fake_aws.app()).handle(event, always)
        if turn == 8:
            compact(fake_aws)
    BadRowReprocessor(fake_aws.app()).run(DAY, DAY)
    appointments = AppointmentsTable(fake_aws)
    for _ in range(60):
        appointments.apply_random_change(rng)
    half = dynamodb_records(appointments.changes[:30])
    ChangesHandler(fake_aws.app()).handle(
        {"shardId": "s", "Records": [json.loads(record.text) for record in half]}, always
    )
    reconcile(fake_aws)
    return fake_aws


def compact(aws: FakeAws) -> None:
    day = datetime(2026, 11, 21, tzinfo=UTC)
    assert Compaction(aws.app()).run(day, day + timedelta(days=1), always).compacted


@pytest.fixture
def lake(aws: FakeAws, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_lake(aws, tmp_path) as connection:
        # Each object as if it were in two Regions.
        open_regions(connection, {"a": tmp_path, "b": tmp_path})
        yield connection


def run_all(lake: duckdb.DuckDBPyConnection) -> dict[str, list[list[Any]]]:
    views = [*VIEWS, REGIONS_VIEW]
    statements = {path.stem: f"SELECT * FROM {path.stem}" for path in views}
    statements |= {path.stem: path.read_text() for path in QUERIES}
    return {
        name: [[plain(it) for it in row] for row in lake.execute(statement).fetchall()]
        for name, statement in statements.items()
    }


def unordered(rows: list[list[Any]]) -> list[list[Any]]:
    return sorted(rows, key=repr)


@pytest.mark.spark
def test_spark_returns_same_rows_as_duckdb(lake: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    if not spark.is_installed():
        pytest.skip("Spark isn't installed: run `make spark`")
    done = subprocess.run(
        [str(SPARK), "-I", str(ROOT / "tests" / "unit" / "lake" / "spark_sql.py"), str(tmp_path)],
        env={**os.environ, "JAVA_HOME": str(spark.JAVA_HOME)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = run_all(lake)
    ours[INDEXED] = ours["events_once"]
    assert theirs.keys() == ours.keys()
    for name, rows in ours.items():
        assert rows, f"{name} returned no rows to compare"
        assert unordered(theirs[name]) == unordered(rows), name


@pytest.mark.parametrize(
    "path",
    [*VIEWS, *QUERIES, INDEXED_VIEW, REGIONS_VIEW],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_sql_file_is_same_statement_in_athena_duckdb_and_spark(path: Path) -> None:
    """sqlglot parses the file in each dialect, and every result is the same Athena SQL."""
    (statement,) = sqlglot.parse(path.read_text(), dialect="athena")
    assert isinstance(statement, exp.Create | exp.Select)
    for other in ("duckdb", "spark"):
        (same,) = sqlglot.transpile(path.read_text(), read=other, write="athena")
        assert statement.sql(dialect="athena") == same, other
