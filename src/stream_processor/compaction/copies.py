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
one too. Every 16 entries are merged, every 16 of those, and so on, up to `MAX_MERGED_BYTES`.

A comparison reads the log: 20 bytes for each id ever seen. So files of a long history wait until
the log has at most `READ_RATIO` times their bytes, or for `MAX_WAIT_HOURS`: each event costs the
same, however long the history is. Readers compare the rows of waiting files themselves.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

import telemetry
from stream_processor.compaction.id_log import (
    SEEN,
    SEEN_PREFIX,
    Lookup,
    covering,
    entry_key,
    id_digest,
    last_entry,
)
from stream_processor.storage import object_writer, parquet
from stream_processor.storage.lake_keys import SUFFIX
from stream_processor.storage.s3 import Bucket

COMPACTED_PREFIX: Final = "compacted"
COPIES_PREFIX: Final = "copies"
#: A log of this size is read for any new file: 3 million ids.
MIN_LOG_BYTES: Final = 64 * 1024 * 1024
#: Bytes of the log that are read per byte of a compared file, about 54 of which are an event.
READ_RATIO: Final = 250
#: Compaction takes no hours that are older than 8 days.
MAX_WAIT_HOURS: Final = 5 * 24
#: Rows that are compared at once, in memory, unless one file has more.
MAX_BATCH_ROWS: Final = 200_000
#: Digests that are looked up in one reading of the log.
MAX_LOOKUP_IDS: Final = 1_000_000
#: Entries per merged entry.
_MERGED: Final = 16
#: Maximum size of a merged entry, which is in memory.
MAX_MERGED_BYTES: Final = 64 * 1024 * 1024
_HOUR_S: Final = 3600

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


def reads_log(log: int, files: int, waited_hours: int) -> bool:
    """Return whether a log is read to compare files. `log` and `files` are sizes in bytes."""
    return waited_hours >= MAX_WAIT_HOURS or log <= max(MIN_LOG_BYTES, READ_RATIO * files)


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

    def add(self, sources: Iterable[Source], may_go_on: Callable[[], bool], last_hour: int) -> int:
        """Compare files, and list their copies; return the number of files left.

        Files are left that wait for more, or whose objects are of versions without `object_id`, or
        if the log is incomplete. `last_hour` is the last compacted one, since 1970.

        Raises:
            StorageError: S3 failed.
        """
        waiting, left = self.missing(sources), 0
        if waiting and not self._pays(waiting, last_hour):
            # Readers need everything that follows from the newest entry, also if its run stopped.
            if last := last_entry(self._bucket.keys(f"{SEEN_PREFIX}/")):
                self._publish(last)
            return len(self.missing(waiting))
        lookup = Lookup(())
        while waiting and may_go_on():
            batch, ids = self._batch(waiting)
            waiting = waiting[len(batch) :]
            if not lookup.wanted.issuperset(map(_file_digest, batch)):
                lookup = self._lookup(batch, ids, waiting)
            left += self._append(batch, ids, lookup, may_go_on)
        return left + len(waiting)

    def _pays(self, waiting: Iterable[Source], last_hour: int) -> bool:
        """Return whether the files are large or old enough to read the log for them."""
        waited = last_hour - min(_hour(it.folder) for it in waiting)
        sizes = {it.key: it.size for it in self._bucket.objects(f"{SEEN_PREFIX}/")}
        log = sum(sizes[key] for key in covering(sizes))
        if reads_log(log, 0, waited):
            return True
        keys = {it.target.replace(COPIES_PREFIX, COMPACTED_PREFIX, 1) for it in waiting}
        days = {key[: key.index("/hour=") + 1] for key in keys}
        objects = (it for day in days for it in self._bucket.objects(day))
        return reads_log(log, sum(it.size for it in objects if it.key in keys), waited)

    def _lookup(
        self, batch: Iterable[Source], ids: Mapping[Source, Ids], following: Iterable[Source]
    ) -> Lookup:
        """Collect the digests of a batch and of the files after it."""
        wanted = {*map(_file_digest, batch), *(it for of in ids.values() for it in of)}
        for source in following:
            if len(wanted) >= MAX_LOOKUP_IDS:
                break
            wanted.update(self._digests(source), [_file_digest(source)])
        return Lookup(wanted)

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

    def _append(
        self,
        batch: Sequence[Source],
        ids: Mapping[Source, Ids],
        lookup: Lookup,
        may_go_on: Callable[[], bool],
    ) -> int:
        while True:
            keys = list(self._bucket.keys(f"{SEEN_PREFIX}/"))
            last = last_entry(keys)
            listed = next(self._bucket.keys(f"{COPIES_PREFIX}/"), None)
            if last_entry(covering(keys)) != last or (listed is not None and not last):
                telemetry.warning("entries are missing from the log of ids", prefix=SEEN_PREFIX)
                return len(batch)
            if last:
                self._publish(last)
            # Every entry up to `last` is published, so a file that isn't listed isn't in any.
            todo = self.missing(batch)
            for key in covering(keys, lookup.through + 1) if todo else ():
                if not may_go_on():
                    return len(todo)
                lookup.read(key, self._read(key))
            new = [it for it in todo if _is_new(it, lookup.hours)]
            left = len(todo) - sum(_identified(ids[it]) for it in new)
            if not new:
                return left
            number = last + 1
            entry = self._entry(number, new, ids, lookup.hours)
            if self._create(entry_key(number, number), entry):
                self._publish(number, entry)
                self._merge(number)
                return left

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
            rows[id_digest(source, message_id)].append(Row(hour, position))
        return rows

    def _digests(self, source: Source) -> set[bytes]:
        key = f"{COMPACTED_PREFIX}/{source.folder}{source.name}"
        table = parquet.read(self._read(key), _COLUMNS[:2])
        columns = (table.column(it).to_pylist() for it in _COLUMNS[:2])
        return set(map(id_digest, *columns))

    def _publish(self, number: int, entry: pa.Table | None = None) -> None:
        """Create the files of `copies/` that follow from an entry, those that don't exist."""
        if entry is None:
            entry = parquet.read(self._read(entry_key(number, number)))
        for target in entry.column("target").drop_null().unique().to_pylist():
            rows = entry.filter(pc.equal(entry.column("target"), target)).select(COPIES.names)
            self._create(target, rows)

    def _merge(self, number: int) -> None:
        size = _MERGED
        while number % size == 0:
            first = number - size + 1
            sizes = {it.key: it.size for it in self._bucket.objects(f"{SEEN_PREFIX}/")}
            keys = list(covering(sizes, first, number))
            if sum(sizes[key] for key in keys) > MAX_MERGED_BYTES:
                return
            tables = [parquet.read(self._read(key), SEEN.names) for key in keys]
            merged = pa.concat_tables(tables)
            self._create(
                entry_key(first, number), merged.filter(pc.is_valid(merged.column("digest")))
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


def _file_digest(source: Source) -> bytes:
    """Return the digest that says that the log has a file."""
    return id_digest(source.target, None)


def _hour(folder: str) -> int:
    match = _FOLDER.fullmatch(folder)
    assert match is not None, folder
    start = datetime.fromisoformat(match[1]).replace(hour=int(match[2]), tzinfo=UTC)
    return int(start.timestamp()) // _HOUR_S


def _folder(hour: int) -> str:
    at = datetime.fromtimestamp(hour * _HOUR_S, UTC)
    return f"date={at:%Y-%m-%d}/hour={at:%H}/"
