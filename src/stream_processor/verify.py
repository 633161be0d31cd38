"""Do the objects of each shard tile? Each names the end of the one before: a missing one shows.

`python -m stream_processor.verify` walks the lake and prints what it found; with `--restore` it
brings back, from the bucket's versions, what was deleted out of the middle or the end of a chain.
The environment is that of the functions.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from stream_processor import lake, settings
from stream_processor.chain import SEQUENCE_DIGITS, Summary
from stream_processor.door import House
from stream_processor.errors import StreamProcessorError
from stream_processor.lake import Prefix

#: Objects beside the chains: repairs, and what was read again.
_BESIDE: Final = ("redrive-", "again-", "reconciler-")


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers of a shard that no object holds: behind `after`, up to `until`."""

    prefix: str
    shard: str
    after: int | None
    until: int


@dataclass(slots=True)
class Verdict:
    """What a walk found. `overlaps` are names whose object begins before the last one ended."""

    objects: int = 0
    shards: int = 0
    good: int = 0
    bad: int = 0
    duplicate: int = 0
    gaps: list[Gap] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    restored: int = 0

    def __str__(self) -> str:
        named = {name: getattr(self, name) for name in self.__slots__}
        named["gaps"] = len(self.gaps)
        named["overlaps"] = len(self.overlaps)
        return json.dumps(named)


class Verifier:
    """Walks the chains of a lake."""

    def __init__(self, house: House) -> None:
        self._house = house

    def run(self, *, restore: bool = False) -> Verdict:
        """Walk all chains; with `restore`, bring back what versions allow and walk again."""
        verdict = self._walk()
        if restore and verdict.gaps:
            restored = sum(self._restore(gap) for gap in verdict.gaps)
            verdict = self._walk()
            verdict.restored = restored
        return verdict

    def _walk(self) -> Verdict:
        verdict = Verdict()
        rows = self._rows()
        chains = {
            (prefix, shard): objects
            for prefix in (lake.EVENTS, lake.CHANGES)
            for shard, objects in self._chains(prefix).items()
        }
        for place in sorted(chains.keys() | rows.keys()):
            verdict.shards += 1
            self._check(place, chains.get(place, []), rows.get(place), verdict)
        return verdict

    def _chains(self, prefix: str) -> dict[str, list[tuple[str, Summary]]]:
        chains: dict[str, list[tuple[str, Summary]]] = defaultdict(list)
        for key in self._house.lake.keys(f"{prefix}/"):
            name = key.rpartition("/")[2]
            shard = name[: -len(lake.SUFFIX) - SEQUENCE_DIGITS - 1]
            if shard and not name.startswith(_BESIDE):
                chains[shard].append((key, lake.summary(self._house.lake, key).summary))
        return chains

    def _rows(self) -> dict[tuple[str, str], int]:
        """The high-water rows: where the newest object of each shard ended when it was written."""
        rows: dict[tuple[str, str], int] = {}
        for item in self._house.checkpoints.scan():
            stream, _, shard = item["chain"]["S"].rpartition("#")
            # A table's stream is "<table>/<label>", and a Kinesis stream's name holds no slash.
            prefix = lake.CHANGES if "/" in stream else lake.EVENTS
            rows[prefix, shard] = int(item["high"]["S"])
        return rows

    @staticmethod
    def _check(
        place: tuple[str, str],
        objects: list[tuple[str, Summary]],
        row: int | None,
        verdict: Verdict,
    ) -> None:
        end: int | None = None
        for key, summary in sorted(objects, key=lambda item: item[1].first):
            verdict.objects += 1
            verdict.good += summary.good
            verdict.bad += summary.bad
            verdict.duplicate += summary.duplicate
            if summary.previous is not None and summary.previous != end:
                verdict.gaps.append(Gap(*place, end, summary.previous))
            if end is not None and summary.first <= end:
                verdict.overlaps.append(key)
            end = summary.last
        if row is not None and (end is None or row > end):
            verdict.gaps.append(Gap(*place, end, row))

    def _restore(self, gap: Gap) -> int:
        names = Prefix(gap.prefix, gap.shard)
        restored = 0
        for key, marker in list(self._house.lake.deleted(f"{gap.prefix}/")):
            if not key.rpartition("/")[2].startswith(f"{gap.shard}-"):
                continue
            if (gap.after is None or names.first(key) > gap.after) and names.first(
                key
            ) <= gap.until:
                self._house.lake.undelete(key, marker)
                restored += 1
        return restored


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify, and print the verdict. 1 where a chain has a gap or an overlap, or AWS fails."""
    parser = argparse.ArgumentParser(prog="stream_processor.verify", description=__doc__)
    parser.add_argument("--restore", action="store_true", help="bring back what was deleted")
    given = parser.parse_args(arguments)
    try:
        verdict = Verifier(House.of(settings.parse(os.environ))).run(restore=given.restore)
    except StreamProcessorError as error:
        print(f"verify: {error} ({error.code})", file=sys.stderr)
        return 1
    print("verified", verdict)
    for gap in verdict.gaps:
        print(f"  {gap.prefix} {gap.shard}: nothing between {gap.after} and {gap.until}")
    for key in verdict.overlaps:
        print(f"  {key} begins before the object before it ends")
    return 1 if verdict.gaps or verdict.overlaps else 0


if __name__ == "__main__":
    sys.exit(main())
