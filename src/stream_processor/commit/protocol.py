"""The commit protocol: the objects of a shard cover its sequence numbers without gap or overlap.

Lambda delivers a batch again with different boundaries, two invocations can overlap, and a process
can crash between any two statements ("Using Lambda to process records from Amazon Kinesis Data
Streams": each record is processed at least once). Therefore the name of an object depends only on
its first record, and the first record of an object is the one after the last of the object before.
The invocation that creates the name first has committed; any other adopts the existing object and
continues after it.

The mark says which objects exist, not that they hold every record below it. So a batch ends only
when each of its records was written, or was found, in an object (`write_missing`).

The protocol reads and writes through `CheckpointStore` and `ObjectStore` only. `ShardWriter`
implements both over DynamoDB and S3.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stream_processor.storage.lake_types import (
    ExistingObject,
    HighWaterMark,
    ObjectSummary,
    PendingObject,
    SequencedRecord,
)


@dataclass(frozen=True, slots=True)
class Commit[T]:
    """An object that is in the lake. `adopted`: another invocation wrote it.

    `same_rows`: it has the rows that this invocation would have written.
    """

    key: str
    summary: ObjectSummary
    stats: T
    size: int
    adopted: bool
    same_rows: bool = True


@dataclass(frozen=True, slots=True)
class Outcome[T]:
    """The objects that an invocation committed.

    `unwritten` is the first sequence number that isn't committed; None if all records are.
    """

    commits: tuple[Commit[T], ...]
    unwritten: int | None
    error: Exception | None = None


class CheckpointStore(Protocol):
    """The checkpoint of one shard."""

    def high_water_mark(self) -> HighWaterMark | None:
        """Read the mark, strongly consistent; None before the shard's first object."""

    def advance(self, mark: HighWaterMark) -> None:
        """Store `mark`, unless the stored mark is equal or higher."""


class ObjectStore[T](Protocol):
    """The objects of one shard."""

    def create(self, key: str, pending: PendingObject[T]) -> ExistingObject | None:
        """Write the object if the key is free and return None; else return the existing one."""

    def uncounted(self, mark: HighWaterMark, first: SequencedRecord) -> Sequence[str]:
        """List the keys after the mark that sort before the key of `first`, in order."""

    def existing(self, key: str) -> ExistingObject:
        """Read the metadata of an object."""

    def stats(self, key: str) -> T:
        """Count the rows of an object that another invocation wrote."""


def commit[R: SequencedRecord, T](
    batch: Sequence[R],
    *,
    checkpoints: CheckpointStore,
    objects: ObjectStore[T],
    build: Callable[[Sequence[R], int | None], PendingObject[T]],
    name: Callable[[R], str],
    committed: Callable[[Commit[T]], None],
    write_missing: Callable[[Sequence[R], HighWaterMark], object],
    has_time: Callable[[], bool],
) -> Outcome[T]:
    """Commit a batch of one shard to the lake, each record once, after any earlier failure.

    `build` makes an object of the first records that it gets (at least one) and can leave the rest
    for the next object. `committed` must be idempotent: it runs before the checkpoint advances, so
    that a crash between the two runs it again instead of skipping it. `write_missing` gets records
    and the mark that they are behind, and writes those that no object holds.

    An error after the first object is returned in the `Outcome`, with the first record that isn't
    committed.

    Raises:
        Exception: The first object failed, so nothing is committed.
    """
    commits: list[Commit[T]] = []
    mark = checkpoints.high_water_mark()
    uncommitted = _after(batch, mark)
    if mark is not None and len(uncommitted) < len(batch):
        write_missing(_without(batch, uncommitted), mark)
    while uncommitted:
        if commits and not has_time():
            return Outcome(tuple(commits), uncommitted[0].sequence)
        try:
            newest = _adopt_uncounted(uncommitted[0], mark, objects) or _write(
                uncommitted, mark, objects, build, name
            )
            committed(newest)
            mark = HighWaterMark(newest.summary.last, newest.summary.arrived_ms)
            checkpoints.advance(mark)
            rest = _after(uncommitted, mark)
            if not newest.same_rows:
                write_missing(_without(uncommitted, rest), mark)
        except Exception as error:
            if not commits:
                raise
            return Outcome(tuple(commits), uncommitted[0].sequence, error)
        commits.append(newest)
        uncommitted = rest
    return Outcome(tuple(commits), None)


def _without[R: SequencedRecord](batch: Sequence[R], rest: Sequence[R]) -> Sequence[R]:
    """Return the records of a batch that aren't in its rest."""
    sequences = {record.sequence for record in rest}
    return [record for record in batch if record.sequence not in sequences]


def _after[R: SequencedRecord](batch: Sequence[R], mark: HighWaterMark | None) -> Sequence[R]:
    if mark is None:
        return batch
    return [record for record in batch if record.sequence > mark.high]


def _adopt_uncounted[T](
    first: SequencedRecord, mark: HighWaterMark | None, objects: ObjectStore[T]
) -> Commit[T] | None:
    """Adopt an object whose writer crashed before it advanced the checkpoint.

    Usually the next delivery starts at the same record, and `create` finds the object by its key.
    But Lambda can discard that record ("MaximumRecordAgeInSeconds", "MaximumRetryAttempts") and
    continue after it: then only a listing shows that the records are committed.
    """
    if mark is None:
        return None
    for key in objects.uncounted(mark, first):
        summary = objects.existing(key).summary
        return Commit(key, summary, objects.stats(key), 0, adopted=True, same_rows=False)
    return None


def _write[R: SequencedRecord, T](
    uncommitted: Sequence[R],
    mark: HighWaterMark | None,
    objects: ObjectStore[T],
    build: Callable[[Sequence[R], int | None], PendingObject[T]],
    name: Callable[[R], str],
) -> Commit[T]:
    key = name(uncommitted[0])
    pending = build(uncommitted, None if mark is None else mark.high)
    existing = objects.create(key, pending)
    if existing is None:
        return Commit(key, pending.summary, pending.stats, len(pending.body), adopted=False)
    if existing.digest == pending.digest:
        # The PUT timed out but succeeded, or the same batch was delivered again: same rows.
        return Commit(key, existing.summary, pending.stats, len(pending.body), adopted=True)
    return Commit(key, existing.summary, objects.stats(key), 0, adopted=True, same_rows=False)
