"""Do the objects of a shard tile? Each names the end of the one before: a missing one shows.

Nothing here knows S3 or the streams.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from stream_processor.storage.lake_types import HighWaterMark, ObjectSummary

#: (prefix of the lake, shard)
type ShardId = tuple[str, str]
#: held: in an object. lost: in none, but something behind it was written. waiting: in none, and
#: nothing behind it was written as far as anybody knows.
type RecordState = Literal["held", "lost", "waiting"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers that no object holds: behind `after`, up to `until`."""

    after: int | None
    until: int


@dataclass(slots=True)
class ShardCoverage:
    """What is known of one shard: its objects, its row, and what lies beside its chain."""

    objects: dict[str, ObjectSummary] = field(default_factory=dict)
    row: HighWaterMark | None = None
    #: Objects beside the chain, and the sequence numbers that they hold.
    beside: list[ObjectSummary] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    _chain: list[ObjectSummary] | None = None

    @property
    def chain(self) -> list[ObjectSummary]:
        """The objects in their order. Ask once all are known."""
        if self._chain is None:
            self._chain = sorted(self.objects.values(), key=_first)
        return self._chain

    @property
    def end(self) -> HighWaterMark | None:
        """How far the shard is by its newest object."""
        newest = max(self.chain, key=lambda summary: summary.last, default=None)
        return None if newest is None else HighWaterMark(newest.last, newest.arrived_ms)

    @property
    def written(self) -> int:
        """Up to where records were written for certain: the objects say so, or the row does."""
        checkpoints = [mark.high for mark in (self.row, self.end) if mark is not None]
        return max(checkpoints, default=-1)

    def kind(self, sequence: int) -> RecordState:
        """What became of a record that a stream still has."""
        if self.holds(sequence):
            return "held"
        return "lost" if sequence <= self.written else "waiting"

    def holds(self, sequence: int) -> bool:
        """Whether any object has the record."""
        place = bisect_right(self.chain, sequence, key=_first)
        return (place > 0 and sequence <= self.chain[place - 1].last) or sequence in self.held

    def gaps(self) -> list[Gap]:
        """What is missing between the objects, or up to the row."""
        found: list[Gap] = []
        end: int | None = None
        for summary in self.chain:
            if summary.previous is not None and (end is None or summary.previous > end):
                found.append(Gap(end, summary.previous))
            end = summary.last if end is None else max(end, summary.last)
        if self.row is not None and (end is None or self.row.high > end):
            found.append(Gap(end, self.row.high))
        return [gap for gap in found if not self._bridged(gap)]

    def overlaps(self) -> list[str]:
        """Names of objects that begin before the one before them ends."""
        found: list[str] = []
        end: int | None = None
        for key, summary in sorted(self.objects.items(), key=lambda item: item[1].first):
            if end is not None and summary.first <= end:
                found.append(key)
            end = summary.last if end is None else max(end, summary.last)
        return found

    def free_for(self, summary: ObjectSummary) -> bool:
        """Whether nothing is there of what an object holds that was deleted."""
        return not any(
            one.first <= summary.last and summary.first <= one.last for one in self.chain
        ) and not any(summary.first <= sequence <= summary.last for sequence in self.held)

    def _bridged(self, gap: Gap) -> bool:
        """Whether what lies beside the chain tiles the gap: it was read from the stream again."""
        at = gap.after
        for summary in sorted(self.beside, key=_first):
            if summary.previous == at and (at is None or summary.first > at):
                at = summary.last
        return at is not None and at >= gap.until


def _first(summary: ObjectSummary) -> int:
    return summary.first
