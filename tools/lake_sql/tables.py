"""The lake's tables and views in DuckDB, over copies of its objects in a folder.

Athena's tables are in stacks/lake-catalog.yaml, and the views in lake/views. This module creates
both for the same SQL.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb

from tools.lake_sql.copies import Listing, use_index
from tools.paths import ROOT, STATE
from tools.template_yaml import yaml_parse

CATALOG: Final = ROOT / "stacks" / "lake-catalog.yaml"
VIEWS: Final = ROOT / "lake" / "views"
#: The view over the lakes of several Regions, and its tables.
REGIONS_VIEW: Final = ROOT / "lake" / "regions" / "events_once_all_regions.sql"
REGIONS_TABLES: Final = ("events", "events_compacted")
#: The folder of the marts that `make marts` writes.
MARTS: Final = STATE / "sql" / "marts"
#: The folder of each table's objects.
FOLDERS: Final = {"events": "events", "events_compacted": "compacted", "changes": "changes"}
#: The folders of the index of copies.
INDEX_FOLDERS: Final = ("copies", "seen")
#: The table of the catalogue's flow log, and the folder of its objects.
NETWORK: Final = ROOT / "stacks" / "catalogue" / "network.yaml"
FLOW_LOGS: Final = "flow-logs"
#: Athena's types in DuckDB.
_TYPES: Final = {
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "timestamp": "TIMESTAMPTZ",
    "binary": "BLOB",
}


@cache
def columns() -> Mapping[str, Mapping[str, str]]:
    """Return the columns of each table of the catalog, partition keys last, with DuckDB's types."""
    return {
        str(table["Name"]): {
            str(column["Name"]): duckdb_type(column["Type"])
            for column in [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
        }
        for table in _catalog_tables(CATALOG)
    }


def duckdb_type(kind: str) -> str:
    """Return the type of DuckDB for one of Athena."""
    return _TYPES[kind]


def _catalog_tables(template: Path) -> Iterator[dict[str, Any]]:
    for resource in yaml_parse(template.read_text())["Resources"].values():
        if resource["Type"] == "AWS::Glue::Table":
            yield resource["Properties"]["TableInput"]


def open_lake(folder: Path, *, filenames: bool = False) -> duckdb.DuckDBPyConnection:
    """Return a connection with the lake's tables and views over the objects in a folder.

    With `filenames`, the tables have another column: the path of a row's object in the folder.
    A table without objects is empty. Nothing is downloaded: DuckDB's extensions stay off.
    """
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    # UTC makes the hours independent of the machine's time zone.
    connection.execute("SET TimeZone = 'UTC'")
    for name in FOLDERS:
        rows = _select_rows(folder, name, filenames=filenames)
        connection.execute(f"CREATE VIEW {name} AS {rows}")
    for view in sorted(VIEWS.glob("*.sql")):
        connection.execute(view.read_text())
    use_index(DuckDB(connection, folder), Listing.of_folder(folder))
    return connection


def open_regions(connection: duckdb.DuckDBPyConnection, folders: Mapping[str, Path]) -> None:
    """Create `events_once_all_regions` and its tables over the folder of each Region's lake."""
    for name in REGIONS_TABLES:
        regions = (
            f"SELECT *, '{region}' AS lake_region FROM ({_select_rows(folder, name)})"  # noqa: S608 - constants
            for region, folder in folders.items()
        )
        connection.execute(
            f"CREATE OR REPLACE VIEW {name}_all_regions AS {' UNION ALL '.join(regions)}"
        )
    connection.execute(REGIONS_VIEW.read_text())


def open_flow_logs(connection: duckdb.DuckDBPyConnection, folder: Path) -> bool:
    """Create the table `flow_logs` over a lake's folder; return False without objects of it."""
    objects = folder / FLOW_LOGS
    if not any(objects.rglob("*.parquet")):
        return False
    (table,) = _catalog_tables(NETWORK)
    listed = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    selected = ", ".join(
        f'"{it["Name"]}"::{duckdb_type(it["Type"])} AS "{it["Name"]}"' for it in listed
    )
    connection.execute(
        f"CREATE VIEW {table['Name']} AS SELECT {selected} FROM "  # noqa: S608 - quoted
        f"read_parquet('{_quoted(objects)}/**/*.parquet', hive_partitioning = true, "
        "hive_types_autocast = false, union_by_name = true)"
    )
    return True


def _select_rows(folder: Path, name: str, *, filenames: bool = False) -> str:
    """Return a statement that selects a table's rows from the objects in a folder."""
    objects = folder / FOLDERS[name]
    types = {**columns()[name], **({"filename": "VARCHAR"} if filenames else {})}
    selected = ", ".join(f'"{column}"' for column in types)
    nulls = ", ".join(f'NULL::{kind} AS "{column}"' for column, kind in types.items())
    # Objects of an earlier version can lack columns.
    source = f"SELECT {nulls} WHERE false"
    if any(objects.rglob("*.parquet")):
        source = (
            f"SELECT {selected} FROM (SELECT * FROM "  # noqa: S608 - quoted
            f"read_parquet('{_quoted(objects)}/**/*.parquet', "
            "hive_partitioning = true, hive_types_autocast = false, union_by_name = true, "
            f"filename = {'true' if filenames else 'false'}) UNION ALL BY NAME {source})"
        )
    return source


def open_marts(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[str]:
    """Create a view `mart_<name>` of each mart in a folder; return the names."""
    names = []
    for mart in sorted({it.parent.parent for it in folder.glob("*/date=*/*.parquet")}):
        names.append(f"mart_{mart.name}")
        connection.execute(
            f"CREATE VIEW {names[-1]} AS SELECT * FROM "  # noqa: S608 - quoted
            f"read_parquet('{_quoted(mart)}/date=*/rows.parquet', hive_partitioning = true, "
            "hive_types_autocast = false)"
        )
    return names


class DuckDB:
    """A connection, and the folder with the lake's objects."""

    sha256 = "sha256({})"

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def table(self, name: str, prefix: str, paths: Sequence[str]) -> None:
        """Create a table of the index, which is small, or a view over rows or the log of ids."""
        files = ", ".join(f"'{_quoted(self._folder / it)}'" for it in paths)
        partitions = f"hive_partitioning = {prefix != 'seen'}, hive_types_autocast = false"
        kind, options, more = "TABLE", partitions, ""
        if prefix != "copies":
            kind, options = "VIEW", f"{partitions}, union_by_name = true"
        if prefix in ("events", "compacted"):
            more = "UNION ALL BY NAME SELECT NULL::BIGINT AS object_id WHERE false"
        self._connection.execute(
            f"CREATE OR REPLACE TEMPORARY {kind} {name} AS "  # noqa: S608 - quoted
            f"SELECT * FROM read_parquet([{files}], {options}) {more}"
        )

    def view(self, name: str, statement: str) -> None:
        """Create a table."""
        self._connection.execute(f"CREATE OR REPLACE TEMPORARY TABLE {name} AS {statement}")

    def query(self, statement: str) -> Sequence[Any]:
        """Run a statement and return its rows."""
        return self._connection.execute(statement).fetchall()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
