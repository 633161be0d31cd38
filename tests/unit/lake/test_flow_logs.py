"""The queries of the catalogue's network run over the table and the objects of its flow log."""

import re
from pathlib import Path
from typing import Any, Final

import duckdb
import sqlglot

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import of_type
from tests.unit.stacks.transformed import text_of
from tools.lake_sql import tables

NETWORK: Final = ROOT / "stacks" / "catalogue" / "network.yaml"
#: A connection that was refused, and one that wasn't.
REJECTED: Final = {"action": "REJECT", "srcaddr": "198.51.100.7", "dstport": 5432, "packets": 3}
ACCEPTED: Final = {"action": "ACCEPT", "srcaddr": "10.72.0.9", "dstport": 443, "packets": 90}
QUERY: Final = ROOT / "lake" / "flow_logs" / "rejected_connections.sql"
#: The names of VPC, "Flow log records", in the default format.
NAMES: Final = (
    *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport"),
    *("protocol", "packets", "bytes", "start", "end", "action", "log-status"),
)
_INTERFACE: Final = "2 123456789010 eni-1235b8ca123456789"
#: The records of VPC, "Flow log record examples", and a repetition of the rejected one.
RECORDS: Final = (
    f"{_INTERFACE} 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
    f"{_INTERFACE} 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK",
    f"{_INTERFACE} 172.31.9.69 172.31.9.12 49762 3389 6 22 4249 1418530010 1418530070 REJECT OK",
    f"{_INTERFACE} - - - - - - - 1431280876 1431280934 - NODATA",
    "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA",
)
#: The hour of the first records, and that of the last two.
HOURS: Final = ("2014-12-14T04", "2015-05-10T18")
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


def write_objects(folder: Path) -> None:
    """Write the records to Parquet objects with the keys of VPC, "Flow log files"."""
    source = folder / "records.txt"
    source.write_text("\n".join([" ".join(NAMES), *RECORDS]))
    (table,) = of_type(NETWORK, "AWS::Glue::Table").values()
    location = text_of(table["Properties"]["TableInput"]["Parameters"]["storage.location.template"])
    database = duckdb.connect(":memory:")
    database.execute("SET TimeZone = 'UTC'")
    # Parquet has underscores for hyphens, and no value where the text has a hyphen.
    renamed = ", ".join(
        f'"{it}" AS {it.replace("-", "_")}' if "-" in it else f'"{it}"' for it in NAMES
    )
    for hour in HOURS:
        parts = dict(zip(("year", "month", "day", "hour"), re.split("[-T]", hour), strict=True))
        key = location.replace("s3://${LakeBucket}/", "").replace(
            "${AWS::AccountId}", "123456789010"
        )
        key = key.replace("${AWS::Region}", "eu-west-2")
        for name, value in parts.items():
            key = key.replace(f"${{!{name}}}", value)
        assert "$" not in key
        path = folder / key / f"123456789010_vpcflowlogs_eu-west-2_fl-1_{hour}_a.log.parquet"
        path.parent.mkdir(parents=True)
        database.execute(
            f"COPY (SELECT {renamed} FROM read_csv('{source}', delim = ' ', header = true, "
            "nullstr = '-', types = {'account-id': 'VARCHAR', 'protocol': 'INTEGER'}) "
            f"WHERE strftime(to_timestamp(start), '%Y-%m-%dT%H') = '{hour}') "
            f"TO '{path}' (FORMAT parquet, COMPRESSION gzip)"
        )


def saved_rows(folder: Path, date: str) -> list[tuple[Any, ...]]:
    """Return the rows of the saved query on a day."""
    database = duckdb.connect(":memory:")
    assert tables.open_flow_logs(database, folder)
    assert database.execute("SELECT count(*) FROM flow_logs").fetchone() == (5,)
    return database.execute(QUERY.read_text().replace("current_date", f"DATE '{date}'")).fetchall()


def test_saved_query_reads_the_objects_that_vpc_writes(tmp_path: Path) -> None:
    write_objects(tmp_path)
    assert saved_rows(tmp_path, "2014-12-14") == [("172.31.9.69", "172.31.9.12", 3389, 6, 42, 2)]
    # An interval without data, and a skipped one.
    assert saved_rows(tmp_path, "2015-05-10") == []


def test_objects_have_every_column_of_the_table(tmp_path: Path) -> None:
    write_objects(tmp_path)
    database = duckdb.connect(":memory:")
    tables.open_flow_logs(database, tmp_path)
    described = {str(it[0]): str(it[1]) for it in database.execute("DESCRIBE flow_logs").fetchall()}
    assert described == flow_logs()
    statuses = "SELECT log_status, action, srcaddr FROM flow_logs WHERE year = 2015 ORDER BY 1"
    assert database.execute(statuses).fetchall() == [
        ("NODATA", None, None),
        ("SKIPDATA", None, None),
    ]


def test_lake_without_the_catalogue_has_no_flow_logs(tmp_path: Path) -> None:
    assert tables.open_flow_logs(duckdb.connect(":memory:"), tmp_path) is False


def test_saved_query_of_athena_is_the_file() -> None:
    (saved,) = of_type(NETWORK, "AWS::Athena::NamedQuery").values()
    assert saved["Properties"]["QueryString"] == QUERY.read_text()
    assert saved["Properties"]["WorkGroup"] == {"Fn::Sub": "meridian-${Stage}"}
    assert len(sqlglot.parse(QUERY.read_text(), read="athena")) == 1
