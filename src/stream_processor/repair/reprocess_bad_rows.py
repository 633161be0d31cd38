"""Read bad rows again and write those that are valid now to new objects.

The bad row stays in the lake. A row with the same shard, sequence number and record index that
isn't bad closes it (or any such row of the same record, if the whole record was bad). The rows go
to `again-<object>-<n>.parquet`, numbered and written once each, so repeated and concurrent runs
write no second copy. An event that is a good row in the lake already becomes a duplicate.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from stream_processor.errors import ObjectMetadataError
from stream_processor.ingest import raw_bytes
from stream_processor.repair import existing_ids, revalidate
from stream_processor.rows.event_rows import EventRows
from stream_processor.rows.lake_schema import BAD, EVENTS
from stream_processor.rows.object_stats import MessageKey
from stream_processor.storage import lake_keys, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.object_writer import RecordRange

type Row = Mapping[str, Any]
#: (sequence number, record index)
type RowId = tuple[str, int]

#: Prefix of the reason codes of whole records; any other code is about one event or one line.
_RECORD_REASON: Final = "record_"
_LINE_REASON: Final = "record_line"


@dataclass(slots=True)
class ReprocessResult:
    """Counts of one run. `closed` rows are good rows or duplicates now."""

    objects: int = 0
    bad: int = 0
    closed: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        return (
            f'{{"objects": {self.objects}, "bad": {self.bad}, "closed": {self.closed}, '
            f'"unreadable": {self.unreadable}}}'
        )


@dataclass(slots=True)
class _Repair:
    """The rows of one object that are valid now, and the key to write them to."""

    key: str
    rows: EventRows
    closed: list[Row] = field(default_factory=list)
    index: list[int] = field(default_factory=list)


class BadRowReprocessor:
    """Reprocess the bad rows of the lake."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._bucket = app.lake
        self._persons = app.suppression.persons() if app.suppression else None

    def run(self, first: date, last: date) -> ReprocessResult:
        """Reprocess the bad rows that arrived on the days from `first` to `last`.

        Raises:
            StorageError: S3 failed. Written objects stay; run it again.
            ConservationError: The rows of an object don't match their counts.
        """
        result = ReprocessResult()
        written_ids: set[MessageKey] = set()
        day = first
        while day <= last:
            for hour in self._bucket.folders(f"{lake_keys.EVENTS}/date={day:%Y-%m-%d}/"):
                self._hour(hour, written_ids, result)
            day += timedelta(days=1)
        return result

    def _hour(self, hour: str, written_ids: set[MessageKey], result: ReprocessResult) -> None:
        """Reprocess one hour; `written_ids` are the ids that this run has made good rows."""
        open_rows: dict[str, list[Row]] = {}
        for key in list(self._bucket.keys(hour)):
            try:
                rows = self._open(key)
            except ObjectMetadataError:
                # Another program wrote this object; `verify` reports it.
                result.unreadable += 1
                continue
            if rows is not None:
                result.objects += 1
                result.bad += len(rows)
                open_rows[key] = rows
        # The first pass collects the ids, the second marks those that the lake has as duplicates.
        readable = [_readable(key, rows, frozenset()) for key, rows in open_rows.items()]
        arrived = [_milliseconds(row["received_at"]) for one in readable for row in one.closed]
        if not arrived:
            return
        ids = {key for one in readable for key in one.rows.stats.ids}
        seconds = self._app.settings.window_seconds
        window = written_ids | existing_ids.good_ids_around(
            self._bucket, min(arrived), max(arrived), seconds, ids
        )
        for key, rows in open_rows.items():
            repair = _readable(self._next(key), rows, window)
            if repair.closed:
                result.closed += self._write(repair)
                window |= set(existing_ids.good_ids_in(self._bucket, repair.key))
        written_ids |= window

    def _open(self, key: str) -> list[Row] | None:
        """Return the open bad rows of an object; None if it never had a bad row."""
        if not lake_keys.summary(self._bucket, key).summary.bad:
            return None
        closed = {
            row_id for earlier_key in self._earlier(key) for row_id in self._row_ids(earlier_key)
        }
        records = {sequence for sequence, _ in closed}
        return [
            row
            for row in parquet.read(self._bucket.read(key)).to_pylist()
            if row["verdict"] == BAD
            and (row["sequence_number"], row["record_index"]) not in closed
            and not (_of_record(row) and row["sequence_number"] in records)
            and not self._is_suppressed(row)
        ]

    def _is_suppressed(self, row: Row) -> bool:
        """Return whether a bad row is of a suppressed person: it stays one."""
        if self._persons is None:
            return False
        return self._persons.occurs_in(raw_bytes.searchable(row["raw"] or b""))

    def _earlier(self, key: str) -> list[str]:
        return list(self._bucket.keys(_stem(key)))

    def _next(self, key: str) -> str:
        return f"{_stem(key)}{len(self._earlier(key)):06d}{lake_keys.SUFFIX}"

    def _row_ids(self, key: str) -> Iterator[RowId]:
        table = parquet.read(self._bucket.read(key), ["sequence_number", "record_index"])
        yield from zip(*(column.to_pylist() for column in table.columns), strict=True)

    def _write(self, repair: _Repair) -> int:
        table = repair.rows.finish()
        table = table.set_column(
            EVENTS.get_field_index("record_index"),
            "record_index",
            pa.array(repair.index, pa.int32()),
        )
        sequences = [int(row["sequence_number"]) for row in repair.closed]
        pending = object_writer.build(
            table,
            rows_in=repair.rows.expected_rows,
            counts=repair.rows.counts,
            covers=RecordRange(
                first=min(sequences),
                last=max(sequences),
                arrived_ms=_milliseconds(repair.closed[0]["received_at"]),
                records=len(repair.closed),
            ),
            stats=repair.rows.stats,
        )
        created = object_writer.create(self._bucket, repair.key, pending) is None
        # Another operator can have written this number first: then its rows count, not these.
        return len(repair.closed) if created else 0


def _stem(key: str) -> str:
    folder, _, name = key.rpartition("/")
    return f"{folder}/again-{name.removesuffix(lake_keys.SUFFIX)}-"


def _readable(key: str, bad: Sequence[Row], window: Container[MessageKey]) -> _Repair:
    """Collect the bad rows of one object that are valid now."""
    repair = _Repair(key, EventRows(bad[0]["shard_id"] if bad else "", window))
    for row in bad:
        read = _reread_record if _of_record(row) else _reread_event
        index = read(row, repair.rows)
        if index:
            repair.closed.append(row)
            repair.index += index
    return repair


def _of_record(row: Row) -> bool:
    code = row["reason_code"]
    return bool(code.startswith(_RECORD_REASON)) and code != _LINE_REASON


def _reread_record(row: Row, rows: EventRows) -> Sequence[int]:
    """Add the rows of a bad record; return their record indexes, empty if all are still bad."""
    sequence, arrived = int(row["sequence_number"]), _milliseconds(row["received_at"])
    alone = EventRows(row["shard_id"], frozenset())
    alone.add(row["raw"], sequence, arrived)
    count = len(alone.finish())
    if count == alone.counts[BAD]:
        return ()
    rows.add(row["raw"], sequence, arrived)
    rows.flush()
    return range(count)


def _reread_event(row: Row, rows: EventRows) -> Sequence[int]:
    """Add one event if it is valid now; return its record index, or nothing."""
    head = revalidate.head_of(row)
    record_name = f"{row['shard_id']}:{int(row['sequence_number'])}:{row['record_index']}"
    event = revalidate.event(row["raw"], record_name, head, line=row["reason_code"] == _LINE_REASON)
    if event is None:
        return ()
    rows.add_event(event, head, int(row["sequence_number"]))
    return (row["record_index"],)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
