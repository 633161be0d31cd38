"""Tests that old files stay readable as columns are added.

The writer of schema version 1 made `schema_version_1.parquet` from one request. Never generate it
again.
"""

import json
from pathlib import Path
from typing import Final

import pyarrow as pa

from stream_processor.commit.event_objects import stats_of
from stream_processor.compaction.compact import Compaction, Result
from stream_processor.handlers.events import EventsHandler
from stream_processor.rows.lake_schema import EVENTS
from stream_processor.storage import parquet
from tests.support.paths import ROOT
from tests.unit.lake.tables import open_lake
from tests.unit.lake.test_compaction import END, START, always
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, kinesis_event, packed

#: The columns of schema version 1. Their order and types must never change.
VERSION_1: Final = (
    (ROOT / "tests" / "unit" / "lake" / "schema_version_1.txt").read_text().splitlines()
)
OLD: Final = (ROOT / "tests" / "unit" / "lake" / "schema_version_1.parquet").read_bytes()
HOUR: Final = "events/date=2026-11-21/hour=11"


def shape(schema: pa.Schema) -> list[str]:
    return [f"{field.name} {field.type}" for field in schema]


def test_schema_starts_with_columns_of_version_1() -> None:
    assert shape(EVENTS)[: len(VERSION_1)] == VERSION_1


def test_file_of_version_1_has_its_original_values() -> None:
    table = parquet.read(OLD)
    assert shape(table.schema) == VERSION_1
    good, plain, copy, bad = table.to_pylist()
    assert [row["verdict"] for row in (good, plain, copy, bad)] == [
        "good",
        "good",
        "duplicate",
        "bad",
    ]
    # The good row fills every column that an event can fill.
    assert [name for name, value in good.items() if value is None] == [
        "reason_code",
        "reason",
        "event",
        "raw",
    ]
    assert (good["page_path"], good["campaign_term"], good["city"]) == ("/courses", "t", "London")
    assert json.loads(good["event_json"])["properties"]["of_its_own"] == {"deep": [1, 2]}
    assert (bad["reason_code"], bad["raw"]) == ("type_unknown", b'{"type":"?"}')
    assert {row["schema_version"] for row in (good, plain, copy, bad)} == {1}


def test_file_of_version_1_can_be_counted_and_compacted() -> None:
    assert stats_of(parquet.read(OLD)).ids == ["portal\0old-1", "portal\0old-2"]
    aws = FakeAws()
    for name in ("a", "b"):
        aws.s3.objects[LAKE, f"{HOUR}/{name}.parquet"] = (OLD, {})
    assert Compaction(aws.app()).run(START, END, always) == Result(compacted=1, not_compared=1)


def test_table_reads_files_of_older_current_and_newer_schema(tmp_path: Path) -> None:
    """A column that a file lacks is null."""
    aws = FakeAws()
    aws.s3.objects[LAKE, f"{HOUR}/old.parquet"] = (OLD, {})
    event = packed(header(), [accepted("now", of_its_own="kept")])
    EventsHandler(aws.app()).handle(kinesis_event([event]), always)
    (now,) = [body for key, body, _ in aws.objects() if "shardId" in key]
    table = parquet.read(now)
    ids = table.schema.get_field_index("message_id")
    newer = table.set_column(ids, "message_id", pa.array(["tomorrow"]))
    newer = newer.append_column("of_tomorrow", pa.array(["new"]))
    aws.s3.objects[LAKE, f"{HOUR}/newer.parquet"] = (parquet.write(newer), {})
    # A file without the columns that were added after it.
    ids_of_less = table.set_column(ids, "message_id", pa.array(["less"]))
    less = ids_of_less.drop_columns(["library", "locale"])
    aws.s3.objects[LAKE, f"{HOUR}/less.parquet"] = (parquet.write(less), {})
    with open_lake(aws, tmp_path) as lake:
        rows = lake.execute(
            "SELECT message_id, locale, of_tomorrow FROM events WHERE verdict = 'good' ORDER BY 1"
        ).fetchall()
        assert rows == [
            ("less", None, None),
            ("now", None, None),
            ("old-1", "en-GB", None),
            ("old-2", None, None),
            ("tomorrow", None, "new"),
        ]
        own = "json_extract_string(event_json, '$.of_its_own')"
        own_rows = lake.execute(f"SELECT {own} FROM events_once ORDER BY message_id").fetchall()
        assert own_rows == [("kept",), ("kept",), (None,), (None,), ("kept",)]
    assert parquet.read(parquet.write(less), ["verdict", "library"]).schema.names == ["verdict"]
