"""Small files to large ones: one day of good events, each once, as a Spark job (EMR or Glue).

    spark-submit compact.py --lake s3://meridian-dev-lake-… --day 2026-11-20 --run 20261121T0300

reads `events/` of the day and the days beside it, keeps of each event the copy that arrived first
(lake/views/events_once.sql, the same SQL as in Athena and DuckDB), and writes
`compacted/run=<run>/date=<day>/` in files of about 256 MB. Nothing is overwritten: a run has a
folder of its own, and readers move to it by one atomic change of the partition's location:

    ALTER TABLE events_compacted PARTITION (date = '<day>') SET LOCATION '<what this prints>'
"""

import argparse
from datetime import date, timedelta
from pathlib import Path

SQL = Path(__file__).resolve().parent.parent
#: Events of 930 bytes of JSON take some 60 bytes each as zstd Parquet: about 256 MB a file.
EVENTS_PER_FILE = 4_000_000


def days_around(day: date) -> list[date]:
    """The days whose events can be copies of one of `day`."""
    return [day - timedelta(days=1), day, day + timedelta(days=1)]


def statement(folder: str, name: str) -> str:
    """The text of a statement, as it stands in its file."""
    return (SQL / folder / f"{name}.sql").read_text(encoding="utf-8")


def temporary(view: str) -> str:
    """A view for this session alone: the catalogue's own is Athena's."""
    return view.replace("CREATE OR REPLACE VIEW", "CREATE OR REPLACE TEMPORARY VIEW", 1)


def run(lake: str, day: date, run_id: str) -> str:
    """Compact one day; return where it lies. A failed run leaves nothing that a reader sees."""
    # Spark's own image has it, and nothing else of ours needs it.
    from pyspark.sql import SparkSession  # type: ignore[import-not-found] # not in the lock

    spark = SparkSession.builder.appName(f"compact-{day}").getOrCreate()
    spark.conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    paths = [f"{lake}/events/date={one}/*/*.parquet" for one in days_around(day)]
    events = (
        spark.read.option("basePath", f"{lake}/events/")
        .option("mergeSchema", "true")  # columns are added, never changed: old files have nulls
        .parquet(*paths)
    )
    events.createOrReplaceTempView("events")
    spark.createDataFrame([(day.isoformat(),)], ["date"]).createOrReplaceTempView("day")
    spark.sql(temporary(statement("views", "events_once")))
    once = spark.sql(statement("queries", "compact")).drop("copy_number", "date", "hour")
    target = f"{lake}/compacted/run={run_id}/date={day}"
    (
        once.write.mode("errorifexists")
        .option("compression", "zstd")
        .option("maxRecordsPerFile", EVENTS_PER_FILE)
        .parquet(target)
    )
    return target


def main() -> None:
    """Read the arguments, compact, print where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", required=True, help="s3://<lake bucket>")
    parser.add_argument("--day", required=True, type=date.fromisoformat, help="day of arrival, UTC")
    parser.add_argument("--run", required=True, help="names this run's folder")
    given = parser.parse_args()
    print(run(given.lake, given.day, given.run))


if __name__ == "__main__":
    main()
