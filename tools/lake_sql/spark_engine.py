"""A session of Spark as an engine of the index of copies. It needs the standard library only."""

from collections.abc import Sequence
from typing import Any


class SparkEngine:
    """A session, and the lake: a folder or a URL such as s3://<bucket>."""

    sha256 = "sha2({}, 256)"

    def __init__(self, session: Any, lake: str) -> None:
        self._session = session
        self._lake = lake.rstrip("/")

    def table(self, name: str, prefix: str, paths: Sequence[str]) -> None:
        """Create a view over some objects; the index, which is small, is held in memory."""
        reader = self._session.read.option("mergeSchema", "true")
        reader = reader.option("basePath", f"{self._lake}/{prefix}")
        table = reader.parquet(*(f"{self._lake}/{it}" for it in paths))
        if prefix in ("events", "compacted") and "object_id" not in table.columns:
            table = table.selectExpr("*", "CAST(NULL AS BIGINT) AS object_id")
        if prefix == "copies":
            table = table.coalesce(1).cache()
        table.createOrReplaceTempView(name)

    def view(self, name: str, statement: str) -> None:
        """Create a view; its first query keeps the rows in memory."""
        self._session.sql(statement).coalesce(1).cache().createOrReplaceTempView(name)

    def query(self, statement: str) -> Sequence[Any]:
        """Run a statement and return its rows."""
        return list(self._session.sql(statement).collect())
