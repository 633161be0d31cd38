"""Tests the lake's SQL in DuckDB over objects that the handlers wrote."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest

from aws_emulator.simulator import dynamodb_records
from stream_processor.handlers.changes import ChangesHandler
from stream_processor.handlers.events import EventsHandler
from stream_processor.rows.lake_schema import CHANGES, COMPACTED, EVENTS
from tests.support.paths import ROOT
from tests.unit.lake.tables import open_lake
from tests.unit.stacks.test_templates import resources
from tests.unit.stream_processor.fakes import FakeAws
from tests.unit.stream_processor.sample_records import (
    accepted,
    header,
    kinesis_event,
    packed,
    rejected,
)
from tests.unit.stream_processor.test_repairs import AppointmentsTable, reconcile

QUERIES: Final = sorted((ROOT / "lake" / "queries").glob("*.sql"))


def always() -> bool:
    return True


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a lake of two shards: one request in both (after a failover), and twice in one."""
    aws = FakeAws()
    handler = EventsHandler(aws.app())
    request = packed(
        header("a", country="GB", device="mobile"),
        [
            accepted("m1", "/courses", anonymousId="v1", context={"campaign": {"source": "mail"}}),
            accepted("m2", "/", anonymousId="v1"),
        ],
        [rejected()],
    )
    handler.handle(kinesis_event([request, request]), always)
    handler.handle(kinesis_event([request, b"\xff"], shard="shardId-000000000001"), always)
    with open_lake(aws, tmp_path) as connection:
        yield connection


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_query_returns_rows(lake: duckdb.DuckDBPyConnection, path: Path) -> None:
    assert lake.execute(path.read_text()).fetchall()


def test_events_once_has_each_good_event_once_over_all_shards(
    lake: duckdb.DuckDBPyConnection,
) -> None:
    assert lake.execute("SELECT message_id FROM events_once ORDER BY 1").fetchall() == [
        ("m1",),
        ("m2",),
    ]
    assert lake.execute(
        "SELECT verdict, count(*) FROM events GROUP BY verdict ORDER BY 1"
    ).fetchall() == [("bad", 4), ("duplicate", 2), ("good", 4)]


def test_queries_return_counts_of_the_records(lake: duckdb.DuckDBPyConnection) -> None:
    def run(name: str) -> list[Any]:
        return lake.execute((ROOT / "lake" / "queries" / f"{name}.sql").read_text()).fetchall()

    assert run("pages") == [("/", 1, 1), ("/courses", 1, 1)]
    assert run("campaigns") == [("mail", None, None, 1)]
    assert run("countries") == [("GB", "mobile", 2, 1)]
    assert [row[2:] for row in run("conservation")] == [(10, 4, 4, 2, 0, 2)]
    assert [row[:3] for row in run("bad_reasons")] == [
        ("portal", "type_unknown", 3),
        (None, "record_unknown", 1),
    ]
    assert run("sessions") == [(1, 2.0)]


def test_appointments_now_equals_table_after_reconciliation(tmp_path: Path) -> None:
    aws = FakeAws()
    appointments = AppointmentsTable(aws)
    rng = random.Random(7)
    for _ in range(200):
        appointments.apply_random_change(rng)
    half = dynamodb_records(appointments.changes[:100])
    event = {"shardId": "s", "Records": [json.loads(record.text) for record in half]}
    ChangesHandler(aws.app()).handle(event, always)
    assert reconcile(aws).repaired > 0
    with open_lake(aws, tmp_path) as connection:
        now = connection.execute("SELECT pk, version FROM appointments_now ORDER BY pk").fetchall()
        (history,) = connection.execute("SELECT count(*) FROM appointments_history").fetchall()[0]
    table = sorted((pk, int(item["version"]["N"])) for (pk, _), item in appointments.table.items())
    assert now == table
    assert history >= 100


def glue_type(kind: pa.DataType) -> str:
    names = {"bool": "boolean", "int32": "int", "int64": "bigint"}
    return "timestamp" if pa.types.is_timestamp(kind) else names.get(str(kind), str(kind))


@pytest.mark.parametrize(
    ("table", "schema"),
    [("EventsTable", EVENTS), ("ChangesTable", CHANGES), ("CompactedTable", COMPACTED)],
)
def test_glue_table_has_columns_of_schema(table: str, schema: pa.Schema) -> None:
    table_input = resources(ROOT / "stacks" / "lake-catalog.yaml")[table]["Properties"][
        "TableInput"
    ]
    columns = [(it["Name"], it["Type"]) for it in table_input["StorageDescriptor"]["Columns"]]
    assert columns == [(field.name, glue_type(field.type)) for field in schema]
    assert [it["Name"] for it in table_input["PartitionKeys"]] == ["date", "hour"]
