"""Data types of the objects in the lake and of a shard's high-water mark. Pure.

The commit protocol works on these types; `object_writer` stores them in S3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from stream_processor.ingest.sequence_numbers import padded


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

    `first` and `last` are sequence numbers, and `previous` is the last sequence number of the
    object before it in the shard: with it `verify` finds an object that is missing. A `late`
    object holds records that were behind the mark when they were written; it is named like any
    other, and isn't part of the sequence of objects that the mark follows.
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
            **({"late": "yes"} if self.late else {}),
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
    """An object that is ready to be written. `stats` is counted once the object is committed."""

    summary: ObjectSummary
    body: bytes
    digest: str
    stats: T


@dataclass(frozen=True, slots=True)
class ExistingObject:
    """The summary and SHA-256 digest of an object that is already in the lake."""

    summary: ObjectSummary
    digest: str


@dataclass(frozen=True, slots=True)
class HighWaterMark:
    """The last sequence number of a shard's newest object, and when that object's first arrived."""

    high: int
    arrived_ms: int
