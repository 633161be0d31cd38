"""Which sequence numbers of a shard the lake covers, and where it has gaps. Pure."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from stream_processor.storage.lake_types import HighWaterMark, ObjectSummary

#: (prefix of the lake, shard)
type ShardId = tuple[str, str]
#: held: an object has the record. lost: none has it, but a later record was written. waiting: none
#: has it, and no later record is known to be written.
type RecordState = Literal["held", "lost", "waiting"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers that no object covers: after `after`, up to `until`."""

    after: int | None
    until: int


@dataclass(slots=True)
class ShardCoverage:
    """The objects, checkpoint and redrive objects of one shard.

    `held` contains the sequence numbers in redrive objects, whose ranges can have gaps.
    """

    objects: dict[str, ObjectSummary] = field(default_factory=dict)
    checkpoint: HighWaterMark | None = None
    redriven: list[ObjectSummary] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    _ordered: list[ObjectSummary] | None = None

    @property
    def ordered(self) -> list[ObjectSummary]:
        """The objects in sequence order. Read it only after the last object is added."""
        if self._ordered is None:
            self._ordered = sorted(self.objects.values(), key=_first)
        return self._ordered

    @property
    def written(self) -> int:
        """The highest sequence number that is certainly written, by an object or the checkpoint."""
        ends = [summary.last for summary in self.ordered]
        if self.checkpoint is not None:
            ends.append(self.checkpoint.high)
        return max(ends, default=-1)

    def state(self, sequence: int) -> RecordState:
        """Return the state of a record that the stream retains."""
        if self.holds(sequence):
            return "held"
        return "lost" if sequence <= self.written else "waiting"

    def holds(self, sequence: int) -> bool:
        """Return whether an object has the record."""
        position = bisect_right(self.ordered, sequence, key=_first)
        covered = position > 0 and sequence <= self.ordered[position - 1].last
        return covered or sequence in self.held

    def gaps(self) -> list[Gap]:
        """Return the gaps between the objects, or between the last one and the checkpoint."""
        gaps: list[Gap] = []
        end: int | None = None
        for summary in self.ordered:
            if summary.previous is not None and (end is None or summary.previous > end):
                gaps.append(Gap(end, summary.previous))
            end = summary.last if end is None else max(end, summary.last)
        if self.checkpoint is not None and (end is None or self.checkpoint.high > end):
            gaps.append(Gap(end, self.checkpoint.high))
        return [gap for gap in gaps if not self._redriven(gap)]

    def overlaps(self) -> list[str]:
        """Return the keys of objects that start before the object before them ends."""
        keys: list[str] = []
        end: int | None = None
        for key, summary in sorted(self.objects.items(), key=lambda item: item[1].first):
            if end is not None and summary.first <= end:
                keys.append(key)
            end = summary.last if end is None else max(end, summary.last)
        return keys

    def free_for(self, summary: ObjectSummary) -> bool:
        """Return whether no object has any record of a deleted object's range."""
        return not any(
            one.first <= summary.last and summary.first <= one.last for one in self.ordered
        ) and not any(summary.first <= sequence <= summary.last for sequence in self.held)

    def _redriven(self, gap: Gap) -> bool:
        """Return whether redrive objects, each naming its predecessor, cover the gap."""
        at = gap.after
        for summary in sorted(self.redriven, key=_first):
            if summary.previous == at and (at is None or summary.first > at):
                at = summary.last
        return at is not None and at >= gap.until


def _first(summary: ObjectSummary) -> int:
    return summary.first
