"""Records that come in late: given up once, or lost and read from the stream again.

Where their chain is past them they become `redrive-<shard>-<first sequence number>.parquet`, in the
hour where the chain would have had them. Only what no object holds is written: all of it can be
done as often as one likes.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from stream_processor import chain, changerows, changes, events, known, lake, parquet
from stream_processor.chain import Draft, Record
from stream_processor.door import House, ShardChain
from stream_processor.lake import Prefix
from stream_processor.live import LiveMinutes
from stream_processor.source import Batch, Change, Packet
from stream_processor.tally import MessageKey, Tally

#: What the names of these objects begin with, before that of the shard.
BESIDE: Final = "redrive-"
#: An object may be named after a record that came in this many hours before others that it holds:
#: Lambda gives up what is older.
_BATCH_HOURS: Final = 25


class Late:
    """Writes late records: into the chain itself where it is not past them, else beside it.

    In the chain they meet whoever else has them, a mapping that begins again, say, as any two
    invocations meet. `previous` is what the stream has before the first, where that is known: with
    it `verify` can tell that nothing is missing between them and the object before.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._bucket = house.lake

    def events(self, batch: Batch[Packet], previous: int | None = None) -> int:
        """Bring in the records of one shard that no object holds; how many there were."""
        limits = self._house.settings

        def draft(rest: Sequence[Packet], before: int | None) -> Draft[Tally]:
            made = events.draft(limits, batch.shard, rest, before, frozenset())
            copies = self._copies(made, rest)
            if not copies:
                return made
            return events.draft(limits, batch.shard, rest, before, copies)

        def count(chain_name: str, last: int, tally: Tally) -> None:
            live = LiveMinutes(self._house.live, chain_name, limits.live_hours, limits.live_pages)
            live.count(last, tally, time.time())

        missing = self.missing(lake.EVENTS, [batch.shard], batch.records)
        name = f"{batch.stream}#{batch.shard}"
        shard = ShardChain(self._house, name, Prefix(lake.EVENTS, batch.shard), events.tally_of)
        return self._bring(shard, missing, draft, count, previous)

    def changes(
        self, batch: Batch[Change], shards: Sequence[str], previous: int | None = None
    ) -> int:
        """Bring in the changes that no object of these shards holds; how many there were."""
        mine = [c for c in batch.records if changerows.own(c, self._house.settings.region)]
        missing = self.missing(lake.CHANGES, shards, mine)
        name = f"{batch.stream}#{batch.shard}"
        shard: ShardChain[None] = ShardChain(
            self._house, name, Prefix(lake.CHANGES, batch.shard), lambda _: None
        )
        return self._bring(
            shard,
            missing,
            lambda rest, before: changes.draft(batch, rest, before),
            lambda *_: None,
            previous,
        )

    def missing[R: Record](
        self, prefix: str, shards: Sequence[str], records: Sequence[R]
    ) -> list[R]:
        """The records that no object holds: of their chain, or beside it."""
        left = list(records)
        for shard in shards:
            left = lake.uncovered(self._bucket, Prefix(prefix, shard), left, _BATCH_HOURS)
            if left:
                held = self._held(Prefix(prefix, BESIDE + shard), left)
                left = [record for record in left if record.sequence not in held]
        return left

    def _held(self, names: Prefix, records: Sequence[Record]) -> set[int]:
        """Sequence numbers beside a chain: an object there does not hold all between its ends."""
        arrived = [record.arrived_ms for record in records]
        since = min(arrived) - _BATCH_HOURS * 3_600_000
        return {
            sequence
            for hour in lake.hours(names.prefix, since, max(arrived))
            for key in names.within(self._bucket, hour)
            for sequence in sequences(self._bucket.read(key))
        }

    def _copies(self, made: Draft[Tally], rest: Sequence[Packet]) -> set[MessageKey]:
        """Events of a draft that the lake has as good rows: their clients sent them again."""
        arrived = [record.arrived_ms for record in rest[: made.summary.records]]
        seconds = self._house.settings.window_seconds
        return known.good_around(self._bucket, min(arrived), max(arrived), seconds, made.tally.ids)

    def _bring[R: Record, T](
        self,
        shard: ShardChain[T],
        missing: Sequence[R],
        draft: Callable[[Sequence[R], int | None], Draft[T]],
        count: Callable[[str, int, T], None],
        previous: int | None,
    ) -> int:
        mark = shard.mark() if missing else None
        past = [r for r in missing if mark is not None and r.sequence <= mark.high]
        ahead = missing[len(past) :]
        outcome = chain.commit(
            ahead,
            marks=shard,
            objects=shard,
            draft=draft,
            name=lambda first: shard.names.key(first.sequence, first.arrived_ms),
            committed=lambda it: count(shard.name, it.summary.last, it.tally),
            in_time=lambda: True,
        )
        if outcome.error is not None:
            raise outcome.error
        names = Prefix(shard.names.prefix, BESIDE + shard.names.shard)
        rest: Sequence[R] = past
        while rest:
            made = draft(rest, previous)
            key = names.key(rest[0].sequence, rest[0].arrived_ms)
            if lake.create(self._bucket, key, made) is None:
                previous = made.summary.last
                count(f"{shard.name}#{BESIDE}{made.summary.first}", previous, made.tally)
                rest = rest[made.summary.records :]
            else:
                # Another operator was first: what that object holds is done.
                done = sequences(self._bucket.read(key))
                rest = [record for record in rest if record.sequence not in done]
        return len(missing)


def sequences(body: bytes) -> set[int]:
    """The sequence numbers of the rows of an object."""
    column = parquet.read(body, ["sequence_number"]).column("sequence_number")
    return set(map(int, column.unique().to_pylist()))
