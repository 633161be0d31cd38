"""The first door: events from Kinesis (or Kafka) to the lake, and into the live minutes."""

import gc
import os
import time
from collections import OrderedDict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import pyarrow as pa

import telemetry
from stream_processor import chain, door, lake, settings, source, tally
from stream_processor.chain import Commit, Draft
from stream_processor.door import House, InTime, ShardChain
from stream_processor.lake import Prefix
from stream_processor.live import LiveMinutes
from stream_processor.rows import EventRows
from stream_processor.settings import Settings
from stream_processor.source import Batch, Packet
from stream_processor.tally import MessageKey, Tally
from stream_processor.window import Limits, Window

#: Windows that a process keeps: shards come to it in turn.
_WINDOWS: Final = 16

_TALLY_COLUMNS: Final = (
    "verdict",
    "source",
    "message_id",
    "received_at",
    "page_path",
    "country",
    "bot",
)


@telemetry.instrumented
def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Bring a batch into the lake. Returns `batchItemFailures`; raises where nothing was done.

    EventBridge Scheduler rings at the same door: one package less to build, and the same role.
    """
    if "scheduled_time" in event:
        from stream_processor import compact

        return compact.scheduled(event, _process().house, door.in_time(context))
    return _process().handle(event, door.in_time(context))


@cache
def _process() -> "Events":
    return Events(House.of(settings.parse(os.environ)))


class Events:
    """The door over a house. Keeps the deduplication windows of the shards that it has seen."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._windows: OrderedDict[str, Window] = OrderedDict()

    def handle(self, event: Mapping[str, Any], in_time: InTime) -> dict[str, Any]:
        """Bring the batches of an invocation event into the lake."""
        return door.answer(source.packets(event), lambda batch: self.run(batch, in_time))

    def run(self, batch: Batch[Packet], in_time: InTime) -> int | None:
        """Bring one batch into the lake; the first sequence number that is left, or None."""
        name = f"{batch.stream}#{batch.shard}"
        shard = ShardChain(self.house, name, Prefix(lake.EVENTS, batch.shard), tally_of)
        live = LiveMinutes(
            self.house.live,
            name,
            self.house.settings.live_hours,
            self.house.settings.live_pages,
        )
        window = self._window(name)

        def drafted(rest: Sequence[Packet], previous: int | None) -> Draft[Tally]:
            self._catch_up(window, shard, previous, rest[0].arrived_ms)
            return draft(self.house.settings, batch.shard, rest, previous, window)

        def committed(commit: Commit[Tally]) -> None:
            live.count(commit.summary.last, commit.tally, time.time())
            # An object that was found in the lake may follow on others that the window does not
            # know: then it is read with them, before the next draft.
            if window.high == commit.summary.previous:
                window.learn(commit.summary.last, commit.tally.ids)

        outcome = chain.commit(
            batch.records,
            marks=shard,
            objects=shard,
            draft=drafted,
            name=lambda first: shard.names.key(first.sequence, first.arrived_ms),
            committed=committed,
            in_time=in_time,
        )
        door.report(name, outcome, batch.records)
        return outcome.unwritten

    def _window(self, name: str) -> Window:
        limits = self.house.settings
        window = self._windows.pop(name, None)
        if window is None:
            window = Window(Limits(limits.window_seconds, limits.window_objects, limits.window_ids))
        self._windows[name] = window
        if len(self._windows) > _WINDOWS:
            self._windows.popitem(last=False)
        return window

    def _catch_up(
        self, window: Window, shard: ShardChain[Tally], high: int | None, arrived_ms: int
    ) -> None:
        bucket = self.house.lake
        seconds = self.house.settings.window_seconds

        def ids_of(key: str) -> tuple[int, Sequence[MessageKey]]:
            return lake.summary(bucket, key).summary.last, shard.tally(key).ids

        window.catch_up(
            high,
            lambda: lake.recent(bucket, shard.names, arrived_ms, seconds),
            shard.names.first,
            ids_of,
        )


def draft(
    limits: Settings,
    shard: str,
    rest: Sequence[Packet],
    previous: int | None,
    window: Container[MessageKey],
) -> Draft[Tally]:
    """Make an object of the first records, as many as one object may hold."""
    rows = EventRows(shard, window)
    with _undisturbed():
        taken = rows.take(rest, limits.object_events, limits.object_bytes)
        table = rows.finish()
    if rows.reasons:
        telemetry.warning("bad rows", shard=shard, reasons=rows.reasons)
    return door.draft_of(table, rows.units, rows.counts, rest[:taken], previous, rows.tally)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the garbage collector out: it would look through what is built here again and again.

    Nothing here refers to itself, so nothing is left for it to collect.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def tally_of(table: pa.Table) -> Tally:
    """Count the rows of an object that another invocation wrote."""
    columns = [table.column(name).to_pylist() for name in _TALLY_COLUMNS]
    return tally.of_rows(
        (verdict, source_id or "", message_id, f"{received:%Y-%m-%dT%H:%M}", page, country, bot)
        for verdict, source_id, message_id, received, page, country, bot in zip(
            *columns, strict=True
        )
    )
