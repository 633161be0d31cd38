"""Runs the lake's views and queries in Spark and prints the results as JSON.

    python spark_sql.py <folder>

Runs in a separate environment with pyspark (`make spark`), without this project's packages, except
the modules of the index of copies, which need none.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[3]
LAKE: Final = ROOT / "lake"
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
INDEXED: Final = "events_once by the index"
FOLDERS: Final = {"events": "events", "events_compacted": "compacted", "changes": "changes"}


def plain(value: Any) -> Any:
    """Convert a value for JSON. The test converts DuckDB's values with the same function."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat()
    return bytes(value).hex() if isinstance(value, bytes | bytearray) else value


def open_lake(folder: str) -> Any:
    """Return a session with the lake's tables over the objects in a folder."""
    from lake.jobs.marts import session_of

    spark = session_of("local[2]")
    spark.sparkContext.setLogLevel("ERROR")
    for name, prefix in FOLDERS.items():
        if not (Path(folder) / prefix).exists():
            continue
        # Columns that older files lack are null.
        table = spark.read.option("mergeSchema", "true").parquet(f"{folder}/{prefix}")
        table.createOrReplaceTempView(name)
        if name != "changes":
            # Each object as if it were in two Regions.
            spark.sql(
                f"CREATE OR REPLACE TEMPORARY VIEW {name}_all_regions AS "
                f"SELECT *, 'a' AS lake_region FROM {name} "
                f"UNION ALL SELECT *, 'b' AS lake_region FROM {name}"
            )
    return spark


def main(folder: str) -> None:
    """Run every view and query over the objects in a folder, and print the results by name.

    The view `events_once` by the index of copies has the name `INDEXED`.
    """
    from tools.lake_sql.copies import Listing, use_index
    from tools.lake_sql.spark_engine import SparkEngine

    spark = open_lake(folder)
    statements = {}
    for path in sorted([*(LAKE / "views").glob("*.sql"), *(LAKE / "regions").glob("*.sql")]):
        # Temporary, because the catalog's view is Athena's.
        spark.sql(path.read_text().replace("REPLACE VIEW", "REPLACE TEMPORARY VIEW", 1))
        statements[path.stem] = f"SELECT * FROM {path.stem}"
    for path in sorted((LAKE / "queries").glob("*.sql")):
        statements[path.stem] = path.read_text()
    rows = {name: spark.sql(statement).collect() for name, statement in statements.items()}
    if use_index(SparkEngine(spark, folder), Listing.of_folder(Path(folder))):
        rows[INDEXED] = spark.sql("SELECT * FROM events_once").collect()
    results = {name: [[plain(it) for it in row] for row in its] for name, its in rows.items()}
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1])
