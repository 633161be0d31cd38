"""In-memory streams, functions and mappings for the tests of the pollers' threads."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

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

DONE: Final = Outcome("returned")


@dataclass
class FakeShard:
    """A shard. The first `trimmed` records have left the retention period."""

    info: ShardInfo
    records: list[Record] = field(default_factory=list)
    trimmed: int = 0


class FakeStream:
    """A stream. Iterators are "shard:position:generation"; `expire` expires all of them."""

    def __init__(self, *shards: FakeShard, page_size: int = 3) -> None:
        self.by_id = {shard.info.shard_id: shard for shard in shards}
        self.starts: list[StartingPosition] = []
        self.errors: list[PollerError] = []
        self.list_error: PollerError | None = None
        self.lists = 0
        self._page_size = page_size
        self._generation = 0

    def shards(self) -> list[ShardInfo]:
        self.lists += 1
        if self.list_error:
            raise self.list_error
        return [shard.info for shard in self.by_id.values()]

    def expire(self) -> None:
        self._generation += 1

    def iterator(self, shard_id: str, start: StartingPosition) -> str:
        self.starts.append(start)
        shard = self._shard(shard_id)
        position = shard.trimmed
        if start.kind == "LATEST":
            position = len(shard.records)
        if start.kind == "AFTER_SEQUENCE_NUMBER":
            position = sum(record.number <= int(start.sequence) for record in shard.records)
            if position < shard.trimmed:
                raise TrimmedDataError("GetShardIterator failed: TrimmedDataAccessException.")
        if start.kind == "AT_TIMESTAMP":
            position = sum(record.arrived < int(start.timestamp) for record in shard.records)
        return f"{shard_id}:{position}:{self._generation}"

    def page(self, shard_id: str, iterator: str) -> RecordPage:
        if self.errors:
            raise self.errors.pop(0)
        shard = self._shard(shard_id)
        _, position, generation = iterator.split(":")
        if int(generation) != self._generation:
            raise ExpiredIteratorError("GetRecords failed: ExpiredIteratorException.")
        until = min(int(position) + self._page_size, len(shard.records))
        ended = shard.info.closed and until == len(shard.records)
        return RecordPage(
            shard.records[int(position) : until],
            None if ended else f"{shard_id}:{until}:{generation}",
            until == len(shard.records),
            0,
        )

    def _shard(self, shard_id: str) -> FakeShard:
        if shard_id not in self.by_id:
            raise StreamNotFoundError("GetRecords failed: ResourceNotFoundException.")
        return self.by_id[shard_id]


class FakeTarget:
    """A function and a destination that record what they receive. Clearing `held` blocks both."""

    def __init__(self, answer: Callable[[str], Outcome] = lambda _: DONE) -> None:
        self.answer = answer
        self.events: list[str] = []
        self.discards: list[DiscardedBatch] = []
        self.errors: list[PollerError] = []
        self.held = threading.Event()
        self.held.set()

    def invoke(self, config: EventSourceMapping, event: str) -> Outcome:
        self.events.append(event)
        outcome = self.answer(event)
        assert self.held.wait(60)
        return outcome

    def send_to_destination(
        self,
        config: EventSourceMapping,
        shard_id: str,
        discard: DiscardedBatch,
        event: str,
        now: float,
    ) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.discards.append(discard)


class FakeBackend:
    """The mappings of one Region. If `error` is set, listing them raises it."""

    def __init__(self, stream: FakeStream, target: FakeTarget) -> None:
        self._stream = stream
        self.target = target
        self.documents: list[dict[str, Any]] = []
        self.error: PollerError | None = None
        self.further_regions: list[str] = []

    def regions(self) -> list[str]:
        return list(self.further_regions)

    def mappings(self, region: str) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        return list(self.documents)

    def stream(self, config: EventSourceMapping) -> FakeStream:
        return self._stream


def throughput_exceeded() -> ServiceError:
    return ServiceError("GetRecords failed: ProvisionedThroughputExceededException.")


def open_shard(
    records: Sequence[Record] = (), shard_id: str = "shard-0", *, closed: bool = False
) -> FakeShard:
    return FakeShard(ShardInfo(shard_id, closed=closed), list(records))
