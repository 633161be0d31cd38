"""The design: a numbered log per shard and hour, whose entries hold exact sets of records.

The states A to G are those of docs/decisions/0031-numbered-log.md. `If-None-Match` of S3 is the
only arbiter. The row in DynamoDB is a hint: it can be lost, but never be too high. No clock is
read.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from stream_processor.errors import StorageError
from stream_processor.storage.s3 import Bucket
from tests.unit.stream_processor.fakes import call_over_network

HOUR_MS: Final = 3_600_000
#: Records of one entry: small, so that a batch makes several.
ENTRY_RECORDS: Final = 2
#: Digits of an entry's number.
DIGITS: Final = 6

type Known = set[str]


@dataclass(frozen=True, slots=True, order=True)
class LogRecord:
    """One record of a stream with one event, whose identity copies of it share."""

    sequence: int
    arrived_ms: int
    identity: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry: its records, the highest sequence number in the entries before it, and verdicts.

    `good` has the positions of the records whose event is good; the others are duplicates.
    """

    records: tuple[LogRecord, ...]
    previous: int
    good: tuple[int, ...]

    @property
    def first(self) -> int:
        """The lowest sequence number."""
        return self.records[0].sequence

    @property
    def last(self) -> int:
        """The highest sequence number."""
        return self.records[-1].sequence

    @property
    def identities(self) -> list[str]:
        """The identities of the good events."""
        return [self.records[position].identity for position in self.good]

    def body(self) -> bytes:
        """Return the entry as the body of an object."""
        rows = [[it.sequence, it.arrived_ms, it.identity] for it in self.records]
        return json.dumps([rows, self.previous, self.good]).encode()

    @classmethod
    def parse(cls, body: bytes) -> "Entry":
        """Parse what `body` returned."""
        rows, previous, good = json.loads(body)
        return cls(tuple(LogRecord(*row) for row in rows), previous, tuple(good))


@dataclass
class LogTable:
    """The rows of the logs and the live counters, behind a network that can fail.

    `rows`: (number of known entries, highest sequence number in them) by log. `counts`: the good
    events by entry, counted once each.
    """

    rows: dict[str, tuple[int, int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def read(self, log: str) -> tuple[int, int] | None:
        """Read a row, strongly consistent."""
        return call_over_network("dynamodb get_item checkpoints", lambda: self.rows.get(log))

    def advance(self, log: str, number: int, high: int) -> None:
        """Store a row, unless the stored one knows as many entries."""

        def effect() -> None:
            if self.rows.get(log, (0, 0))[0] < number:
                self.rows[log] = (number, high)

        call_over_network("dynamodb put_item checkpoints", effect)

    def count(self, key: str, good: int) -> None:
        """Count the good events of an entry, once per entry."""

        def effect() -> None:
            self.counts.setdefault(key, good)

        call_over_network("dynamodb put_item live", effect)


class NumberedLog:
    """One process's writer of one shard. Function, redrive and restore use the same one."""

    def __init__(self, bucket: Bucket, table: LogTable, shard: str) -> None:
        self.bucket = bucket
        self.table = table
        self.shard = shard
        self._entries: dict[str, Entry] = {}
        self._beside: dict[str, Known] = {}

    def write(self, batch: Sequence[LogRecord], has_time: Callable[[], bool]) -> int | None:
        """Bring the records into entries; return the lowest record in no entry, or None.

        Raises:
            StorageError: No entry was passed.
        """
        unwritten = {record.sequence: record for record in batch}
        passed = 0
        for log in sorted({self.log_of(record, batch) for record in batch}):
            mine = [record for record in batch if self.log_of(record, batch) == log]
            try:
                for _ in self._bring(log, mine, unwritten):
                    passed += 1
                    if not has_time():
                        return min(unwritten, default=None)
            except StorageError:
                if not passed:
                    raise
                break
        return min(unwritten, default=None)

    def log_of(self, record: LogRecord, batch: Sequence[LogRecord]) -> str:
        """Return the log of a record: that of the hour in which it arrived."""
        del batch
        return f"{self.log_prefix()}{record.arrived_ms // HOUR_MS:08d}"

    def log_prefix(self) -> str:
        """Return the part of a log's name that the shard decides: its stream is part of it."""
        return f"{self.shard}/"

    def key(self, log: str, number: int) -> str:
        """Return the key of an entry."""
        return f"log/{log}-{number:0{DIGITS}d}"

    def _bring(
        self, log: str, mine: Sequence[LogRecord], unwritten: dict[int, LogRecord]
    ) -> Iterator[None]:
        """States B to G for the records of one log; yield after each entry that was passed."""
        number, high = self._position(log)
        self.subtract_known(log, number, high, mine, unwritten)
        while rest := [record for record in mine if record.sequence in unwritten]:
            draft = self.draft(log, number, high, rest)
            entry = self.put(log, number, high, draft)
            self.settle(log, number, high, entry, created=entry is draft)
            number, high = number + 1, max(high, entry.last)
            self.subtract(entry, draft, unwritten)
            yield

    def _position(self, log: str) -> tuple[int, int]:
        """State A: read the row; without one, list the log and count its newest entry.

        Raises:
            StorageError: The log has a hole, or S3 or DynamoDB failed.
        """
        row = self.table.read(log)
        if row is not None:
            return row
        keys = list(self.bucket.keys(f"log/{log}-"))
        if keys != [self.key(log, number) for number in range(len(keys))]:
            raise StorageError(f"The log {log} has a hole. Restore its entries.")
        if not keys:
            return 0, 0
        newest = self.read(log, len(keys) - 1)
        high = self.rebuilt_high(newest)
        self.table.count(keys[-1], len(newest.good))
        self.table.advance(log, len(keys), high)
        return len(keys), high

    def rebuilt_high(self, newest: Entry) -> int:
        """Return the highest sequence number in a log from its newest entry."""
        return max(newest.previous, newest.last)

    def subtract_known(
        self,
        log: str,
        number: int,
        high: int,
        mine: Sequence[LogRecord],
        unwritten: dict[int, LogRecord],
    ) -> None:
        """State B: walk back through the entries that can hold records below the mark."""
        for before in range(number - 1, -1, -1):
            below = [it for it in mine if it.sequence in unwritten and it.sequence <= high]
            if not below:
                return
            entry = self.read(log, before)
            self.subtract(entry, entry, unwritten)
            if self.walk_ended(entry, min(record.sequence for record in below)):
                return

    def walk_ended(self, entry: Entry, lowest: int) -> bool:
        """Return whether every earlier entry is below the lowest record."""
        return entry.previous < lowest

    def draft(self, log: str, number: int, high: int, rest: Sequence[LogRecord]) -> Entry:
        """State C: decide the next records' verdicts, knowing every entry before this one."""
        known = self.known(log, number)
        records = tuple(sorted(rest)[:ENTRY_RECORDS])
        good = []
        for position, record in enumerate(records):
            if record.identity not in known:
                good.append(position)
                known.add(record.identity)
        return Entry(records, high, tuple(good))

    def known(self, log: str, number: int) -> Known:
        """Return the good identities of the log's entries below `number`, and of both hours beside.

        Those hours are read when the process opens the log, so copies in two hours can both be good
        if their writers overlap. A duplicate has a good row in an entry.
        """
        if log not in self._beside:
            before, after = (self.identities_of(self.hour_of(log, it)) for it in (-1, 1))
            self._beside[log] = before | after
        own = {it for lower in range(number) for it in self.read(log, lower).identities}
        return own | self._beside[log]

    def hour_of(self, log: str, distance: int) -> str:
        """Return the shard's log that many hours later."""
        shard, _, hour = log.rpartition("/")
        return f"{shard}/{int(hour) + distance:08d}"

    def identities_of(self, log: str) -> Known:
        """Return the good identities of a log's entries."""
        count = len(list(self.bucket.keys(f"log/{log}-")))
        return {it for number in range(count) for it in self.read(log, number).identities}

    def put(self, log: str, number: int, high: int, draft: Entry) -> Entry:
        """State D: PUT the draft as entry `number`; return the entry with this number."""
        del high
        if self.bucket.create(self.key(log, number), draft.body(), {}):
            return draft
        return self.read(log, number)

    def settle(self, log: str, number: int, high: int, entry: Entry, *, created: bool) -> None:
        """States E and F: count the entry, and only then raise the row."""
        del created
        self.table.count(self.key(log, number), len(entry.good))
        self.table.advance(log, number + 1, max(high, entry.last))

    def subtract(self, entry: Entry, draft: Entry, unwritten: dict[int, LogRecord]) -> None:
        """Remove the records of an entry, and no others."""
        del draft
        for record in entry.records:
            unwritten.pop(record.sequence, None)

    def read(self, log: str, number: int) -> Entry:
        """Return an entry. Entries are immutable, so the process keeps them.

        Raises:
            StorageError: It doesn't exist, or S3 failed.
        """
        key = self.key(log, number)
        if key not in self._entries:
            self._entries[key] = Entry.parse(self.bucket.read(key))
        return self._entries[key]


def count_newest_entries(bucket: Bucket, table: LogTable) -> None:
    """Count the newest entry of each log: the hourly job's part, after a crash without a successor.

    Raises:
        StorageError: S3 or DynamoDB failed.
    """
    newest = {key.rpartition("-")[0]: key for key in bucket.keys("log/")}
    for key in newest.values():
        table.count(key, len(Entry.parse(bucket.read(key)).good))
