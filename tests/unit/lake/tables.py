"""The lake's tables and views over objects in a folder, in DuckDB."""

from pathlib import Path

import duckdb

from stream_processor.rows.lake_schema import CHANGES, COMPACTED, EVENTS
from stream_processor.storage import parquet
from tests.support.paths import ROOT
from tests.unit.stream_processor.fakes import FakeAws

VIEWS = sorted((ROOT / "lake" / "views").glob("*.sql"))
TABLES = {"events": EVENTS, "events_compacted": COMPACTED, "changes": CHANGES}
FOLDERS = {"events_compacted": "compacted"}


def copied(aws: FakeAws, folder: Path) -> None:
    """Write the lake's objects to a folder, as far as they are not there."""
    for key, body, _ in aws.objects():
        if not (folder / key).exists():
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(body)


def opened(aws: FakeAws, folder: Path) -> duckdb.DuckDBPyConnection:
    """The lake's tables and views over copies of its objects."""
    copied(aws, folder)
    return tables(folder)


def tables(folder: Path) -> duckdb.DuckDBPyConnection:
    """The lake's tables and views over objects in a folder, those that are added later as well."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, schema in TABLES.items():
        place = folder / FOLDERS.get(name, name)
        empty = place / "date=2026-01-01" / "hour=00"
        empty.mkdir(parents=True, exist_ok=True)
        (empty / "none.parquet").write_bytes(parquet.write(schema.empty_table()))
        connection.execute(
            f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{place}/**/*.parquet', "
            "hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
        )
    for view in VIEWS:
        connection.execute(view.read_text())
    return connection
