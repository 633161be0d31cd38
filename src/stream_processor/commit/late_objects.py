"""Write records that are behind the shard's mark and in no object.

A mark says how far the shard is written, not that every record below it is: Lambda discarded a
record and an operator redrives it, two batches of the shard ran at once, or the filter of the
mapping was changed. A late object has the same name as any other that starts with its first record.
So S3 decides between an operator and an invocation that write the same record at the same time.
"""

from collections.abc import Callable, Sequence

import telemetry
from stream_processor.commit import shard_writer
from stream_processor.commit.protocol import Commit
from stream_processor.commit.shard_writer import ShardWriter
from stream_processor.storage import held_records
from stream_processor.storage.lake_types import PendingObject, SequencedRecord

#: Count the rows of an object under a name: (name, last sequence number, stats).
type Count[T] = Callable[[str, int, T], None]


def write_missing[R: SequencedRecord, T](
    shard: ShardWriter[T],
    records: Sequence[R],
    build: Callable[[Sequence[R]], PendingObject[T]],
    count: Count[T],
) -> int:
    """Write those of the records that no object holds; return how many were written.

    `build` makes a late object of the first records that it gets (at least one). `count` must be
    idempotent: it also runs for a late object that is found, because the writer of that object can
    have crashed before it counted the rows.

    Raises:
        StorageError: S3 or DynamoDB failed. Written objects stay; the next run finds them.
        ObjectMetadataError: An object has no valid summary.
        StreamProcessorError: An object can't be built.
    """
    lookup = shard.look_up(records)
    for key in lookup.late_keys:
        _count_existing(shard, key, count)
    missing, written = lookup.missing, 0
    while missing:
        pending = build(missing)
        taken = pending.summary.records
        if not (pending.summary.good + pending.summary.bad + pending.summary.duplicate):
            # Records without events have no rows to lose.
            missing = missing[taken:]
            continue
        key = shard.keys.key(missing[0].sequence, missing[0].arrived_ms)
        existing = shard.create(key, pending)
        if existing is None:
            count(_name(shard, pending.summary.first), pending.summary.last, pending.stats)
            _report(shard, key, pending)
            missing, written = missing[taken:], written + taken
            continue
        if existing.summary.late:
            _count_existing(shard, key, count)
        stored = held_records.sequences(shard.read(key))
        missing = [record for record in missing[1:] if record.sequence not in stored]
    return written


def _count_existing[T](shard: ShardWriter[T], key: str, count: Count[T]) -> None:
    summary = shard.existing(key).summary
    count(_name(shard, summary.first), summary.last, shard.stats(key))


def _report[T](shard: ShardWriter[T], key: str, pending: PendingObject[T]) -> None:
    commit = Commit(key, pending.summary, pending.stats, len(pending.body), adopted=False)
    shard_writer.report_commit(shard.name, commit)
    telemetry.count("LateRecords", pending.summary.records)


def _name[T](shard: ShardWriter[T], first: int) -> str:
    """Return the name under which the live counters count a late object: it has no order."""
    return f"{shard.name}#late-{first}"
