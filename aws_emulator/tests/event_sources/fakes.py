"""Streams, functions and mappings in memory, for the parts that run threads."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aws_emulator.event_sources.batch_rules import DiscardedBatch
from aws_emulator.event_sources.errors import (
    ExpiredIteratorError,
    PollerError,
    ServiceError,
    StreamNotFoundError,
    TrimmedDataError,
)
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record
from aws_emulator.event_sources.resharding import ShardInfo
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.event_sources.streams import RecordPage, StartingPosition

DONE = Outcome("returned")


@dataclass
class FakeShard:
    """A shard; `trimmed` records at its beginning have outlived the retention."""

    info: ShardInfo
    records: list[Record] = field(default_factory=list)
    trimmed: int = 0


class FakeStream:
    """A stream. Iterators are "shard:place:age"; `expire` makes all of them too old."""

    def __init__(self, *shards: FakeShard, page_size: int = 3) -> None:
        self.by_id = {shard.info.shard_id: shard for shard in shards}
        self.starts: list[StartingPosition] = []
        self.refusals: list[PollerError] = []
        self.list_refusal: PollerError | None = None
        self.lists = 0
        self._page_size = page_size
        self._age = 0

    def shards(self) -> list[ShardInfo]:
        self.lists += 1
        if self.list_refusal:
            raise self.list_refusal
        return [shard.info for shard in self.by_id.values()]

    def expire(self) -> None:
        self._age += 1

    def iterator(self, shard_id: str, start: StartingPosition) -> str:
        self.starts.append(start)
        shard = self._shard(shard_id)
        place = shard.trimmed
        if start.kind == "LATEST":
            place = len(shard.records)
        if start.kind == "AFTER_SEQUENCE_NUMBER":
            place = sum(record.number <= int(start.sequence) for record in shard.records)
            if place < shard.trimmed:
                raise TrimmedDataError("GetShardIterator was refused: TrimmedDataAccessException")
        if start.kind == "AT_TIMESTAMP":
            place = sum(record.arrived < int(start.timestamp) for record in shard.records)
        return f"{shard_id}:{place}:{self._age}"

    def page(self, shard_id: str, iterator: str) -> RecordPage:
        if self.refusals:
            raise self.refusals.pop(0)
        shard = self._shard(shard_id)
        _, place, age = iterator.split(":")
        if int(age) != self._age:
            raise ExpiredIteratorError("GetRecords was refused: ExpiredIteratorException")
        until = min(int(place) + self._page_size, len(shard.records))
        ended = shard.info.closed and until == len(shard.records)
        return RecordPage(
            shard.records[int(place) : until],
            None if ended else f"{shard_id}:{until}:{age}",
            until == len(shard.records),
            0,
        )

    def _shard(self, shard_id: str) -> FakeShard:
        if shard_id not in self.by_id:
            raise StreamNotFoundError("GetRecords was refused: ResourceNotFoundException")
        return self.by_id[shard_id]


class FakeTarget:
    """A function and a destination; both write down what they get."""

    def __init__(self, answer: Callable[[str], Outcome] = lambda _: DONE) -> None:
        self.answer = answer
        self.events: list[str] = []
        self.discards: list[DiscardedBatch] = []
        self.refusals: list[PollerError] = []
        self.held = threading.Event()
        self.held.set()

    def invoke(self, config: EventSourceMapping, event: str) -> Outcome:
        self.events.append(event)
        outcome = self.answer(event)
        assert self.held.wait(10)
        return outcome

    def discard(
        self,
        config: EventSourceMapping,
        shard_id: str,
        discard: DiscardedBatch,
        event: str,
        now: float,
    ) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.discards.append(discard)


class FakeBackend:
    """Mappings of one region, as the list gives them; `refusal` is raised instead of a list."""

    def __init__(self, stream: FakeStream, target: FakeTarget) -> None:
        self._stream = stream
        self.target = target
        self.documents: list[dict[str, Any]] = []
        self.refusal: PollerError | None = None

    def mappings(self, region: str) -> list[dict[str, Any]]:
        if self.refusal:
            raise self.refusal
        return list(self.documents)

    def stream(self, config: EventSourceMapping) -> FakeStream:
        return self._stream


def throughput_exceeded() -> ServiceError:
    return ServiceError("GetRecords was refused: ProvisionedThroughputExceededException")


def open_shard(
    records: Sequence[Record] = (), shard_id: str = "shard-0", *, closed: bool = False
) -> FakeShard:
    return FakeShard(ShardInfo(shard_id, closed=closed), list(records))
