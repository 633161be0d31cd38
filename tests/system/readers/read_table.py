"""Read all snapshots of the Iceberg table by a foreign reader of the environment `.venv-readers`.

`python read_table.py READER` answers each line of its standard input, a `Source` as JSON, with a
line: the rows by snapshot, or an error.
"""

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

#: Columns that identify a row, and those that an erasure changes.
COLUMNS: Final = ("shard_id", "sequence_number", "record_index", "verdict", "message_id")

type Rows = list[list[Any]]
type Source = dict[str, str]


def module(name: str) -> Any:
    """Import a module of the environment."""
    return importlib.import_module(name)


def boto3_client(service: str, source: Source) -> Any:
    return module("boto3").client(
        service,
        endpoint_url=source["endpoint"],
        region_name=source["region"],
        aws_access_key_id=source["key"],
        aws_secret_access_key=source["secret"],
    )


def metadata_location(source: Source) -> str:
    """Return the location of the table's newest metadata, as the Glue table names it."""
    glue = boto3_client("glue", source)
    table = glue.get_table(DatabaseName=source["database"], Name="events_iceberg")["Table"]
    return str(table["Parameters"]["metadata_location"])


def pyiceberg_options(source: Source) -> dict[str, str]:
    return {
        "s3.endpoint": source["endpoint"],
        "s3.region": source["region"],
        "s3.access-key-id": source["key"],
        "s3.secret-access-key": source["secret"],
    }


def static_table(source: Source) -> Any:
    return module("pyiceberg.table").StaticTable.from_metadata(
        metadata_location(source), pyiceberg_options(source)
    )


def by_pyiceberg(source: Source) -> Iterator[tuple[int, Rows]]:
    """Read by PyIceberg, whose catalog is Glue."""
    catalog = module("pyiceberg.catalog.glue").GlueCatalog(
        "reader", client=boto3_client("glue", source), **pyiceberg_options(source)
    )
    table = catalog.load_table((source["database"], "events_iceberg"))
    for snapshot in table.snapshots():
        scan = table.scan(selected_fields=COLUMNS, snapshot_id=snapshot.snapshot_id)
        rows = scan.to_arrow().select(list(COLUMNS)).to_pylist()
        yield snapshot.snapshot_id, [list(row.values()) for row in rows]


def by_polars(source: Source) -> Iterator[tuple[int, Rows]]:
    """Read by Polars' own reader; it takes the list of files from PyIceberg."""
    polars = module("polars")
    table = static_table(source)
    for snapshot in table.snapshots():
        frame = polars.scan_iceberg(
            table,
            snapshot_id=snapshot.snapshot_id,
            storage_options=pyiceberg_options(source),
            reader_override="native",
        )
        yield snapshot.snapshot_id, [list(row) for row in frame.select(COLUMNS).collect().rows()]


def by_duckdb(source: Source) -> Iterator[tuple[int, Rows]]:
    """Read by DuckDB's extension, from S3."""
    connection = module("duckdb").connect()
    for name in ("avro", "httpfs", "iceberg"):
        folder = Path(module(f"duckdb_extension_{name}").__path__[0])
        (extension,) = folder.glob("extensions/*/*.duckdb_extension")
        connection.execute(f"LOAD '{extension}'")
    endpoint = source["endpoint"].partition("://")[2]
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{source['key']}', SECRET '{source['secret']}', "
        f"REGION '{source['region']}', ENDPOINT '{endpoint}', URL_STYLE 'path', USE_SSL false)"
    )
    location = metadata_location(source)
    ids = connection.execute(
        f"SELECT snapshot_id FROM iceberg_snapshots('{location}') ORDER BY sequence_number"
    ).fetchall()
    for (number,) in ids:
        rows = connection.execute(
            f"SELECT {', '.join(COLUMNS)} "
            f"FROM iceberg_scan('{location}', snapshot_from_id => {number}::UBIGINT)"
        ).fetchall()
        yield int(number), [list(row) for row in rows]


def by_spark(source: Source) -> Iterator[tuple[int, Rows]]:
    """Read by Spark, from a copy of the table's files: no package has Spark's access to S3.

    A file system of Hadoop finds s3://<bucket>/<key> in the copy, so the metadata stays as it is.
    """
    folder = Path(source["folder"])
    copy_table(source, folder)
    session = spark_session(source["bucket"], folder)
    reader = session.read.format("iceberg")
    location = str(folder / "table")
    snapshots = reader.load(f"{location}#snapshots").orderBy("committed_at").collect()
    for snapshot in snapshots:
        scan = session.read.format("iceberg").option("snapshot-id", snapshot["snapshot_id"])
        rows = scan.load(location).select(*COLUMNS).collect()
        yield int(snapshot["snapshot_id"]), [list(row) for row in rows]


def copy_table(source: Source, folder: Path) -> None:
    """Copy the bucket's metadata and rows, and let the newest metadata be a table of Hadoop's."""
    shutil.rmtree(folder, ignore_errors=True)
    s3 = boto3_client("s3", source)
    location = metadata_location(source)
    for prefix in ("iceberg/", "events/", "compacted/", "compacted_rest/"):
        for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=source["bucket"], Prefix=prefix
        ):
            for item in page.get("Contents", []):
                target = folder / item["Key"]
                target.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(source["bucket"], item["Key"], str(target))
    metadata = folder / "table" / "metadata"
    metadata.mkdir(parents=True)
    newest = folder / location.removeprefix(f"s3://{source['bucket']}/")
    (metadata / "v1.metadata.json").write_bytes(newest.read_bytes())
    (metadata / "version-hint.text").write_text("1")


def spark_session(bucket: str, folder: Path) -> Any:
    # The modules are in this file's folder.
    jars = module("jackson_jar").jars()
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        f"spark.hadoop.fs.viewfs.mounttable.{bucket}.linkFallback": folder.as_uri(),
        "spark.jars": ",".join(map(str, jars)),
        "spark.sql.shuffle.partitions": "1",
        "spark.ui.enabled": "false",
    }
    builder = module("pyspark.sql").SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


READERS: Final[dict[str, Callable[[Source], Iterator[tuple[int, Rows]]]]] = {
    "duckdb": by_duckdb,
    "polars": by_polars,
    "pyiceberg": by_pyiceberg,
    "spark": by_spark,
}


def main() -> None:
    read = READERS[sys.argv[1]]
    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"snapshots": list(read(json.loads(line)))}
        except Exception as error:  # noqa: BLE001 - each reader has its own errors; the test decides
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
