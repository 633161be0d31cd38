"""Read what `verify` and `restore` compare: objects, checkpoints, delete markers and streams."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from stream_processor.errors import ObjectMetadataError
from stream_processor.ingest.records import Batch
from stream_processor.ingest.sequence_numbers import SEQUENCE_DIGITS
from stream_processor.repair.shard_coverage import ShardCoverage, ShardId
from stream_processor.repair.stream_reader import StreamReader
from stream_processor.storage import held_records, lake_keys
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_types import HighWaterMark
from stream_processor.storage.s3 import Deleted

#: Names of objects that aren't named after a stream's shard.
_OTHER_PREFIXES: Final = ("again-", "reconciler-")
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

    def shards(self) -> Shards:
        """Read checkpoints and objects of all shards.

        Raises:
            StorageError: DynamoDB or S3 failed.
        """
        shards = Shards()
        # Checkpoints first: an object that is written meanwhile is then beyond its checkpoint, and
        # not the other way round.
        for item in self._app.checkpoints.scan():
            stream, _, shard = item["chain"]["S"].rpartition("#")
            # A table's stream is "<table>/<label>". The name of a Kinesis stream has no slash, that
            # of a Kafka cluster two ("cluster/<name>/<UUID>").
            prefix = lake_keys.CHANGES if stream.count("/") == 1 else lake_keys.EVENTS
            if prefix == lake_keys.EVENTS:
                shard = lake_keys.events_shard(self._app.settings.stage, stream, shard)
            mark = HighWaterMark(int(item["high"]["S"]), int(item["arrived"]["N"]))
            shards.coverage[prefix, shard].checkpoint = mark
        for key in chain.from_iterable(self._app.lake.keys(f"{it}/") for it in _LAKE_PREFIXES):
            self._add_object(shards, key)
        for shard, coverage in shards.coverage.items():
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
        for prefix in _LAKE_PREFIXES:
            yield from self._app.lake.deleted(f"{prefix}/")

    def stream_batches(self, hours: int) -> Iterator[tuple[ShardId, Batch[Any]]]:
        """Yield the records that the streams retain; none for 0 hours.

        Raises:
            StorageError: A stream can't be read.
        """
        if hours:
            yield from (((lake_keys.EVENTS, it.shard), it) for it in self._streams.events(hours))
            yield from (((lake_keys.CHANGES, it.shard), it) for it in self._streams.changes())

    def _add_object(self, shards: Shards, key: str) -> None:
        shard = shard_of(key)
        if shard is None:
            return
        try:
            summary = lake_keys.summary(self._app.lake, key).summary
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
