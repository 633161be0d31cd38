"""Poll the stream of one mapping: list its shards and run a `ShardPoller` for each.

`Poller` owns one `MappingPoller` per enabled mapping and calls `tick` in a loop.
"""

import time
from dataclasses import asdict
from typing import Any, Final, Literal

from aws_emulator.event_sources.checkpoints import Checkpoint, CheckpointStore
from aws_emulator.event_sources.errors import PollerError, UnreachableError
from aws_emulator.event_sources.json_log import JsonLog
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.resharding import ShardInfo, shards_before_latest, startable_shards
from aws_emulator.event_sources.shard_poller import ShardPoller
from aws_emulator.event_sources.status import ShardStatus
from aws_emulator.event_sources.streams import StartingPosition, Stream
from aws_emulator.event_sources.target import Target

#: Seconds between two ListShards calls, unless a shard has ended in between.
LIST_SHARDS_INTERVAL_S: Final = 5.0


class MappingPoller:
    """Start, stop and report on the shard pollers of one mapping. Use it from one thread."""

    def __init__(
        self,
        config: EventSourceMapping,
        stream: Stream,
        target: Target,
        store: CheckpointStore,
        json_log: JsonLog,
    ) -> None:
        self.config = config
        self.key = mapping_key(config.region, config.uuid)
        self._stream = stream
        self._target = target
        self._store = store
        self._json_log = json_log
        self._pollers: dict[str, ShardPoller] = {}
        self._waiting_shard_ids: list[str] = []
        self._listed = False
        self._stopping = False
        self._last_error = ""
        self._next_list = 0.0
        self._ended_shards = ShardStatus("")
        self._failures = 0
        self._undelivered_discards = 0

    def tick(self) -> None:
        """List the stream's shards, and start a poller for each that may be read now.

        Logs an error response of the service and tries again later.

        Raises:
            UnreachableError: The endpoint didn't respond.
        """
        # Check for ended shards before listing: only a later list contains their children.
        ended = [poller for poller in self._pollers.values() if not poller.is_alive()]
        now = time.monotonic()
        if self._stopping or (not ended and now < self._next_list):
            return
        self._next_list = now + LIST_SHARDS_INTERVAL_S
        try:
            shards = self._stream.shards()
        except UnreachableError:
            raise
        except PollerError as error:
            if self._last_error != str(error):
                self._last_error = str(error)
                self._log("list_shards_failed", reason=str(error))
            return
        self._last_error = ""
        first = not self._listed and not self._store.shards(self.key)
        if first and self.config.starting_position == "LATEST":
            for shard_id in shards_before_latest(shards):
                self._store.save(self.key, shard_id, Checkpoint(finished=True))
        self._drop_deleted_shards(shards)
        for poller in ended:
            self._remove_ended(poller)
        checkpoints = self._store.shards(self.key)
        finished = {shard_id for shard_id, checkpoint in checkpoints.items() if checkpoint.finished}
        for info in startable_shards(shards, self._pollers, finished):
            self._start(info.shard_id, checkpoints.get(info.shard_id), first=first)
        running = set(self._pollers) | finished
        self._waiting_shard_ids = [info.shard_id for info in shards if info.shard_id not in running]
        self._listed = True

    def stop(self) -> None:
        """Ask every shard poller to stop after its running invocations; see `stopped`."""
        self._stopping = True
        for poller in self._pollers.values():
            poller.stop()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    @property
    def stopped(self) -> bool:
        """Whether all shard pollers have ended."""
        return not any(poller.is_alive() for poller in self._pollers.values())

    def status(self) -> dict[str, Any]:
        """Return the mapping's entry in the status file."""
        state: Literal["starting", "stopping", "running"] = "running"
        if self._stopping:
            state = "stopping"
        elif not self._listed:
            state = "starting"
        pollers = list(self._pollers.values())
        shards = [poller.status for poller in pollers]
        counted = [self._ended_shards, *shards]
        return {
            "region": self.config.region,
            "uuid": self.config.uuid,
            "source_arn": self.config.source_arn,
            "function_arn": self.config.function_arn,
            "state": state,
            "delivered": sum(shard.delivered for shard in counted),
            "discarded": sum(shard.discarded for shard in counted),
            "filtered": sum(shard.filtered for shard in counted),
            "failures": self._failures + sum(poller.failures for poller in pollers),
            "undelivered_discards": self._undelivered_discards
            + sum(r.undelivered_discards for r in pollers),
            "shards": [
                asdict(shard)
                for shard in [*shards, *map(ShardStatus, list(self._waiting_shard_ids))]
            ],
        }

    def _start(self, shard_id: str, saved: Checkpoint | None, *, first: bool) -> None:
        start, since = self._starting_position(saved, first=first)
        checkpoint = Checkpoint(
            position=saved.position if saved else None,
            since=since,
            windows=saved.windows if saved else {},
        )
        self._store.save(self.key, shard_id, checkpoint)
        poller = ShardPoller(
            self.config,
            shard_id,
            self._stream,
            self._target,
            self._json_log,
            checkpoint,
            start,
            lambda current: self._store.save(self.key, shard_id, current),
        )
        self._pollers[shard_id] = poller
        self._log("shard_start", shard=shard_id, position=start.kind)
        poller.start()

    def _starting_position(
        self, checkpoint: Checkpoint | None, *, first: bool
    ) -> tuple[StartingPosition, float | None]:
        """Return the position to read from, and the time before which records are ignored."""
        if checkpoint and checkpoint.position:
            # "Lambda keeps track of the last record processed and resumes processing from that
            # point when it's reenabled." (with-kinesis, Enabled)
            start = StartingPosition("AFTER_SEQUENCE_NUMBER", sequence=checkpoint.position)
            return start, checkpoint.since
        if checkpoint and checkpoint.since:
            return StartingPosition("AT_TIMESTAMP", timestamp=checkpoint.since), checkpoint.since
        # "Latest: Process new records that are added to the stream. Trim horizon: Process all
        # records in the stream. At timestamp: Process records starting from a specific time. After
        # processing any existing records, the function is caught up and continues to process new
        # records." (with-kinesis) All records of a shard that appears later are new records.
        if self.config.starting_position == "AT_TIMESTAMP":
            since = self.config.starting_timestamp or 0.0
            return StartingPosition("AT_TIMESTAMP", timestamp=since), since
        if self.config.starting_position == "LATEST" and first:
            # The time replaces LATEST if the iterator expires before the first record.
            return StartingPosition("LATEST"), time.time()
        return StartingPosition("TRIM_HORIZON"), None

    def _drop_deleted_shards(self, shards: list[ShardInfo]) -> None:
        existing = {info.shard_id for info in shards}
        for shard_id in self._store.shards(self.key):
            if shard_id not in existing and shard_id not in self._pollers:
                self._store.drop(self.key, shard_id)

    def _remove_ended(self, poller: ShardPoller) -> None:
        status = poller.status
        self._ended_shards = ShardStatus(
            "",
            delivered=self._ended_shards.delivered + status.delivered,
            discarded=self._ended_shards.discarded + status.discarded,
            filtered=self._ended_shards.filtered + status.filtered,
        )
        self._failures += poller.failures
        self._undelivered_discards += poller.undelivered_discards
        del self._pollers[poller.shard_id]
        self._log("shard_end", shard=poller.shard_id, finished=poller.finished)

    def _log(self, event: str, **fields: object) -> None:
        self._json_log.write(event, mapping=self.config.uuid, region=self.config.region, **fields)


def mapping_key(region: str, uuid: str) -> str:
    """Return the key of a mapping in the state. UUIDs are unique within a Region only."""
    return f"{region}/{uuid}"
