"""Compare `events_once` for one day with the plain rows of the day, in DuckDB and Spark.

    .venv/bin/python benchmarks/one_day.py [--days 30] [--events 12000] [--objects 2]

Writes a lake of `--days` days with `--events` events each, in `--objects` objects per hour, to a
temporary folder. One event of 50 is a copy, most of them of an event of another day. Compaction
then lists the copies, as the schedule does, and another day follows that isn't compacted yet. The
queries read the same columns of one day, `events_once` by the index of copies
(tools/lake_sql/copies.py): of a day in the middle, and of the last one. A figure is the minimum of
all rounds: CPU time in DuckDB on one thread, wall-clock time in Spark (if `make spark` installed
it). Prints what opening the lake takes, which compares the ids of the last day, and what a run of
compaction reads for one more hour.

Exits with 1 if a ratio exceeds its limit, or if a result isn't the one that the lake was made with.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
if __name__ == "__main__":
    os.environ |= {"POWERTOOLS_METRICS_DISABLED": "true", "POWERTOOLS_TRACE_DISABLED": "true"}
    os.environ |= {"POWERTOOLS_LOG_LEVEL": "CRITICAL", "POWERTOOLS_SERVICE_NAME": "one_day"}

# ruff: noqa: E402 - the path is set above
import pyarrow as pa

from benchmarks.one_day_spark import fastest, once, plain
from stream_processor.compaction.compact import Compaction, Result
from stream_processor.rows.lake_schema import EVENTS
from stream_processor.storage import parquet
from stream_processor.storage.s3 import Bucket, ListedObject
from tests.unit.stream_processor.fakes import FakeAws
from tools.setup import spark

RATIO_DEMAND: Final = 1.5
COPIES_EACH: Final = 50
START: Final = datetime(2026, 10, 1, tzinfo=UTC)
# The first rounds also compile the JVM's bytecode.
SPARK_ROUNDS: Final = 20


class Folder(Bucket):
    """A bucket in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__("lake")
        self.folder = folder

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Yield the keys under a prefix that is a folder."""
        paths = (self.folder / prefix).rglob("*.parquet")
        keys = (path.relative_to(self.folder).as_posix() for path in paths)
        yield from sorted(key for key in keys if key > after)

    def objects(self, prefix: str) -> Iterator[ListedObject]:
        """Yield the objects under a prefix that is a folder."""
        for key in self.keys(prefix):
            yield ListedObject(START, key, key, (self.folder / key).stat().st_size)

    def read(self, key: str, version: str | None = None) -> bytes:
        """Return the body of an object."""
        assert version is None
        return (self.folder / key).read_bytes()

    def create(
        self, key: str, body: bytes, metadata: Mapping[str, str], content_type: str = ""
    ) -> bool:
        """Write an object if its key is free."""
        path = self.folder / key
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return True


class Lake:
    """A lake in a folder; `once` counts by day the events that `events_once` must have."""

    def __init__(self, folder: Path, events: int, objects: int) -> None:
        self.bucket = Folder(folder)
        self.once: dict[str, int] = {}
        self._events_each = max(events // 24 // objects, 1)
        self._objects = objects
        self._rng = random.Random(1)
        self._ids: list[str] = []
        self._written = 0

    def add_hour(self, at: datetime) -> None:
        """Write the objects of an hour."""
        for number in range(self._objects):
            table = self._object(at)
            key = (
                f"events/date={at:%Y-%m-%d}/hour={at:%H}/shardId-000000000000-{number:08d}.parquet"
            )
            self.bucket.create(key, parquet.write(table), {})

    def _object(self, at: datetime) -> pa.Table:
        rng, rows = self._rng, []
        for index in range(self._events_each):
            copied = self._ids and rng.randrange(COPIES_EACH) == 0
            message_id = rng.choice(self._ids) if copied else f"{rng.getrandbits(128):032x}"
            day = f"{at:%Y-%m-%d}"
            self.once[day] = self.once.get(day, 0) + (not copied)
            if not copied:
                self._ids.append(message_id)
            self._written += 1
            moment = at + timedelta(seconds=index)
            rows.append(
                {
                    "verdict": "good",
                    "message_id": message_id,
                    "type": "page",
                    "received_at": moment,
                    "timestamp": moment,
                    "source": "portal",
                    "page_path": f"/courses/{rng.randrange(50)}",
                    "anonymous_id": f"{rng.randrange(5_000):032x}",
                    "event_json": json.dumps(
                        {"messageId": message_id, "x": rng.randbytes(99).hex()}
                    ),
                    "shard_id": "shardId-000000000000",
                    "sequence_number": f"{self._written:056d}",
                    "record_index": 0,
                    "schema_version": 1,
                    "object_id": self._written - index,
                }
            )
        return pa.Table.from_pylist(rows, schema=EVENTS)

    def compact(self, until: datetime) -> Result:
        """Compact all hours, in as many runs as it takes; return the last run."""
        app = replace(FakeAws().app(), lake=self.bucket)
        while True:
            result = Compaction(app).run(START, until, lambda: True)
            if not result.left:
                return result


def in_duckdb(folder: Path, day: str, rounds: int) -> tuple[list[float], float, int]:
    """Return the seconds of both queries and of the opening, and the events of the day."""
    from tools.lake_sql.tables import open_lake

    before = time.process_time()
    lake = open_lake(folder)
    opening = time.process_time() - before
    lake.execute("SET threads = 1")
    seconds = fastest(
        rounds,
        time.process_time,
        lambda: lake.execute(plain(day)).fetchall(),
        lambda: lake.execute(once(day)).fetchall(),
    )
    ((events, distinct, *_),) = lake.execute(once(day)).fetchall()
    assert events == distinct
    return seconds, opening, int(events)


def in_spark(folder: Path, day: str) -> tuple[list[float], int]:
    """Return the seconds of both queries, and the events of the day.

    Raises:
        CalledProcessError: Spark failed; `stderr` says why.
    """
    script = str(ROOT / "benchmarks" / "one_day_spark.py")
    python = str(spark.FOLDER / "bin" / "python")
    command = [python, "-I", script, str(folder), day, str(SPARK_ROUNDS)]
    variables = {**os.environ, "JAVA_HOME": str(spark.JAVA_HOME)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    seconds, events = json.loads(done.stdout.splitlines()[-1])
    return seconds, events


def show(name: str, seconds: list[float], events: int, expected: int) -> bool:
    """Print one engine's figures; return whether they are as demanded."""
    over = seconds[1] / seconds[0]
    met = over <= RATIO_DEMAND and events == expected
    print(
        f"  {name:<28}plain day {seconds[0]:6.3f} s   events_once {seconds[1]:6.3f} s"
        f"   ratio {over:5.2f}   limit {RATIO_DEMAND}   {events:,} of {expected:,} events"
        f"   {'ok' if met else 'NOT MET'}",
        flush=True,
    )
    return met


def main() -> int:
    """Measure and print. Returns 1 if a ratio exceeds its limit, or a result is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--events", type=int, default=12_000)
    parser.add_argument("--objects", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake(folder, options.events, options.objects)
        end = START + timedelta(days=options.days)
        runs = []
        # The last day is compacted hour by hour, as the schedule does.
        for hour in range(24 * options.days):
            at = START + timedelta(hours=hour)
            lake.add_hour(at)
            if end - at <= timedelta(days=1):
                runs.append(lake.compact(at + timedelta(hours=1)).bytes_read)
        for hour in range(24):
            lake.add_hour(end + timedelta(hours=hour))
        print(f"{options.days + 1} days, {sum(lake.once.values()):,} events once")
        met = True
        for kind, at in (("compacted", START + (end - START) // 2), ("today", end)):
            day = f"{at:%Y-%m-%d}"
            seconds, opening, events = in_duckdb(folder, day, options.rounds)
            met &= show(f"DuckDB, CPU, {kind}", seconds, events, lake.once[day])
            print(f"  {'opening the lake':<28}{opening:.2f} s of CPU")
            if spark.is_installed():
                in_day = in_spark(folder, day)
                met &= show(f"Spark, wall clock, {kind}", *in_day, lake.once[day])
        if not spark.is_installed():
            print("  Spark isn't installed: run `make spark`")
        print(f"  an hourly run reads {min(runs[1:]) / 1e6:.1f} to {max(runs[1:]) / 1e6:.1f} MB")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
