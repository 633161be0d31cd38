"""Restore missing objects and records, for `verify --restore`."""

from contextlib import suppress
from functools import partial
from itertools import groupby

from stream_processor.errors import ObjectMetadataError
from stream_processor.ingest.records import Batch
from stream_processor.repair.lake_inventory import LakeInventory, shard_of
from stream_processor.repair.late_records import LateRecords
from stream_processor.repair.shard_coverage import ShardCoverage
from stream_processor.storage import lake_keys
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_types import SequencedRecord


def restore_versions(app: AppContext, inventory: LakeInventory) -> int:
    """Restore deleted objects whose records no other object has; return how many.

    Raises:
        StorageError: S3 or DynamoDB failed.
    """
    shards, restored = inventory.shards(), 0
    for deleted in list(inventory.deleted()):
        if deleted.version is None or not shards.is_missing(deleted):
            continue
        shard = shard_of(deleted.key)
        if shard is not None:
            with suppress(ObjectMetadataError):
                version = lake_keys.summary(app.lake, deleted.key, deleted.version)
                if not shards.coverage[shard].free_for(version.summary):
                    continue
        app.lake.undelete(deleted)
        restored += 1
    return restored


def reread_streams(app: AppContext, inventory: LakeInventory, hours: int) -> int:
    """Write the records of the last hours that no object has; return how many.

    Raises:
        StorageError: A stream, S3 or DynamoDB failed. Written objects stay; run it again.
        StreamProcessorError: An object can't be built or written.
    """
    coverage, written, late = inventory.shards().coverage, 0, LateRecords(app)
    for shard, batch in inventory.stream_batches(hours):
        is_stored = partial(_held, coverage[shard])
        for is_held, group in groupby(batch.records, key=is_stored):
            part = Batch(batch.stream, batch.shard, list(group))
            if not is_held and shard[0] == lake_keys.EVENTS:
                written += late.events(part)
            elif not is_held:
                written += late.changes(part, [batch.shard])
    return written


def _held(coverage: ShardCoverage, record: SequencedRecord) -> bool:
    return coverage.holds(record.sequence)
