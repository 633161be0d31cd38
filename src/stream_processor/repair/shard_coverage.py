"""Which sequence numbers of a shard the lake covers, and where it has gaps. Pure."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
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

    `held` contains the sequence numbers in redrive objects, whose ranges can have gaps. `rows`
    contains those of other objects that were read, by key: without them an object is taken to hold
    every record from its first to its last. Objects that begin before `since_ms` aren't known.
    """

    objects: dict[str, ObjectSummary] = field(default_factory=dict)
    checkpoint: HighWaterMark | None = None
    redriven: list[ObjectSummary] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    rows: dict[str, set[int]] = field(default_factory=dict)
    since_ms: int | None = None
    _sorted: list[tuple[str, ObjectSummary]] | None = None
    _ends: list[int] = field(default_factory=list)

    @property
    def ordered(self) -> list[ObjectSummary]:
        """The objects in sequence order. Read it only after the last object is added."""
        return [summary for _, summary in self._by_first()]

    def _by_first(self) -> list[tuple[str, ObjectSummary]]:
        if self._sorted is None:
            self._sorted = sorted(self.objects.items(), key=lambda item: item[1].first)
            self._ends = list(accumulate((it.last for _, it in self._sorted), max))
        return self._sorted

    @property
    def written(self) -> int:
        """The highest sequence number that is certainly written, by an object or the checkpoint."""
        ends = [summary.last for summary in self.objects.values()]
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
        return sequence in self.held or any(
            key not in self.rows or sequence in self.rows[key] for key in self.around(sequence)
        )

    def around(self, sequence: int) -> Iterator[str]:
        """Yield the keys of the objects whose range contains the record."""
        ordered = self._by_first()
        position = bisect_right(ordered, sequence, key=lambda item: item[1].first)
        while position and self._ends[position - 1] >= sequence:
            position -= 1
            if ordered[position][1].last >= sequence:
                yield ordered[position][0]

    def sharing_ranges(self) -> list[tuple[str, str]]:
        """Return the pairs of objects whose ranges have a record in common."""
        pairs: list[tuple[str, str]] = []
        open_objects: list[tuple[str, ObjectSummary]] = []
        for key, summary in self._by_first():
            open_objects = [item for item in open_objects if item[1].last >= summary.first]
            pairs += [(other, key) for other, _ in open_objects]
            open_objects.append((key, summary))
        return pairs

    def gaps(self) -> list[Gap]:
        """Return the gaps between the objects, or between the last one and the checkpoint."""
        gaps: list[Gap] = []
        end: int | None = None
        for summary in self.ordered:
            if end is None and self.since_ms is not None:
                end = summary.previous
            if summary.previous is not None and (end is None or summary.previous > end):
                gaps.append(Gap(end, summary.previous))
            end = summary.last if end is None else max(end, summary.last)
        if self._is_behind_checkpoint(end):
            assert self.checkpoint is not None
            gaps.append(Gap(end, self.checkpoint.high))
        return [gap for gap in gaps if not self._redriven(gap)]

    def _is_behind_checkpoint(self, end: int | None) -> bool:
        """Return whether the last known object, which ends at `end`, lacks records of the mark."""
        if self.checkpoint is None:
            return False
        if end is None and self.since_ms is not None:
            return self.checkpoint.arrived_ms >= self.since_ms
        return end is None or self.checkpoint.high > end

    def overlaps(self) -> list[str]:
        """Return the keys of objects that have a record of an object before them.

        Objects whose rows weren't read have every record of their range.
        """
        return sorted(
            {
                key
                for other, key in self.sharing_ranges()
                if not (other in self.rows and key in self.rows)
                or self.rows[other] & self.rows[key]
            }
        )

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
