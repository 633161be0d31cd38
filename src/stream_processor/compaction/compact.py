"""Compaction: one file of good rows per hour of events, which a query reads instead of all objects.

`python -m stream_processor.compaction.compact [--from DAY] [--to DAY] [--now]`; on AWS a schedule
invokes EventsFunction every hour. The good rows of an hour go to `compacted/date=…/hour=…/`, in a
file named by the digest of its source keys; each row holds the number of rows of those sources. The
view `events_once` reads an hour from that file only while the hour has that many rows: rows that
arrive late, by a retry or a redrive, are visible at once, and the next run writes another file.

So compaction can't lose or repeat a row. An interrupted run leaves no file or a complete one, two
concurrent runs write the same key once, and nothing is deleted.
"""

import argparse
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pyarrow as pa

import telemetry
from stream_processor import settings
from stream_processor.errors import StreamProcessorError
from stream_processor.rows.lake_schema import COMPACTED, EVENTS, GOOD
from stream_processor.storage import lake_keys, object_writer, parquet
from stream_processor.storage.app_context import AppContext

PREFIX: Final = "compacted"
#: Wait after the end of an hour until its objects have arrived.
SETTLED: Final = timedelta(hours=1)
#: The stream keeps a record for 7 days, so an object can arrive that late.
DAYS: Final = 8
#: Maximum size of an hour's objects, held in memory. Larger hours have large files anyway.
MAX_OBJECTS_BYTES: Final = 64 * 1024 * 1024
#: A reader decodes one row group at a time.
ROW_GROUP_ROWS: Final = 40_000


@dataclass(slots=True)
class Result:
    """Counts of one run, in hours. `left`: too large, of a newer schema, or no time left."""

    compacted: int = 0
    known: int = 0
    left: int = 0


class Compaction:
    """Compact the hours of the lake's events."""

    def __init__(self, app: AppContext) -> None:
        self._bucket = app.lake

    def run(self, since: datetime, before: datetime, has_time: Callable[[], bool]) -> Result:
        """Compact the hours from that of `since` to the last one that ended before `before`.

        Raises:
            StorageError: S3 failed.
            ConservationError: The rows of a file don't match their sources.
        """
        result = Result()
        last = before - timedelta(hours=1)
        for hour in lake_keys.hours(lake_keys.EVENTS, _milliseconds(since), _milliseconds(last)):
            objects = [key for key in self._bucket.keys(hour) if key.endswith(lake_keys.SUFFIX)]
            if len(objects) < 2:
                continue  # one object is as good as one compacted file
            folder = f"{PREFIX}/{hour.partition('/')[2]}"
            digest = hashlib.sha256("\n".join(objects).encode()).hexdigest()[:32]
            target = f"{folder}{digest}{lake_keys.SUFFIX}"
            if target in self._bucket.keys(folder):
                result.known += 1
            elif has_time() and self._compact(objects, target):
                result.compacted += 1
            else:
                result.left += 1
        return result

    def _compact(self, objects: Sequence[str], target: str) -> bool:
        bodies, size, hour_rows = [], 0, 0
        for key in objects:
            body = self._bucket.read(key)
            shape = parquet.shape(body)
            # A newer version's columns would be dropped from the compacted file.
            if shape is None or not shape.names <= set(EVENTS.names):
                telemetry.warning("hour not compacted", key=key)
                return False
            bodies.append(body)
            size += len(body)
            hour_rows += shape.rows
        if size > MAX_OBJECTS_BYTES:
            return False
        counts: Counter[str] = Counter()
        tables = _groups(bodies, hour_rows, counts)
        whole = parquet.write_all(tables, COMPACTED, ROW_GROUP_ROWS)
        object_writer.create_compacted(
            self._bucket, target, whole, objects=len(objects), rows_in=hour_rows, counts=counts
        )
        return True


def _groups(bodies: Sequence[bytes], hour_rows: int, counts: Counter[str]) -> Iterator[pa.Table]:
    """Yield the good rows, about one row group at a time; add all rows to `counts` by verdict."""
    waiting: list[pa.Table] = []
    for body in bodies:
        table = parquet.read(body)
        counts.update(parquet.value_counts(table, "verdict"))
        waiting.append(_good(table, hour_rows))
        if sum(map(len, waiting)) >= ROW_GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting.clear()
    if waiting:
        yield pa.concat_tables(waiting)


def _good(table: pa.Table, hour_rows: int) -> pa.Table:
    verdicts = table.column("verdict").to_pylist()
    good = table.filter(pa.array([verdict == GOOD for verdict in verdicts], pa.bool_()))
    columns = {name: good.column(name) for name in good.schema.names}
    columns["hour_rows"] = pa.repeat(pa.scalar(hour_rows, pa.int64()), len(good))
    # A file of an older schema lacks the columns that were added later: they are null.
    return pa.table(
        [columns.get(field.name, pa.nulls(len(good), field.type)) for field in COMPACTED],
        schema=COMPACTED,
    )


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def scheduled(
    event: Mapping[str, Any], app: AppContext, has_time: Callable[[], bool]
) -> dict[str, Any]:
    """Run for EventBridge Scheduler. A retry skips hours that are compacted already."""
    at = datetime.fromisoformat(event["scheduled_time"]) - SETTLED
    result = Compaction(app).run(at - timedelta(days=DAYS), at, has_time)
    telemetry.count("HoursCompacted", result.compacted)
    telemetry.count("HoursLeftUncompacted", result.left)
    return asdict(result)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compact now and print the counts. Returns 1 after an error."""
    now = datetime.now(UTC)
    parser = argparse.ArgumentParser(
        prog="stream_processor.compaction.compact", description=__doc__
    )
    day = date.fromisoformat
    parser.add_argument("--from", dest="first", type=day, default=now.date() - timedelta(days=DAYS))
    parser.add_argument("--to", dest="last", type=day, default=now.date())
    parser.add_argument("--now", action="store_true", help="compact the current hour too")
    options = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    first, last = (datetime.combine(it, time.min, UTC) for it in (options.first, options.last))
    before = min(last + timedelta(days=1), now + timedelta(hours=1 if options.now else 0))
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        result = Compaction(app).run(first, before, lambda: True)
    except StreamProcessorError as error:
        print(f"compact: {error} ({error.code})", file=sys.stderr)
        return 1
    print("hours", json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
