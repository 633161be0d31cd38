"""The six designs that the chained writer was chosen over, in the place of `chain.commit`.

Everything around them is the real thing: adapters, Parquet, live minutes. What each does wrong is
its own; none is made worse than it would be built.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from stream_processor.commit.protocol import Commit, Outcome
from stream_processor.storage.lake_types import HighWaterMark, PendingObject

_numbers = itertools.count()


class Parts:
    """What `chain.commit` is given."""

    def __init__(
        self,
        *,
        checkpoints: Any,
        objects: Any,
        build: Callable[[Sequence[Any], int | None], PendingObject[Any]],
        name: Callable[[Any], str],
        committed: Callable[[Commit[Any]], None],
        has_time: Callable[[], bool],
    ) -> None:
        self.checkpoints, self.objects, self.build = checkpoints, objects, build
        self.name, self.committed, self.has_time = name, committed, has_time

    def done(self, key: str, mine: PendingObject[Any]) -> None:
        """Count an object."""
        self.committed(Commit(key, mine.summary, mine.stats, len(mine.body), adopted=False))


def random_key(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
    """Each PUT under a name of its own, as AWS's solution does."""
    it = Parts(**parts)
    while batch:
        mine = it.build(batch, None)
        key = f"{it.name(batch[0])}-{next(_numbers)}"
        it.objects.create(key, mine)
        it.done(key, mine)
        batch = batch[mine.summary.records :]
    return Outcome((), None)


def first_and_last(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
    """The name says which records: a retry with the same ends meets its object."""
    it = Parts(**parts)
    while batch:
        mine = it.build(batch, None)
        key = f"{it.name(batch[0])}-{mine.summary.last}"
        it.objects.create(key, mine)
        it.done(key, mine)
        batch = batch[mine.summary.records :]
    return Outcome((), None)


def first_overwritten(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
    """The name depends on the first record; whoever comes last has written it."""
    it = Parts(**parts)
    while batch:
        mine = it.build(batch, None)
        key = it.name(batch[0])
        overwrite(it.objects, key, mine)
        it.done(key, mine)
        batch = batch[mine.summary.records :]
    return Outcome((), None)


def first_and_412_is_done(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
    """The name depends on the first record; where it is taken, all is taken for written."""
    it = Parts(**parts)
    while batch:
        mine = it.build(batch, None)
        key = it.name(batch[0])
        it.objects.create(key, mine)
        it.done(key, mine)
        batch = batch[mine.summary.records :]
    return Outcome((), None)


def row_and_random_key(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
    """What is below the row is passed over; the rest goes under a name of its own."""
    it = Parts(**parts)
    mark = it.checkpoints.high_water_mark()
    rest = [record for record in batch if mark is None or record.sequence > mark.high]
    while rest:
        mine = it.build(rest, None)
        key = f"{it.name(rest[0])}-{next(_numbers)}"
        it.objects.create(key, mine)
        it.done(key, mine)
        it.checkpoints.advance(HighWaterMark(mine.summary.last, mine.summary.arrived_ms))
        rest = rest[mine.summary.records :]
    return Outcome((), None)


def chain_without_row(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
    """What is found under a name is adopted, and nobody remembers where the chain ends."""
    it = Parts(**parts)
    high = -1
    while rest := [record for record in batch if record.sequence > high]:
        key = it.name(rest[0])
        mine = it.build(rest, None)
        found = it.objects.create(key, mine)
        if found is None:
            it.done(key, mine)
        high = (found or mine).summary.last
    return Outcome((), None)


def overwrite(objects: Any, key: str, mine: PendingObject[Any]) -> None:
    """A PUT without If-None-Match."""
    bucket = objects._bucket
    metadata = mine.summary.metadata() | {"sha256": mine.digest}
    bucket._s3.put_object(Bucket=bucket.name, Key=key, Body=mine.body, Metadata=metadata)


#: In the order of the design's table.
ALTERNATIVES: dict[str, Callable[..., Outcome[Any]]] = {
    "random key": random_key,
    "key first-last": first_and_last,
    "key first, overwrite": first_overwritten,
    "key first, 412 means done": first_and_412_is_done,
    "row, random key": row_and_random_key,
    "chain without the row": chain_without_row,
}
