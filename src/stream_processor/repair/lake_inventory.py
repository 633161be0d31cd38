"""Read what `verify` and `restore` compare: objects, checkpoints, delete markers and streams."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from stream_processor.errors import ObjectMetadataError
from stream_processor.ingest.records import Batch
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS
from stream_processor.repair.shard_coverage import ShardCoverage, ShardId
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.storage import held_records, lake_keys
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_types import HighWaterMark, ObjectSummary
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

    def is_missing(self, deleted: Deleted) -> bool:
        """Return whether no object has the records of a deleted object."""
        shard = shard_of(deleted.key)
        if shard is not None:
            return not self.coverage[shard].holds(lake_keys.ShardPrefix.first(deleted.key))
        return deleted.version is not None and deleted.key.endswith(lake_keys.SUFFIX)


class LakeInventory:
    """List the lake, its checkpoints, its delete markers, and the streams."""

    def __init__(self, app: AppContext, streams: StreamReader) -> None:
        self._app = app
        self._streams = streams
        #: Objects that hold fewer records than the stream has in their range.
        self._sparse: set[tuple[ShardId, str]] = set()
        #: The summaries that were read: objects are never overwritten.
        self._summaries: dict[str, ObjectSummary] = {}
        #: Objects of earlier dates aren't read.
        self.since: date | None = None

    def shards(self) -> Shards:
        """Read checkpoints and objects of all shards.

        Raises:
            StorageError: DynamoDB or S3 failed.
        """
        shards = Shards()
        # Checkpoints first: an object that is written meanwhile is then beyond its checkpoint, and
        # not the other way round.
        for item in self._app.checkpoints.scan():
            if item["chain"]["S"] == VERIFIED:
                continue
            stream, _, shard = item["chain"]["S"].rpartition("#")
            # A table's stream is "<table>/<label>". The name of a Kinesis stream has no slash, that
            # of a Kafka cluster two ("cluster/<name>/<UUID>").
            prefix = lake_keys.CHANGES if stream.count("/") == 1 else lake_keys.EVENTS
            if prefix == lake_keys.EVENTS:
                shard = lake_keys.events_shard(self._app.settings.stage, stream, shard)
            mark = HighWaterMark(int(item["high"]["S"]), int(item["arrived"]["N"]))
            shards.coverage[prefix, shard].checkpoint = mark
        for folder in self._folders():
            for key in self._app.lake.keys(folder):
                self._add_object(shards, key)
        for shard, coverage in shards.coverage.items():
            coverage.since_ms = self._since_ms()
            keys = {key for pair in coverage.sharing_ranges() for key in pair}
            keys |= {key for of, key in self._sparse if of == shard}
            for key in keys & coverage.objects.keys():
                self._read_rows(coverage, key)
        return shards

    def read_sparse(
        self,
        coverage: Mapping[ShardId, ShardCoverage],
        streamed: Mapping[tuple[ShardId, str], int],
    ) -> bool:
        """Read the objects that hold fewer records than the stream has in their range.

        `streamed` counts the stream's records by object. Returns whether there are such objects.

        Raises:
            StorageError: S3 failed.
        """
        sparse = {
            (shard, key)
            for (shard, key), count in streamed.items()
            if count > coverage[shard].objects[key].records
        }
        for shard, key in sparse - self._sparse:
            self._read_rows(coverage[shard], key)
        self._sparse |= sparse
        return bool(sparse)

    def _read_rows(self, coverage: ShardCoverage, key: str) -> None:
        # Records without rows can't be told: such an object is taken to hold its whole range.
        rows = held_records.sequences(self._app.lake.read(key))
        if len(rows) == coverage.objects[key].records:
            coverage.rows[key] = rows

    def deleted(self) -> Iterator[Deleted]:
        """Yield the deleted objects of the lake.

        Raises:
            StorageError: S3 failed.
        """
        for folder in self._folders(deleted=True):
            yield from self._app.lake.deleted(folder)

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
        if key.rpartition("/")[2].startswith(held_records.REDRIVE_PREFIX):
            coverage.redriven.append(summary)
            coverage.held |= held_records.sequences(self._app.lake.read(key))
        else:
            coverage.objects[key] = summary


def shard_of(key: str) -> ShardId | None:
    """Return the shard of an object's records; None if the key isn't of a stream's shard."""
    prefix, _, rest = key.partition("/")
    name = rest.rpartition("/")[2]
    shard = name[: -len(lake_keys.SUFFIX) - SEQUENCE_DIGITS - 1]
    shard = shard.removeprefix(held_records.REDRIVE_PREFIX)
    number = name.removesuffix(lake_keys.SUFFIX)[-SEQUENCE_DIGITS:]
    if name.startswith(_OTHER_PREFIXES) or not shard or not number.isdecimal():
        return None
    return prefix, shard
