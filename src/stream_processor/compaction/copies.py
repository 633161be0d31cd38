"""The index of copies: which good rows of compacted files aren't the first with their id.

`events_once` has the first copy of each id: by the hour of arrival, then by `received_at`, shard,
sequence number and index. Compaction compares each compacted file with the ids of all
files before it, once. So a query for one day needs no ids of other days.

A numbered log under `seen/` decides the order of concurrent runs. Entry n has, per id of its
files, a digest and the hour of the first copy, and what follows from it: the objects that are
compared, and the rows that are copies. An entry is created only if no other run created it
(`If-None-Match`), and after everything that follows from the entry before it is in
`copies/date=…/hour=…/`. So a crash leaves an entry that the next run completes, and a run that lost
reads the log again.

A row that arrives late can precede a copy that was the first until then: the entry then lists that
one too. Every 16 entries are merged, every 16 of those, and so on, so a run reads few files; it
reads 20 bytes for each id ever seen, at most `MAX_SEEN_BYTES`.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

import telemetry
from stream_processor.storage import object_writer, parquet
from stream_processor.storage.lake_keys import SUFFIX
from stream_processor.storage.s3 import Bucket

COMPACTED_PREFIX: Final = "compacted"
COPIES_PREFIX: Final = "copies"
SEEN_PREFIX: Final = "seen"
#: Maximum size of the digests that a run reads: 25 million ids.
MAX_SEEN_BYTES: Final = 512 * 1024 * 1024
#: Rows that are compared at once, in memory, unless one file has more.
MAX_BATCH_ROWS: Final = 200_000
#: Entries per merged entry.
_MERGED: Final = 16
#: Two ids with the same digest among 10^12 ids: a probability of 10^-15.
_DIGEST_BYTES: Final = 16
_HOUR_S: Final = 3600

_ENTRY: Final = re.compile(rf"{SEEN_PREFIX}/(\d{{8}})-(\d{{8}})\.parquet")
_FOLDER: Final = re.compile(r"date=(\d{4}-\d\d-\d\d)/hour=(\d\d)/")
_COLUMNS: Final = (
    "source",
    "message_id",
    "received_at",
    "shard_id",
    "sequence_number",
    "record_index",
    "object_id",
)

#: A compared object has its name; a copy the position of its row. Neither: there are rows without
#: `object_id`, or, with one, two objects with the same rows.
COPIES: Final = pa.schema(
    [
        ("object_name", pa.string()),
        ("object_id", pa.int64()),
        ("shard_id", pa.string()),
        ("sequence_number", pa.string()),
        ("record_index", pa.int32()),
    ]
)
SEEN: Final = pa.schema([("digest", pa.binary(_DIGEST_BYTES)), ("hour", pa.int32())])
#: Rows with `target` are those of the file `target` in `copies/`, the others those of `SEEN`.
ENTRY: Final = pa.schema([pa.field("target", pa.string()), *COPIES, *SEEN])


class Source(NamedTuple):
    """A compacted file: its hour's folder, its name, and the names of its objects."""

    folder: str
    name: str
    objects: tuple[str, ...]

    @property
    def target(self) -> str:
        """The key of its file in `copies/`."""
        return f"{COPIES_PREFIX}/{self.folder}{self.name}"


class Position(NamedTuple):
    """A row in its hour, in the order of the copies."""

    received_at: datetime
    shard_id: str
    sequence_number: str
    record_index: int
    object_id: int


class Row(NamedTuple):
    """A good row: the hour of its arrival (since 1970), and its position."""

    hour: int
    position: Position


type Ids = Mapping[bytes, list[Row]]


class CopyIndex:
    """Compare compacted files with all files before them, and list the copies."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.bytes_read = 0

    def missing(self, sources: Iterable[Source]) -> list[Source]:
        """Return the files that aren't compared yet; lists `copies/` by day.

        Raises:
            StorageError: S3 failed.
        """
        by_day: dict[str, list[Source]] = defaultdict(list)
        for source in sources:
            by_day[source.folder.partition("/")[0]].append(source)
        not_compared: list[Source] = []
        for day, its_sources in by_day.items():
            listed = set(self._bucket.keys(f"{COPIES_PREFIX}/{day}/"))
            not_compared += [it for it in its_sources if it.target not in listed]
        return not_compared

    def add(self, sources: Iterable[Source], may_go_on: Callable[[], bool]) -> int:
        """Compare files, and list their copies; return the number of files left.

        Files are left whose objects are of versions without `object_id`, or when the log is too
        large or incomplete.

        Raises:
            StorageError: S3 failed.
        """
        waiting, left = self.missing(sources), 0
        while waiting and may_go_on():
            batch, ids = self._batch(waiting)
            waiting = waiting[len(batch) :]
            left += self._append(batch, ids)
        return left + len(waiting)

    def _batch(self, sources: Sequence[Source]) -> tuple[list[Source], dict[Source, Ids]]:
        """Read the first files, about as many as fit into memory."""
        batch: list[Source] = []
        ids: dict[Source, Ids] = {}
        rows = 0
        for source in sources:
            if batch and rows >= MAX_BATCH_ROWS:
                break
            ids[source] = self._ids(source.folder, source.name)
            rows += sum(map(len, ids[source].values()))
            batch.append(source)
        return batch, ids

    def _append(self, batch: Sequence[Source], ids: Mapping[Source, Ids]) -> int:
        while True:
            keys = list(self._bucket.keys(f"{SEEN_PREFIX}/"))
            last = _end(keys)
            listed = next(self._bucket.keys(f"{COPIES_PREFIX}/"), None)
            if _end(covering(keys)) != last or (listed is not None and not last):
                telemetry.warning("entries are missing from the log of ids", prefix=SEEN_PREFIX)
                return len(batch)
            if last:
                self._publish(last)
            # Every entry up to `last` is published, so a file that isn't listed isn't in any.
            todo = self.missing(batch)
            known = self._known(keys, [ids[it] for it in todo], todo) if todo else None
            if known is None:
                return len(todo)
            new = [it for it in todo if _is_new(it, known)]
            left = len(todo) - sum(_identified(ids[it]) for it in new)
            if not new:
                return left
            number = last + 1
            entry = self._entry(number, new, ids, known)
            if self._create(_entry_key(number, number), entry):
                self._publish(number, entry)
                self._merge(number)
                return left

    def _known(
        self, keys: Sequence[str], ids: Sequence[Ids], sources: Sequence[Source]
    ) -> dict[bytes, int] | None:
        """Return the first hour of those digests that the log has; None if it is too large."""
        wanted = {digest for it in ids for digest in it} | {_file_digest(it) for it in sources}
        values = pa.array(wanted, pa.binary(_DIGEST_BYTES))
        known: dict[bytes, int] = {}
        read = 0
        for key in covering(keys):
            body = self._read(key)
            read += len(body)
            if read > MAX_SEEN_BYTES:
                telemetry.warning("too many ids to compare", bytes=read)
                return None
            seen = parquet.read(body, SEEN.names)
            hits = seen.filter(pc.is_in(seen.column("digest"), value_set=values))
            columns = (hits.column(name).to_pylist() for name in SEEN.names)
            for digest, hour in zip(*columns, strict=True):
                known[digest] = min(hour, known.get(digest, hour))
        return known

    def _entry(
        self,
        number: int,
        sources: Sequence[Source],
        ids: Mapping[Source, Ids],
        known: Mapping[bytes, int],
    ) -> pa.Table:
        rows: dict[bytes, list[Row]] = defaultdict(list)
        identified = [it for it in sources if _identified(ids[it])]
        for source in identified:
            for digest, its_rows in ids[source].items():
                rows[digest] += its_rows
        # Only ids whose first copy isn't later than a new one need the rows of that hour.
        hours = {known[it] for it in rows if it in known and min(rows[it]).hour <= known[it]}
        earlier = {hour: self._indexed_rows(hour) for hour in hours}
        late = {hour: f"{COPIES_PREFIX}/{_folder(hour)}late-{number:08d}{SUFFIX}" for hour in hours}
        # Readers need all files of an entry, so it doesn't matter which one of an hour has a copy.
        targets = late | {_hour(it.folder): it.target for it in sources}
        lines: list[dict[str, Any]] = [
            {"target": source.target, "object_name": name}
            for source in identified
            for name in source.objects
        ]
        lines += [{"target": it.target} for it in sources if it not in identified]
        lines += [{"digest": _file_digest(it), "hour": 0} for it in sources]
        for digest, new in rows.items():
            hour = known.get(digest)
            old = earlier.get(hour, {}).get(digest, []) if hour is not None else []
            every = sorted([*new, *old])
            first = every[0]
            kept_before = hour is not None and hour < first.hour
            for row in every if kept_before else every[1:]:
                lines.append(_copy(row, targets))
            if not kept_before and len(set(every)) < len(every):
                lines += [_same_rows(it, targets) for it in every if every.count(it) > 1]
            if hour is None or first.hour < hour:
                lines.append({"digest": digest, "hour": first.hour})
        return pa.Table.from_pylist(lines, schema=ENTRY)

    def _indexed_rows(self, hour: int) -> Ids:
        """Return the rows of an hour's files that are in the log."""
        folder = _folder(hour)
        listed = {it.rpartition("/")[2] for it in self._bucket.keys(f"{COPIES_PREFIX}/{folder}")}
        rows: dict[bytes, list[Row]] = defaultdict(list)
        for key in self._bucket.keys(f"{COMPACTED_PREFIX}/{folder}"):
            if key.rpartition("/")[2] in listed:
                ids = self._ids(folder, key.rpartition("/")[2])
                for digest, its_rows in ids.items() if _identified(ids) else ():
                    rows[digest] += its_rows
        return rows

    def _ids(self, folder: str, name: str) -> Ids:
        table = parquet.read(self._read(f"{COMPACTED_PREFIX}/{folder}{name}"), _COLUMNS)
        hour = _hour(folder)
        rows: dict[bytes, list[Row]] = defaultdict(list)
        columns = (table.column(it).to_pylist() for it in _COLUMNS)
        for source, message_id, received_at, *rest in zip(*columns, strict=True):
            position = Position._make([received_at or _NEVER, *rest])
            rows[_digest(source, message_id)].append(Row(hour, position))
        return rows

    def _publish(self, number: int, entry: pa.Table | None = None) -> None:
        """Create the files of `copies/` that follow from an entry, those that don't exist."""
        if entry is None:
            entry = parquet.read(self._read(_entry_key(number, number)))
        for target in entry.column("target").drop_null().unique().to_pylist():
            rows = entry.filter(pc.equal(entry.column("target"), target)).select(COPIES.names)
            self._create(target, rows)

    def _merge(self, number: int) -> None:
        size = _MERGED
        while number % size == 0:
            first = number - size + 1
            keys = covering(self._bucket.keys(f"{SEEN_PREFIX}/"), first, number)
            tables = [parquet.read(self._read(key), SEEN.names) for key in keys]
            merged = pa.concat_tables(tables)
            self._create(
                _entry_key(first, number), merged.filter(pc.is_valid(merged.column("digest")))
            )
            size *= _MERGED

    def _read(self, key: str) -> bytes:
        body = self._bucket.read(key)
        self.bytes_read += len(body)
        return body

    def _create(self, key: str, table: pa.Table) -> bool:
        body = parquet.write(table)
        return object_writer.create_file(self._bucket, key, body, rows=len(table))


def delete_index(bucket: Bucket) -> None:
    """Delete all versions of the index, because rows that it names as first copies change.

    The log goes first, from its first entry on: readers and `CopyIndex` refuse it from then on.

    Raises:
        StorageError: S3 failed. Call it again.
    """
    for prefix in (SEEN_PREFIX, COPIES_PREFIX):
        for version in bucket.versions(f"{prefix}/"):
            bucket.delete_version(version)


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def covering(keys: Iterable[str], first: int = 1, last: int | None = None) -> Iterator[str]:
    """Yield the fewest keys of `seen/` that have the entries from `first` to `last` once each."""
    ends: dict[int, list[int]] = defaultdict(list)
    for match in filter(None, map(_ENTRY.fullmatch, keys)):
        ends[int(match[1])].append(int(match[2]))
    while usable := [it for it in ends.get(first, ()) if last is None or it <= last]:
        end = max(usable)
        yield _entry_key(first, end)
        first = end + 1


def _end(keys: Iterable[str]) -> int:
    """Return the number of the last entry of consecutive keys; 0 without a key."""
    return max((int(it[2]) for it in map(_ENTRY.fullmatch, keys) if it), default=0)


def _is_new(source: Source, known: Mapping[bytes, int]) -> bool:
    """Return whether no entry has a file."""
    if _file_digest(source) in known:
        telemetry.warning("copies were deleted without their log", key=source.target)
        return False
    return True


def _identified(ids: Ids) -> bool:
    """Return whether every row has an `object_id`."""
    return all(row.position.object_id is not None for rows in ids.values() for row in rows)


def _copy(row: Row, targets: Mapping[int, str]) -> dict[str, Any]:
    _, shard, sequence, index, object_id = row.position
    return {
        "target": targets[row.hour],
        "object_id": object_id,
        "shard_id": shard,
        "sequence_number": sequence,
        "record_index": index,
    }


def _same_rows(row: Row, targets: Mapping[int, str]) -> dict[str, Any]:
    return {"target": targets[row.hour], "object_id": row.position.object_id}


def _digest(source: str | None, message_id: str | None) -> bytes:
    text = repr((source, message_id)).encode()
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()


def _file_digest(source: Source) -> bytes:
    """Return the digest that says that the log has a file."""
    return hashlib.blake2b(source.target.encode(), digest_size=_DIGEST_BYTES).digest()


def _entry_key(first: int, last: int) -> str:
    return f"{SEEN_PREFIX}/{first:08d}-{last:08d}{SUFFIX}"


def _hour(folder: str) -> int:
    match = _FOLDER.fullmatch(folder)
    assert match is not None, folder
    start = datetime.fromisoformat(match[1]).replace(hour=int(match[2]), tzinfo=UTC)
    return int(start.timestamp()) // _HOUR_S


def _folder(hour: int) -> str:
    at = datetime.fromtimestamp(hour * _HOUR_S, UTC)
    return f"date={at:%Y-%m-%d}/hour={at:%H}/"
