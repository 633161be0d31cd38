"""The writer of `changes/`, for ChangesFunction, `redrive` and `verify --restore` alike."""

from collections.abc import Callable, Sequence

from stream_processor.commit import change_objects, protocol, shard_log
from stream_processor.commit.protocol import Outcome
from stream_processor.commit.shard_log import ShardLog
from stream_processor.ingest.records import Batch, ChangeRecord
from stream_processor.storage import lake_keys
from stream_processor.storage.app_context import AppContext
from stream_processor.storage.lake_types import LogPosition, PendingObject
from stream_processor.storage.log_names import LogName


def write(
    app: AppContext,
    batch: Batch[ChangeRecord],
    changes: Sequence[ChangeRecord],
    has_time: Callable[[], bool],
) -> Outcome[None]:
    """Bring some changes of a batch of one shard into its logs.

    Raises:
        StreamProcessorError: The first entry failed, and nothing is written.
    """
    name, limit = f"{batch.stream}#{batch.shard}", app.settings.object_events

    def open_log(change: ChangeRecord) -> ShardLog[None]:
        log = LogName.of(lake_keys.CHANGES, batch.shard, change.arrived_ms)
        return ShardLog(app, log, name, lambda _: None, lambda *_: None)

    def draft(
        _: ShardLog[None], position: LogPosition, rest: Sequence[ChangeRecord]
    ) -> PendingObject[None]:
        return change_objects.build(batch, rest[:limit], position.high)

    outcome = protocol.commit(changes, open_log=open_log, draft=draft, has_time=has_time)
    shard_log.report(name, outcome, changes)
    return outcome
