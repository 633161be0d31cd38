"""The input of a simulated run, and its report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from aws_emulator.event_sources.records import Record


@dataclass(slots=True)
class SimulatedShard:
    """A shard and its records in sequence order. The mapping reads its parents first.

    A `closed` shard gets no more records. The first `trimmed` records have left the retention
    period.
    """

    shard_id: str
    records: Sequence[Record]
    parents: tuple[str, ...] = ()
    closed: bool = True
    trimmed: int = 0


@dataclass(slots=True)
class CallLog:
    """One invocation: its records, and its result as the mapping saw it."""

    number: int
    shard_id: str
    sequence_numbers: list[str]
    seen: Literal["returned", "failed", "timed out", "lost"] = "lost"


@dataclass(frozen=True, slots=True)
class DiscardLog:
    """One discarded batch: its invocation record, and the event that an S3 destination gets."""

    shard_id: str
    sequence_numbers: list[str]
    condition: str
    document: str
    event: str


@dataclass(slots=True)
class Report:
    """The result of a run. Records are listed by their sequence numbers."""

    calls: list[CallLog] = field(default_factory=list)
    #: Delivered records by shard, in order of delivery. A restart can repeat records.
    delivered: dict[str, list[str]] = field(default_factory=dict)
    discards: list[DiscardLog] = field(default_factory=list)
    filtered: set[str] = field(default_factory=set)
    #: Checkpoints by shard, in the order of their writes.
    checkpoints: dict[str, list[str]] = field(default_factory=dict)
    #: Records that were neither delivered, discarded nor filtered. Empty unless records are lost.
    unaccounted: set[str] = field(default_factory=set)
    trace: list[str] = field(default_factory=list)
    restarts: int = 0
    zombies: int = 0
    points: int = 0

    @property
    def discarded(self) -> list[str]:
        """The records of all discarded batches."""
        return [sequence for discard in self.discards for sequence in discard.sequence_numbers]
