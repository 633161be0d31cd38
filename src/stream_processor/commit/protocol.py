"""The commit protocol: a numbered log per shard and hour, whose entries hold exact sets of records.

Lambda delivers a batch again with different boundaries, invocations of a shard overlap, operators
write the same records, and a process can crash between any two statements. Therefore the only
arbiter is S3's `If-None-Match`: the entries of a log have the numbers 0, 1, 2, …, and a writer that
finds its number taken reads that entry, removes its records from the batch, and goes on with the
next number. The states A to G are those of docs/proof.md.

The row of a log is a hint. It can be lost, but never be ahead of the entries. No clock is read.

The protocol reads and writes through `Log` only. `ShardLog` implements it over DynamoDB and S3.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stream_processor.errors import MissingObjectError
from stream_processor.storage.lake_types import (
    HOUR_MS,
    ExistingObject,
    LogPosition,
    ObjectSummary,
    PendingObject,
    SequencedRecord,
)


@dataclass(frozen=True, slots=True)
class Commit[T]:
    """An entry that is in the lake. `adopted`: another invocation wrote it."""

    key: str
    summary: ObjectSummary
    stats: T
    size: int
    adopted: bool


@dataclass(frozen=True, slots=True)
class Outcome[T]:
    """The entries that an invocation passed.

    `unwritten` is the lowest sequence number that is in no entry; None if all records are.
    """

    commits: tuple[Commit[T], ...]
    unwritten: int | None
    error: Exception | None = None


class Log[T](Protocol):
    """One log: the records of a shard that arrived in one hour."""

    def position(self) -> LogPosition:
        """Read the row, or rebuild it from the entries after counting the newest one."""

    def in_old_objects[R: SequencedRecord](self, records: Sequence[R]) -> set[int]:
        """Return those of the records that objects of the writer before the logs hold."""

    def key(self, number: int) -> str:
        """Return the key of an entry."""

    def existing(self, number: int) -> ExistingObject:
        """Read the metadata of an entry.

        Raises:
            MissingObjectError: Somebody deleted the entry.
        """

    def sequences(self, number: int) -> set[int]:
        """Return the sequence numbers of the records in an entry.

        Raises:
            MissingObjectError: Somebody deleted the entry.
        """

    def stats(self, number: int) -> T:
        """Count the rows of an entry that another invocation wrote."""

    def create(self, number: int, pending: PendingObject[T]) -> ExistingObject | None:
        """Write the entry if its number is free and return None; else return the existing one."""

    def count(self, number: int, stats: T) -> None:
        """Add the good rows of an entry to the live counters, once per number."""

    def advance(self, position: LogPosition) -> None:
        """Store the position, unless the stored one knows as many entries."""


def commit[R: SequencedRecord, L: Log[Any], T](
    batch: Sequence[R],
    *,
    open_log: Callable[[R], L],
    draft: Callable[[L, LogPosition, Sequence[R]], PendingObject[T]],
    has_time: Callable[[], bool],
) -> Outcome[T]:
    """Bring each record of a batch of one shard into exactly one entry.

    `open_log` returns the log of a record, that of its hour. `draft` makes an entry of the first
    records that it gets (at least one), for the number `position.entries`, and can leave the rest
    for the next entry.

    An error after the first entry is returned in the `Outcome`, with the lowest record that is in
    no entry.

    Raises:
        Exception: No entry was passed.
    """
    hours = [(part, {record.sequence: record for record in part}) for part in _by_hour(batch)]

    def lowest() -> int | None:
        return min((it for _, unwritten in hours for it in unwritten), default=None)

    commits: list[Commit[T]] = []
    for records, unwritten in hours:
        try:
            for passed in _bring(open_log(records[0]), records, unwritten, draft):
                commits.append(passed)
                if any(rest for _, rest in hours) and not has_time():
                    return Outcome(tuple(commits), lowest())
        except Exception as error:
            if not commits:
                raise
            return Outcome(tuple(commits), lowest(), error)
    return Outcome(tuple(commits), lowest())


def _by_hour[R: SequencedRecord](batch: Sequence[R]) -> list[Sequence[R]]:
    """Divide records by the hour in which they arrived. Nearly always it is one."""
    hours = [record.arrived_ms // HOUR_MS for record in batch]
    if len(set(hours)) <= 1:
        return [batch] if batch else []
    groups: dict[int, list[R]] = {}
    for hour, record in zip(hours, batch, strict=True):
        groups.setdefault(hour, []).append(record)
    return list(groups.values())


def _bring[R: SequencedRecord, T](
    log: Log[T],
    records: Sequence[R],
    unwritten: dict[int, R],
    draft: Callable[..., PendingObject[T]],
) -> Iterator[Commit[T]]:
    """Take the records of one log through the states B to F; yield each entry that was passed."""
    position = log.position()
    _look_back(log, position, records, unwritten)
    while rest := _unwritten(records, unwritten):
        pending = draft(log, position, rest)
        if not pending.summary.rows:
            # Records without events have no rows to lose.
            _remove(unwritten, [record.sequence for record in rest[: pending.taken]])
            continue
        passed, held = _put(log, position.entries, pending, rest)
        log.count(position.entries, passed.stats)
        position = position.after(passed.summary)
        log.advance(position)
        _remove(unwritten, held)
        yield passed


def _unwritten[R: SequencedRecord](records: Sequence[R], unwritten: dict[int, R]) -> Sequence[R]:
    if len(unwritten) == len(records):
        return records
    return [record for record in records if unwritten.get(record.sequence) is record]


def _look_back[R: SequencedRecord](
    log: Log[Any], position: LogPosition, records: Sequence[R], unwritten: dict[int, R]
) -> None:
    """State B: remove the records that entries hold, from the newest entry back."""
    if position.old is not None:
        old = [record for record in records if record.sequence <= position.old]
        _remove(unwritten, log.in_old_objects(old) if old else ())
    for number in range(position.entries - 1, -1, -1):
        below = [
            record.sequence
            for record in records
            if record.sequence in unwritten
            and position.high is not None
            and record.sequence <= position.high
        ]
        if not below:
            return
        try:
            summary = log.existing(number).summary
            if any(summary.first <= sequence <= summary.last for sequence in below):
                _remove(unwritten, log.sequences(number))
        except MissingObjectError:
            continue  # Somebody deleted the entry: its records are in no entry.
        if _is_above_rest(summary, min(below)):
            return


def _is_above_rest(summary: ObjectSummary, lowest: int) -> bool:
    """Return whether every earlier entry ends below the lowest record."""
    return summary.previous is None or summary.previous < lowest


def _put[R: SequencedRecord, T](
    log: Log[T], number: int, pending: PendingObject[T], rest: Sequence[R]
) -> tuple[Commit[T], Collection[int]]:
    """State D: PUT an entry. Return the entry with this number, and the records that it holds."""
    key, size = log.key(number), len(pending.body)
    existing = log.create(number, pending)
    if existing is None or existing.digest == pending.digest:
        # With a digest, the PUT timed out but succeeded: the entry has the same rows.
        adopted = existing is not None
        commit = Commit(key, pending.summary, pending.stats, size, adopted=adopted)
        return commit, [record.sequence for record in rest[: pending.taken]]
    adopted_entry = Commit(key, existing.summary, log.stats(number), 0, adopted=True)
    return adopted_entry, log.sequences(number)


def _remove[R](unwritten: dict[int, R], sequences: Collection[int]) -> None:
    for sequence in sequences:
        unwritten.pop(sequence, None)
