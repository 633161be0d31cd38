"""Make the rows of a day again from the stored events, by the current code.

ReprocessingFunction does it in slices (handlers/reprocessing.py), started by `make reprocess`.

Each object is written again under its key, with the same records, positions, verdicts and ids
(`rows/remade_columns.py`); S3 refuses the write if the object was written since, and keeps the
version before. Its metadata names that version, until `CONFIRM` deletes it or `UNDO` makes it the
newest one again. An object whose rows are the same isn't written: a run after an interrupted one
writes the rest, and a further run nothing.

Compacted files keep the rows of before until all objects are written, and the hourly schedule
leaves the day alone. Then one commit gives the Iceberg table the new rows of the whole day, and the
compacted files are made again.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pyarrow as pa

from stream_processor.compaction import compact, copies
from stream_processor.rows.lake_schema import ERASED, EVENTS
from stream_processor.rows.remade_columns import remade
from stream_processor.storage import lake_keys, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.position import BEGIN, Position
from stream_processor.storage.s3 import Version
from stream_processor.table.publish import EventsTable, folders_between

#: In the metadata of an object: the version with the rows of before.
REPLACES: Final = "replaces"
#: The modes: write the rows again; let those of before be valid again; delete those of before.
RUN: Final = "run"
UNDO: Final = "undo"
CONFIRM: Final = "confirm"

#: Does a stage's work after a key, and yields the key of each unit that is done.
type _Stage = Callable[[str, "Result"], Iterator[str]]


@dataclass(slots=True)
class Result:
    """Counts of one run.

    `before` and `after` are the day's rows by verdict. Of `objects`, `to_write` are to be written,
    and `written` were, with `changed` rows. `refused` rows are invalid by the current code and stay
    as they were. `left`: objects with columns that this version doesn't know, or that aren't
    Parquet. `stale`: hours whose compacted files have rows of before. `old_versions`: those with
    the rows of before that are still there.
    """

    day: str
    objects: int = 0
    to_write: int = 0
    written: int = 0
    changed: int = 0
    refused: int = 0
    left: int = 0
    stale: int = 0
    old_versions: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, counts: Mapping[str, Any]) -> "Result":
        """Return the result with the counts that `counts` returned."""
        by_verdict = {name: Counter(counts[name]) for name in ("before", "after")}
        return cls(**{**counts, **by_verdict})

    def counts(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        values = {it.name: getattr(self, it.name) for it in fields(self)}
        return {**values, "before": dict(self.before), "after": dict(self.after)}

    @property
    def complete(self) -> bool:
        """Whether each row of before is there, with its verdict, unless it was erased since."""
        missing = (self.before - self.after).total()
        return missing <= max(0, self.after[ERASED] - self.before[ERASED])


class DayReprocessor:
    """Make the rows of a day of one Region's lake again."""

    def __init__(self, app: AppContext, day: date) -> None:
        self._app = app
        self._lake = app.lake
        self._day = day
        self._start = datetime.combine(day, time(), UTC)
        self._table = EventsTable.of(app)
        self._folders = folders_between(self._start, self._start + timedelta(hours=23))
        switch: list[tuple[str, _Stage]] = [
            ("switch", self._switch),
            ("delete", self._delete_stale),
            ("compact", self._compact),
            ("publish", self._publish_again),
            ("count", self._count),
        ]
        prepare = ("prepare", self._prepare)
        self._stages: Mapping[str, list[tuple[str, _Stage]]] = {
            RUN: [("read", self._read), prepare, ("write", self._write), *switch],
            UNDO: [("find", self._find), prepare, ("restore", self._restore), *switch],
            CONFIRM: [("forget", self._forget), ("count", self._count)],
        }

    def run_slice(
        self, mode: str, start: Position, has_time: Callable[[], bool], result: Result
    ) -> Position | None:
        """Run from a position until the time is over; return the next one, None at the end.

        A slice that is repeated, or that ended anywhere, changes nothing else. `result` has the
        counts of the slices before, and this one adds to them.

        Raises:
            StorageError: S3 or Glue failed, or an object was written since. Run it again.
            ConservationError: The rows of an object don't match those of before.
        """
        return next((it for it in self._walk(mode, start, result) if not has_time()), None)

    def run(self, mode: str = RUN) -> Result:
        """Run all slices of a mode at once.

        Raises:
            StorageError: S3 or Glue failed, or an object was written since. Run it again.
            ConservationError: The rows of an object don't match those of before.
        """
        result = Result(str(self._day))
        self.run_slice(mode, BEGIN, lambda: True, result)
        return result

    def _walk(self, mode: str, start: Position, result: Result) -> Iterator[Position]:
        """Do a unit of work at a time, and yield the position after each."""
        stages = self._stages[mode]
        first = [name for name, _ in stages].index(start.stage) if start.stage else 0
        for name, work in stages[first:]:
            after = start.after if name == start.stage else ""
            yield from (Position(name, done) for done in work(after, result))

    def _read(self, after: str, result: Result) -> Iterator[str]:
        """Count the rows, and the objects whose rows the current code makes differently."""
        for newest, *_ in self._objects(after):
            if not newest.is_marker:
                result.objects += 1
                table = self._rows(newest, result)
                if table is not None:
                    result.before += parquet.value_counts(table, "verdict")
                    new = remade(table)
                    result.refused += new.refused
                    result.to_write += new.changed > 0
            yield newest.key

    def _find(self, after: str, result: Result) -> Iterator[str]:
        """Count the objects that have a version with the rows of before, and their rows."""
        for newest, before in self._replaced(after):
            result.objects += 1
            result.before += self._verdicts(newest)
            result.to_write += 1
            yield before.key

    def _prepare(self, after: str, result: Result) -> Iterator[str]:
        """Let the Iceberg table have compacted files only, which don't change, and stay so."""
        if not result.to_write or not self._table.exists():
            return
        if not after:
            self._table.hold(self._day)
        yield from self._compact(after, result)
        self._publish()

    def _write(self, after: str, result: Result) -> Iterator[str]:
        if not result.to_write:
            return
        for versions in self._objects(after):
            newest = versions[0]
            table = None if newest.is_marker else self._rows(newest)
            new = None if table is None else remade(table)
            if new is not None and new.changed:
                metadata = dict(self._lake.metadata(newest.key, newest.version))
                # After a second change before a confirmation, the rows of before are those of the
                # first.
                if metadata.get(REPLACES) not in {it.version for it in versions[1:]}:
                    metadata[REPLACES] = newest.version
                object_writer.overwrite(self._lake, newest, new.table, metadata)
                result.written += 1
                result.changed += new.changed
            yield newest.key

    def _restore(self, after: str, result: Result) -> Iterator[str]:
        """Let the versions of before be the newest ones again."""
        for newest, before in self._replaced(after):
            table = parquet.read(self._lake.read(before.key, before.version))
            metadata = self._lake.metadata(before.key, before.version)
            object_writer.overwrite(self._lake, newest, table, metadata)
            result.written += 1
            yield before.key

    def _forget(self, after: str, result: Result) -> Iterator[str]:
        """Delete the versions of before."""
        for _, before in self._replaced(after):
            self._lake.delete_version(before)
            result.written += 1
            yield before.key

    def _switch(self, after: str, result: Result) -> Iterator[str]:
        """Let the table have the objects instead of the compacted files of before, in a commit."""
        if after:
            return
        result.stale = sum(1 for _ in self._stale(""))
        if result.stale:
            self._publish()
        yield "done"

    def _delete_stale(self, after: str, result: Result) -> Iterator[str]:
        """Delete the compacted files of before."""
        if not result.stale:
            return
        if not after:
            # An index of copies names the files that it was made of.
            copies.delete_index(self._lake)
        for folder, keys in self._stale(after):
            for key in keys:
                self._lake.delete(key)
            yield folder

    def _compact(self, after: str, _: Result) -> Iterator[str]:
        """Compact each hour. One that is larger than a run is compacted in several."""
        compaction = compact.Compaction(self._app)
        for prefix in self._lake.folders(f"{lake_keys.EVENTS}/date={self._day}/"):
            folder = prefix.partition("/")[2]
            if folder <= after:
                continue
            hour = self._start + timedelta(hours=self._folders.index(folder))
            while True:
                result = compaction.run(hour, hour + timedelta(hours=1), lambda: True)
                if not (result.left and result.compacted):
                    break
                yield after
            after = folder
            yield folder

    def _publish_again(self, after: str, result: Result) -> Iterator[str]:
        """Let the table have the compacted files, and follow the lake again."""
        if after or not self._table.exists():
            return
        self._publish()
        if self._day in self._table.held():
            # Older snapshots name files that are deleted now.
            self._table.expire(datetime.max.replace(tzinfo=UTC), datetime.fromtimestamp(0, UTC))
            self._table.release(self._day)
        elif result.stale:
            self._table.expire(datetime.max.replace(tzinfo=UTC), datetime.fromtimestamp(0, UTC))
        yield "done"

    def _count(self, after: str, result: Result) -> Iterator[str]:
        """Count the rows as they are now, and the versions of before."""
        for versions in self._objects(after):
            if not versions[0].is_marker:
                result.after += self._verdicts(versions[0])
                result.old_versions += self._version_before(versions) is not None
            yield versions[0].key

    def _objects(self, after: str) -> Iterator[list[Version]]:
        """Yield the versions of each object of the day after a key, newest first."""
        group: list[Version] = []
        for version in self._lake.versions(f"{lake_keys.EVENTS}/date={self._day}/", after):
            if not version.key.endswith(lake_keys.SUFFIX):
                continue
            if group and group[0].key != version.key:
                yield group
                group = []
            group.append(version)
        if group:
            yield group

    def _replaced(self, after: str) -> Iterator[tuple[Version, Version]]:
        """Yield each reprocessed object's newest version, and the one with the rows of before."""
        for versions in self._objects(after):
            before = self._version_before(versions)
            if before is not None:
                yield versions[0], before

    def _version_before(self, versions: Sequence[Version]) -> Version | None:
        newest, older = versions[0], {it.version: it for it in versions[1:]}
        if not older or newest.is_marker:
            return None
        name = self._lake.metadata(newest.key, newest.version).get(REPLACES)
        return None if name is None else older.get(name)

    def _rows(self, version: Version, result: Result | None = None) -> pa.Table | None:
        """Return an object's rows; None, and counted, if this version of the code can't know it."""
        body = self._lake.read(version.key, version.version)
        shape = parquet.shape(body)
        if shape is None or not shape.names <= set(EVENTS.names):
            if result is not None:
                result.left += 1
            return None
        return parquet.read(body)

    def _verdicts(self, version: Version) -> Counter[str]:
        body = self._lake.read(version.key, version.version)
        return parquet.verdicts(body) if parquet.shape(body) is not None else Counter()

    def _publish(self) -> None:
        if self._table.exists():
            self._table.publish(self._folders, lambda: True, also_held=True)

    def _stale(self, after: str) -> Iterator[tuple[str, list[str]]]:
        """Yield each hour with compacted files of objects that were written again since."""
        for folder in self._folders:
            if folder <= after:
                continue
            listed = sorted(
                it
                for it in self._lake.objects(f"{lake_keys.EVENTS}/{folder}")
                if it.key.endswith(lake_keys.SUFFIX)
            )
            keys: list[str] = []
            for prefix in (copies.COMPACTED_PREFIX, compact.REST_PREFIX):
                names = {it.rpartition("/")[2] for it in self._lake.keys(f"{prefix}/{folder}")}
                fresh = {compact.file_name(it) for it in compact.parts_of(listed, names)}
                keys += (f"{prefix}/{folder}{name}" for name in sorted(names - fresh))
            if keys:
                yield folder, keys
