"""Contracts of the patches for Athena."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from aws_emulator.tests.ministack.athena import ended, new_table, new_workgroup, result
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack

MOMENT = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)


def view(database: str, name: str, statement: str) -> dict[str, Any]:
    """Return the request that creates a view as CREATE VIEW does."""
    document = {"originalSql": statement, "catalog": "awsdatacatalog", "schema": database}
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return {
        "DatabaseName": database,
        "TableInput": {
            "Name": name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"presto_view": "true"},
            "ViewOriginalText": f"/* Presto View: {encoded} */",
            "ViewExpandedText": "/* Presto View */",
        },
    }


def athena_views(emulator: Emulator) -> None:
    """A query reads a view of a view, also from another database, with Athena's values."""
    moments = pa.array([MOMENT, None], pa.timestamp("ms", "UTC"))
    rows = pa.table({"word": ["a", "b"], "moment": moments})
    columns = (("word", "string"), ("moment", "timestamp"), ("later", "bigint"))
    table = new_table(emulator, rows, *columns)
    workgroup, glue = new_workgroup(emulator), emulator.client("glue")
    inner = "WITH known AS ( SELECT * FROM rows WHERE word = 'a' ) SELECT known.* FROM known"
    glue.create_table(**view(table.database, "chosen", inner))
    outer = "SELECT word, moment, later FROM chosen AS one"
    glue.create_table(**view(table.database, "outer_view", outer))
    expected = [["a", "2026-11-28 09:30:00.000", None]]
    query = "SELECT word, moment, later FROM {}outer_view"
    assert result(emulator, workgroup, table.database, query.format("")) == expected
    assert result(emulator, workgroup, "default", query.format(f"{table.database}.")) == expected
    joined = "SELECT count(*) FROM outer_view JOIN rows ON outer_view.word = rows.word"
    assert result(emulator, workgroup, table.database, joined) == [["1"]]
    iceberg = table.request("iceberg")
    iceberg["TableInput"]["Parameters"] = {"table_type": "ICEBERG"}
    glue.create_table(**iceberg)
    execution = ended(emulator, workgroup, table.database, "SELECT * FROM iceberg")
    assert execution["Status"]["State"] == "FAILED"
    assert "pyiceberg" in execution["Status"]["StateChangeReason"]


def named_queries(emulator: Emulator) -> None:
    """CloudFormation creates, replaces and deletes saved queries."""
    name, athena = unique("saved"), emulator.client("athena")

    def template(text: str) -> dict[str, Any]:
        group = {"Type": "AWS::Athena::WorkGroup", "Properties": {"Name": name}}
        properties = {
            "Name": "words",
            "Database": "default",
            "QueryString": text,
            "WorkGroup": {"Ref": "Group"},
        }
        saved = {"Type": "AWS::Athena::NamedQuery", "Properties": properties}
        return stack(Group=group, Saved=saved)

    def texts() -> list[str]:
        ids = athena.list_named_queries(WorkGroup=name)["NamedQueryIds"]
        if not ids:
            return []
        queries = athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
        return [it["QueryString"] for it in queries]

    emulator.deploy(template("SELECT 1"), name)
    assert texts() == ["SELECT 1"]
    emulator.deploy(template("SELECT 2"), name)
    assert texts() == ["SELECT 2"]
    emulator.delete(name)
    assert texts() == []


def athena_columns(emulator: Emulator) -> None:
    """A query can read the path and the time of a row's object."""
    table = new_table(emulator, pa.table({"word": ["a", "b"]}), ("word", "string"))
    query = 'SELECT word, "$path", "$file_modified_time" FROM rows ORDER BY word'
    rows = result(emulator, new_workgroup(emulator), table.database, query)
    head = emulator.client("s3").head_object(Bucket=table.bucket, Key="rows/one.parquet")
    assert [row[:2] for row in rows] == [
        [word, f"s3://{table.bucket}/rows/one.parquet"] for word in ("a", "b")
    ]
    for _, _, changed in rows:
        assert changed is not None
        assert changed.endswith(" UTC")
        moment = datetime.fromisoformat(changed.removesuffix(" UTC")).replace(tzinfo=UTC)
        assert moment.replace(microsecond=0) == head["LastModified"]
    # A table without objects has the columns, too.
    empty = table.request("empty")
    empty["TableInput"]["StorageDescriptor"]["Location"] = f"s3://{table.bucket}/empty/"
    emulator.client("glue").create_table(**empty)
    query = 'SELECT word, "$path", "$file_modified_time" FROM empty'
    assert result(emulator, new_workgroup(emulator), table.database, query) == []


def athena_snapshots(emulator: Emulator) -> None:
    """A query reads the snapshots of an Iceberg table from its metadata."""
    table = new_table(emulator, pa.table({"word": ["a"]}), ("word", "string"))
    summary = {"operation": "append", "added-data-files": "2", "total-records": "3"}
    first = {"snapshot-id": 7, "timestamp-ms": 1_790_000_000_123, "summary": summary}
    where = f"s3://{table.bucket}/iceberg/"
    later = {"operation": "overwrite", "total-records": "1"}
    second = {
        "snapshot-id": 8,
        "parent-snapshot-id": 7,
        "timestamp-ms": 1_790_000_060_000,
        "summary": later,
        "manifest-list": f"{where}list.avro",
    }
    metadata = {"snapshots": [first, second]}
    emulator.client("s3").put_object(
        Bucket=table.bucket, Key="iceberg/1.metadata.json", Body=json.dumps(metadata)
    )
    iceberg = table.request("iceberg")
    iceberg["TableInput"]["Parameters"] = {
        "table_type": "ICEBERG",
        "metadata_location": f"{where}1.metadata.json",
    }
    emulator.client("glue").create_table(**iceberg)
    query = (
        "SELECT committed_at, snapshot_id, parent_id, operation, manifest_list, "
        "element_at(summary, 'added-data-files') AS added, element_at(summary, 'total-records') "
        """FROM "iceberg$snapshots" WHERE snapshot_id > 0 ORDER BY committed_at"""
    )
    assert result(emulator, new_workgroup(emulator), table.database, query) == [
        ["2026-09-21 14:13:20.123", "7", None, "append", "", "2", "3"],
        ["2026-09-21 14:14:20.000", "8", "7", "overwrite", f"{where}list.avro", None, "1"],
    ]
