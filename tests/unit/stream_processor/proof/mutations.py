"""Mutations of the writer: each breaks one rule, and the proof must detect it."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from stream_processor.commit import event_objects, event_writer, protocol
from stream_processor.commit.event_writer import EventWriter
from stream_processor.commit.protocol import Commit, Outcome
from stream_processor.commit.shard_log import ShardLog
from stream_processor.handlers import partial_batch
from stream_processor.rows import change_rows
from stream_processor.storage import lake_keys, log_names
from stream_processor.storage.lake_types import LogPosition, ObjectSummary
from stream_processor.storage.live_counters import LiveCounters
from stream_processor.storage.log_names import LogName
from stream_processor.storage.s3 import Bucket

type Mutation = Callable[[pytest.MonkeyPatch], None]

_commit = protocol.commit
_put = protocol._put


def put_without_if_none_match(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(self: Bucket, key: str, body: bytes, metadata: Any) -> bool:
        self._s3.put_object(Bucket=self.name, Key=key, Body=body, Metadata=metadata)
        return True

    monkeypatch.setattr(Bucket, "create", create)


def refusal_means_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a 412 for the answer to the writer's own PUT."""

    def put(log: Any, number: int, pending: Any, rest: Sequence[Any]) -> Any:
        log.create(number, pending)
        commit = Commit(log.key(number), pending.summary, pending.stats, 0, adopted=False)
        return commit, [record.sequence for record in rest[: pending.taken]]

    monkeypatch.setattr(protocol, "_put", put)


def refused_rows_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a 412, write the same rows under the next number."""

    def put(log: Any, number: int, pending: Any, rest: Any) -> Any:
        commit, held = _put(log, number, pending, rest)
        return commit, () if commit.adopted else held

    monkeypatch.setattr(protocol, "_put", put)


def adopted_without_comparing_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count an entry of another writer by the own rows."""

    def put(log: Any, number: int, pending: Any, rest: Any) -> Any:
        commit, held = _put(log, number, pending, rest)
        return Commit(commit.key, commit.summary, pending.stats, 0, adopted=commit.adopted), held

    monkeypatch.setattr(protocol, "_put", put)


def entry_holds_its_whole_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take an entry for every record from its first to its last."""

    class Range(frozenset[int]):
        def __contains__(self, sequence: object) -> bool:
            return isinstance(sequence, int) and min(self) <= sequence <= max(self)

    def remove(unwritten: dict[int, Any], sequences: Any) -> None:
        for sequence in list(unwritten):
            if sequences and sequence in Range(sequences):
                del unwritten[sequence]

    monkeypatch.setattr(protocol, "_remove", remove)


def records_below_highest_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every record below the highest known one for written."""

    def look_back(_: Any, position: LogPosition, records: Any, unwritten: dict[int, Any]) -> None:
        for record in records:
            if position.high is not None and record.sequence <= position.high:
                unwritten.pop(record.sequence, None)

    monkeypatch.setattr(protocol, "_look_back", look_back)


def look_back_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_look_back", lambda *_: None)


def look_back_ends_at_first_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """End the walk back at an entry that begins below the lowest record."""
    monkeypatch.setattr(protocol, "_is_above_rest", lambda summary, lowest: summary.first <= lowest)


def rebuilt_from_newest_entry_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebuild a lost row from the newest entry's own last record."""
    existing = ShardLog.existing
    rebuilt = ShardLog._rebuilt

    def rebuild(self: ShardLog[Any]) -> LogPosition:
        position = rebuilt(self)
        if not position.entries:
            return position
        last = existing(self, position.entries - 1).summary.last
        return LogPosition(position.entries, last, position.old)

    monkeypatch.setattr(ShardLog, "_rebuilt", rebuild)


def newest_entry_not_counted_by_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    rebuilt = ShardLog._rebuilt

    def rebuild(self: ShardLog[Any]) -> LogPosition:
        count, self._count = self._count, lambda *_: None
        try:
            return rebuilt(self)
        finally:
            self._count = count

    monkeypatch.setattr(ShardLog, "_rebuilt", rebuild)


def row_has_highest_of_newest_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    def after(self: LogPosition, summary: ObjectSummary) -> LogPosition:
        return LogPosition(self.entries + 1, summary.last, self.old)

    monkeypatch.setattr(LogPosition, "after", after)


def row_raised_before_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def put(log: Any, number: int, pending: Any, rest: Any) -> Any:
        commit, held = _put(log, number, pending, rest)
        previous = LogPosition(number, commit.summary.previous, None)
        log.advance(previous.after(commit.summary))
        return commit, held

    monkeypatch.setattr(protocol, "_put", put)


def row_raised_before_put(monkeypatch: pytest.MonkeyPatch) -> None:
    def put(log: Any, number: int, pending: Any, rest: Any) -> Any:
        previous = LogPosition(number, pending.summary.previous, None)
        log.advance(previous.after(pending.summary))
        return _put(log, number, pending, rest)

    monkeypatch.setattr(protocol, "_put", put)


def refused_entry_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the count of another writer's entry to that writer."""
    count = ShardLog.count
    refused: set[str] = set()

    def put(log: Any, number: int, pending: Any, rest: Any) -> Any:
        commit, held = _put(log, number, pending, rest)
        if commit.adopted:
            refused.add(log.key(number))
        return commit, held

    def count_own(self: ShardLog[Any], number: int, stats: Any) -> None:
        if self.key(number) not in refused:
            count(self, number, stats)

    monkeypatch.setattr(protocol, "_put", put)
    monkeypatch.setattr(ShardLog, "count", count_own)


def counted_on_every_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    add = LiveCounters._add
    numbers = iter(range(10**7))

    def always(self: LiveCounters, minute: str, number: int, figures: Any, expires: int) -> None:
        # A new, higher number per call defeats the idempotency check.
        add(self, minute, number * 10**7 + next(numbers), figures, expires)

    monkeypatch.setattr(LiveCounters, "_add", always)


def hour_of_first_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a whole batch to the log of its first record."""

    def commit(batch: Sequence[Any], *, open_log: Any, **arguments: Any) -> Outcome[Any]:
        return _commit(batch, open_log=lambda _: open_log(batch[0]), **arguments)

    monkeypatch.setattr(protocol, "commit", commit)


def hour_of_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write records to the log of the hour that the writer's clock shows."""

    class OwnClock:
        @staticmethod
        def of(prefix: str, shard: str, _: int) -> LogName:
            clock: Any = vars(event_writer)["time"]
            return LogName.of(prefix, shard, round(clock.time() * 1000))

    monkeypatch.setattr(event_writer, "LogName", OwnClock)


def stream_not_in_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_processor.commit.event_writer.lake_keys", _WithoutStream())


class _WithoutStream:
    """`lake_keys`, but with the shard's own name alone in keys."""

    EVENTS = lake_keys.EVENTS

    @staticmethod
    def events_shard(_stage: str, _stream: str, shard: str) -> str:
        return shard


def errors_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
        try:
            return _commit(batch, **arguments)
        except Exception as error:  # noqa: BLE001 -- the mutation
            return Outcome((), None, error)

    monkeypatch.setattr(protocol, "commit", commit)


def unwritten_records_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    respond = partial_batch.respond
    monkeypatch.setattr(
        partial_batch,
        "respond",
        lambda batches, run: respond(batches, run) and {"batchItemFailures": []},
    )


def highest_unwritten_record_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **arguments: Any) -> Outcome[Any]:
        outcome = _commit(batch, **arguments)
        unwritten = outcome.unwritten and batch[-1].sequence
        return Outcome(outcome.commits, unwritten, outcome.error)

    monkeypatch.setattr(protocol, "commit", commit)


def no_time_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_batch, "RESERVE_MS", 0)


def ids_added_before_put(monkeypatch: pytest.MonkeyPatch) -> None:
    catch_up = EventWriter._catch_up
    build = event_objects.build
    windows: list[Any] = []

    def remember(self: EventWriter, window: Any, *more: Any) -> None:
        windows[:] = [window]
        catch_up(self, window, *more)

    def learning(limits: Any, shard: str, rest: Any, previous: Any, window: Any) -> Any:
        pending = build(limits, shard, rest, previous, window)
        if windows:
            windows[0]._add(pending.stats.ids)
        return pending

    monkeypatch.setattr(EventWriter, "_catch_up", remember)
    monkeypatch.setattr(event_objects, "build", learning)


def dedup_window_not_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventWriter, "_catch_up", lambda *_: None)


def verdicts_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find duplicates by the entries that existed when the process opened the log."""
    catch_up = EventWriter._catch_up

    def once(self: EventWriter, window: Any, log: Any, *more: Any) -> None:
        if str(log.name) not in window.read:
            catch_up(self, window, log, *more)

    monkeypatch.setattr(EventWriter, "_catch_up", once)


def hours_beside_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventWriter, "_entries", lambda *_: 0)


def unreadable_record_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    build = event_objects.build

    def strict(limits: Any, shard: str, rest: Any, previous: Any, window: Any) -> Any:
        pending = build(limits, shard, rest, previous, window)
        if pending.summary.bad:
            raise ValueError("unreadable record")
        return pending

    monkeypatch.setattr(event_objects, "build", strict)


def log_matched_by_prefix_without_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the entries of shard a-1 for entries of shard a, too."""

    def numbers(self: LogName, bucket: Bucket) -> list[int]:
        entries = (log_names.entry_of(key) for key in bucket.keys(f"{self}-"))
        return sorted(number for _, number in filter(None, entries))

    monkeypatch.setattr(LogName, "numbers", numbers)


def every_region_exports_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_rows, "own", lambda *_: True)


#: Mutations that the histories of the events handler detect, by name.
EVENTS_MUTATIONS: Final[dict[str, Mutation]] = {
    mutation.__name__: mutation
    for mutation in (
        put_without_if_none_match,
        refusal_means_done,
        refused_rows_written_again,
        adopted_without_comparing_digests,
        entry_holds_its_whole_range,
        records_below_highest_dropped,
        look_back_skipped,
        look_back_ends_at_first_record,
        rebuilt_from_newest_entry_alone,
        newest_entry_not_counted_by_rebuild,
        row_has_highest_of_newest_entry,
        row_raised_before_count,
        row_raised_before_put,
        refused_entry_not_counted,
        counted_on_every_delivery,
        hour_of_first_record,
        hour_of_own_clock,
        stream_not_in_name,
        errors_swallowed,
        unwritten_records_not_reported,
        highest_unwritten_record_reported,
        no_time_reserve,
        ids_added_before_put,
        dedup_window_not_caught_up,
        verdicts_decided_once,
        hours_beside_not_read,
        unreadable_record_raises,
    )
}
#: Mutations that need splits of a shard, or changes: the state machine detects them, by handler.
MACHINE_MUTATIONS: Final[dict[str, tuple[str, Mutation]]] = {
    "log_matched_by_prefix_without_length": ("events", log_matched_by_prefix_without_length),
    "every_region_exports_changes": ("changes", every_region_exports_changes),
}
