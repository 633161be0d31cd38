"""Read what `verify` and `restore` compare: objects, checkpoints, delete markers and streams."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from stream_processor.errors import MissingObjectError, ObjectMetadataError
from stream_processor.ingest.records import Batch
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS
from stream_processor.repair.shard_coverage import ShardCoverage, ShardId
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.storage import held_records, lake_keys, log_names, log_rows
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_types import HighWaterMark, ObjectSummary
from stream_processor.storage.log_names import LogName
from stream_processor.storage.s3 import Deleted

#: Names of objects that aren't named after a stream's shard.
_OTHER_PREFIXES: Final = ("again-", "reconciler-")
#: The item of the checkpoints table with the time up to which `verify` found the lake complete.
VERIFIED: Final = "#verified"
#: From so many days on, one listing of all versions costs less than one per day.
_MANY_DAYS: Final = 60
_LAKE_PREFIXES: Final = (lake_keys.EVENTS, lake_keys.CHANGES)


@dataclass(slots=True)
class Shards:
    """The coverage of every shard, and the keys of objects without a valid summary."""

    coverage: dict[ShardId, ShardCoverage] = field(
        default_factory=lambda: defaultdict(ShardCoverage)
    )
    without_summary: list[str] = field(default_factory=list)


class LakeInventory:
    """List the lake, its checkpoints, its delete markers, and the streams."""

    def __init__(self, app: AppContext, streams: StreamReader) -> None:
        self._app = app
        self._streams = streams
        #: The summaries that were read: objects are never overwritten.
        self._summaries: dict[str, ObjectSummary] = {}
        #: Objects of earlier dates aren't read.
        self.since: date | None = None
        first = app.settings.first_stored(datetime.now(UTC).date())
        #: Keys of events before this one aren't missing: their retention ended.
        self._first_key = f"{lake_keys.EVENTS}/date={first}/" if first is not None else ""

    def shards(self) -> Shards:
        """Read checkpoints and objects of all shards.

        Raises:
            StorageError: DynamoDB or S3 failed.
        """
        shards = Shards()
        # Rows first: an entry that is written meanwhile is then beyond its row, and not the other
        # way round.
        for item in self._app.checkpoints.scan():
            self._add_row(shards, item)
        for folder in self._folders():
            for key in self._app.lake.keys(folder):
                if not self._is_expired(key):
                    self._add_object(shards, key)
        for coverage in shards.coverage.values():
            coverage.since_ms = self._since_ms()
        return shards

    def _add_row(self, shards: Shards, item: Mapping[str, Any]) -> None:
        name = item["chain"]["S"]
        if name == VERIFIED or name.startswith(log_rows.OLD_END):
            return
        log = log_names.parse(name)
        if log is not None:
            if self._is_expired(log.folder):
                return
            if self.since is None or log.hour_ms >= (self._since_ms() or 0):
                shards.coverage[log.prefix, log.shard].log(name).row = log_rows.parse(item)
            return
        shard = old_shard(name, self._app.settings.stage)
        mark = HighWaterMark(int(item["high"]["S"]), int(item["arrived"]["N"]))
        shards.coverage[shard].checkpoint = mark

    def sequences(self, key: str, version: str | None = None) -> set[int]:
        """Return the sequence numbers of an object's rows; none if it was deleted.

        Raises:
            StorageError: S3 failed.
        """
        try:
            return held_records.sequences(self._app.lake.read(key, version))
        except MissingObjectError:
            return set()

    def is_needed(self, shards: Shards, deleted: Deleted) -> bool:
        """Return whether a deleted object has a version whose records no other object has.

        Raises:
            StorageError: S3 failed.
        """
        if deleted.version is None or not deleted.key.endswith(lake_keys.SUFFIX):
            return False
        shard = shard_of(deleted.key)
        if shard is None:
            return True
        rows = self.sequences(deleted.key, deleted.version)
        entry = log_names.entry_of(deleted.key)
        log = "" if entry is None else str(entry[0])
        return len(shards.coverage[shard].absent(log, rows, self.sequences)) == len(rows)

    def deleted(self) -> Iterator[Deleted]:
        """Yield the deleted objects of the lake.

        Raises:
            StorageError: S3 failed.
        """
        for folder in self._folders(deleted=True):
            for deleted in self._app.lake.deleted(folder):
                if not self._is_expired(deleted.key):
                    yield deleted

    def _is_expired(self, key: str) -> bool:
        return key.startswith(f"{lake_keys.EVENTS}/") and key < self._first_key

    def stream_batches(self, hours: int) -> Iterator[tuple[ShardId, Batch[Any]]]:
        """Yield the records that the streams retain; none for 0 hours.

        Raises:
            StorageError: A stream can't be read.
        """
        if hours:
            yield from (((lake_keys.EVENTS, it.shard), it) for it in self._streams.events(hours))
            yield from (((lake_keys.CHANGES, it.shard), it) for it in self._streams.changes())

    def _since_ms(self) -> int | None:
        if self.since is None:
            return None
        return round(datetime.combine(self.since, time.min, UTC).timestamp() * 1000)

    def _folders(self, *, deleted: bool = False) -> Iterator[str]:
        """Yield the key prefixes to list: those of the dates since `since`, or of all objects.

        A date whose every object is `deleted` isn't in a listing of folders.
        """
        for prefix in _LAKE_PREFIXES:
            if self.since is None:
                yield f"{prefix}/"
                continue
            first = f"{prefix}/date={self.since}/"
            if not deleted:
                yield from (it for it in self._app.lake.folders(f"{prefix}/") if it >= first)
                continue
            days = (datetime.now(UTC).date() - self.since).days + 2
            if days > _MANY_DAYS:
                yield f"{prefix}/"
                continue
            for number in range(days):
                yield f"{prefix}/date={self.since + timedelta(days=number)}/"

    def _add_object(self, shards: Shards, key: str) -> None:
        shard = shard_of(key)
        if shard is None:
            return
        try:
            if key not in self._summaries:
                self._summaries[key] = lake_keys.summary(self._app.lake, key).summary
            summary = self._summaries[key]
        except ObjectMetadataError:
            shards.without_summary.append(key)
            return
        coverage = shards.coverage[shard]
        entry = log_names.entry_of(key)
        if entry is not None:
            log, number = entry
            coverage.log(str(log)).entries[number] = (key, summary)
        elif key.rpartition("/")[2].startswith(held_records.REDRIVE_PREFIX):
            coverage.redriven.append(summary)
            coverage.held |= held_records.sequences(self._app.lake.read(key))
        else:
            coverage.objects[key] = summary


def old_shard(name: str, stage: str) -> ShardId:
    """Return the shard of a checkpoint of versions before the logs, by its key."""
    stream, _, shard = name.rpartition("#")
    # A table's stream is "<table>/<label>". The name of a Kinesis stream has no slash, that of a
    # Kafka cluster two ("cluster/<name>/<UUID>").
    prefix = lake_keys.CHANGES if stream.count("/") == 1 else lake_keys.EVENTS
    if prefix == lake_keys.EVENTS:
        shard = lake_keys.events_shard(stage, stream, shard)
    return prefix, shard


def shard_of(key: str) -> ShardId | None:
    """Return the shard of an object's records; None if the key isn't of a stream's shard."""
    entry = log_names.entry_of(key)
    if entry is not None:
        return entry[0].prefix, entry[0].shard
    prefix, _, rest = key.partition("/")
    name = rest.rpartition("/")[2]
    shard = name[: -len(lake_keys.SUFFIX) - SEQUENCE_DIGITS - 1]
    shard = shard.removeprefix(held_records.REDRIVE_PREFIX)
    number = name.removesuffix(lake_keys.SUFFIX)[-SEQUENCE_DIGITS:]
    if name.startswith(_OTHER_PREFIXES) or not shard or not number.isdecimal():
        return None
    return prefix, shard


def log_of(shard: ShardId, arrived_ms: int) -> str:
    """Return the name of the log of a record."""
    return str(LogName.of(*shard, arrived_ms))
