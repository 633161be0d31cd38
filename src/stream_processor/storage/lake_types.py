"""Data types of the objects in the lake and of a shard's high-water mark. Pure.

The commit protocol works on these types; `object_writer` stores them in S3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from stream_processor.ingest.sequence_numbers import padded

#: A log holds the records of one hour.
HOUR_MS: Final = 3_600_000


class SequencedRecord(Protocol):
    """A stream record: its sequence number and its arrival time."""

    @property
    def sequence(self) -> int:
        """The record's sequence number."""
        ...

    @property
    def arrived_ms(self) -> int:
        """The record's arrival time, in milliseconds since the epoch."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """Contents of one object, as stored in its S3 user metadata.

    `first` and `last` are sequence numbers; an entry of a log can lack records between them. Its
    `previous` is the highest sequence number in the entries before it, and `records` counts the
    records that have rows. A `late` object of a version before the logs isn't part of its shard's
    sequence of objects.
    """

    first: int
    last: int
    arrived_ms: int
    previous: int | None
    records: int
    good: int
    bad: int
    duplicate: int
    late: bool = False

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.good + self.bad + self.duplicate

    def metadata(self) -> dict[str, str]:
        """Return the summary as S3 user metadata, which is text."""
        return {
            "first": padded(self.first),
            "last": padded(self.last),
            "arrived": str(self.arrived_ms),
            "previous": "none" if self.previous is None else padded(self.previous),
            "records": str(self.records),
            "good": str(self.good),
            "bad": str(self.bad),
            "duplicate": str(self.duplicate),
        }

    @classmethod
    def parse(cls, metadata: Mapping[str, str]) -> "ObjectSummary":
        """Parse what `metadata` returned.

        Raises:
            KeyError: A key is missing.
            ValueError: A value isn't a number.
        """
        previous = metadata["previous"]
        return cls(
            first=int(metadata["first"]),
            last=int(metadata["last"]),
            arrived_ms=int(metadata["arrived"]),
            previous=None if previous == "none" else int(previous),
            records=int(metadata["records"]),
            good=int(metadata["good"]),
            bad=int(metadata["bad"]),
            duplicate=int(metadata["duplicate"]),
            late=metadata.get("late") == "yes",
        )


@dataclass(frozen=True, slots=True)
class PendingObject[T]:
    """An object that is ready to be written. `stats` is counted once the object is committed.

    It was made of `taken` records; some of them can have no rows.
    """

    summary: ObjectSummary
    body: bytes
    digest: str
    stats: T
    taken: int


@dataclass(frozen=True, slots=True)
class ExistingObject:
    """The summary and SHA-256 digest of an object that is already in the lake."""

    summary: ObjectSummary
    digest: str


@dataclass(frozen=True, slots=True)
class LogPosition:
    """How far a writer knows a log: `entries`, and `high`, the highest sequence number in them.

    `old` is the last sequence number that the writer before the logs wrote to the shard.
    """

    entries: int
    high: int | None
    old: int | None

    def after(self, summary: ObjectSummary) -> "LogPosition":
        """Return the position after the next entry."""
        known = [it for it in (self.high, summary.last) if it is not None]
        return LogPosition(self.entries + 1, max(known), self.old)


@dataclass(frozen=True, slots=True)
class HighWaterMark:
    """A sequence number up to which something is done, and its time in Unix ms."""

    high: int
    arrived_ms: int
