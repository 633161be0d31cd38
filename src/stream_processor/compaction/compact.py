"""Compaction: few files of good rows per hour of events, which a query reads instead of objects.

`python -m stream_processor.compaction.compact [--from DAY] [--to DAY] [--now]`; on AWS a schedule
invokes EventsFunction every hour. The good rows of an hour go to `compacted/date=…/hour=…/`, in
files named by the digest of the keys and ETags of the objects that they were made from, and the
other rows to `compacted_rest/`, under the same names, for the Iceberg table. Each row keeps the
`object_id` of its object. The view `events_once` reads an object from such a file while the object
is in the lake, and any other object itself: rows that arrive late, by a retry or a redrive, are
visible at once, and a deleted object is gone at once.

The sizes in the listing divide an hour into parts that fit into memory, so the rate of events
doesn't matter, and one run reads at most `MAX_RUN_BYTES`. Objects are taken in the order of their
creation: a late one extends no file, and no object is read again.

Then the copies in the files are listed (copies.py), so a query for one day needs no other day.

So compaction can't lose or repeat a row. An interrupted run leaves no file or a complete one, two
concurrent runs write the same key once, and nothing is deleted.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pyarrow as pa

import telemetry
from stream_processor import settings
from stream_processor.compaction.copies import COMPACTED_PREFIX, CopyIndex, Source
from stream_processor.errors import StreamProcessorError
from stream_processor.rows.lake_schema import COMPACTED, EVENTS, GOOD
from stream_processor.storage import lake_keys, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.s3 import ListedObject

#: Wait after the end of an hour until its objects have arrived.
SETTLED: Final = timedelta(hours=1)
#: The stream keeps a record for 7 days, so an object can arrive that late.
DAYS: Final = 8
#: Maximum size of the objects in one file. They are held in memory.
MAX_PART_BYTES: Final = 64 * 1024 * 1024
#: Maximum size of the objects that one run reads: about a minute on AWS. The next run goes on.
MAX_RUN_BYTES: Final = 1024 * 1024 * 1024
#: A reader decodes one row group at a time.
ROW_GROUP_ROWS: Final = 40_000
#: Characters of the digest in a file's name.
_DIGEST_CHARS: Final = 32

#: Files of earlier versions have no number.
_COUNTED: Final = re.compile(r"\d+-[0-9a-f]+\.parquet")

#: The rows of a compacted file's objects that aren't good, under the same name.
REST_PREFIX: Final = "compacted_rest"

type Part = Sequence[ListedObject]


@dataclass(slots=True)
class Result:
    """Counts of one run: files written, hours without anything new, and parts left.

    `left`: of a newer schema, unreadable, or no time or bytes left. `not_compared`: files whose
    copies aren't listed yet. `bytes_read` of the objects, compacted files and ids.
    """

    compacted: int = 0
    known: int = 0
    left: int = 0
    not_compared: int = 0
    bytes_read: int = field(default=0, compare=False)


class Compaction:
    """Compact the hours of the lake's events."""

    def __init__(self, app: AppContext) -> None:
        self._bucket = app.lake

    def run(
        self,
        since: datetime,
        before: datetime,
        has_time: Callable[[], bool],
        held: AbstractSet[date] = frozenset(),
    ) -> Result:
        """Compact the hours from that of `since` to the last one that ended before `before`.

        Hours of the days in `held` stay as they are: a reprocessing compacts them.

        Raises:
            StorageError: S3 failed.
            ConservationError: The rows of a file don't match their sources.
        """
        result = Result()
        compared: list[Source] = []
        held_days = tuple(f"{lake_keys.EVENTS}/date={it}/" for it in held)
        last = before - timedelta(hours=1)
        for hour in lake_keys.hours(lake_keys.EVENTS, _milliseconds(since), _milliseconds(last)):
            if hour.startswith(held_days):
                continue
            objects = [it for it in self._bucket.objects(hour) if it.key.endswith(lake_keys.SUFFIX)]
            if not objects:
                continue
            folder = f"{COMPACTED_PREFIX}/{hour.partition('/')[2]}"
            files = {key.removeprefix(folder) for key in self._bucket.keys(folder)}
            rest = folder.replace(COMPACTED_PREFIX, REST_PREFIX, 1)
            complete = files & {key.removeprefix(rest) for key in self._bucket.keys(rest)}
            parts = list(parts_of(sorted(objects), files))
            result.known += all(file_name(it) in complete for it in parts)
            for part in parts:
                name = file_name(part)
                if name not in complete:
                    fits = result.bytes_read + _size(part) <= MAX_RUN_BYTES
                    targets = (folder + name, rest + name)
                    if not (fits and has_time() and self._compact(part, *targets, result)):
                        result.left += 1
                        continue
                    result.compacted += 1
                objects_of = tuple(it.key.rpartition("/")[2] for it in part)
                compared.append(Source(folder.partition("/")[2], name, objects_of))
        index = CopyIndex(self._bucket)
        result.not_compared = index.add(compared, has_time, int(last.timestamp()) // 3600)
        result.bytes_read += index.bytes_read
        return result

    def _compact(self, part: Part, target: str, rest: str, result: Result) -> bool:
        bodies, rows_in = [], 0
        for listed in part:
            body = self._bucket.read(listed.key)
            result.bytes_read += len(body)
            shape = parquet.shape(body)
            # A newer version's columns would be dropped from the compacted file.
            if shape is None or not shape.names <= set(EVENTS.names):
                telemetry.warning("objects not compacted", key=listed.key)
                return False
            bodies.append(body)
            rows_in += shape.rows
        counts: Counter[str] = Counter()
        whole = parquet.write_all(_groups(bodies, counts), COMPACTED, ROW_GROUP_ROWS)
        others = parquet.write_all(_others(bodies), EVENTS, ROW_GROUP_ROWS)
        files = {rest: others, target: whole}
        object_writer.create_compacted(
            self._bucket, files, objects=len(part), rows_in=rows_in, counts=counts
        )
        return True


def file_name(part: Part) -> str:
    """Return the name of the file of these objects: their number, and a digest of their bodies."""
    text = "\n".join(f"{it.key} {it.etag}" for it in part)
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"{len(part)}-{digest}{lake_keys.SUFFIX}"


def parts_of(objects: Part, files: AbstractSet[str]) -> Iterator[Part]:
    """Yield the parts of an hour's objects: those of `files`, and new ones, oldest first.

    A new part has at most `MAX_PART_BYTES`, or one object.
    """
    sizes = sorted({int(it.partition("-")[0]) for it in files if _COUNTED.match(it)})
    waiting: list[ListedObject] = []
    at = 0
    while at < len(objects):
        covered = next((n for n in sizes if file_name(objects[at : at + n]) in files), 0)
        if covered:
            yield from _parts(waiting)
            waiting = []
            yield objects[at : at + covered]
        else:
            waiting.append(objects[at])
        at += covered or 1
    yield from _parts(waiting)


def _parts(objects: Part) -> Iterator[Part]:
    part: list[ListedObject] = []
    for listed in objects:
        if part and _size(part) + listed.size > MAX_PART_BYTES:
            yield part
            part = []
        part.append(listed)
    if part:
        yield part


def _size(part: Part) -> int:
    return sum(it.size for it in part)


def _groups(bodies: Sequence[bytes], counts: Counter[str]) -> Iterator[pa.Table]:
    """Yield the good rows, about one row group at a time; add all rows to `counts` by verdict."""
    waiting: list[pa.Table] = []
    for body in bodies:
        table = parquet.read(body)
        counts.update(parquet.value_counts(table, "verdict"))
        waiting.append(_good(table))
        if sum(map(len, waiting)) >= ROW_GROUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting.clear()
    if waiting:
        yield pa.concat_tables(waiting)


def _others(bodies: Sequence[bytes]) -> Iterator[pa.Table]:
    """Yield the rows that aren't good, object by object."""
    for body in bodies:
        if parquet.verdicts(body).keys() != {GOOD}:
            yield _filtered(parquet.read(body), EVENTS, good=False)


def _good(table: pa.Table) -> pa.Table:
    return _filtered(table, COMPACTED, good=True)


def _filtered(table: pa.Table, schema: pa.Schema, *, good: bool) -> pa.Table:
    verdicts = table.column("verdict").to_pylist()
    rows = table.filter(pa.array([(verdict == GOOD) is good for verdict in verdicts], pa.bool_()))
    columns = {name: rows.column(name) for name in rows.schema.names}
    # A file of an older schema lacks the columns that were added later: they are null.
    return pa.table(
        [columns.get(it.name, pa.nulls(len(rows), it.type)) for it in schema], schema=schema
    )


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def scheduled(
    event: Mapping[str, Any],
    app: AppContext,
    has_time: Callable[[], bool],
    held: AbstractSet[date] = frozenset(),
) -> dict[str, Any]:
    """Run for EventBridge Scheduler, except on days that are held.

    A retry skips hours that are compacted already.
    """
    at = datetime.fromisoformat(event["scheduled_time"]) - SETTLED
    result = Compaction(app).run(at - timedelta(days=DAYS), at, has_time, held)
    telemetry.count("FilesCompacted", result.compacted)
    telemetry.count("PartsLeftUncompacted", result.left)
    telemetry.count("CompactionBytesRead", result.bytes_read)
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
    print("compacted", json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
