"""Mutations of the writer: each breaks one rule, and the proof must detect it."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from stream_processor.commit import event_objects, protocol, shard_writer
from stream_processor.commit.protocol import Commit, Outcome
from stream_processor.handlers import partial_batch
from stream_processor.ingest.sequence_numbers import padded
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


def put_without_if_none_match(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(self: Bucket, key: str, body: bytes, metadata: Any) -> bool:
        self._s3.put_object(Bucket=self.name, Key=key, Body=body, Metadata=metadata)
        return True

    monkeypatch.setattr(Bucket, "create", create)


def mark_decreases(monkeypatch: pytest.MonkeyPatch) -> None:
    put_if = Table.put_if

    def always(self: Table, item: Any, condition: str, values: Any = None) -> bool:
        if "high" in condition:
            self._dynamodb.put_item(TableName=self.name, Item=item)
            return True
        return put_if(self, item, condition, values)

    monkeypatch.setattr(Table, "put_if", always)


def object_adopted_without_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(rest: Any, mark: Any, objects: Any, build: Any, name: Any) -> Commit[Any]:
        pending = build(rest, None if mark is None else mark.high)
        objects.create(name(rest[0]), pending)
        return Commit(name(rest[0]), pending.summary, pending.stats, 0, adopted=False)

    monkeypatch.setattr(protocol, "_write", write)


def lost_mark_not_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shard_writer.ShardWriter, "high_water_mark", lambda self: self._checkpoint.read()
    )


def mark_rebuilt_after_newest_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(bucket: Bucket, names: ShardPrefix, keys: list[str]) -> HighWaterMark | None:
        if not keys:
            return None
        newest: ObjectSummary = lake_keys.summary(bucket, max(keys, key=names.first)).summary
        return HighWaterMark(newest.last, newest.arrived_ms)

    monkeypatch.setattr(lake_keys, "_before_newest", end)


def key_from_last_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(rest: Any, mark: Any, objects: Any, build: Any, name: Any) -> Commit[Any]:
        return _write(rest, mark, objects, build, lambda _: name(rest[-1]))

    monkeypatch.setattr(protocol, "_write", write)


def key_from_first_record_of_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
        name = arguments.pop("name")
        return _commit(batch, name=lambda _: name(batch[0]), **arguments)

    monkeypatch.setattr(protocol, "commit", commit)


def mark_before_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
        build, checkpoints = arguments.pop("build"), arguments["checkpoints"]

        def built(rest: Any, previous: int | None) -> Any:
            pending = build(rest, previous)
            checkpoints.advance(HighWaterMark(pending.summary.last, pending.summary.arrived_ms))
            return pending

        return _commit(batch, build=built, **arguments)

    monkeypatch.setattr(protocol, "commit", commit)


def mark_before_live_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
        committed, checkpoints = arguments.pop("committed"), arguments["checkpoints"]

        def advance_first(done: Commit[Any]) -> None:
            checkpoints.advance(HighWaterMark(done.summary.last, done.summary.arrived_ms))
            committed(done)

        return _commit(batch, committed=advance_first, **arguments)

    monkeypatch.setattr(protocol, "commit", commit)


def counted_on_every_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    add = LiveCounters._add
    numbers = iter(range(10**6))

    def always(self: LiveCounters, minute: str, last: int, figures: Any, expires: int) -> None:
        # A new, higher number per call defeats the idempotency check.
        add(self, minute, 10**55 * 9 + next(numbers), figures, expires)

    monkeypatch.setattr(LiveCounters, "_add", always)


def uncounted_objects_not_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_adopt_uncounted", lambda *_: None)


def sequence_numbers_compared_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def behind(batch: Sequence[Any], mark: HighWaterMark | None) -> Sequence[Any]:
        return [r for r in batch if mark is None or str(r.sequence) > str(mark.high)]

    monkeypatch.setattr(protocol, "_after", behind)


def mark_not_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    def advance(self: Checkpoint, mark: HighWaterMark) -> None:
        high = {"S": str(mark.high)}
        arrived = {"N": str(mark.arrived_ms)}
        self._table.put_if(
            {"chain": {"S": self._name}, "high": high, "arrived": arrived},
            "attribute_not_exists(high) OR high < :high",
            {":high": high},
        )

    monkeypatch.setattr(Checkpoint, "advance", advance)


def unwritten_records_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    respond = partial_batch.respond
    monkeypatch.setattr(
        partial_batch,
        "respond",
        lambda batches, run: respond(batches, run) and {"batchItemFailures": []},
    )


def errors_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
        try:
            return _commit(batch, **arguments)
        except Exception as error:  # noqa: BLE001 -- the mutation
            return Outcome((), None, error)

    monkeypatch.setattr(protocol, "commit", commit)


def ids_added_before_put(monkeypatch: pytest.MonkeyPatch) -> None:
    build = event_objects.build

    def learning(limits: Any, shard: str, rest: Any, previous: Any, window: Any) -> Any:
        pending = build(limits, shard, rest, previous, window)
        window.add(pending.summary.last, pending.stats.ids)
        window.high = previous
        return pending

    monkeypatch.setattr(event_objects, "build", learning)


def dedup_window_not_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DedupWindow, "catch_up", lambda *_: None)


def unreadable_record_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    build = event_objects.build

    def strict(limits: Any, shard: str, rest: Any, previous: Any, window: Any) -> Any:
        pending = build(limits, shard, rest, previous, window)
        if pending.summary.bad:
            raise ValueError("unreadable record")
        return pending

    monkeypatch.setattr(event_objects, "build", strict)


def adopted_object_counted_by_own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(rest: Any, mark: Any, objects: Any, build: Any, name: Any) -> Commit[Any]:
        pending = build(rest, None if mark is None else mark.high)
        existing = objects.create(name(rest[0]), pending)
        if existing is None:
            return Commit(name(rest[0]), pending.summary, pending.stats, 0, adopted=False)
        same = existing.digest == pending.digest
        summary, stats = existing.summary, pending.stats
        return Commit(name(rest[0]), summary, stats, 0, adopted=True, same_rows=same)

    monkeypatch.setattr(protocol, "_write", write)


def shard_matched_by_prefix_without_length(monkeypatch: pytest.MonkeyPatch) -> None:
    def within(self: ShardPrefix, bucket: Bucket, hour: str, after: int | None = None) -> list[str]:
        head = f"{hour}{self.shard}-"
        return list(bucket.keys(head, "" if after is None else f"{head}{padded(after)}"))

    monkeypatch.setattr(ShardPrefix, "within", within)


def no_time_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_batch, "RESERVE_MS", 0)


def every_region_exports_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_rows, "own", lambda *_: True)


#: Mutations that the proof of the events handler detects, by name.
EVENTS_MUTATIONS: Final[dict[str, Mutation]] = {
    mutation.__name__: mutation
    for mutation in (
        put_without_if_none_match,
        mark_decreases,
        object_adopted_without_reading,
        lost_mark_not_rebuilt,
        mark_rebuilt_after_newest_object,
        key_from_last_record,
        key_from_first_record_of_batch,
        mark_before_object,
        mark_before_live_count,
        counted_on_every_delivery,
        uncounted_objects_not_adopted,
        sequence_numbers_compared_as_text,
        mark_not_padded,
        unwritten_records_not_reported,
        errors_swallowed,
        ids_added_before_put,
        dedup_window_not_caught_up,
        unreadable_record_raises,
        adopted_object_counted_by_own_rows,
        shard_matched_by_prefix_without_length,
        no_time_reserve,
    )
}
CHANGES_MUTATIONS: Final[dict[str, Mutation]] = {
    "every_region_exports_changes": every_region_exports_changes
}
