"""The real writer, broken in one place each: what the proof has to notice."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from stream_processor.commit import event_objects, protocol, shard_writer
from stream_processor.commit.protocol import Commit, Outcome
from stream_processor.handlers import partial_batch
from stream_processor.rows import change_rows
from stream_processor.rows.dedup_window import DedupWindow
from stream_processor.storage import lake_keys
from stream_processor.storage.checkpoints import Checkpoint
from stream_processor.storage.dynamodb import Table
from stream_processor.storage.lake_keys import ShardPrefix
from stream_processor.storage.lake_types import HighWaterMark, ObjectSummary
from stream_processor.storage.live_counters import LiveCounters
from stream_processor.storage.s3 import Bucket

type Mutation = Callable[[pytest.MonkeyPatch], None]

_commit = protocol.commit
_write = protocol._write


def put_without_if_none_match(patched: pytest.MonkeyPatch) -> None:
    def create(self: Bucket, key: str, body: bytes, metadata: Any) -> bool:
        self._s3.put_object(Bucket=self.name, Key=key, Body=body, Metadata=metadata)
        return True

    patched.setattr(Bucket, "create", create)


def row_that_goes_back(patched: pytest.MonkeyPatch) -> None:
    put_if = Table.put_if

    def always(self: Table, item: Any, condition: str, values: Any = None) -> bool:
        if "high" in condition:
            self._dynamodb.put_item(TableName=self.name, Item=item)
            return True
        return put_if(self, item, condition, values)

    patched.setattr(Table, "put_if", always)


def adopted_without_reading(patched: pytest.MonkeyPatch) -> None:
    def write(rest: Any, mark: Any, objects: Any, build: Any, name: Any) -> Commit[Any]:
        mine = build(rest, None if mark is None else mark.high)
        objects.create(name(rest[0]), mine)
        return Commit(name(rest[0]), mine.summary, mine.stats, 0, adopted=False)

    patched.setattr(protocol, "_write", write)


def lost_row_not_rebuilt(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(
        shard_writer.ShardWriter, "high_water_mark", lambda self: self._checkpoint.read()
    )


def rebuilt_behind_the_newest(patched: pytest.MonkeyPatch) -> None:
    def end(bucket: Bucket, names: ShardPrefix, keys: list[str]) -> HighWaterMark | None:
        if not keys:
            return None
        newest: ObjectSummary = lake_keys.summary(bucket, max(keys, key=names.first)).summary
        return HighWaterMark(newest.last, newest.arrived_ms)

    patched.setattr(lake_keys, "_before_newest", end)


def named_after_the_last(patched: pytest.MonkeyPatch) -> None:
    def write(rest: Any, mark: Any, objects: Any, build: Any, name: Any) -> Commit[Any]:
        return _write(rest, mark, objects, build, lambda _: name(rest[-1]))

    patched.setattr(protocol, "_write", write)


def named_after_the_first_of_the_batch(patched: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
        name = parts.pop("name")
        return _commit(batch, name=lambda _: name(batch[0]), **parts)

    patched.setattr(protocol, "commit", commit)


def row_before_the_object(patched: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
        build, checkpoints = parts.pop("build"), parts["checkpoints"]

        def built(rest: Any, previous: int | None) -> Any:
            mine = build(rest, previous)
            checkpoints.advance(HighWaterMark(mine.summary.last, mine.summary.arrived_ms))
            return mine

        return _commit(batch, build=built, **parts)

    patched.setattr(protocol, "commit", commit)


def row_before_the_count(patched: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
        committed, checkpoints = parts.pop("committed"), parts["checkpoints"]

        def late(done: Commit[Any]) -> None:
            checkpoints.advance(HighWaterMark(done.summary.last, done.summary.arrived_ms))
            committed(done)

        return _commit(batch, committed=late, **parts)

    patched.setattr(protocol, "commit", commit)


def counted_at_each_delivery(patched: pytest.MonkeyPatch) -> None:
    add = LiveCounters._add
    numbers = iter(range(10**6))

    def always(self: LiveCounters, minute: str, last: int, figures: Any, expires: int) -> None:
        # A watermark that is higher each time refuses nothing.
        add(self, minute, 10**55 * 9 + next(numbers), figures, expires)

    patched.setattr(LiveCounters, "_add", always)


def no_look_for_what_was_left(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(protocol, "_adopt_uncounted", lambda *_: None)


def numbers_compared_as_texts(patched: pytest.MonkeyPatch) -> None:
    def behind(batch: Sequence[Any], mark: HighWaterMark | None) -> Sequence[Any]:
        return [r for r in batch if mark is None or str(r.sequence) > str(mark.high)]

    patched.setattr(protocol, "_after", behind)


def row_not_padded(patched: pytest.MonkeyPatch) -> None:
    def advance(self: Checkpoint, mark: HighWaterMark) -> None:
        high = {"S": str(mark.high)}
        arrived = {"N": str(mark.arrived_ms)}
        self._table.put_if(
            {"chain": {"S": self._name}, "high": high, "arrived": arrived},
            "attribute_not_exists(high) OR high < :high",
            {":high": high},
        )

    patched.setattr(Checkpoint, "advance", advance)


def what_is_left_not_named(patched: pytest.MonkeyPatch) -> None:
    respond = partial_batch.respond
    patched.setattr(
        partial_batch,
        "respond",
        lambda batches, run: respond(batches, run) and {"batchItemFailures": []},
    )


def failures_swallowed(patched: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
        try:
            return _commit(batch, **parts)
        except Exception as error:  # noqa: BLE001 -- the mistake that is made here
            return Outcome((), None, error)

    patched.setattr(protocol, "commit", commit)


def ids_learned_before_the_put(patched: pytest.MonkeyPatch) -> None:
    build = event_objects.build

    def learning(limits: Any, shard: str, rest: Any, previous: Any, window: Any) -> Any:
        mine = build(limits, shard, rest, previous, window)
        window.add(mine.summary.last, mine.stats.ids)
        window.high = previous
        return mine

    patched.setattr(event_objects, "build", learning)


def window_not_caught_up(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(DedupWindow, "catch_up", lambda *_: None)


def poison_raises(patched: pytest.MonkeyPatch) -> None:
    build = event_objects.build

    def strict(limits: Any, shard: str, rest: Any, previous: Any, window: Any) -> Any:
        mine = build(limits, shard, rest, previous, window)
        if mine.summary.bad:
            raise ValueError("a record that cannot be read")
        return mine

    patched.setattr(event_objects, "build", strict)


def every_region_exports(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(change_rows, "own", lambda *_: True)


#: What is broken, and at which of the two doors it shows.
EVENTS_MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        put_without_if_none_match,
        row_that_goes_back,
        adopted_without_reading,
        lost_row_not_rebuilt,
        rebuilt_behind_the_newest,
        named_after_the_last,
        named_after_the_first_of_the_batch,
        row_before_the_object,
        row_before_the_count,
        counted_at_each_delivery,
        no_look_for_what_was_left,
        numbers_compared_as_texts,
        row_not_padded,
        what_is_left_not_named,
        failures_swallowed,
        ids_learned_before_the_put,
        window_not_caught_up,
        poison_raises,
    )
}
CHANGES_MUTATIONS: dict[str, Mutation] = {"every_region_exports": every_region_exports}
