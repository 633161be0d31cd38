"""Operator command: finds the events with an ID in the lake, the failures bucket and the stream.

`python -m stream_processor.repair.trace_events ID` prints a JSON array with one object per copy of
an event: where it is (`lake`, `failures` or `stream`), the key of the object, and the row. A copy
in the failures bucket or on the stream is listed only if the lake has no row of its record. The
environment is that of the functions; `tools/operations/why.py` explains the result.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stream_processor import settings
from stream_processor.commit import event_objects
from stream_processor.errors import MissingObjectError, SourceError, StreamProcessorError
from stream_processor.ingest import invocation, raw_bytes
from stream_processor.ingest.records import Batch, StreamRecord
from stream_processor.repair.redrive import FAILURES, parse_failure
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.rows.lake_schema import ERASED
from stream_processor.rows.suppress import SUPPRESSED
from stream_processor.storage import lake_keys, parquet
from stream_processor.storage.app_context import AppContext

LAKE: Final = "lake"
FAILED: Final = "failures"
STREAM: Final = "stream"
ERASED_HERE: Final = "erased"
SUPPRESSED_HERE: Final = "suppressed"

#: Columns that can hold the ID. A bad row can have it only in its bytes.
_IDS: Final = ("message_id", "request_id", "user_id", "anonymous_id")
_SEARCHED: Final = (*_IDS, "verdict", "raw")
_POSITION: Final = ("shard_id", "sequence_number", "record_index")
#: Columns of the result, as in the lake.
_COLUMNS: Final = (
    *("verdict", "reason_code", "reason", "type", "event", "page_path", "source", "received_at"),
    *("stream_region", "edge_region", "failover", "shard_id", "sequence_number", "record_index"),
    *_IDS,
)
#: The shard, the sequence number, and the position of a row in its record.
type RowPosition = tuple[str, str, int]
_READERS: Final = 8
#: Objects in memory at once.
_GROUP: Final = 64


@dataclass(frozen=True, slots=True)
class EventCopy:
    """One copy of an event.

    `location` is LAKE, FAILED or STREAM, or ERASED_HERE or SUPPRESSED_HERE: on the stream, and a
    row without data in the lake.
    `key` is the object that holds the copy, and empty on the stream.
    `row` has the lake's columns; on the way to the lake, those that the function would write.
    """

    location: str
    key: str
    row: dict[str, Any]

    @property
    def record(self) -> tuple[str, str]:
        """The shard and the sequence number."""
        return self.row["shard_id"], self.row["sequence_number"]


class EventFinder:
    """Find the copies of the events with an ID."""

    def __init__(self, app: AppContext, streams: StreamReader | None = None) -> None:
        self._app = app
        self._streams = streams if streams is not None else StreamReader(app.settings)

    def find(self, wanted: str, since_ms: int, until_ms: int) -> list[EventCopy]:
        """Return the copies of the events whose messageId, request ID, user or visitor is `wanted`.

        Objects of the lake are read if their hour is between the two times (Unix ms), and so are
        the stream's records; the failures bucket is read whole.

        Raises:
            StorageError: S3 or the stream failed.
        """
        rows, hidden = self._lake(wanted, since_ms, until_ms)
        stored = {copy.record for copy in rows}
        hours = max(1, -(-(until_ms - since_ms) // 3_600_000))
        waiting = [*self._failures(wanted), *self._stream(wanted, hours)]
        for copy in waiting:
            location = hidden.pop(_position(copy.row), "")
            if location:
                rows.append(EventCopy(location, copy.key, copy.row))
                stored.add(copy.record)
            elif copy.record not in stored:
                rows.append(copy)
                # Lambda keeps a discarded record in the bucket while it is on the stream as well.
                if copy.location == FAILED:
                    stored.add(copy.record)
        return rows

    def _lake(
        self, wanted: str, since_ms: int, until_ms: int
    ) -> tuple[list[EventCopy], dict[RowPosition, str]]:
        """Return the copies in the lake, and the positions of its rows without data."""
        copies: list[EventCopy] = []
        hidden: dict[RowPosition, str] = {}
        keys = [
            key
            for hour in lake_keys.hours(lake_keys.EVENTS, since_ms, until_ms)
            for key in self._app.lake.keys(hour)
            if key.endswith(lake_keys.SUFFIX)
        ]

        def read(key: str) -> bytes | None:
            try:
                return self._app.lake.read(key)
            except MissingObjectError:  # deleted since the listing
                return None

        # The threads only wait for S3: Arrow has threads of its own.
        with ThreadPoolExecutor(_READERS) as readers:
            for group in batched(keys, _GROUP, strict=False):
                for key, body in zip(group, readers.map(read, group), strict=True):
                    if body is not None:
                        table = parquet.read(body, (*_SEARCHED, "reason_code", *_POSITION))
                        hidden |= rows_without_data(table)
                        copies += (
                            EventCopy(LAKE, key, it) for it in rows_with(body, table, wanted)
                        )
        return copies, hidden

    def _failures(self, wanted: str) -> Iterator[EventCopy]:
        for key in self._app.failures.keys(FAILURES):
            try:
                _, event = parse_failure(self._app.failures.read(key))
                batches = invocation.stream_batches(event)
            except (ValueError, KeyError, TypeError, SourceError, MissingObjectError):
                continue  # a change of an appointment, or not an object of Lambda
            for row in self._rows(batches, wanted):
                yield EventCopy(FAILED, key, row)

    def _stream(self, wanted: str, hours: int) -> Iterator[EventCopy]:
        for row in self._rows(self._streams.events(hours), wanted):
            yield EventCopy(STREAM, "", row)

    def _rows(
        self, batches: Iterable[Batch[StreamRecord]], wanted: str
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows with the ID that the function would write for the records."""
        for batch in batches:
            shard = lake_keys.events_shard(self._app.settings.stage, batch.stream, batch.shard)
            rest: Sequence[StreamRecord] = batch.records
            while rest:
                pending = event_objects.build(self._app.settings, shard, rest, None, frozenset())
                table = parquet.read(pending.body, _SEARCHED)
                yield from rows_with(pending.body, table, wanted)
                rest = rest[pending.taken :]


def rows_without_data(table: pa.Table) -> dict[RowPosition, str]:
    """Return where an object's erased and suppressed rows are, and which of the two each is."""
    codes = {ERASED: ERASED_HERE, SUPPRESSED: SUPPRESSED_HERE}
    is_hidden = pc.is_in(table.column("reason_code"), pa.array(list(codes)))
    rows = table.select(("reason_code", *_POSITION)).filter(is_hidden).to_pylist()
    return {_position(it): codes[it["reason_code"]] for it in rows}


def _position(row: dict[str, Any]) -> RowPosition:
    return row["shard_id"], row["sequence_number"], row["record_index"]


def rows_with(body: bytes, table: pa.Table, wanted: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of an object that have the ID in a column, or as bad rows in their bytes.

    `table` has the object's columns `_SEARCHED`.
    """
    matches = [pc.equal(table.column(name), wanted).to_pylist() for name in _IDS]
    raw = table.column("raw").to_pylist()
    text = wanted.encode("utf-8", "surrogatepass")
    numbers = [
        number
        for number, columns in enumerate(zip(*matches, strict=True))
        if any(columns) or text in raw_bytes.searchable(raw[number] or b"")
    ]
    if numbers:
        rows = parquet.read(body, _COLUMNS).take(pa.array(numbers)).to_pylist()
        for row in rows:
            received = row.get("received_at")
            yield {**row, "received_at": received and received.isoformat(timespec="milliseconds")}


def _day_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the copies as JSON. Returns 1 after an error."""
    parser = argparse.ArgumentParser(
        prog="stream_processor.repair.trace_events", description=__doc__
    )
    parser.add_argument("id", help="a messageId, request ID, userId or anonymousId")
    parser.add_argument("--hours", type=int, default=24, help="how far back to look (default: 24)")
    parser.add_argument("--from", dest="since", type=_day_ms, help="the first day to look at (UTC)")
    options = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    # A row is built for each record of the stream: its warnings are those of the function.
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
    now_ms = round(time.time() * 1000)
    since_ms = now_ms - options.hours * 3_600_000 if options.since is None else options.since
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        copies = EventFinder(app).find(options.id, since_ms, now_ms)
    except StreamProcessorError as error:
        print(f"why: {error} ({error.code})", file=sys.stderr)
        return 1
    print(json.dumps([asdict(copy) for copy in copies]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
