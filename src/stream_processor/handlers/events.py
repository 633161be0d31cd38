"""EventsFunction: events from Kinesis (or Kafka) to the lake and the live counters."""

import os
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import telemetry
from stream_processor import settings
from stream_processor.commit.event_writer import EventWriter
from stream_processor.handlers import partial_batch
from stream_processor.handlers.partial_batch import HasTime
from stream_processor.ingest import invocation
from stream_processor.storage.app_context import AppContext


@telemetry.instrumented
def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Commit a batch to the lake and return `batchItemFailures`.

    EventBridge Scheduler invokes the same function for the hourly compaction: one package and one
    role less.

    Raises:
        StreamProcessorError: Nothing was committed, so Lambda retries the whole batch.
    """
    if "scheduled_time" in event:
        return _hourly(event, _handler().app, partial_batch.has_time(context))
    return _handler().handle(event, partial_batch.has_time(context))


def _hourly(event: Mapping[str, Any], app: AppContext, has_time: HasTime) -> dict[str, Any]:
    """Compact, check the other schedule, which can't report itself, and publish the table."""
    from stream_processor.commit import newest_entries
    from stream_processor.compaction import compact
    from stream_processor.repair.overdue import is_overdue
    from stream_processor.table import publish

    held = publish.EventsTable.of(app).held()
    result = compact.scheduled(event, app, has_time, held)
    scheduled_at = datetime.fromisoformat(event["scheduled_time"])
    newest_entries.count(app, scheduled_at)
    overdue = is_overdue(app.lake, scheduled_at)
    telemetry.count("ReconciliationsOverdue", int(overdue))
    return {**result, "table": publish.scheduled(event, app, has_time)}


@cache
def _handler() -> "EventsHandler":
    return EventsHandler(AppContext.from_settings(settings.parse(os.environ)))


class EventsHandler:
    """Commit batches of events. Keep the deduplication windows of recent shards in memory."""

    def __init__(self, app: AppContext) -> None:
        self.app = app
        self._writer = EventWriter(app)

    def handle(self, event: Mapping[str, Any], has_time: HasTime) -> dict[str, Any]:
        """Commit the batches of an invocation event and return `batchItemFailures`.

        Raises:
            SourceError: The event comes from neither Kinesis nor Kafka.
            StreamProcessorError: The first object of a batch failed.
        """
        batches = invocation.stream_batches(
            event, kafka_partial_response=self.app.settings.kafka_partial_response
        )
        return partial_batch.respond(
            batches, lambda batch: self._writer.write(batch, has_time).unwritten
        )
