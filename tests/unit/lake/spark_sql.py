"""Runs the lake's views and queries in Spark and prints the results as JSON.

    python spark_sql.py <folder>

Runs in a separate environment with pyspark (`make spark`), without this project's packages.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

LAKE: Final = Path(__file__).resolve().parents[3] / "lake"
FOLDERS: Final = {"events": "events", "events_compacted": "compacted", "changes": "changes"}


def plain(value: Any) -> Any:
    """Convert a value for JSON. The test converts DuckDB's values with the same function."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat()
    return bytes(value).hex() if isinstance(value, bytes | bytearray) else value


def main(folder: str) -> None:
    """Run every view and query over the objects in a folder, and print the results by name."""
    from pyspark.sql import SparkSession  # type: ignore[import-not-found] # not in the lock

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    for name, prefix in FOLDERS.items():
        # Columns that older files lack are null.
        table = spark.read.option("mergeSchema", "true").parquet(f"{folder}/{prefix}")
        table.createOrReplaceTempView(name)
    statements = {}
    for path in sorted((LAKE / "views").glob("*.sql")):
        # Temporary, because the catalog's view is Athena's.
        spark.sql(path.read_text().replace("REPLACE VIEW", "REPLACE TEMPORARY VIEW", 1))
        statements[path.stem] = f"SELECT * FROM {path.stem}"
    for path in sorted((LAKE / "queries").glob("*.sql")):
        statements[path.stem] = path.read_text()
    print(
        json.dumps(
            {
                name: [[plain(it) for it in row] for row in spark.sql(statement).collect()]
                for name, statement in statements.items()
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
