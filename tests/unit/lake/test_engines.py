"""The same SQL in every engine that the lake is for: DuckDB, Spark and Athena."""

import json
import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

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
from tests.unit.lake.spark_sql import plain
from tests.unit.lake.tables import VIEWS, opened
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    rejected,
)
from tests.unit.stream_processor.test_repairs import AppointmentsTable, reconcile

QUERIES = sorted((ROOT / "lake" / "queries").glob("*.sql"))
SPARK = ROOT / ".venv-spark" / "bin" / "python"
DAY = date(2026, 11, 21)


def always() -> bool:
    return True


@pytest.fixture(scope="module")
def aws() -> FakeAws:
    """Copies over shards, bad rows, some read again, an hour compacted, one with a late row."""
    made = FakeAws()
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
        EventsHandler(made.app()).handle(event, always)
        if turn == 8:
            compact(made)
    BadRowReprocessor(made.app()).run(DAY, DAY)
    appointments = AppointmentsTable(made)
    for _ in range(60):
        appointments.apply_random_change(rng)
    half = dynamodb_records(appointments.changes[:30])
    ChangesHandler(made.app()).handle(
        {"shardId": "s", "Records": [json.loads(record.text) for record in half]}, always
    )
    reconcile(made)
    return made


def compact(aws: FakeAws) -> None:
    day = datetime(2026, 11, 21, tzinfo=UTC)
    assert Compaction(aws.app()).run(day, day + timedelta(days=1), always).compacted


@pytest.fixture
def lake(aws: FakeAws, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(aws, tmp_path) as connection:
        yield connection


def answers(lake: duckdb.DuckDBPyConnection) -> dict[str, list[list[Any]]]:
    statements = {path.stem: f"SELECT * FROM {path.stem}" for path in VIEWS}
    statements |= {path.stem: path.read_text() for path in QUERIES}
    return {
        name: [[plain(it) for it in row] for row in lake.execute(statement).fetchall()]
        for name, statement in statements.items()
    }


def unordered(rows: list[list[Any]]) -> list[list[Any]]:
    return sorted(rows, key=repr)


@pytest.mark.spark
def test_spark_answers_as_duckdb_does(lake: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    if not SPARK.exists():
        pytest.skip("no Spark here: `make spark` makes its environment (it needs Java 17)")
    done = subprocess.run(
        [str(SPARK), "-I", str(ROOT / "tests" / "unit" / "lake" / "spark_sql.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    theirs = json.loads(done.stdout.splitlines()[-1])
    ours = answers(lake)
    assert theirs.keys() == ours.keys()
    for name, rows in ours.items():
        assert rows, f"{name} has nothing to compare"
        assert unordered(theirs[name]) == unordered(rows), name


@pytest.mark.parametrize("path", [*VIEWS, *QUERIES], ids=lambda path: path.stem)
def test_athena_reads_the_same_text(path: Path) -> None:
    """By a parser of its dialect, and with nothing that it would have to say otherwise."""
    (statement,) = sqlglot.parse(path.read_text(), dialect="athena")
    assert isinstance(statement, exp.Create | exp.Select)
    for other in ("duckdb", "spark"):
        (same,) = sqlglot.transpile(path.read_text(), read=other, write="athena")
        assert statement.sql(dialect="athena") == same, other
