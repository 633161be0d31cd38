"""What did not get in goes through the same code again, as often as one likes.

`python -m stream_processor.redrive --failures` takes the batches that Lambda gave up, as they lie
whole in the failure bucket; `--bad` takes the bad rows of some days. Both write what is good now,
once, and leave the rest where it is. The environment is that of the functions.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from stream_processor import chain, changerows, changes, events, known, lake, settings, source
from stream_processor.again import BadRows
from stream_processor.chain import Commit, Draft, Mark
from stream_processor.door import House, ShardChain
from stream_processor.errors import SourceError, StreamProcessorError
from stream_processor.lake import Prefix
from stream_processor.live import LiveMinutes
from stream_processor.source import Batch, Change, Packet
from stream_processor.tally import MessageKey, Tally

#: Where an event source mapping puts what it gives up ("Retain discarded records", Amazon S3):
#: aws/lambda/<mapping's UUID>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random UUID>
FAILURES = "aws/lambda/"
#: A batch may hold records of this many hours: Lambda gives up what is older.
_BATCH_HOURS = 25


@dataclass(slots=True)
class Result:
    """What a redrive did, in objects of the failure bucket and in records or rows."""

    objects: int = 0
    unreadable: int = 0
    written: int = 0
    known: int = 0

    def __str__(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__})


class Memory:
    """A mark for one run. Nothing needs it afterwards: what is in the lake is asked of the lake."""

    def __init__(self, inner: ShardChain[Any]) -> None:
        self._mark: Mark | None = None
        self.between = inner.between

    def mark(self) -> Mark | None:
        """How far this run is."""
        return self._mark

    def raise_to(self, mark: Mark) -> None:
        """Move on."""
        self._mark = mark


class Failures:
    """The batches in the failure bucket."""

    def __init__(self, house: House) -> None:
        self._house = house

    def run(self) -> Result:
        """Redrive all of them. One that is wholly in the lake is deleted from the bucket."""
        result = Result()
        for key in list(self._house.failures.keys(FAILURES)):
            result.objects += 1
            try:
                self._redrive(json.loads(self._house.failures.read(key)), result)
            except (ValueError, KeyError, TypeError, SourceError):
                # Not what an event source mapping writes. It stays for somebody to look at.
                result.unreadable += 1
                continue
            self._house.failures.delete(key)
        return result

    def _redrive(self, document: Mapping[str, Any], result: Result) -> None:
        payload = document["payload"]
        event = json.loads(payload) if isinstance(payload, str) else payload
        if "DDBStreamBatchInfo" in document:
            shard = document["DDBStreamBatchInfo"]["shardId"]
            for changed in source.changes(event):
                self._changes(changed, [changed.shard, shard], result)
        else:
            for batch in source.packets(event):
                self._events(batch, result)

    def _events(self, batch: Batch[Packet], result: Result) -> None:
        missing = self._missing(lake.EVENTS, [batch.shard], batch.records)
        result.known += len(batch.records) - len(missing)
        if not missing:
            return
        name = f"{batch.stream}#{batch.shard}#redrive-{missing[0].sequence}"
        limits = self._house.settings
        live = LiveMinutes(self._house.live, name, limits.live_hours, limits.live_pages)
        into = ShardChain(
            self._house, name, Prefix(lake.EVENTS, f"redrive-{batch.shard}"), events.tally_of
        )

        def draft(rest: Sequence[Packet], previous: int | None) -> Draft[Tally]:
            made = events.draft(limits, batch.shard, rest, previous, frozenset())
            copies = self._copies(made, rest)
            if not copies:
                return made
            return events.draft(limits, batch.shard, rest, previous, copies)

        def committed(commit: Commit[Tally]) -> None:
            live.count(commit.summary.last, commit.tally, time.time())

        chain.commit(
            missing,
            marks=Memory(into),
            objects=into,
            draft=draft,
            name=lambda first: into.names.key(first.sequence, first.arrived_ms),
            committed=committed,
            in_time=lambda: True,
        )
        result.written += len(missing)

    def _copies(self, made: Draft[Tally], rest: Sequence[Packet]) -> set[MessageKey]:
        """Events of a draft that the lake has as good rows: their clients sent them again."""
        arrived = [record.arrived_ms for record in rest[: made.summary.records]]
        seconds = self._house.settings.window_seconds
        return known.good_around(
            self._house.lake, min(arrived), max(arrived), seconds, made.tally.ids
        )

    def _changes(self, batch: Batch[Change], shards: Sequence[str], result: Result) -> None:
        mine = [c for c in batch.records if changerows.own(c, self._house.settings.region)]
        missing = self._missing(lake.CHANGES, shards, mine)
        result.known += len(mine) - len(missing)
        if not missing:
            return
        into: ShardChain[None] = ShardChain(
            self._house,
            f"{batch.stream}#{batch.shard}#redrive",
            Prefix(lake.CHANGES, f"redrive-{batch.shard}"),
            lambda _: None,
        )
        chain.commit(
            missing,
            marks=Memory(into),
            objects=into,
            draft=lambda rest, previous: changes.draft(batch, rest, previous),
            name=lambda first: into.names.key(first.sequence, first.arrived_ms),
            committed=lambda _: None,
            in_time=lambda: True,
        )
        result.written += len(missing)

    def _missing[R: chain.Record](
        self, prefix: str, shards: Sequence[str], records: Sequence[R]
    ) -> list[R]:
        """The records that no object of their shard holds: of the chain, or of a redrive."""
        left = list(records)
        for shard in shards:
            for name in (shard, f"redrive-{shard}"):
                names = Prefix(prefix, name)
                left = lake.uncovered(self._house.lake, names, left, _BATCH_HOURS)
        return left


def _day(text: str) -> date:
    return date.fromisoformat(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Redrive, and print what was done. 1 where AWS or the environment did not let it."""
    today = datetime.now(UTC).date()
    parser = argparse.ArgumentParser(prog="stream_processor.redrive", description=__doc__)
    parser.add_argument("--failures", action="store_true", help="what Lambda gave up")
    parser.add_argument("--bad", action="store_true", help="the bad rows of some days")
    parser.add_argument("--from", dest="first", type=_day, default=today - timedelta(days=7))
    parser.add_argument("--to", dest="last", type=_day, default=today)
    given = parser.parse_args(arguments)
    if not (given.failures or given.bad):
        parser.error("say --failures, --bad, or both")
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    try:
        house = House.of(settings.parse(os.environ))
        if given.failures:
            print("failures", Failures(house).run())
        if given.bad:
            print("bad", BadRows(house).run(given.first, given.last))
    except StreamProcessorError as error:
        print(f"redrive: {error} ({error.code})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
