"""What `verify` found, and how it says so."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from stream_processor.repair.shard_coverage import Gap, RecordState, ShardCoverage, ShardId

_COUNTS: Final = ("objects", "shards", "good", "bad", "duplicate", "restored", "reread")
_REPAIR: Final = "Something is missing; --restore brings back what versions and streams still have."
#: No witness is left of this, so nobody can say that it did not happen.
_BLIND: Final = (
    "Nobody could see: the end of a shard that was lost with its row and every version and marker "
    "of its objects, before this was run, once its stream had forgotten it (events: the stream's "
    "retention; changes: 24 hours); or an object whose bytes, but not its metadata, were replaced."
)


@dataclass(slots=True)
class VerifyReport:
    """Figures of the chains, and everything that is wrong.

    `rowless` shards lack nothing yet; `unmade` are repairs whose every version is gone.
    """

    objects: int = 0
    shards: int = 0
    good: int = 0
    bad: int = 0
    duplicate: int = 0
    restored: int = 0
    reread: int = 0
    streams_asked: bool = True
    gaps: list[tuple[ShardId, Gap]] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    rowless: list[ShardId] = field(default_factory=list)
    unmade: list[str] = field(default_factory=list)
    lost: dict[ShardId, list[int]] = field(default_factory=lambda: defaultdict(list))
    waiting: dict[ShardId, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        wrong = (self.gaps, self.overlaps, self.deleted, self.strange, self.lost, self.waiting)
        return not any(wrong)

    def add(self, place: ShardId, coverage: ShardCoverage) -> None:
        """Take in what is known of one shard."""
        self.shards += 1
        for summary in [*coverage.chain, *coverage.beside]:
            self.objects += 1
            self.good += summary.good
            self.bad += summary.bad
            self.duplicate += summary.duplicate
        self.gaps += [(place, gap) for gap in coverage.gaps()]
        self.overlaps += coverage.overlaps()
        if coverage.row is None and coverage.chain:
            self.rowless.append(place)

    def add_absent(self, place: ShardId, sequence: int, kind: RecordState) -> None:
        """Take in a record that its stream has."""
        if kind != "held":
            (self.lost if kind == "lost" else self.waiting)[place].append(sequence)

    def __str__(self) -> str:
        counts = {name: getattr(self, name) for name in _COUNTS}
        counts |= {name: len(getattr(self, name)) for name in ("gaps", "overlaps", "deleted")}
        for name in ("lost", "waiting"):
            counts[name] = sum(map(len, getattr(self, name).values()))
        return "\n".join([f"verified {json.dumps(counts)}", *self._sentences()])

    def _sentences(self) -> Iterator[str]:
        for (prefix, shard), gap in self.gaps:
            yield f"  {prefix} {shard}: no object between {gap.after} and {gap.until}"
        for key in self.overlaps:
            yield f"  {key} begins before the object before it ends"
        for key in self.deleted:
            yield f"  {key} was deleted"
        for key in self.strange:
            yield f"  {key} does not say what it holds"
        for (prefix, shard), found in self.lost.items():
            yield (
                f"  {prefix} {shard}: {len(found)} records that the stream still has, from "
                f"{min(found)} to {max(found)}, are in no object"
            )
        for (prefix, shard), found in self.waiting.items():
            yield (
                f"  {prefix} {shard}: {len(found)} records from {min(found)} on wait on the "
                "stream: the function is behind, or its newest objects are lost with their row"
            )
        for key in self.unmade:
            yield f"  {key} was deleted with its versions; `redrive` and `reconcile` make its like"
        for prefix, shard in self.rowless:
            yield (
                f"  {prefix} {shard}: the row is missing; the next batch makes it again from the "
                "objects, before anything is written"
            )
        yield "Nothing is missing." if self.whole else _REPAIR
        if not self.streams_asked:
            yield "The streams were not asked: what they alone know of would not show."
        yield _BLIND
