"""The documented query of the catalogue's network runs over the table of its flow log."""

import re
from typing import Any, Final

import duckdb
import sqlglot

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import of_type
from tools.lake_sql import tables

NETWORK: Final = ROOT / "stacks" / "catalogue" / "network.yaml"
#: A connection that was refused, and one that wasn't.
REJECTED: Final = {"action": "REJECT", "srcaddr": "198.51.100.7", "dstport": 5432, "packets": 3}
ACCEPTED: Final = {"action": "ACCEPT", "srcaddr": "10.72.0.9", "dstport": 443, "packets": 90}
HOUR: Final = {"year": 2026, "month": 11, "day": 28, "hour": 11}


def documented_query() -> str:
    text = (ROOT / "docs" / "catalogue.md").read_text()
    (query,) = re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return str(query)


def flow_logs() -> dict[str, str]:
    """Return the columns of the table, with DuckDB's types."""
    (resource,) = of_type(NETWORK, "AWS::Glue::Table").values()
    table = resource["Properties"]["TableInput"]
    assert table["Name"] == "flow_logs"
    listed = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    return {it["Name"]: tables.duckdb_type(it["Type"]) for it in listed}


def rows(*connections: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the query's rows for connections in one hour."""
    database = duckdb.connect(":memory:")
    columns = ", ".join(f'"{name}" {kind}' for name, kind in flow_logs().items())
    database.execute(f"CREATE TABLE flow_logs ({columns})")
    for connection in connections:
        values = HOUR | connection
        names = ", ".join(f'"{it}"' for it in values)
        marks = ", ".join("?" for _ in values)
        database.execute(
            f"INSERT INTO flow_logs ({names}) VALUES ({marks})",
            list(values.values()),
        )
    return database.execute(documented_query()).fetchall()


def test_query_lists_the_refused_connections_of_the_hour() -> None:
    assert rows(REJECTED, REJECTED, ACCEPTED, REJECTED | {"hour": 12}) == [
        ("198.51.100.7", 5432, 6)
    ]


def test_query_without_a_refused_connection_has_no_rows() -> None:
    assert rows(ACCEPTED) == []


def test_query_is_valid_in_athena() -> None:
    assert len(sqlglot.parse(documented_query(), read="athena")) == 1
