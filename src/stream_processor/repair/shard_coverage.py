"""Which records of a shard the lake holds, and where it has gaps. Pure, apart from `Read`."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from stream_processor.storage.lake_types import HighWaterMark, LogPosition, ObjectSummary

#: (prefix of the lake, shard)
type ShardId = tuple[str, str]
#: Return the sequence numbers of the rows of an object.
type Read = Callable[[str], set[int]]


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers that no object covers: after `after`, up to `until`."""

    after: int | None
    until: int


@dataclass(slots=True)
class LogCoverage:
    """The entries of one log by number, and its row."""

    entries: dict[int, tuple[str, ObjectSummary]] = field(default_factory=dict)
    row: LogPosition | None = None

    @property
    def records(self) -> int:
        """The number of records in the entries. No record is in two of them."""
        return sum(summary.records for _, summary in self.entries.values())

    def missing(self) -> list[int]:
        """Return the numbers that have no entry, although a later entry or the row shows them."""
        known = 0 if self.row is None else self.row.entries
        end = max([known, *(number + 1 for number in self.entries)])
        return [number for number in range(end) if number not in self.entries]

    def doubled(self, read: Read) -> list[str]:
        """Return the keys of entries that have a record of an entry before them."""
        seen: set[int] = set()
        keys: list[str] = []
        for _, (key, _) in sorted(self.entries.items()):
            rows = read(key)
            if rows & seen:
                keys.append(key)
            seen |= rows
        return keys

    def high_before(self, number: int) -> int | None:
        """Return a sequence number that no earlier entry exceeds, for an empty entry."""
        later = [self.entries[it][1].previous for it in sorted(self.entries) if it > number]
        return next(iter(later), None if self.row is None else self.row.high)


@dataclass(slots=True)
class ShardCoverage:
    """The logs of one shard, and its objects of versions before the logs.

    `objects` and `checkpoint` are of those versions, and `redriven` and `held` of their redrives,
    whose ranges can have gaps. `rows` contains the sequence numbers in other objects that were
    read, by key. Objects that begin before `since_ms` aren't known.
    """

    logs: dict[str, LogCoverage] = field(default_factory=dict)
    objects: dict[str, ObjectSummary] = field(default_factory=dict)
    checkpoint: HighWaterMark | None = None
    redriven: list[ObjectSummary] = field(default_factory=list)
    held: set[int] = field(default_factory=set)
    rows: dict[str, set[int]] = field(default_factory=dict)
    since_ms: int | None = None
    _sorted: list[tuple[str, ObjectSummary]] | None = None
    _ends: list[int] = field(default_factory=list)

    def log(self, name: str) -> LogCoverage:
        """Return the coverage of a log, empty at first."""
        return self.logs.setdefault(name, LogCoverage())

    @property
    def summaries(self) -> Iterator[ObjectSummary]:
        """The summaries of all objects."""
        yield from self.objects.values()
        yield from self.redriven
        for log in self.logs.values():
            yield from (summary for _, summary in log.entries.values())

    @property
    def written(self) -> int:
        """The highest sequence number that is certainly written."""
        ends = [summary.last for summary in self.summaries]
        ends += [log.row.high for log in self.logs.values() if log.row and log.row.high is not None]
        return max([self.old_end, *ends])

    @property
    def old_end(self) -> int:
        """The highest sequence number that versions before the logs wrote; -1 for none."""
        ends = [summary.last for summary in (*self.objects.values(), *self.redriven)]
        if self.checkpoint is not None:
            ends.append(self.checkpoint.high)
        return max(ends, default=-1)

    def absent(self, log: str, sequences: Iterable[int], read: Read) -> list[int]:
        """Return those records of a log that no object holds, by the rows of its entries."""
        rest = set(sequences)
        if log in self.logs:
            for key, summary in self.logs[log].entries.values():
                if any(summary.first <= sequence <= summary.last for sequence in rest):
                    rest -= read(key)
        return sorted(it for it in rest if not self._in_old_object(it, read))

    def _in_old_object(self, sequence: int, read: Read) -> bool:
        if sequence in self.held:
            return True
        return any(self._holds(key, sequence, read) for key in self._around(sequence))

    def _holds(self, key: str, sequence: int, read: Read) -> bool:
        if key not in self.rows:
            self.rows[key] = read(key)
        # Records without rows can't be told: an object with some is taken to hold its whole range.
        rows = self.rows[key]
        return sequence in rows or len(rows) != self.objects[key].records

    def _by_first(self) -> list[tuple[str, ObjectSummary]]:
        if self._sorted is None:
            self._sorted = sorted(self.objects.items(), key=lambda item: item[1].first)
            self._ends = list(accumulate((it.last for _, it in self._sorted), max))
        return self._sorted

    def _around(self, sequence: int) -> Iterator[str]:
        """Yield the keys of the objects with old names whose range contains the record."""
        ordered = self._by_first()
        position = bisect_right(ordered, sequence, key=lambda item: item[1].first)
        while position and self._ends[position - 1] >= sequence:
            position -= 1
            if ordered[position][1].last >= sequence:
                yield ordered[position][0]

    def gaps(self) -> list[Gap]:
        """Return the gaps between the objects with old names, or to the checkpoint."""
        gaps: list[Gap] = []
        end: int | None = None
        for _, summary in self._by_first():
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

    def _redriven(self, gap: Gap) -> bool:
        """Return whether redrive objects, each naming its predecessor, cover the gap."""
        at = gap.after
        for summary in sorted(self.redriven, key=_first):
            if summary.previous == at and (at is None or summary.first > at):
                at = summary.last
        return at is not None and at >= gap.until

    def overlaps(self) -> list[str]:
        """Return the keys of old objects that can have a record of an object before them."""
        overlapping: list[str] = []
        end = -1
        for key, summary in self._by_first():
            if summary.first <= end and not summary.late:
                overlapping.append(key)
            end = max(end, summary.last) if not summary.late else end
        return sorted(overlapping)


def _first(summary: ObjectSummary) -> int:
    return summary.first
