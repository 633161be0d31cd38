"""Bad rows, read again: what can be read now becomes rows of an object beside the first one.

The bad row stays, as a record of what came in; it is closed by a row of the same shard, sequence
number and record index that is not bad (or, where the whole record was bad, of the same record).
The objects are numbered, and each is written once: two operators at the same time, or one twice,
make no second copy. An event that is good in the lake already becomes a duplicate.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from stream_processor.errors import ObjectMetadataError
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

#: Reasons of a whole record; the raw bytes of any other reason are one event's, or one line's.
_OF_RECORD = "record_"
_OF_LINE = "record_line"


@dataclass(slots=True)
class ReprocessResult:
    """What a pass over bad rows did. `closed` rows are good, or duplicates, now."""

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
    """What of an object's bad rows can be read now, and the name of the object to be."""

    key: str
    rows: EventRows
    closed: list[Row] = field(default_factory=list)
    index: list[int] = field(default_factory=list)


class BadRowReprocessor:
    """The bad rows of the lake."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        self._bucket = app.lake

    def run(self, first: date, last: date) -> ReprocessResult:
        """Read the bad rows of the days of arrival from `first` to `last` again."""
        result = ReprocessResult()
        done: set[MessageKey] = set()
        day = first
        while day <= last:
            for hour in self._bucket.folders(f"{lake_keys.EVENTS}/date={day:%Y-%m-%d}/"):
                self._hour(hour, done, result)
            day += timedelta(days=1)
        return result

    def _hour(self, hour: str, done: set[MessageKey], result: ReprocessResult) -> None:
        """Read one hour's bad rows again; `done` are the ids that this run made good."""
        open_rows: dict[str, list[Row]] = {}
        for key in list(self._bucket.keys(hour)):
            try:
                rows = self._open(key)
            except ObjectMetadataError:
                # Nothing that this code wrote: `verify` names it.
                result.unreadable += 1
                continue
            if rows is not None:
                result.objects += 1
                result.bad += len(rows)
                open_rows[key] = rows
        # Once to see which events there are, and once more to judge them by what the lake has.
        seen = [_readable(key, rows, frozenset()) for key, rows in open_rows.items()]
        arrived = [_milliseconds(row["received_at"]) for one in seen for row in one.closed]
        if not arrived:
            return
        ids = {key for one in seen for key in one.rows.stats.ids}
        seconds = self._app.settings.window_seconds
        window = done | existing_ids.good_ids_around(
            self._bucket, min(arrived), max(arrived), seconds, ids
        )
        for key, rows in open_rows.items():
            repair = _readable(self._next(key), rows, window)
            if repair.closed:
                result.closed += self._write(repair)
                window |= set(existing_ids.good_ids_in(self._bucket, repair.key))
        done |= window

    def _open(self, key: str) -> list[Row] | None:
        """The bad rows of an object that nothing closed yet; None where it never had any."""
        if not lake_keys.summary(self._bucket, key).summary.bad:
            return None
        closed = {place for done in self._earlier(key) for place in self._places(done)}
        records = {sequence for sequence, _ in closed}
        return [
            row
            for row in parquet.read(self._bucket.read(key)).to_pylist()
            if row["verdict"] == BAD
            and (row["sequence_number"], row["record_index"]) not in closed
            and not (_of_record(row) and row["sequence_number"] in records)
        ]

    def _earlier(self, key: str) -> list[str]:
        return list(self._bucket.keys(_stem(key)))

    def _next(self, key: str) -> str:
        return f"{_stem(key)}{len(self._earlier(key)):06d}{lake_keys.SUFFIX}"

    def _places(self, key: str) -> Iterator[RowId]:
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
    """What of the bad rows of one object can be read now."""
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
    return bool(code.startswith(_OF_RECORD)) and code != _OF_LINE


def _reread_record(row: Row, rows: EventRows) -> Sequence[int]:
    """Add what a bad record holds; the places of its rows. None where all are as bad as before."""
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
    """Add one event, if it is one now; the place of its row."""
    head = revalidate.head(row)
    place = f"{row['shard_id']}:{int(row['sequence_number'])}:{row['record_index']}"
    event = revalidate.event(row["raw"], place, head, line=row["reason_code"] == _OF_LINE)
    if event is None:
        return ()
    rows.add_event(event, head, int(row["sequence_number"]))
    return (row["record_index"],)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
