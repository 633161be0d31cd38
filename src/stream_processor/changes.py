"""The second door: every change of an appointment from DynamoDB Streams to the lake."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from stream_processor import chain, changerows, door, settings, source, telemetry
from stream_processor.chain import Commit, Draft
from stream_processor.door import House, InTime, ShardChain
from stream_processor.lake import Prefix
from stream_processor.source import Batch, Change

PREFIX: Final = "changes"


@telemetry.instrumented
def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Bring a batch of changes into the lake. Returns `state` and `batchItemFailures`."""
    return _process().handle(event, door.in_time(context))


@cache
def _process() -> "Changes":
    return Changes(House.of(settings.parse(os.environ)))


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
        shard = ShardChain(self._house, name, Prefix(PREFIX, batch.shard), lambda _: None)
        table_name = batch.stream.partition("/")[0]

        def draft(rest: Sequence[Change], previous: int | None) -> Draft[None]:
            taken = rest[: self._house.settings.object_events]
            rows = [changerows.row(change, table_name, batch.shard) for change in taken]
            return door.draft_of(
                changerows.table(rows), len(taken), changerows.counts(rows), taken, previous, None
            )

        def committed(_: Commit[None]) -> None:
            """Nothing else is counted of a change."""

        outcome = chain.commit(
            mine,
            marks=shard,
            objects=shard,
            draft=draft,
            name=lambda first: shard.names.key(first.sequence, first.arrived_ms),
            committed=committed,
            in_time=in_time,
        )
        door.report(name, outcome, mine)
        return outcome.unwritten
