"""Is everything in the lake that ever was, and everything that came in?

`python -m stream_processor.verify` asks every witness that there is: the objects of a shard, each
of which names the end of the one before; the shard's row; the bucket's delete markers; and the
streams, for as far back as they go. With `--restore` it brings back what was deleted, from the
bucket's versions, else from the streams. The environment is that of the functions.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, groupby
from typing import Any, Final

from stream_processor import lake, late, settings
from stream_processor.chain import SEQUENCE_DIGITS, Mark, Record
from stream_processor.door import House
from stream_processor.errors import ObjectMetadataError, StreamProcessorError
from stream_processor.late import Late
from stream_processor.s3 import Deleted
from stream_processor.source import Batch
from stream_processor.streams import Streams
from stream_processor.tiles import Place, Tiles
from stream_processor.verdict import Verdict

type Shards = dict[Place, Tiles]

#: Objects beside the chains that are no records of a stream: what was read again, and repairs.
_MADE: Final = ("again-", "reconciler-")
_PREFIXES: Final = (lake.EVENTS, lake.CHANGES)


class Verifier:
    """Asks the witnesses of a lake."""

    def __init__(
        self,
        house: House,
        streams: Streams | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._house = house
        self._streams = streams if streams is not None else Streams(house.settings)
        self._sleep = sleep

    def run(self, *, restore: bool = False, hours: int | None = None) -> Verdict:
        """Ask all; with `restore`, bring back what can be, and ask again.

        `hours` is how far back the streams are read: as far as they go where nothing is said.
        """
        reach = self._house.settings.retention_hours if hours is None else hours
        verdict = self._twice(reach)
        if restore and not verdict.whole:
            restored = self._undelete()
            reread = self._read_again(reach)
            verdict = self._twice(reach)
            verdict.restored, verdict.reread = restored, reread
        verdict.streams_asked = reach > 0
        return verdict

    def _twice(self, reach: int) -> Verdict:
        """Look, and look again at what is wrong: it may be on its way."""
        shards = self._shards(Verdict())
        absent: dict[Place, list[int]] = defaultdict(list)
        for place, batch in self._held_by_streams(reach):
            tiles = shards[place]
            absent[place] += [r.sequence for r in batch.records if not tiles.holds(r.sequence)]
        verdict = self._judge(absent)
        if not verdict.whole:
            self._sleep(self._house.settings.reconcile_grace_seconds)
            verdict = self._judge(absent)
        return verdict

    def _judge(self, absent: dict[Place, list[int]]) -> Verdict:
        verdict = Verdict()
        shards = self._shards(verdict)
        for place in sorted(shards.keys() | absent.keys()):
            tiles = shards[place]
            verdict.add(place, tiles)
            for sequence in absent[place]:
                verdict.add_absent(place, sequence, tiles.kind(sequence))
        for deleted in self._deleted():
            if self._is_missing(deleted, shards):
                verdict.deleted.append(deleted.key)
            elif deleted.version is None and _place(deleted.key) is None:
                verdict.unmade.append(deleted.key)
        return verdict

    def _shards(self, verdict: Verdict) -> Shards:
        shards: Shards = defaultdict(Tiles)
        # The rows first: what is written meanwhile is then an object more, and not a row ahead.
        for item in self._house.checkpoints.scan():
            stream, _, shard = item["chain"]["S"].rpartition("#")
            # A table's stream is "<table>/<label>", and a Kinesis stream's name holds no slash.
            prefix = lake.CHANGES if "/" in stream else lake.EVENTS
            shards[prefix, shard].row = Mark(int(item["high"]["S"]), int(item["arrived"]["N"]))
        for key in chain.from_iterable(self._house.lake.keys(f"{it}/") for it in _PREFIXES):
            place = _place(key)
            if place is None:
                continue
            try:
                summary = lake.summary(self._house.lake, key).summary
            except ObjectMetadataError:
                verdict.strange.append(key)
                continue
            if _beside(key):
                tiles = shards[place]
                tiles.beside.append(summary)
                tiles.held |= late.sequences(self._house.lake.read(key))
            else:
                shards[place].objects[key] = summary
        return shards

    def _held_by_streams(self, reach: int) -> Iterator[tuple[Place, Batch[Any]]]:
        if reach:
            yield from (((lake.EVENTS, it.shard), it) for it in self._streams.events(reach))
            yield from (((lake.CHANGES, it.shard), it) for it in self._streams.changes())

    def _deleted(self) -> Iterator[Deleted]:
        for prefix in _PREFIXES:
            yield from self._house.lake.deleted(f"{prefix}/")

    def _is_missing(self, deleted: Deleted, shards: Shards) -> bool:
        """Whether what was deleted is not there in another object."""
        place = _place(deleted.key)
        if place is not None:
            return not shards[place].holds(lake.Prefix.first(deleted.key))
        return deleted.version is not None and deleted.key.endswith(lake.SUFFIX)

    def _undelete(self) -> int:
        """Bring back, from their versions, objects in whose place nothing is."""
        shards, restored = self._shards(Verdict()), 0
        for deleted in list(self._deleted()):
            if deleted.version is None or not self._is_missing(deleted, shards):
                continue
            place = _place(deleted.key)
            if place is not None:
                with suppress(ObjectMetadataError):
                    found = lake.summary(self._house.lake, deleted.key, deleted.version)
                    if not shards[place].free_for(found.summary):
                        continue
            self._house.lake.undelete(deleted)
            restored += 1
        return restored

    def _read_again(self, reach: int) -> int:
        """Bring in, from the streams, what no object holds; how many records."""
        shards, written, bring = self._shards(Verdict()), 0, Late(self._house)
        before: dict[Place, int] = {}
        for place, batch in self._held_by_streams(reach):
            held = partial(_held, shards[place])
            for is_held, some in groupby(batch.records, key=held):
                part = Batch(batch.stream, batch.shard, list(some))
                previous = before.get(place)
                if not is_held and place[0] == lake.EVENTS:
                    written += bring.events(part, previous)
                elif not is_held:
                    written += bring.changes(part, [batch.shard], previous)
                before[place] = part.records[-1].sequence
        return written


def _held(tiles: Tiles, record: Record) -> bool:
    return tiles.holds(record.sequence)


def _beside(key: str) -> bool:
    return key.rpartition("/")[2].startswith(late.BESIDE)


def _place(key: str) -> Place | None:
    """Whose records an object of that name holds; None where it holds no stream's."""
    prefix, _, rest = key.partition("/")
    name = rest.rpartition("/")[2]
    shard = name[: -len(lake.SUFFIX) - SEQUENCE_DIGITS - 1].removeprefix(late.BESIDE)
    number = name.removesuffix(lake.SUFFIX)[-SEQUENCE_DIGITS:]
    if name.startswith(_MADE) or not shard or not number.isdecimal():
        return None
    return prefix, shard


def _patiently(seconds: float) -> None:
    print(f"verify: looking again in {seconds:.0f} s at what is missing or late", file=sys.stderr)
    time.sleep(seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify, and print the verdict. 1 where anything is missing, or AWS fails."""
    parser = argparse.ArgumentParser(prog="stream_processor.verify", description=__doc__)
    parser.add_argument("--restore", action="store_true", help="bring back what was deleted")
    parser.add_argument(
        "--hours", type=int, help="how far back to read the streams; all there is, or 0 for none"
    )
    given = parser.parse_args(arguments)
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    try:
        house = House.of(settings.parse(os.environ))
        verdict = Verifier(house, sleep=_patiently).run(restore=given.restore, hours=given.hours)
    except StreamProcessorError as error:
        print(f"verify: {error} ({error.code})", file=sys.stderr)
        return 1
    print(verdict)
    return 0 if verdict.whole else 1


if __name__ == "__main__":
    sys.exit(main())
