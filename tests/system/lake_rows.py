"""The rows of a running system's lake. Each object is read once for all tests of the process."""

from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tools.stack import StackTarget, client


class LakeRows:
    """The rows of a bucket's `events/`, as a table in DuckDB."""

    def __init__(self, target: StackTarget, bucket: str) -> None:
        self._s3 = client("s3", target)
        self._bucket = bucket
        self._connection = duckdb.connect()
        #: The keys of the objects in the table, with their ETags.
        self._objects: dict[str, str] = {}

    def select(self, where: str) -> list[dict[str, Any]]:
        """Return the rows of the existing objects that satisfy the SQL condition."""
        self._refresh()
        if not self._objects:
            return []
        cursor = self._connection.execute(
            f"SELECT * EXCLUDE (object_key) FROM events WHERE {where}"
        )
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _refresh(self) -> None:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix="events/"
        )
        listed = {item["Key"]: item["ETag"] for page in pages for item in page.get("Contents", [])}
        for key in [it for it, etag in self._objects.items() if listed.get(it) != etag]:
            self._connection.execute("DELETE FROM events WHERE object_key = ?", [key])
            del self._objects[key]
        for key in listed.keys() - self._objects.keys():
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            rows = pq.ParquetFile(pa.BufferReader(body)).read()
            keys = pa.array([key] * len(rows), pa.string())
            self._connection.register("object_rows", rows.append_column("object_key", keys))
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS events AS SELECT * FROM object_rows LIMIT 0"
            )
            self._connection.execute("INSERT INTO events BY NAME SELECT * FROM object_rows")
            self._objects[key] = listed[key]


@cache
def lake_rows(target: StackTarget, bucket: str) -> LakeRows:
    """Return the reader of a bucket, one per process."""
    return LakeRows(target, bucket)
