"""Operator command: makes the rows of a day again from the stored events, by the current code.

`python -m stream_processor.reprocessing.reprocess_day DAY [--confirm | --undo]` prints its counts
as JSON, and returns 1 if the day's rows by verdict aren't the same afterwards. The environment is
that of the functions.

Each object is written again under its key, with the same records, positions, verdicts and ids
(`rows/remade_columns.py`); S3 refuses the write if the object was written since, and keeps the
version before. Its metadata names that version, until `--confirm` deletes it or `--undo` makes
it the newest one again. An object whose rows are the same isn't written: a run after an interrupted
one writes the rest, and a further run nothing.

Compacted files keep the rows of before until all objects are written. Then one commit gives the
Iceberg table the new rows of the whole day, and the compacted files are made again.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from stream_processor import settings
from stream_processor.compaction import compact, copies
from stream_processor.errors import StreamProcessorError
from stream_processor.rows.lake_schema import ERASED, EVENTS
from stream_processor.rows.remade_columns import remade
from stream_processor.storage import lake_keys, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.s3 import Version
from stream_processor.table.publish import EventsTable, folders_between

#: In the metadata of an object: the version with the rows of before.
REPLACES: Final = "replaces"


@dataclass(slots=True)
class Result:
    """Counts of one run.

    `before` and `after` are the day's rows by verdict. `written` are objects, with `changed` rows.
    `refused` rows are invalid by the current code and stay as they were. `left`: objects with
    columns that this version doesn't know, or that aren't Parquet. `old_versions`: those with
    the rows of before that are still there.
    """

    day: str
    objects: int = 0
    written: int = 0
    changed: int = 0
    refused: int = 0
    left: int = 0
    old_versions: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        """Return the counts as JSON."""
        return json.dumps({it.name: getattr(self, it.name) for it in fields(self)})

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
        self._end = self._start + timedelta(days=1)
        self._table = EventsTable.of(app)
        self._folders = folders_between(self._start, self._end - timedelta(hours=1))

    def run(self) -> Result:
        """Write the objects again whose rows the current code makes differently.

        Raises:
            StorageError: S3 or Glue failed, or an object was written since. Run it again.
            ConservationError: The rows of an object don't match those of before.
        """
        result = Result(str(self._day))
        todo = [
            versions
            for versions in self._objects()
            if not versions[0].is_marker and self._read(versions[0], result)
        ]
        if todo and self._table.exists():
            # Until the commit below, the Iceberg table has compacted files, which don't change.
            self._compact()
            self._publish()
        for versions in todo:
            self._write(versions, result)
        self._switch()
        return self._counted(result)

    def undo(self) -> Result:
        """Let the versions of before be the newest ones again.

        Raises:
            StorageError: S3 or Glue failed, or an object was written since. Run it again.
            ConservationError: The rows of a version aren't those of its object.
        """
        result = Result(str(self._day))
        for newest, before in list(self._replaced()):
            self._count(newest, result.before)
            table = parquet.read(self._lake.read(before.key, before.version))
            metadata = self._lake.metadata(before.key, before.version)
            object_writer.overwrite(self._lake, newest, table, metadata)
            result.written += 1
        self._switch()
        return self._counted(result)

    def confirm(self) -> Result:
        """Delete the versions of before.

        Raises:
            StorageError: S3 failed. Run it again.
        """
        result = Result(str(self._day))
        for _, before in list(self._replaced()):
            self._lake.delete_version(before)
            result.written += 1
        return self._counted(result)

    def _newest(self) -> Iterator[Version]:
        for versions in self._objects():
            if not versions[0].is_marker:
                yield versions[0]

    def _objects(self) -> Iterator[list[Version]]:
        """Yield the versions of each object of the day, newest first."""
        group: list[Version] = []
        for version in self._lake.versions(f"{lake_keys.EVENTS}/date={self._day}/"):
            if not version.key.endswith(lake_keys.SUFFIX):
                continue
            if group and group[0].key != version.key:
                yield group
                group = []
            group.append(version)
        if group:
            yield group

    def _replaced(self) -> Iterator[tuple[Version, Version]]:
        """Yield each reprocessed object's newest version, and the one with the rows of before."""
        for versions in self._objects():
            newest, older = versions[0], {it.version: it for it in versions[1:]}
            if not older or newest.is_marker:
                continue
            name = self._lake.metadata(newest.key, newest.version).get(REPLACES)
            if name is not None and name in older:
                yield newest, older[name]

    def _read(self, version: Version, result: Result) -> bool:
        """Count an object's rows; return whether the current code makes them differently."""
        result.objects += 1
        body = self._lake.read(version.key, version.version)
        shape = parquet.shape(body)
        if shape is None or not shape.names <= set(EVENTS.names):
            result.left += 1
            return False
        result.before += parquet.verdicts(body)
        new = remade(parquet.read(body))
        result.refused += new.refused
        return new.changed > 0

    def _write(self, versions: Sequence[Version], result: Result) -> None:
        newest = versions[0]
        new = remade(parquet.read(self._lake.read(newest.key, newest.version)))
        metadata = dict(self._lake.metadata(newest.key, newest.version))
        # After a second change before a confirmation, the rows of before are those of the first.
        if metadata.get(REPLACES) not in {it.version for it in versions[1:]}:
            metadata[REPLACES] = newest.version
        object_writer.overwrite(self._lake, newest, new.table, metadata)
        result.written += 1
        result.changed += new.changed

    def _compact(self) -> None:
        compact.Compaction(self._app).run(self._start, self._end, lambda: True)

    def _publish(self) -> None:
        if self._table.exists():
            self._table.publish(self._folders, lambda: True)

    def _switch(self) -> None:
        """Let the table and the compacted files have the day's objects as they are now."""
        stale = list(self._stale())
        if stale:
            self._publish()
            # An index of copies names the files that it was made of.
            copies.delete_index(self._lake)
            for key in stale:
                self._lake.delete(key)
        self._compact()
        self._publish()
        if stale and self._table.exists():
            # Older snapshots name files that are deleted now.
            self._table.expire(datetime.max.replace(tzinfo=UTC), datetime.fromtimestamp(0, UTC))

    def _stale(self) -> Iterator[str]:
        """Yield the compacted files of objects that were written again since."""
        for folder in self._folders:
            listed = sorted(
                it
                for it in self._lake.objects(f"{lake_keys.EVENTS}/{folder}")
                if it.key.endswith(lake_keys.SUFFIX)
            )
            for prefix in (copies.COMPACTED_PREFIX, compact.REST_PREFIX):
                names = {it.rpartition("/")[2] for it in self._lake.keys(f"{prefix}/{folder}")}
                fresh = {compact.file_name(it) for it in compact.parts_of(listed, names)}
                yield from (f"{prefix}/{folder}{name}" for name in sorted(names - fresh))

    def _counted(self, result: Result) -> Result:
        for version in self._newest():
            self._count(version, result.after)
        result.old_versions = sum(1 for _ in self._replaced())
        return result

    def _count(self, version: Version, counts: Counter[str]) -> None:
        body = self._lake.read(version.key, version.version)
        if parquet.shape(body) is not None:
            counts += parquet.verdicts(body)


def main(arguments: Sequence[str] | None = None) -> int:
    """Reprocess, confirm or undo, and print the counts. Returns 1 if a row is missing."""
    parser = argparse.ArgumentParser(
        prog="stream_processor.reprocessing.reprocess_day", description=__doc__
    )
    parser.add_argument("day", type=date.fromisoformat)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--confirm", action="store_true", help="delete the versions of before")
    choice.add_argument("--undo", action="store_true", help="let the versions of before be valid")
    options = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        reprocessor = DayReprocessor(app, options.day)
        if options.confirm:
            result = reprocessor.confirm()
        else:
            result = reprocessor.undo() if options.undo else reprocessor.run()
    except StreamProcessorError as error:
        print(f"reprocess: {error} ({error.code})", file=sys.stderr)
        return 1
    print("reprocessed", result.text())
    if not result.complete:
        print("reprocess: rows of before are missing. Run --undo, and report it.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
