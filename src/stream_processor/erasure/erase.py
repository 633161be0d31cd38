"""Operator command: erases a person from the lake and the failures bucket of one Region.

`python -m stream_processor.erasure.erase ID [ID …] [--visitor ID …]` prints a report as JSON, and
returns 1 if something of the person is left. `--find` prints the anonymous ids of the person's
browsers instead. The environment is that of the functions. The function LakeErasureFunction does
the same in slices (handlers/erasure.py).

Each version of each object is read. An object with the person's rows is written again under its
key, with the same rows in the same order (`person.erased`) and the same metadata; S3 refuses the
write if somebody else wrote it since. Then the older versions are deleted. Compacted files of such
an hour are deleted and made again, and so are the saved states of the nightly comparison. The index
of copies is deleted; compaction writes it again for the hours that it reads. Names of pages with an
id are replaced in the daily marts, and counted as "(other)" by the live counters. Passes are
repeated until one finds nothing; between them the command waits for what was on its way.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from stream_processor import settings
from stream_processor.compaction import compact, copies
from stream_processor.erasure import on_stream, visitors
from stream_processor.erasure import person as persons
from stream_processor.erasure.person import Person
from stream_processor.errors import MissingObjectError, StreamProcessorError
from stream_processor.repair import item_states
from stream_processor.repair.redrive import FAILURES, FailedBatches
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.storage import lake_keys, live_counters, object_writer, parquet
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.position import BEGIN, Position
from stream_processor.storage.s3 import Bucket, Version
from stream_processor.table.publish import EventsTable

#: Prefixes of the lake with rows of persons. Files of the second are made from those of the first.
_ROWS: Final = (f"{lake_keys.EVENTS}/", f"{lake_keys.CHANGES}/")
_OF_HOURS: Final = (f"{copies.COMPACTED_PREFIX}/", f"{compact.REST_PREFIX}/")
_DERIVED: Final = (*_OF_HOURS, f"{item_states.PREFIX}/")
#: The daily marts (lake/jobs/marts.py) have no ids, but names of pages.
_MARTS: Final = "marts/"
#: The stages of a pass: prefixes of the lake, and that of the failures bucket.
_STAGES: Final = (*_ROWS, *_DERIVED, _MARTS, FAILURES)
_MAX_PASSES: Final = 5
_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Report:
    """The counts of a run in one Region, and what is left.

    `rows` and `versions` are counts by table: rows erased, and older versions deleted. `objects`
    are those that were written again, with items of the live counters. `left` names objects that
    still have something of the person. `waiting` are records on the stream that aren't in the lake
    yet. Records that are stay on the stream until `stream_expires`.
    """

    region: str
    rows: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    versions: int = 0
    files_made_again: int = 0
    objects_read: int = 0
    bytes_read: int = 0
    passes: int = 0
    left: list[str] = field(default_factory=list)
    waiting: int = 0
    stream_expires: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing of the person is left but records on the stream."""
        return not self.left and not self.waiting

    @property
    def changes(self) -> tuple[int, int]:
        """The counts that stay the same in a pass without the person's rows."""
        return self.objects, self.versions

    def text(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self) | {"complete": self.complete})


class _Affected(NamedTuple):
    """What a slice found: hours with changed objects, and derived files with the person's rows."""

    hours: set[str]
    derived: list[list[Version]]


class Eraser:
    """Erase persons from one Region."""

    def __init__(
        self,
        app: AppContext,
        streams: StreamReader | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._app = app
        self._streams = streams if streams is not None else StreamReader(app.settings)
        self._sleep = sleep
        self._table = EventsTable.of(app)
        self._erases_events = False

    def run(self, person: Person, now: datetime) -> Report:
        """Erase the person; repeat it at any time.

        Raises:
            StorageError: S3, DynamoDB or a stream failed. Run it again.
            StreamProcessorError: A discarded batch can't be written, or a file not made again.
        """
        report = Report(self._app.settings.region)
        while report.passes < _MAX_PASSES:
            report.passes += 1
            report.left.clear()
            before = report.changes
            self.run_slice(person, BEGIN, lambda: True, report)
            if report.changes == before:
                break
            self._sleep(self._app.settings.reconcile_grace_seconds)
        else:
            report.left.append("the lake: objects with the person's rows are still being written")
        self.read_stream(person, BEGIN, lambda: True, report, now)
        return report

    def run_slice(
        self, person: Person, start: Position, has_time: Callable[[], bool], report: Report
    ) -> Position | None:
        """Erase from a position until the time is over; return the next one, None at the end.

        A slice that is repeated, or that ended anywhere, changes nothing else.

        Raises:
            StorageError: S3 or DynamoDB failed. Run it again.
            StreamProcessorError: A discarded batch can't be written, or a file not made again.
        """
        if start == BEGIN:
            FailedBatches(self._app).run()
            if minutes := live_counters.hide_pages(self._app.live, person.is_named_in):
                report.rows["live"] = report.rows.get("live", 0) + minutes
                report.objects += minutes
        affected = _Affected(set(), [])
        walk = self._walk(person, start, affected, report)
        following = next((it for it in walk if not has_time()), None)
        self._make_again(affected, report)
        return following

    def read_stream(
        self,
        person: Person,
        start: Position,
        has_time: Callable[[], bool],
        report: Report,
        now: datetime,
    ) -> Position | None:
        """Count the person's records on the stream that aren't in the lake, like a slice.

        Raises:
            StorageError: S3 or the stream failed.
        """
        hours = self._app.settings.retention_hours
        report.stream_expires = f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%MZ}"
        for position, waiting in on_stream.waiting(self._app, self._streams, person, start):
            report.waiting += waiting
            if not has_time():
                return position
        return None

    def _walk(
        self, person: Person, start: Position, affected: _Affected, report: Report
    ) -> Iterator[Position]:
        """Erase key by key, and yield the position after each."""
        lake, first = self._app.lake, _STAGES.index(start.stage or _STAGES[0])
        for stage in _STAGES[first:]:
            after = start.after if stage == start.stage else ""
            bucket = self._app.failures if stage == FAILURES else lake
            for versions in _by_key(bucket.versions(stage, after)):
                key = versions[0].key
                if stage == FAILURES:
                    self._erase_batch(person, versions, report)
                elif stage in _DERIVED:
                    bodies = [it for it in versions if not it.is_marker]
                    if any(self._rows(lake, it, person, report) for it in bodies):
                        affected.derived.append(versions)
                elif self._erase(lake, versions, person, report) and stage == _ROWS[0]:
                    affected.hours.add(_folder(key))
                yield Position(stage, key)

    def _make_again(self, affected: _Affected, report: Report) -> None:
        """Delete the derived files of changed objects, and make them again."""
        lake = self._app.lake
        stale = {it[0].key: it for it in affected.derived}
        for hour in affected.hours:
            for prefix in _OF_HOURS:
                stale |= {it[0].key: it for it in _by_key(lake.versions(f"{prefix}{hour}/"))}
        # First the Iceberg table: it has none of the compacted files when they are deleted.
        hours = affected.hours | {_folder(it) for it in stale if _is_of_hour(it)}
        self._publish(hours)
        for versions in stale.values():
            report.objects += 1
            report.versions += len(versions)
            for version in versions:
                lake.delete_version(version)
        if not hours:
            return
        # Again: a compaction beside this pass can have read rows before they were erased.
        copies.delete_index(lake)
        for hour in sorted(hours):
            at = datetime.strptime(f"{hour} +0000", "date=%Y-%m-%d/hour=%H %z")
            result = compact.Compaction(self._app).run(at, at + timedelta(hours=1), lambda: True)
            report.files_made_again += result.compacted
        self._publish(hours)
        if self._table.exists():
            # Older snapshots name files that are deleted now.
            self._table.expire(_END_OF_TIME, datetime.fromtimestamp(0, UTC))

    def _publish(self, hours: AbstractSet[str]) -> None:
        """Let the Iceberg table, if there is one, have the hours' files as they are now."""
        if hours and self._table.exists():
            folders = [f"{it}/" for it in sorted(hours)]
            self._table.publish(folders, lambda: True, also_held=True)

    def _erase(
        self, bucket: Bucket, versions: Sequence[Version], person: Person, report: Report
    ) -> bool:
        """Erase the person's rows in all versions of a key, and return whether it had some."""
        newest, older = versions[0], [it for it in versions[1:] if not it.is_marker]
        theirs = [it for it in older if self._rows(bucket, it, person, report)]
        if not newest.is_marker:
            is_theirs = self._write_again(bucket, newest, person, report)
        else:
            # `verify RESTORE=1` can restore the version before the delete marker.
            is_theirs = bool(older) and older[0] in theirs
            if is_theirs:
                self._write_again(bucket, older[0], person, report)
                bucket.delete(newest.key)
        for version in [*theirs, *([newest] if is_theirs and not newest.is_marker else [])]:
            bucket.delete_version(version)
            report.versions += 1
        return is_theirs or bool(theirs)

    def _write_again(
        self, bucket: Bucket, version: Version, person: Person, report: Report
    ) -> bool:
        """Write a version as the newest one without the person's rows; False if it has none."""
        body = self._read(bucket, version, report)
        if body is None:
            return False
        table = parquet.read(body)
        numbers = persons.rows_of(table, person)
        if not numbers:
            return False
        metadata = bucket.metadata(version.key, version.version)
        if version.key.startswith(_ROWS[0]) and not self._erases_events:
            # An erased row can be the first copy of an id, which hides the others.
            copies.delete_index(bucket)
            self._erases_events = True
        object_writer.overwrite(bucket, version, persons.erased(table, numbers, person), metadata)
        report.objects += 1
        table_name = version.key.partition("/")[0]
        report.rows[table_name] = report.rows.get(table_name, 0) + len(numbers)
        return True

    def _rows(self, bucket: Bucket, version: Version, person: Person, report: Report) -> int:
        """Return how many rows of a version are the person's."""
        body = self._read(bucket, version, report)
        return 0 if body is None else len(persons.rows_of(parquet.read(body), person))

    def _read(self, bucket: Bucket, version: Version, report: Report) -> bytes | None:
        if not version.key.endswith(lake_keys.SUFFIX):
            return None
        try:
            body = bucket.read(version.key, version.version)
        except MissingObjectError:  # deleted since the listing
            return None
        report.objects_read += 1
        report.bytes_read += len(body)
        if parquet.shape(body) is None:
            report.left.append(f"{version.key}: not a Parquet file. Read it and delete it.")
            return None
        return body

    def _erase_batch(self, person: Person, versions: Sequence[Version], report: Report) -> None:
        """Delete versions of a redriven batch with the person; note one that isn't redriven."""
        bucket = self._app.failures
        for version in versions:
            if version.is_marker:
                continue
            body = bucket.read(version.key, version.version)
            report.bytes_read += len(body)
            if not on_stream.is_in_batch(person, body):
                continue
            if version.is_latest:
                report.left.append(
                    f"{version.key} in the failures bucket: redrive it, or delete it."
                )
                continue
            bucket.delete_version(version)
            report.versions += 1


def _folder(key: str) -> str:
    """Return the date and the hour of a key: "date=…/hour=…"; a saved state has a date alone."""
    return key.rpartition("/")[0].partition("/")[2]


def _is_of_hour(key: str) -> bool:
    return "/hour=" in key


def _by_key(versions: Iterator[Version]) -> Iterator[list[Version]]:
    """Yield the versions of each key, newest first."""
    group: list[Version] = []
    for version in versions:
        if group and group[0].key != version.key:
            yield group
            group = []
        group.append(version)
    if group:
        yield group


def main(arguments: Sequence[str] | None = None) -> int:
    """Erase a person and print the report. Returns 1 if something is left, or after an error."""
    parser = argparse.ArgumentParser(prog="stream_processor.erasure.erase", description=__doc__)
    parser.add_argument("ids", nargs="+", help="user ids, email addresses, or hashes of them")
    parser.add_argument("--visitor", action="append", default=[], help="an anonymous id")
    parser.add_argument("--find", action="store_true", help="print the person's anonymous ids")
    options = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        if options.find:
            print(json.dumps(visitors.find(app.lake, options.ids)._asdict()))
            return 0
        person = Person(frozenset(options.ids), frozenset(options.visitor))
        report = Eraser(app).run(person, datetime.now(UTC))
    except StreamProcessorError as error:
        print(f"erase: {error} ({error.code})", file=sys.stderr)
        return 1
    print(report.text())
    return 0 if report.complete else 1


if __name__ == "__main__":
    sys.exit(main())
