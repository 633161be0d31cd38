"""Read one shard page by page, and renew the shard iterator when it expires or is trimmed."""

import math

from aws_emulator.event_sources.errors import (
    ExpiredIteratorError,
    PollerError,
    StreamNotFoundError,
    TrimmedDataError,
)
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record
from aws_emulator.event_sources.streams import RecordPage, StartingPosition, Stream


class ShardIterator:
    """Read a shard from the position `start`.

    Records that arrived before `since` (Unix seconds) are skipped. After a failed read, `error`
    holds an event name and a reason for the log. `gone` is set once the shard no longer exists.
    """

    def __init__(
        self,
        config: EventSourceMapping,
        shard_id: str,
        stream: Stream,
        start: StartingPosition,
        since: float | None,
    ) -> None:
        self.error: tuple[str, str] | None = None
        self.gone = False
        self._shard_id = shard_id
        self._stream = stream
        self._start = start
        # DynamoDB Streams reports times in whole seconds.
        precise = config.source_kind == "kinesis"
        self._since = since if since is None or precise else float(math.floor(since))
        self._last_read: str | None = None
        self._iterator: str | None = None
        self._trimmed = False

    def read(self, last_read: str | None) -> RecordPage | None:
        """Return the next page, or None after an error: see `error` and `gone`.

        `last_read` is the last sequence number that the caller has processed.
        """
        self._last_read = last_read
        try:
            if self._iterator is None:
                self._iterator = self._stream.iterator(self._shard_id, self._position())
            page = self._stream.page(self._shard_id, self._iterator)
        except ExpiredIteratorError:
            # API_GetShardIterator: "A shard iterator expires 5 minutes after it is returned to the
            # requester." The next read requests a new one after the last record.
            self._iterator = None
        except TrimmedDataError:
            self._trimmed, self._iterator = True, None
            self.error = "trimmed", "The checkpoint is older than the stream's retention period."
        except StreamNotFoundError as error:
            self.gone = True
            self.error = "stream_not_found", str(error)
        except PollerError as error:
            self._iterator = None
            self.error = "read_failed", str(error)
        else:
            self._iterator, self._trimmed, self.error = page.next, False, None
            records = [record for record in page.records if self._is_after_start(record)]
            return RecordPage(records, page.next, page.caught_up, page.behind_ms)
        return None

    def _position(self) -> StartingPosition:
        if self._trimmed:
            return StartingPosition("TRIM_HORIZON")
        if self._last_read is not None:
            return StartingPosition("AFTER_SEQUENCE_NUMBER", sequence=self._last_read)
        start = self._start
        if start.kind == "LATEST" and self._since:
            # LATEST moves with the stream: a renewed iterator must start where the first one did.
            self._start = StartingPosition("AT_TIMESTAMP", timestamp=self._since)
        return start

    def _is_after_start(self, record: Record) -> bool:
        """Whether the record arrived at or after the mapping's starting time."""
        return self._since is None or bool(self._last_read) or record.arrived >= self._since
