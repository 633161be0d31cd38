"""One mapping: which of its shards are read, and where each begins."""

import time
from dataclasses import asdict
from typing import Any, Literal

from aws_emulator.event_sources.checkpoints import Checkpoint, CheckpointStore
from aws_emulator.event_sources.errors import PollerError, UnreachableError
from aws_emulator.event_sources.json_log import JsonLog
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.resharding import ShardInfo, shards_before_latest, startable_shards
from aws_emulator.event_sources.shard_poller import ShardPoller
from aws_emulator.event_sources.status import ShardStatus
from aws_emulator.event_sources.streams import StartingPosition, Stream
from aws_emulator.event_sources.target import Target

#: Seconds between two looks at the shards of a stream that runs undisturbed.
LIST_SHARDS_INTERVAL_S = 2.0


class MappingPoller:
    """Reads the shards of one mapping, a thread to each. `tick` is called by one thread only."""

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
        self._readers: dict[str, ShardPoller] = {}
        self._waiting_shard_ids: list[str] = []
        self._listed = False
        self._stopping = False
        self._last_error = ""
        self._next_list = 0.0
        self._past = ShardStatus("")
        self._failures = 0
        self._undelivered_discards = 0

    def tick(self) -> None:
        """Look at the stream's shards, and read those whose turn it is.

        Raises UnreachableError where nobody answered; a refusal is logged and waited out.
        """
        # Before the list: the children of a shard that has ended are in a list made after its end.
        ended = [reader for reader in self._readers.values() if not reader.is_alive()]
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
        self._forget_gone(shards)
        for reader in ended:
            self._retire(reader)
        known = self._store.shards(self.key)
        finished = {shard_id for shard_id, point in known.items() if point.finished}
        for info in startable_shards(shards, self._readers, finished):
            self._begin(info.shard_id, known.get(info.shard_id), first=first)
        running = set(self._readers) | finished
        self._waiting_shard_ids = [info.shard_id for info in shards if info.shard_id not in running]
        self._listed = True

    def stop(self) -> None:
        """Tell every shard to stop; `stopped` once each has ended what was under way."""
        self._stopping = True
        for reader in self._readers.values():
            reader.stop()

    @property
    def stopped(self) -> bool:
        """Whether no shard is being read."""
        return not any(reader.is_alive() for reader in self._readers.values())

    def status(self) -> dict[str, Any]:
        """The mapping's part of the status file."""
        state: Literal["starting", "stopping", "running"] = "running"
        if self._stopping:
            state = "stopping"
        elif not self._listed:
            state = "starting"
        readers = list(self._readers.values())
        shards = [reader.status for reader in readers]
        counted = [self._past, *shards]
        return {
            "region": self.config.region,
            "uuid": self.config.uuid,
            "source_arn": self.config.source_arn,
            "function_arn": self.config.function_arn,
            "state": state,
            "delivered": sum(shard.delivered for shard in counted),
            "discarded": sum(shard.discarded for shard in counted),
            "filtered": sum(shard.filtered for shard in counted),
            "failures": self._failures + sum(reader.failures for reader in readers),
            "undelivered_discards": self._undelivered_discards
            + sum(r.undelivered_discards for r in readers),
            "shards": [
                asdict(shard)
                for shard in [*shards, *map(ShardStatus, list(self._waiting_shard_ids))]
            ],
        }

    def _begin(self, shard_id: str, point: Checkpoint | None, *, first: bool) -> None:
        start, since = self._where(point, first=first)
        checkpoint = Checkpoint(
            position=point.position if point else None,
            since=since,
            windows=point.windows if point else {},
        )
        self._store.save(self.key, shard_id, checkpoint)
        reader = ShardPoller(
            self.config,
            shard_id,
            self._stream,
            self._target,
            self._json_log,
            checkpoint,
            start,
            lambda moved: self._store.save(self.key, shard_id, moved),
        )
        self._readers[shard_id] = reader
        self._log("shard_start", shard=shard_id, position=start.kind)
        reader.start()

    def _where(
        self, point: Checkpoint | None, *, first: bool
    ) -> tuple[StartingPosition, float | None]:
        """Where a shard is read from, and the time before which nothing of it counts."""
        if point and point.position:
            # "Lambda keeps track of the last record processed and resumes processing from that
            # point when it's reenabled." (with-kinesis, Enabled)
            return StartingPosition("AFTER_SEQUENCE_NUMBER", sequence=point.position), point.since
        if point and point.since:
            return StartingPosition("AT_TIMESTAMP", timestamp=point.since), point.since
        # "Latest: Process new records that are added to the stream. Trim horizon: Process all
        # records in the stream. At timestamp: Process records starting from a specific time. After
        # processing any existing records, the function is caught up and continues to process new
        # records." (with-kinesis) A shard that appears later belongs to the new records, whole.
        if self.config.starting_position == "AT_TIMESTAMP":
            since = self.config.starting_timestamp or 0.0
            return StartingPosition("AT_TIMESTAMP", timestamp=since), since
        if self.config.starting_position == "LATEST" and first:
            # The time is kept for an iterator that has to be made anew before any record came.
            return StartingPosition("LATEST"), time.time()
        return StartingPosition("TRIM_HORIZON"), None

    def _forget_gone(self, shards: list[ShardInfo]) -> None:
        listed = {info.shard_id for info in shards}
        for shard_id in self._store.shards(self.key):
            if shard_id not in listed and shard_id not in self._readers:
                self._store.drop(self.key, shard_id)

    def _retire(self, reader: ShardPoller) -> None:
        status = reader.status
        self._past = ShardStatus(
            "",
            delivered=self._past.delivered + status.delivered,
            discarded=self._past.discarded + status.discarded,
            filtered=self._past.filtered + status.filtered,
        )
        self._failures += reader.failures
        self._undelivered_discards += reader.undelivered_discards
        del self._readers[reader.shard_id]
        self._log("shard_end", shard=reader.shard_id, finished=reader.finished)

    def _log(self, event: str, **fields: object) -> None:
        self._json_log.write(event, mapping=self.config.uuid, region=self.config.region, **fields)


def mapping_key(region: str, uuid: str) -> str:
    """The name of a mapping in the state: UUIDs are unique only within their region's service."""
    return f"{region}/{uuid}"
