"""Restore missing objects and records, for `verify --restore`."""

from stream_processor.repair.absent_records import AbsentRecords
from stream_processor.repair.lake_inventory import LakeInventory, Shards
from stream_processor.repair.late_records import LateRecords
from stream_processor.rows import change_rows, event_rows
from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.storage import lake_keys, log_names, object_writer
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.object_writer import RecordRange


def restore_versions(app: AppContext, inventory: LakeInventory) -> int:
    """Restore deleted objects whose records no other object has; return how many.

    Raises:
        StorageError: S3 or DynamoDB failed.
    """
    shards, restored = inventory.shards(), 0
    for deleted in list(inventory.deleted()):
        if inventory.is_needed(shards, deleted):
            app.lake.undelete(deleted)
            restored += 1
    return restored


def write_absent(app: AppContext, absent: list[AbsentRecords]) -> int:
    """Write records of the streams that no object has; return how many.

    Raises:
        StorageError: S3 or DynamoDB failed. Written objects stay; run it again.
        StreamProcessorError: An object can't be built or written.
    """
    written, late = 0, LateRecords(app)
    for one in absent:
        write = late.events if one.shard[0] == lake_keys.EVENTS else late.changes
        written += write(one.batch)
    return written


def fill_numbers(app: AppContext, shards: Shards) -> int:
    """Put an empty entry in place of each that is missing; return how many.

    The records of such an entry are in other entries by now, or in no stream and no version.

    Raises:
        StorageError: S3 failed.
    """
    filled = 0
    for (prefix, _), coverage in shards.coverage.items():
        for name, of in coverage.logs.items():
            log = log_names.parse(name)
            assert log is not None
            rows = event_rows.empty() if prefix == lake_keys.EVENTS else change_rows.table([])
            for number in of.missing():
                pending = object_writer.build(
                    rows,
                    rows_in=0,
                    counts={GOOD: 0, BAD: 0, DUPLICATE: 0},
                    covers=RecordRange(1, 0, log.hour_ms, 0, of.high_before(number)),
                    stats=None,
                )
                filled += object_writer.create(app.lake, log.key(number), pending) is None
    return filled
