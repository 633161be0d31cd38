"""The lake's tables and views over objects in a folder, in DuckDB."""

from pathlib import Path
from typing import Final

import duckdb

from stream_processor.rows.lake_schema import CHANGES, COMPACTED, EVENTS
from stream_processor.storage import parquet
from tests.support.paths import ROOT
from tests.unit.stream_processor.fakes import FakeAws

VIEWS: Final = sorted((ROOT / "lake" / "views").glob("*.sql"))
TABLES: Final = {"events": EVENTS, "events_compacted": COMPACTED, "changes": CHANGES}
FOLDERS: Final = {"events_compacted": "compacted"}


def copy_objects(aws: FakeAws, folder: Path) -> None:
    """Copy the lake's objects to a folder, except those that are there already."""
    for key, body, _ in aws.objects():
        if not (folder / key).exists():
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(body)


def open_lake(aws: FakeAws, folder: Path) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection with the lake's tables and views over copies of its objects."""
    copy_objects(aws, folder)
    return create_tables(folder)


def create_tables(folder: Path) -> duckdb.DuckDBPyConnection:
    """Create the lake's tables and views over the objects in a folder, later ones included."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, schema in TABLES.items():
        table_folder = folder / FOLDERS.get(name, name)
        empty = table_folder / "date=2026-01-01" / "hour=00"
        empty.mkdir(parents=True, exist_ok=True)
        (empty / "none.parquet").write_bytes(parquet.write(schema.empty_table()))
        connection.execute(
            f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{table_folder}/**/*.parquet', "
            "hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
        )
    for view in VIEWS:
        connection.execute(view.read_text())
    return connection
