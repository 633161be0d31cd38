"""One file of an hour's many: what a question about a past day reads instead of every object.

`python -m stream_processor.compact [--from DAY] [--to DAY] [--now]`; on AWS the events function
is called every hour. An hour's good rows are written to `compacted/date=…/hour=…/`, under a digest
of the names that they come from, and with them how many rows those objects had. The view
`events_once` takes an hour from that file only while the hour has as many rows: what comes late, by
a retry or a redrive, is seen at once, and the next run makes another file.

So nothing here can lose a row or show it twice. A run that dies leaves nothing or a whole file; two
at once write the same file, once; and nothing is deleted.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pyarrow as pa

import telemetry
from stream_processor import lake, parquet, settings
from stream_processor.door import House, InTime
from stream_processor.errors import StreamProcessorError
from stream_processor.schema import COMPACTED, EVENTS, GOOD

PREFIX: Final = "compacted"
#: An hour is left alone for so long after its end: its objects are still coming.
SETTLED: Final = timedelta(hours=1)
#: The stream keeps a record for so many days, and so may bring one so late.
DAYS: Final = 8
#: Objects are kept as they came until they are decoded; an hour of more has large files anyway.
MOST_BYTES: Final = 64 * 1024 * 1024
#: Rows of a group: what a reader decodes at once.
GROUP_ROWS: Final = 40_000


@dataclass(slots=True)
class Result:
    """What a run did, in hours. `left`: too large, of a newer schema, or not begun in time."""

    compacted: int = 0
    known: int = 0
    left: int = 0


class Compaction:
    """The hours of the lake's events."""

    def __init__(self, house: House) -> None:
        self._bucket = house.lake

    def run(self, since: datetime, before: datetime, in_time: InTime) -> Result:
        """Compact the hours that ended before a time, from that of `since` on."""
        result = Result()
        last = before - timedelta(hours=1)
        for hour in lake.hours(lake.EVENTS, _milliseconds(since), _milliseconds(last)):
            objects = [key for key in self._bucket.keys(hour) if key.endswith(lake.SUFFIX)]
            if len(objects) < 2:
                continue  # nothing to gain
            folder = f"{PREFIX}/{hour.partition('/')[2]}"
            digest = hashlib.sha256("\n".join(objects).encode()).hexdigest()[:32]
            target = f"{folder}{digest}{lake.SUFFIX}"
            if target in self._bucket.keys(folder):
                result.known += 1
            elif in_time() and self._compact(objects, target):
                result.compacted += 1
            else:
                result.left += 1
        return result

    def _compact(self, objects: Sequence[str], target: str) -> bool:
        bodies, size, hour_rows = [], 0, 0
        for key in objects:
            body = self._bucket.read(key)
            shape = parquet.shape(body)
            # Who does not know all columns would lose some.
            if shape is None or not shape.names <= set(EVENTS.names):
                telemetry.warning("hour not compacted", key=key)
                return False
            bodies.append(body)
            size += len(body)
            hour_rows += shape.rows
        if size > MOST_BYTES:
            return False
        whole = parquet.write_all(_groups(bodies, hour_rows), COMPACTED, GROUP_ROWS)
        self._bucket.create(target, whole, {"objects": str(len(objects)), "rows": str(hour_rows)})
        return True


def _groups(bodies: Sequence[bytes], hour_rows: int) -> Iterator[pa.Table]:
    """The good rows, about a row group at a time."""
    waiting: list[pa.Table] = []
    for body in bodies:
        waiting.append(_good(parquet.read(body), hour_rows))
        if sum(map(len, waiting)) >= GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting.clear()
    if waiting:
        yield pa.concat_tables(waiting)


def _good(table: pa.Table, hour_rows: int) -> pa.Table:
    verdicts = table.column("verdict").to_pylist()
    good = table.filter(pa.array([verdict == GOOD for verdict in verdicts], pa.bool_()))
    columns = {name: good.column(name) for name in good.schema.names}
    columns["hour_rows"] = pa.repeat(pa.scalar(hour_rows, pa.int64()), len(good))
    # A file of an older schema has nulls where columns came later.
    return pa.table(
        [columns.get(field.name, pa.nulls(len(good), field.type)) for field in COMPACTED],
        schema=COMPACTED,
    )


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def scheduled(event: Mapping[str, Any], house: House, in_time: InTime) -> dict[str, Any]:
    """Run for EventBridge Scheduler: what a retry finds done stays as it is."""
    at = datetime.fromisoformat(event["scheduled_time"]) - SETTLED
    result = Compaction(house).run(at - timedelta(days=DAYS), at, in_time)
    telemetry.count("HoursCompacted", result.compacted)
    telemetry.count("HoursLeftUncompacted", result.left)
    return asdict(result)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compact now, and print what was done. 1 where AWS or the environment did not let it."""
    now = datetime.now(UTC)
    parser = argparse.ArgumentParser(prog="stream_processor.compact", description=__doc__)
    day = date.fromisoformat
    parser.add_argument("--from", dest="first", type=day, default=now.date() - timedelta(days=DAYS))
    parser.add_argument("--to", dest="last", type=day, default=now.date())
    parser.add_argument("--now", action="store_true", help="the hour that has not ended as well")
    given = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    first, last = (datetime.combine(it, time.min, UTC) for it in (given.first, given.last))
    before = min(last + timedelta(days=1), now + timedelta(hours=1 if given.now else 0))
    try:
        house = House.of(settings.parse(os.environ))
        result = Compaction(house).run(first, before, lambda: True)
    except StreamProcessorError as error:
        print(f"compact: {error} ({error.code})", file=sys.stderr)
        return 1
    print("hours", json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
