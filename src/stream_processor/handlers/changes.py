"""ChangesFunction: every change of an appointment from DynamoDB Streams to the lake."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import telemetry
from stream_processor import settings
from stream_processor.commit import change_writer
from stream_processor.handlers import partial_batch
from stream_processor.handlers.partial_batch import HasTime
from stream_processor.ingest import invocation
from stream_processor.ingest.records import Batch, ChangeRecord
from stream_processor.rows import change_rows
from stream_processor.storage.app_context import AppContext

#: Reserved of the function's 15 minutes for the comparison, its wait and the repair.
_COMPARISON_MS: Final = 300_000
#: The changes of a batch that the log lists. A reconciliation or a bulk update has thousands.
_MAX_LOGGED: Final = 100


@telemetry.instrumented
def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Commit a batch of changes to the lake and return `state` and `batchItemFailures`.

    EventBridge Scheduler invokes the same function for the nightly reconciliation: one package and
    one role less.

    Raises:
        StreamProcessorError: Nothing was committed, so Lambda retries the whole batch.
    """
    if "scheduled_time" in event:
        from stream_processor.repair import reconcile

        return reconcile.scheduled(event, _app_context(), _has_time_to_compare(context))
    return ChangesHandler(_app_context()).handle(event, partial_batch.has_time(context))


def _has_time_to_compare(context: Any) -> HasTime:
    """Return a function that tells whether the invocation has time to read another object."""
    return lambda: context.get_remaining_time_in_millis() > _COMPARISON_MS


@cache
def _app_context() -> AppContext:
    return AppContext.from_settings(settings.parse(os.environ))


def _log_change(change: ChangeRecord, shard: str) -> None:
    """Log the id of the request that caused a change, if its item has one."""
    image = change.image["dynamodb"].get("NewImage") or {}
    correlation_id = change_rows.text(image.get("correlation_id"))
    if correlation_id is not None:
        fields = {"shard": shard, "sequence": str(change.sequence)}
        telemetry.info("change", correlation_id=correlation_id, **fields)


class ChangesHandler:
    """Commit batches of changes."""

    def __init__(self, app: AppContext) -> None:
        self._app = app

    def handle(self, event: Mapping[str, Any], has_time: HasTime) -> dict[str, Any]:
        """Commit the batches of an invocation event; return `state` and `batchItemFailures`.

        "Your Lambda function response must contain a state property. If the response does not
        contain a state property, Lambda considers this a failed invocation" (Implementing stateful
        DynamoDB stream processing in Lambda). The state is empty: the mapping has a tumbling window
        only because its events name their shard.

        Raises:
            SourceError: The event doesn't come from DynamoDB Streams.
            StreamProcessorError: The first object of a batch failed.
        """
        response = partial_batch.respond(
            invocation.change_batches(event), lambda batch: self.run(batch, has_time)
        )
        return {"state": {}, **response}

    def run(self, batch: Batch[ChangeRecord], has_time: HasTime) -> int | None:
        """Commit one batch; return the first sequence number that isn't committed, or None.

        Raises:
            StreamProcessorError: The batch's first object failed, and nothing is committed.
        """
        regions = self._app.settings.exported_regions
        own_changes = [c for c in batch.records if change_rows.own(c, regions)]
        telemetry.count("ChangesOfOtherRegions", len(batch.records) - len(own_changes))
        outcome = change_writer.write(self._app, batch, own_changes, has_time)
        end = outcome.unwritten
        for change in own_changes[:_MAX_LOGGED]:
            if end is None or change.sequence < end:
                _log_change(change, f"{batch.stream}#{batch.shard}")
        return outcome.unwritten
