"""The table over CloudTrail's log files reads a record, and the saved queries answer from it."""

import gzip
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
import sqlglot

from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import of_type
from tools.lake_sql.tables import duckdb_type

STACK: Final = ROOT / "stacks" / "audit-tables.yaml"
TODAY: Final = datetime.now(UTC).date()
#: A read of an object of the lake, as in "CloudTrail record contents".
READ: Final[dict[str, Any]] = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:analyst",
        "arn": "arn:aws:sts::123456789012:assumed-role/analysts/analyst",
        "accountId": "123456789012",
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLE",
                "arn": "arn:aws:iam::123456789012:role/analysts",
                "accountId": "123456789012",
                "userName": "analysts",
            },
            "attributes": {"creationDate": "2026-11-28T08:00:00Z", "mfaAuthenticated": "true"},
        },
    },
    "eventTime": "2026-11-28T09:30:00Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "awsRegion": "eu-west-2",
    "sourceIPAddress": "198.51.100.7",
    "userAgent": "aws-cli/2.30",
    "requestParameters": {"bucketName": "meridian-dev-lake", "key": "events/one.parquet"},
    "responseElements": None,
    "additionalEventData": {"bytesTransferredOut": 1000},
    "requestID": "A1",
    "eventID": "0a1b",
    "readOnly": True,
    "resources": [
        {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::meridian-dev-lake/events/one.parquet"},
        {
            "accountId": "123456789012",
            "type": "AWS::S3::Bucket",
            "ARN": "arn:aws:s3:::meridian-dev",
        },
    ],
    "eventType": "AwsApiCall",
    "managementEvent": False,
    "recipientAccountId": "123456789012",
    "eventCategory": "Data",
}
REFUSED: Final = READ | {"errorCode": "AccessDenied", "errorMessage": "Access Denied"}
CHANGE: Final = READ | {
    "eventSource": "lambda.amazonaws.com",
    "eventName": "UpdateFunctionCode20150331v2",
    "requestParameters": {"functionName": "meridian-dev-events"},
    "readOnly": False,
    "managementEvent": True,
    "eventCategory": "Management",
}
#: Columns in which the SerDe keeps JSON text.
TEXTS: Final = ("requestparameters", "responseelements", "additionaleventdata")


def table() -> dict[str, Any]:
    (resource,) = of_type(STACK, "AWS::Glue::Table").values()
    return dict(resource["Properties"]["TableInput"])


def queries() -> dict[str, str]:
    saved = of_type(STACK, "AWS::Athena::NamedQuery").values()
    return {it["Properties"]["Name"]: it["Properties"]["QueryString"] for it in saved}


def nested_type(hive: str) -> str:
    """Return DuckDB's type for a type of Hive."""
    kind, _, inner = hive.partition("<")
    parts = re.findall(r"[^,<>]+(?:<(?:[^<>]|<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>)*>)?", inner[:-1])
    if kind == "struct":
        fields = (it.partition(":") for it in parts)
        return f"STRUCT({', '.join(f'{name} {nested_type(it)}' for name, _, it in fields)})"
    if kind == "array":
        return f"{nested_type(inner[:-1])}[]"
    if kind == "map":
        return f"MAP({', '.join(map(nested_type, parts))})"
    return duckdb_type(hive)


def lowered(value: Any) -> Any:
    """Return a record with the names that the SerDe gives its fields."""
    if isinstance(value, dict):
        return {name.lower(): lowered(it) for name, it in value.items()}
    return [lowered(it) for it in value] if isinstance(value, list) else value


def row_of(record: dict[str, Any], day: date) -> dict[str, Any]:
    row = {
        name.lower(): it if name.lower() in TEXTS else lowered(it) for name, it in record.items()
    }
    texts = {name: json.dumps(row[name]) for name in TEXTS if row.get(name) is not None}
    return row | texts | {"day": f"{day:%Y/%m/%d}"}


def opened(folder: Path, *rows: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Return a connection with the table over the rows in a file, as CloudTrail compresses it."""
    file = folder / "records.json.gz"
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    file.write_bytes(gzip.compress(lines.encode(), mtime=0))
    listed = [*table()["StorageDescriptor"]["Columns"], *table()["PartitionKeys"]]
    columns = {it["Name"]: nested_type(it["Type"]) for it in listed}
    connection = duckdb.connect(":memory:")
    source = connection.read_json(str(file), columns=columns, format="newline_delimited")
    source.create_view("cloudtrail")
    return connection


def answers(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Any, ...]]:
    (statement,) = sqlglot.transpile(queries()[name], read="athena", write="duckdb")
    return connection.execute(statement).fetchall()


def test_access_is_counted_by_caller_and_store(tmp_path: Path) -> None:
    old = row_of(READ, TODAY - timedelta(10))
    rows = [row_of(it, TODAY) for it in (READ, READ, REFUSED, CHANGE)]
    with opened(tmp_path, old, *rows) as connection:
        assert answers(connection, "audit_access") == [
            ("arn:aws:iam::123456789012:role/analysts", "meridian-dev-lake", "GetObject", 3, 1)
        ]


def test_changes_are_listed_without_reads(tmp_path: Path) -> None:
    with opened(tmp_path, row_of(READ, TODAY), row_of(CHANGE, TODAY)) as connection:
        ((moment, caller, source, name, error),) = answers(connection, "audit_changes")
    assert moment == CHANGE["eventTime"]
    assert caller == CHANGE["userIdentity"]["arn"]
    assert (source, name, error) == ("lambda.amazonaws.com", CHANGE["eventName"], None)


def test_every_field_of_a_record_is_a_column() -> None:
    """`managementEvent` is in `eventcategory`, too."""
    names = {it["Name"] for it in table()["StorageDescriptor"]["Columns"]}
    assert {it.lower() for it in REFUSED} - names == {"managementevent"}


@pytest.mark.parametrize("name", queries())
def test_saved_query_is_valid_in_athena(name: str) -> None:
    assert len(sqlglot.parse(queries()[name], read="athena")) == 1


def test_table_reads_the_folders_to_which_the_trail_writes() -> None:
    """CloudTrail, "Finding your CloudTrail log files": AWSLogs/<account>/CloudTrail/<Region>/."""
    template = table()["Parameters"]["storage.location.template"]["Fn::Sub"]
    folder = "/AWSLogs/${AWS::AccountId}/CloudTrail/${AWS::Region}/${!day}"
    assert template == f"s3://${{AuditBucket}}{folder}"
    trail = of_type(ROOT / "stacks" / "audit.yaml", "AWS::CloudTrail::Trail")["Trail"]
    assert "S3KeyPrefix" not in trail["Properties"]
