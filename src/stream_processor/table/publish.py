"""Publish the lake's event objects as an Apache Iceberg table, without a copy of any row.

`python -m stream_processor.table.publish [--from DAY] [--to DAY]`; on AWS a schedule invokes
EventsFunction every hour, after the compaction. The table has each object of `events/` or, once
they are compacted, the two compacted files of its part. No file is in it twice.

A run reads the table's newest snapshot first, then lists the lake, and commits the difference. The
commit fails if there is another snapshot by then, and the run starts again. So a commit follows
from a listing that is newer than every commit before it: runs at the same time, and runs that were
interrupted or whose answer was lost, change nothing in the result.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles

import telemetry
from stream_processor import settings
from stream_processor.compaction.compact import DAYS
from stream_processor.errors import StorageError, StreamProcessorError
from stream_processor.storage import lake_keys, log_names
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.s3 import Bucket, ListedObject
from stream_processor.table import entries, held_days
from stream_processor.table.catalog import MERGED_MANIFESTS, PREFIX, LakeCatalog
from stream_processor.table.file_io import LakeFileIO, location_of

#: A commit takes a second, and few other programs commit.
_ATTEMPTS: Final = 8
_WAIT_S: Final = 0.2
#: How long a snapshot stays: time travel, and queries that run.
SNAPSHOTS: Final = timedelta(days=7)
#: Metadata of a commit that is being made isn't in a snapshot yet.
_UNUSED: Final = timedelta(days=1)
_MANIFEST_BYTES: Final = 8 * 1024 * 1024
#: In the summary of a snapshot: the newest entry of each shard's logs that the table has.
NEWEST: Final = "meridian.newest"


@dataclass(slots=True)
class Published:
    """A run's counts: files added to the table, and removed from it.

    `files` are in the table now. `left`: hours without time left. `attempts`: commits that were
    tried. `expired`: snapshots.
    """

    added: int = 0
    removed: int = 0
    files: int = 0
    left: int = 0
    attempts: int = 0
    expired: int = 0


class _Replacement(_OverwriteFiles):
    """Replaces files in one snapshot, and merges small manifests as pyiceberg's appends do."""

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        merging = _ManifestMergeManager(
            target_size_bytes=_MANIFEST_BYTES,
            min_count_to_merge=MERGED_MANIFESTS,
            merge_enabled=True,
            snapshot_producer=self,
        )
        return merging.merge_manifests(manifests)


class EventsTable:
    """The Iceberg table of one Region's lake."""

    def __init__(
        self,
        bucket: Bucket,
        database: str,
        glue: Any = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bucket = bucket
        self._catalog = LakeCatalog(bucket, database, glue)
        self._sleep = sleep
        self._lake = entries.Lake(bucket)
        self._entries = entries.Entries(bucket)

    @classmethod
    def of(cls, app: AppContext) -> "EventsTable":
        """Return the table of a lake."""
        return cls(app.lake, lake_keys.database(app.settings.stage), app.glue)

    def exists(self) -> bool:
        """Return whether the table was published before.

        Raises:
            StorageError: S3 or Glue failed.
        """
        with _errors():
            return self._catalog.find() is not None

    def held(self) -> set[date]:
        """Return the days that a reprocessing holds.

        Raises:
            StorageError: S3 or Glue failed.
        """
        with _errors():
            table = self._catalog.find()
            return set() if table is None else held_days.days_of(table.properties)

    def hold(self, day: date) -> None:
        """Let schedules leave the files of a day alone, until `release`.

        Raises:
            StorageError: S3 or Glue failed, or other commits came first each time. Run it again.
        """
        self._change(lambda it: it.set_properties({held_days.property_of(day): "true"}))

    def release(self, day: date) -> None:
        """Let the table follow the lake on a day again.

        Raises:
            StorageError: S3 or Glue failed, or other commits came first each time. Run it again.
        """
        self._change(lambda it: it.remove_properties(held_days.property_of(day)))

    def _change(self, change: Callable[[Transaction], Any]) -> None:
        """Commit a change of the table's properties."""

        def commit(table: Table) -> None:
            with table.transaction() as transaction:
                change(transaction)

        self._repeat(commit)

    def publish(
        self,
        folders: Sequence[str],
        has_time: Callable[[], bool],
        first: date | None = None,
        *,
        also_held: bool = False,
    ) -> Published:
        """Let the table have the files of some hours: "date=…/hour=…/", in order.

        It loses the files of dates before `first`. Days that are held stay as they are, unless
        `also_held`.

        Raises:
            StorageError: S3 or Glue failed, or other commits came first each time. Run it again.
        """
        result = Published()
        oldest = "" if first is None else f"date={first}/"

        def commit(table: Table) -> None:
            days = set() if also_held else held_days.days_of(table.properties)
            held = {f"date={it}" for it in days}
            its_folders = [
                it for it in folders if it >= oldest and it.partition("/")[0] not in held
            ]
            self._publish_once(table, its_folders, has_time, result, oldest)

        result.attempts = self._repeat(commit)
        return result

    def _repeat(self, commit: Callable[[Table], None]) -> int:
        """Commit on the table's newest version; return the number of attempts.

        Raises:
            StorageError: S3 or Glue failed, or other commits came first each time.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            if attempt > 1:
                self._sleep(random.uniform(0, _WAIT_S * 2 ** (attempt - 1)))  # noqa: S311
            with _errors():
                try:
                    commit(self._catalog.find_or_create())
                except CommitFailedException:
                    continue
            return attempt
        raise StorageError(
            f"Can't commit to the table: other commits came first in {_ATTEMPTS} attempts. Run "
            "`make table`."
        )

    def _publish_once(
        self,
        table: Table,
        folders: Sequence[str],
        has_time: Callable[[], bool],
        result: Published,
        oldest: str,
    ) -> None:
        # Before the listing: the commit then is about files that are newer than this snapshot.
        now = entries.current(table, self._bucket)
        add: list[DataFile] = []
        remove = [entry for key, entry in now.items() if entries.folder_of(key) < oldest]
        wanted: list[str] = []
        done = 0
        by_hour: dict[str, dict[str, DataFile]] = {}
        for key, entry in now.items():
            by_hour.setdefault(entries.folder_of(key), {})[key] = entry
        for folder, files in self._lake.hours(folders):
            if not has_time():
                break
            done += 1
            known = by_hour.get(folder, {})
            same = {it.key for it in files if _has(known, it)}
            others = [it for it in files if it.key not in same]
            for listed, new in self._entries.of_all(others, table.schema()):
                if new is not None:
                    add.append(new)
                    wanted.append(listed.key)
            remove += [entry for key, entry in known.items() if key not in same]
        result.left = len(folders) - done
        result.added, result.removed = len(add), len(remove)
        result.files = len(now) + len(add) - len(remove)
        if add or remove:
            _commit(table, add, remove, {NEWEST: _newest(table, wanted)})

    def expire(self, before: datetime, unused_before: datetime) -> int:
        """Remove older snapshots, and delete metadata that none has; return how many snapshots.

        The newest snapshot stays, and the rows' files: the objects are the lake's.

        Raises:
            StorageError: S3 or Glue failed. Run it again.
        """
        with _errors():
            table = self._catalog.find()
            if table is None:
                return 0
            newest = table.current_snapshot()
            limit = before.timestamp() * 1000
            old = [
                it.snapshot_id
                for it in table.snapshots()
                if it.timestamp_ms < limit and (newest is None or it != newest)
            ]
            if old:
                table.maintenance.expire_snapshots().by_ids(old).commit()
                table.refresh()
            named = entries.metadata_files(table, LakeFileIO(self._bucket))
            for listed in list(self._bucket.objects(f"{PREFIX}/")):
                unused = location_of(self._bucket, listed.key) not in named
                if unused and listed.created < unused_before:
                    self._bucket.delete(listed.key)
        return len(old)


def _has(known: Mapping[str, DataFile], listed: ListedObject) -> bool:
    """Return whether the table has a file as it is listed."""
    return listed.key in known and known[listed.key].file_size_in_bytes == listed.size


def _commit(
    table: Table, add: Iterable[DataFile], remove: Iterable[DataFile], summary: dict[str, str]
) -> None:
    """Commit one snapshot.

    Raises:
        CommitFailedException: The table has another snapshot than `table`, or holds other days.
    """
    transaction = table.transaction()
    days = held_days.days_of(table.properties)
    held = held_days.AssertHeldDays(uuid=table.metadata.table_uuid, days=days)
    transaction._apply((), (held,))  # noqa: SLF001 - pyiceberg has no public way
    with _Replacement(
        Operation.OVERWRITE, transaction, table.io, snapshot_properties=summary
    ) as change:
        for entry in remove:
            change.delete_data_file(entry)
        for entry in add:
            change.append_data_file(entry)
    transaction.commit_transaction()


def _newest(table: Table, keys: Iterable[str]) -> str:
    """Return the newest entry of each shard as JSON: the snapshot's, and those of `keys`."""
    snapshot = table.current_snapshot()
    summary = snapshot.summary if snapshot is not None else None
    newest: dict[str, str] = json.loads(summary.get(NEWEST, "{}") or "{}") if summary else {}
    for key in keys:
        named = log_names.entry_of(key)
        if named is not None:
            shard = named[0].shard
            newest[shard] = max(newest.get(shard, ""), key)
    return json.dumps(newest, separators=(",", ":"))


class _errors:  # noqa: N801 - used as a function
    """Turns errors of Glue and of pyiceberg into StorageError."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _failures()) and not isinstance(error, CommitFailedException):
            raise StorageError(
                f"Can't read or commit the Iceberg table: {error}. Check that the role may use "
                "Glue's table events_iceberg, and run `make table`."
            ) from error


@cache
def _failures() -> tuple[type[BaseException], ...]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from pyiceberg import exceptions

    of_pyiceberg = tuple(
        it
        for it in vars(exceptions).values()
        if isinstance(it, type) and issubclass(it, Exception) and it.__module__ == "pyiceberg"
    )
    return (ClientError, BotoCoreError, HTTPClientError, *of_pyiceberg)


def folders_between(first: datetime, last: datetime) -> list[str]:
    """Return the folders of the hours between two times: "date=…/hour=…/"."""
    both = (round(it.timestamp() * 1000) for it in (first, last))
    return [it.partition("/")[2] for it in lake_keys.hours(lake_keys.EVENTS, *both)]


def scheduled(
    event: Mapping[str, Any], app: AppContext, has_time: Callable[[], bool]
) -> dict[str, Any]:
    """Run for EventBridge Scheduler; a retry commits only what is new.

    Raises:
        StorageError: S3 or Glue failed. The next run does the same.
    """
    at = datetime.fromisoformat(event["scheduled_time"])
    table = EventsTable.of(app)
    folders = folders_between(at - timedelta(days=DAYS), at)
    result = table.publish(folders, has_time, first_date(app, at))
    if at.hour == 0:
        result.expired = table.expire(at - SNAPSHOTS, at - _UNUSED)
    telemetry.count("TableFilesAdded", result.added)
    telemetry.count("TableHoursLeft", result.left)
    return asdict(result)


def first_date(app: AppContext, at: datetime) -> date | None:
    """Return the first date that the table has; None for all.

    No snapshot names a file that S3 deleted: the table loses it while older snapshots stay.
    """
    first = app.settings.first_stored(at.date())
    return None if first is None else first + SNAPSHOTS + timedelta(days=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish now and print the counts. Returns 1 after an error."""
    now = datetime.now(UTC)
    parser = argparse.ArgumentParser(prog="stream_processor.table.publish", description=__doc__)
    parser.add_argument(
        "--from", dest="first", type=date.fromisoformat, default=now.date() - timedelta(days=DAYS)
    )
    parser.add_argument("--to", dest="last", type=date.fromisoformat, default=now.date())
    options = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    first, last = (datetime.fromisoformat(f"{it}T00Z") for it in (options.first, options.last))
    try:
        app = AppContext.from_settings(settings.parse(os.environ))
        table = EventsTable.of(app)
        folders = folders_between(first, last + timedelta(hours=23))
        result = table.publish(folders, lambda: True, first_date(app, now))
        result.expired = table.expire(now - SNAPSHOTS, now - _UNUSED)
    except StreamProcessorError as error:
        print(f"table: {error} ({error.code})", file=sys.stderr)
        return 1
    print("published", json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
