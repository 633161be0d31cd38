"""What a simulated run is given, and what it tells."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from aws_emulator.event_sources.records import Record


@dataclass(slots=True)
class SimulatedShard:
    """A shard and what is in it, in order of sequence; its parents are read to the end first.

    `closed`: nothing is added any more. The stream has forgotten the first `trimmed` records.
    """

    shard_id: str
    records: Sequence[Record]
    parents: tuple[str, ...] = ()
    closed: bool = True
    trimmed: int = 0


@dataclass(slots=True)
class CallLog:
    """One invocation: what it got, and how the poller saw it end."""

    number: int
    shard_id: str
    sequence_numbers: list[str]
    seen: Literal["returned", "failed", "timed out", "lost"] = "lost"


@dataclass(frozen=True, slots=True)
class DiscardLog:
    """One batch that was given up: the on-failure document, and the event that S3 would get."""

    shard_id: str
    sequence_numbers: list[str]
    condition: str
    document: str
    event: str


@dataclass(slots=True)
class Report:
    """What a run did with the records. Sequence numbers are those of the records."""

    calls: list[CallLog] = field(default_factory=list)
    #: Sequences by shard in the order in which the poller took them for delivered; a restart can
    #: repeat them.
    delivered: dict[str, list[str]] = field(default_factory=dict)
    discards: list[DiscardLog] = field(default_factory=list)
    filtered: set[str] = field(default_factory=set)
    #: Every checkpoint by shard, in the order in which it was written.
    checkpoints: dict[str, list[str]] = field(default_factory=dict)
    #: Sequences that are neither delivered nor discarded nor filtered: must be empty.
    unaccounted: set[str] = field(default_factory=set)
    trace: list[str] = field(default_factory=list)
    restarts: int = 0
    zombies: int = 0
    points: int = 0

    @property
    def discarded(self) -> list[str]:
        """The sequences of all batches that were given up."""
        return [sequence for discard in self.discards for sequence in discard.sequence_numbers]
