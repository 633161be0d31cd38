"""Shared by the tests of Athena: a database with a table, and a query's result."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.waiting import wait_until

#: The end of an execution, by Athena's states.
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


@dataclass(frozen=True)
class Table:
    """A table over the objects of a bucket."""

    database: str
    bucket: str
    columns: tuple[tuple[str, str], ...]

    def request(self, name: str) -> dict[str, Any]:
        """Return the request that creates it under a name."""
        storage = {
            "Location": f"s3://{self.bucket}/rows/",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "Columns": [{"Name": column, "Type": kind} for column, kind in self.columns],
        }
        table_input = {"Name": name, "StorageDescriptor": storage}
        return {"DatabaseName": self.database, "TableInput": table_input}


def new_table(emulator: Emulator, rows: pa.Table, *columns: tuple[str, str]) -> Table:
    """Create a database with the table `rows` over one Parquet object."""
    name = unique("athena")
    table = Table(name.replace("-", "_"), name, columns)
    emulator.client("s3").create_bucket(Bucket=name)
    body = pa.BufferOutputStream()
    pq.write_table(rows, body)
    content = body.getvalue().to_pybytes()
    emulator.client("s3").put_object(Bucket=name, Key="rows/one.parquet", Body=content)
    glue = emulator.client("glue")
    glue.create_database(DatabaseInput={"Name": table.database})
    glue.create_table(**table.request("rows"))
    return table


def new_workgroup(emulator: Emulator, **configuration: Any) -> str:
    """Create a workgroup with managed results; return its name."""
    name = unique("workgroup")
    managed = {"ManagedQueryResultsConfiguration": {"Enabled": True}}
    emulator.client("athena").create_work_group(
        Name=name, Configuration={**managed, **configuration}
    )
    return name


def ended(emulator: Emulator, workgroup: str, database: str, query: str) -> dict[str, Any]:
    """Run a query; return its execution when it has ended."""
    athena = emulator.client("athena")
    started = athena.start_query_execution(
        QueryString=query, WorkGroup=workgroup, QueryExecutionContext={"Database": database}
    )

    def execution() -> dict[str, Any] | None:
        description: dict[str, Any] = athena.get_query_execution(
            QueryExecutionId=started["QueryExecutionId"]
        )["QueryExecution"]
        status = description["Status"]
        # The state CANCELLED comes after the end of the query itself.
        is_over = status["State"] in ENDED and "CompletionDateTime" in status
        return description if is_over else None

    return wait_until(execution, f"the end of {query}", interval_s=0.05)


def result(emulator: Emulator, workgroup: str, database: str, query: str) -> list[list[str | None]]:
    """Run a query; return the values of its rows, without the names of the columns."""
    execution = ended(emulator, workgroup, database, query)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    rows = emulator.client("athena").get_query_results(
        QueryExecutionId=execution["QueryExecutionId"]
    )["ResultSet"]["Rows"]
    return [[value.get("VarCharValue") for value in row["Data"]] for row in rows[1:]]
