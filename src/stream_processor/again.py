"""Bad rows, read again: what can be read now becomes rows of an object beside the first one.

The bad row stays, as a record of what came in; it is closed by a row of the same shard, sequence
number and record index that is not bad (or, where the whole record was bad, of the same record).
The objects are numbered, and each is written once: two operators at the same time, or one twice,
make no second copy.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa

import clickstream
from stream_processor import decode, lake, parquet
from stream_processor.chain import Summary
from stream_processor.decode import Bad
from stream_processor.door import House
from stream_processor.rows import EventRows
from stream_processor.schema import BAD, DUPLICATE, EVENTS, GOOD

type Row = Mapping[str, Any]
#: (sequence number, record index)
type Place = tuple[str, int]

#: Reasons of a whole record; the raw bytes of any other reason are one event's.
_OF_RECORD = "record_"
#: Of a line inside a record: such a line is no event, and was never one.
_OF_LINE = "record_line"


@dataclass(slots=True)
class Reread:
    """What a pass over bad rows did. `closed` rows are good (or duplicates) now."""

    objects: int = 0
    bad: int = 0
    closed: int = 0

    def __str__(self) -> str:
        return f'{{"objects": {self.objects}, "bad": {self.bad}, "closed": {self.closed}}}'


class BadRows:
    """The bad rows of the lake."""

    def __init__(self, house: House) -> None:
        self._house = house

    def run(self, first: date, last: date) -> Reread:
        """Read the bad rows of the days of arrival from `first` to `last` again."""
        result = Reread()
        day = first
        while day <= last:
            folder = f"{lake.EVENTS}/date={day:%Y-%m-%d}/"
            for key in list(self._house.lake.keys(folder)):
                if not key.rpartition("/")[2].startswith("again-"):
                    self._again(key, result)
            day += timedelta(days=1)
        return result

    def _again(self, key: str, result: Reread) -> None:
        bucket = self._house.lake
        if not lake.summary(bucket, key).summary.bad:
            return
        folder, _, name = key.rpartition("/")
        stem = f"{folder}/again-{name.removesuffix(lake.SUFFIX)}-"
        earlier = list(bucket.keys(stem))
        closed = {place for done in earlier for place in self._places(done)}
        records = {sequence for sequence, _ in closed}
        open_rows = [
            row
            for row in parquet.read(bucket.read(key)).to_pylist()
            if row["verdict"] == BAD
            and (row["sequence_number"], row["record_index"]) not in closed
            and not (_of_record(row) and row["sequence_number"] in records)
        ]
        result.objects += 1
        result.bad += len(open_rows)
        result.closed += self._write(f"{stem}{len(earlier):06d}{lake.SUFFIX}", open_rows)

    def _places(self, key: str) -> Iterator[Place]:
        table = parquet.read(self._house.lake.read(key), ["sequence_number", "record_index"])
        yield from zip(*(column.to_pylist() for column in table.columns), strict=True)

    def _write(self, key: str, bad: list[Row]) -> int:
        rows = EventRows(bad[0]["shard_id"], frozenset()) if bad else None
        index: list[int] = []
        closed = [row for row in bad if rows is not None and _reread(row, rows, index)]
        if rows is None or not closed:
            return 0
        table = rows.finish()
        table = table.set_column(
            EVENTS.get_field_index("record_index"), "record_index", pa.array(index, pa.int32())
        )
        body = parquet.write(table)
        sequences = [int(row["sequence_number"]) for row in closed]
        summary = Summary(
            first=min(sequences),
            last=max(sequences),
            arrived_ms=round(closed[0]["received_at"].timestamp() * 1000),
            previous=None,
            records=len(closed),
            good=rows.counts[GOOD],
            bad=rows.counts[BAD],
            duplicate=rows.counts[DUPLICATE],
        )
        metadata = summary.metadata() | {"sha256": hashlib.sha256(body).hexdigest()}
        return len(closed) if self._house.lake.create(key, body, metadata) else 0


def _of_record(row: Row) -> bool:
    code = row["reason_code"]
    return bool(code.startswith(_OF_RECORD)) and code != _OF_LINE


def _reread(row: Row, rows: EventRows, index: list[int]) -> bool:
    """Add what a bad row holds, if it can be read now; False where it is as bad as before."""
    sequence = int(row["sequence_number"])
    if _of_record(row):
        alone = EventRows(row["shard_id"], frozenset())
        arrived = _milliseconds(row["received_at"])
        alone.add(row["raw"], sequence, arrived)
        count = len(alone.finish())
        if count == alone.counts[BAD]:
            return False
        rows.add(row["raw"], sequence, arrived)
        rows.flush()
        index += range(count)
        return True
    header = _header(row)
    place = f"{row['shard_id']}:{sequence}:{row['record_index']}"
    event = decode.plain_event(row["raw"], place, header.received_at)
    if isinstance(event, Bad):
        return False
    rows.add_event(event, header, sequence)
    index.append(row["record_index"])
    return True


def _header(row: Row) -> clickstream.Header:
    """The facts of the row's request, as its columns have them."""
    return clickstream.Header(
        request_id=row["request_id"] or "",
        received_at=_text(row["received_at"]) or "",
        sent_at=_text(row["sent_at"]),
        source=row["source"] or "",
        stream_region=row["stream_region"] or "",
        edge_region=row["edge_region"] or "",
        failover=bool(row["failover"]),
        bot=bool(row["bot"]),
        **{
            name: row[name]
            for name in ("ip", "user_agent", "country", "region", "city", "time_zone", "device")
        },
        context=msgspec.Raw(b"null"),
    )


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _text(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
