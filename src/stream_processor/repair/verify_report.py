"""The result of `verify`, and its text."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from stream_processor.repair.shard_coverage import Gap, ShardCoverage, ShardId

_COUNTS: Final = ("objects", "shards", "good", "bad", "duplicate", "restored", "reread")
#: The counts of a complete lake are 0 for these. The second ones are by log or shard.
_FAULTS: Final = ("gaps", "overlaps", "deleted", "without_summary")
_FAULTS_OF_SHARDS: Final = ("missing", "lost", "waiting")
FAULTS: Final = (*_FAULTS, *_FAULTS_OF_SHARDS)
_NEXT_STEP: Final = (
    "Records are missing. --restore restores them from the bucket's versions and the streams."
)
#: No remaining object, checkpoint, version, marker or stream shows these losses.
_LIMITS: Final = (
    "Not detectable: the end of a shard that was lost with its checkpoint and every version and "
    "marker of its objects, if the stream no longer retains it (events: the stream's retention; "
    "changes: 24 hours); or an object whose bytes, but not its metadata, were replaced."
)


@dataclass(slots=True)
class VerifyReport:
    """Counts of all shards, and every fault found.

    `missing` are numbers of entries that don't exist, by log. `unrestorable` are objects of
    reprocessing or reconciliation whose every version is deleted.
    """

    objects: int = 0
    shards: int = 0
    good: int = 0
    bad: int = 0
    duplicate: int = 0
    restored: int = 0
    reread: int = 0
    streams_read: bool = True
    since: date | None = None
    gaps: list[tuple[ShardId, Gap]] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    without_summary: list[str] = field(default_factory=list)
    missing: dict[str, list[int]] = field(default_factory=dict)
    unrestorable: list[str] = field(default_factory=list)
    lost: dict[ShardId, list[int]] = field(default_factory=lambda: defaultdict(list))
    waiting: dict[ShardId, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def complete(self) -> bool:
        """Whether no record is known to be missing."""
        return not any(getattr(self, name) for name in FAULTS)

    def add(self, shard: ShardId, coverage: ShardCoverage) -> None:
        """Add the objects and faults of one shard."""
        self.shards += 1
        for summary in coverage.summaries:
            self.objects += 1
            self.good += summary.good
            self.bad += summary.bad
            self.duplicate += summary.duplicate
        self.gaps += [(shard, gap) for gap in coverage.gaps()]
        self.overlaps += coverage.overlaps()
        for name, log in coverage.logs.items():
            if numbers := log.missing():
                self.missing[name] = numbers

    def add_absent(self, shard: ShardId, sequences: Sequence[int], written: int) -> None:
        """Add records of the stream that no object has. Those up to `written` are lost."""
        for sequence in sequences:
            (self.lost if sequence <= written else self.waiting)[shard].append(sequence)

    def __str__(self) -> str:
        counts = {name: getattr(self, name) for name in _COUNTS}
        counts |= {name: len(getattr(self, name)) for name in _FAULTS}
        for name in _FAULTS_OF_SHARDS:
            counts[name] = sum(map(len, getattr(self, name).values()))
        return "\n".join([f"verified {json.dumps(counts)}", *self._sentences()])

    def _sentences(self) -> Iterator[str]:
        for (prefix, shard), gap in self.gaps:
            yield f"  {prefix} {shard}: no object covers {gap.after} to {gap.until}"
        for log, entries in self.missing.items():
            yield f"  {log}: no entry has the number {', '.join(map(str, entries))}"
        for key in self.overlaps:
            yield f"  {key} can have records of an object before it"
        for key in self.deleted:
            yield f"  {key} was deleted"
        for key in self.without_summary:
            yield f"  {key} has no valid summary in its metadata"
        for (prefix, shard), numbers in self.lost.items():
            yield (
                f"  {prefix} {shard}: {len(numbers)} records in the stream, from {min(numbers)} to "
                f"{max(numbers)}, are in no object"
            )
        for (prefix, shard), numbers in self.waiting.items():
            yield (
                f"  {prefix} {shard}: {len(numbers)} records in the stream, from {min(numbers)} "
                "on, aren't written yet: the function is behind, or the newest objects were lost "
                "with the checkpoint"
            )
        for key in self.unrestorable:
            yield (
                f"  {key} was deleted with all its versions; `redrive` or `reconcile` writes its "
                "rows again"
            )
        yield "No record is missing." if self.complete else _NEXT_STEP
        if self.since is not None:
            yield f"Objects before {self.since} were checked by an earlier run: --from checks them."
        if not self.streams_read:
            yield "The streams were not read: records that only they have are not checked."
        yield _LIMITS
