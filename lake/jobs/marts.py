"""Write the daily marts: aggregates of `events_once` by day of arrival (UTC), with Spark.

    spark-submit lake/jobs/marts.py --lake <folder or s3://bucket> [--first YYYY-MM-DD] [--last ...]

A mart is a query in lake/marts; its rows of a day are the object `<mart>/date=<day>/rows.parquet`.
They hold no ids of persons. A day is written again only if an object that it reads, or the SQL, has
changed: `state/<day>.json` has a digest of both. Each object is replaced as a whole, and the state
is written last, so an interrupted or repeated run ends with the same objects.
"""

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
#: Also in the package of the jobs, which is a zip archive (tools/lake_sql/job_package.py).
SQL: Final = resources.files("lake") / "marts"
VIEW: Final = resources.files("lake") / "views" / "events_once.sql"
#: Days between the two visits that `retention` compares.
RETENTION_DAYS: Final = (1, 7, 28)
#: Events with an invalid time have that of their arrival. `second` is in Unix time.
_SECOND: Final = "coalesce(unix_timestamp(timestamp), unix_timestamp(received_at))"
#: The columns of `near_events` and `day_events`; `place` is the order of a visitor's events.
_COLUMNS: Final = f"""
  type, anonymous_id, page_path, campaign_source, country, device, date,
  {_SECOND} AS second,
  row_number() OVER (
    PARTITION BY anonymous_id
    ORDER BY {_SECOND}, received_at NULLS LAST, shard_id, sequence_number, record_index
  ) AS place
"""
_PEOPLE: Final = "anonymous_id IS NOT NULL AND NOT coalesce(bot, false)"


class StoredObject(NamedTuple):
    """An object of the lake: its key, its size in bytes and the time of its last change in ms."""

    key: str
    size: int
    changed_ms: int


def statements(day: date) -> Iterator[tuple[str, str]]:
    """Yield name and statement of the views that the queries in lake/marts read, for a day."""

    def of(*days: date) -> str:
        return ", ".join(f"'{it}'" for it in days)

    near = of(*(day + timedelta(it) for it in (-1, 0, 1)))
    yield "near_events", f"SELECT {_COLUMNS} FROM events_once WHERE date IN ({near}) AND {_PEOPLE}"  # noqa: S608 - dates and constants
    yield "day_events", f"SELECT * FROM near_events WHERE date = '{day}'"  # noqa: S608 - a date
    yield "this_day", f"SELECT '{day}' AS date"
    yield (
        "earlier_visitors",
        " UNION ALL ".join(
            f"SELECT {it} AS days, anonymous_id FROM events_once "  # noqa: S608 - a date
            f"WHERE date = '{day - timedelta(it)}' AND {_PEOPLE}"
            for it in RETENTION_DAYS
        ),
    )


def queries() -> dict[str, str]:
    """Return the queries by the name of their mart."""
    texts = {it.name: it.read_text() for it in SQL.iterdir() if it.name.endswith(".sql")}
    return {name.removesuffix(".sql"): texts[name] for name in sorted(texts)}


def by_day(objects: Iterable[StoredObject]) -> dict[date, list[StoredObject]]:
    """Return the objects of `events/` by the day on which their records arrived, in order.

    The other objects of the lake change no row of `events_once`, see lake/README.md.
    """
    days: dict[date, list[StoredObject]] = defaultdict(list)
    for it in sorted(objects):
        if it.key.startswith("events/"):
            days[date.fromisoformat(it.key.split("/")[1].removeprefix("date="))].append(it)
    return dict(days)


def digest_of(day: date, days: Mapping[date, Sequence[StoredObject]], sql: object) -> str:
    """Return a digest of what a day's rows are made of: the objects that it reads, and the SQL."""
    read = {day + timedelta(it) for it in (-1, 0, 1, *(-days for days in RETENTION_DAYS))}
    made_of = [[days.get(it, []) for it in sorted(read)], list(statements(day)), sql]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()


class SparkLake:
    """The lake and the marts through Hadoop's file systems, which know s3:// and local folders."""

    def __init__(self, session: Any, lake: str, marts: str) -> None:
        self._session = session
        self._lake = lake.rstrip("/")
        self._marts = marts.rstrip("/")
        self._jvm = session.sparkContext._jvm  # noqa: SLF001 - the documented way to Hadoop's classes
        self._conf = session.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001

    def objects(self, *prefixes: str) -> list[StoredObject]:
        """List the Parquet objects with one of the prefixes."""
        listed: list[StoredObject] = []
        for prefix in prefixes:
            path = self._path(f"{self._lake}/{prefix}")
            files = path.getFileSystem(self._conf)
            if not files.exists(path):
                continue
            root = files.makeQualified(self._path(self._lake)).toString()
            entries = files.listFiles(path, True)  # noqa: FBT003 - Java: recursive
            while entries.hasNext():
                entry = entries.next()
                key = entry.getPath().toString().removeprefix(root).lstrip("/")
                if key.endswith(".parquet"):
                    changed = entry.getModificationTime()
                    listed.append(StoredObject(key, entry.getLen(), changed))
        return listed

    def state(self, day: date) -> str:
        """Return the digest of the day's rows, or an empty text before the first run."""
        path = self._path(f"{self._marts}/state/{day}.json")
        if not path.getFileSystem(self._conf).exists(path):
            return ""
        text = "".join(self._session.sparkContext.textFile(path.toString()).collect())
        return str(json.loads(text)["digest"])

    def write_state(self, day: date, digest: str) -> None:
        """Write the digest of a day."""
        path = self._path(f"{self._marts}/state/{day}.json")
        stream = path.getFileSystem(self._conf).create(path, True)  # noqa: FBT003 - Java: overwrite
        stream.write(json.dumps({"digest": digest}).encode())
        stream.close()

    def write(self, mart: str, day: date, query: str) -> None:
        """Replace a mart's rows of a day."""
        staged = self._path(f"{self._marts}/staged/{mart}-{day}")
        rows = self._session.sql(query).coalesce(1)
        rows.write.mode("overwrite").parquet(staged.toString())
        files = staged.getFileSystem(self._conf)
        (part,) = (
            it.getPath() for it in files.listStatus(staged) if it.getPath().getName()[:5] == "part-"
        )
        target = self._path(f"{self._marts}/{mart}/date={day}/rows.parquet")
        # On S3, the object is replaced when its copy is complete.
        copy = self._jvm.org.apache.hadoop.fs.FileUtil.copy
        options = (False, True)  # keep the source, overwrite the target
        copy(files, part, target.getFileSystem(self._conf), target, *options, self._conf)
        files.delete(staged, True)  # noqa: FBT003 - Java: recursive

    def _path(self, text: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(text)


def run(
    session: Any, lake: SparkLake, objects: Iterable[StoredObject], first: date, last: date
) -> dict[str, list[str]]:
    """Write the marts of each day with events; return the days `written` and `unchanged`.

    The view `events_once` exists, over these objects.
    """
    marts, days = queries(), by_day(objects)
    sql = [marts, VIEW.read_text()]
    written: list[str] = []
    unchanged: list[str] = []
    for day in (it for it in days if first <= it <= last):
        digest = digest_of(day, days, sql)
        if lake.state(day) == digest:
            unchanged.append(str(day))
            continue
        for name, statement in statements(day):
            session.sql(statement).createOrReplaceTempView(name)
        for mart, query in marts.items():
            lake.write(mart, day, query)
        lake.write_state(day, digest)
        written.append(str(day))
    return {"written": written, "unchanged": unchanged}


def open_events(session: Any, lake: SparkLake, folder: str) -> list[StoredObject]:
    """Create the tables and the view `events_once`, by the index of copies if it is complete.

    Return the objects of these tables and of the index.
    """
    from tools.lake_sql.copies import Listing, use_index
    from tools.lake_sql.spark_engine import SparkEngine

    objects = lake.objects("events", "compacted", "copies", "seen")
    names = {"events": "events", "compacted": "events_compacted"}
    for prefix, table in names.items():
        if any(it.key.startswith(f"{prefix}/") for it in objects):
            reader = session.read.option("mergeSchema", "true")
            reader.parquet(f"{folder.rstrip('/')}/{prefix}").createOrReplaceTempView(table)
        else:
            session.sql(
                "SELECT *, CAST(NULL AS INT) AS hour_rows FROM events WHERE false"
            ).createOrReplaceTempView(table)
    session.sql(VIEW.read_text().replace("REPLACE VIEW", "REPLACE TEMPORARY VIEW", 1))
    use_index(SparkEngine(session, folder), Listing.of(it.key for it in objects))
    return objects


def session_of(master: str | None) -> Any:
    """Return a session in UTC; dates and hours in the names of folders stay text."""
    from pyspark.sql import SparkSession  # type: ignore[import-not-found] # not in the lock

    builder = SparkSession.builder.appName("marts")
    if master:
        builder = builder.master(master).config("spark.ui.enabled", "false")
        builder = builder.config("spark.sql.shuffle.partitions", "1")
    return (
        builder.config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        .getOrCreate()
    )


def main(arguments: Sequence[str]) -> int:
    """Run the job and print its result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", required=True, help="the lake's folder, or s3://<bucket>")
    parser.add_argument("--marts", help="default: marts in the lake")
    parser.add_argument("--first", type=date.fromisoformat, default=date.min)
    parser.add_argument("--last", type=date.fromisoformat, default=date.max)
    parser.add_argument("--master", help="for example local[2]; EMR sets its own")
    options = parser.parse_args(arguments)
    session = session_of(options.master)
    lake = SparkLake(session, options.lake, options.marts or f"{options.lake}/marts")
    objects = open_events(session, lake, options.lake)
    print(json.dumps(run(session, lake, objects, options.first, options.last)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
