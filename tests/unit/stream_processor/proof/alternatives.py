"""Six alternatives to the commit protocol, each a replacement of `protocol.commit`.

The adapters, Parquet and the live counters around them are real. Each alternative is implemented as
a reasonable project would, without added faults.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

from stream_processor.commit.protocol import Commit, Outcome
from stream_processor.storage.lake_types import HighWaterMark, PendingObject

_numbers = itertools.count()


class CommitArguments:
    """The arguments of `protocol.commit`."""

    def __init__(
        self,
        *,
        checkpoints: Any,
        objects: Any,
        build: Callable[[Sequence[Any], int | None], PendingObject[Any]],
        name: Callable[[Any], str],
        committed: Callable[[Commit[Any]], None],
        write_missing: Callable[..., object],
        has_time: Callable[[], bool],
    ) -> None:
        self.checkpoints, self.objects, self.build = checkpoints, objects, build
        self.name, self.committed, self.has_time = name, committed, has_time

    def report(self, key: str, pending: PendingObject[Any]) -> None:
        """Report an object as committed."""
        self.committed(
            Commit(key, pending.summary, pending.stats, len(pending.body), adopted=False)
        )


def random_key(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
    """Write each object under a random key, as AWS's sample solution does."""
    commit_arguments = CommitArguments(**arguments)
    while batch:
        pending = commit_arguments.build(batch, None)
        key = f"{commit_arguments.name(batch[0])}-{next(_numbers)}"
        commit_arguments.objects.create(key, pending)
        commit_arguments.report(key, pending)
        batch = batch[pending.summary.records :]
    return Outcome((), None)


def first_and_last(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
    """Name an object after its first and last record: only an identical retry finds it."""
    commit_arguments = CommitArguments(**arguments)
    while batch:
        pending = commit_arguments.build(batch, None)
        key = f"{commit_arguments.name(batch[0])}-{pending.summary.last}"
        commit_arguments.objects.create(key, pending)
        commit_arguments.report(key, pending)
        batch = batch[pending.summary.records :]
    return Outcome((), None)


def first_overwritten(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
    """Name an object after its first record, and overwrite an existing object."""
    commit_arguments = CommitArguments(**arguments)
    while batch:
        pending = commit_arguments.build(batch, None)
        key = commit_arguments.name(batch[0])
        overwrite(commit_arguments.objects, key, pending)
        commit_arguments.report(key, pending)
        batch = batch[pending.summary.records :]
    return Outcome((), None)


def first_and_412_is_done(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
    """Name an object after its first record, and take an existing one for the whole batch."""
    commit_arguments = CommitArguments(**arguments)
    while batch:
        pending = commit_arguments.build(batch, None)
        key = commit_arguments.name(batch[0])
        commit_arguments.objects.create(key, pending)
        commit_arguments.report(key, pending)
        batch = batch[pending.summary.records :]
    return Outcome((), None)


def mark_and_random_key(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
    """Skip the records up to the high-water mark; write the rest under a random key."""
    commit_arguments = CommitArguments(**arguments)
    mark = commit_arguments.checkpoints.high_water_mark()
    rest = [record for record in batch if mark is None or record.sequence > mark.high]
    while rest:
        pending = commit_arguments.build(rest, None)
        key = f"{commit_arguments.name(rest[0])}-{next(_numbers)}"
        commit_arguments.objects.create(key, pending)
        commit_arguments.report(key, pending)
        commit_arguments.checkpoints.advance(
            HighWaterMark(pending.summary.last, pending.summary.arrived_ms)
        )
        rest = rest[pending.summary.records :]
    return Outcome((), None)


def adopt_without_mark(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
    """Adopt existing objects, but store no high-water mark."""
    commit_arguments = CommitArguments(**arguments)
    high = -1
    while rest := [record for record in batch if record.sequence > high]:
        key = commit_arguments.name(rest[0])
        pending = commit_arguments.build(rest, None)
        existing = commit_arguments.objects.create(key, pending)
        if existing is None:
            commit_arguments.report(key, pending)
        high = (existing or pending).summary.last
    return Outcome((), None)


def overwrite(objects: Any, key: str, pending: PendingObject[Any]) -> None:
    """Put an object without If-None-Match."""
    bucket = objects._bucket
    metadata = pending.summary.metadata() | {"sha256": pending.digest}
    bucket._s3.put_object(Bucket=bucket.name, Key=key, Body=pending.body, Metadata=metadata)


#: In the order of the report.
ALTERNATIVES: Final[dict[str, Callable[..., Outcome[Any]]]] = {
    "random key": random_key,
    "key first-last": first_and_last,
    "key first, overwrite": first_overwritten,
    "key first, 412 means done": first_and_412_is_done,
    "high-water mark, random key": mark_and_random_key,
    "no high-water mark": adopt_without_mark,
}
