"""The second door: every change of an appointment from DynamoDB Streams to the lake."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import telemetry
from stream_processor import chain, changerows, door, lake, settings, source
from stream_processor.chain import Draft
from stream_processor.door import House, InTime, ShardChain
from stream_processor.lake import Prefix
from stream_processor.source import Batch, Change


@telemetry.instrumented
def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Bring a batch of changes into the lake. Returns `state` and `batchItemFailures`.

    EventBridge Scheduler rings at the same door: one package less to build, and the same role.
    """
    if "scheduled_time" in event:
        from stream_processor import reconcile

        return reconcile.scheduled(event, _house())
    return Changes(_house()).handle(event, door.in_time(context))


@cache
def _house() -> House:
    return House.of(settings.parse(os.environ))


class Changes:
    """The door over a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    def handle(self, event: Mapping[str, Any], in_time: InTime) -> dict[str, Any]:
        """Bring the batches of an invocation event into the lake.

        "Your Lambda function response must contain a state property. If the response does not
        contain a state property, Lambda considers this a failed invocation" (Implementing stateful
        DynamoDB stream processing in Lambda). There is no state: the window is there because only
        its events name their shard.
        """
        answer = door.answer(source.changes(event), lambda batch: self.run(batch, in_time))
        return {"state": {}, **answer}

    def run(self, batch: Batch[Change], in_time: InTime) -> int | None:
        """Bring one batch into the lake; the first sequence number that is left, or None."""
        mine = [c for c in batch.records if changerows.own(c, self._house.settings.region)]
        telemetry.count("ChangesOfOtherRegions", len(batch.records) - len(mine))
        name = f"{batch.stream}#{batch.shard}"
        shard = ShardChain(self._house, name, Prefix(lake.CHANGES, batch.shard), lambda _: None)
        limit = self._house.settings.object_events
        outcome = chain.commit(
            mine,
            marks=shard,
            objects=shard,
            draft=lambda rest, previous: draft(batch, rest[:limit], previous),
            name=lambda first: shard.names.key(first.sequence, first.arrived_ms),
            committed=lambda _: None,
            in_time=in_time,
        )
        door.report(name, outcome, mine)
        return outcome.unwritten


def draft(batch: Batch[Change], taken: Sequence[Change], previous: int | None) -> Draft[None]:
    """Make an object of changes of one shard."""
    table_name = batch.stream.partition("/")[0]
    rows = [changerows.row(change, table_name, batch.shard) for change in taken]
    return door.draft_of(
        changerows.table(rows), len(taken), changerows.counts(rows), taken, previous, None
    )
