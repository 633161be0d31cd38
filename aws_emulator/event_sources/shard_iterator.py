"""Where one shard is read, and how that goes on through what a stream does to its readers."""

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
    """Reads a shard page by page from `start` on.

    `since` (Unix seconds) is the time before which nothing of the shard counts. `complaint` tells
    why the last read failed, `gone` that the shard is no longer there.
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
        # DynamoDB Streams tells the time of a change to the second only.
        precise = config.source_kind == "kinesis"
        self._since = since if since is None or precise else float(math.floor(since))
        self._last_read: str | None = None
        self._iterator: str | None = None
        self._trimmed = False

    def read(self, last_read: str | None) -> RecordPage | None:
        """The next page, or None where there was none to be had: see `complaint` and `gone`.

        `last_read` is the last sequence number that was taken over from the pages before.
        """
        self._last_read = last_read
        try:
            if self._iterator is None:
                self._iterator = self._stream.iterator(self._shard_id, self._position())
            page = self._stream.page(self._shard_id, self._iterator)
        except ExpiredIteratorError:
            # API_GetShardIterator: "A shard iterator expires 5 minutes after it is returned to the
            # requester." A new one begins where the last record was read.
            self._iterator = None
        except TrimmedDataError:
            self._trimmed, self._iterator = True, None
            self.error = "trimmed", "the position is older than the stream's retention"
        except StreamNotFoundError as error:
            self.gone = True
            self.error = "source_gone", str(error)
        except PollerError as error:
            self._iterator = None
            self.error = "read_failed", str(error)
        else:
            self._iterator, self._trimmed, self.error = page.next, False, None
            records = [record for record in page.records if self._counts(record)]
            return RecordPage(records, page.next, page.caught_up, page.behind_ms)
        return None

    def _position(self) -> StartingPosition:
        if self._trimmed:
            return StartingPosition("TRIM_HORIZON")
        if self._last_read is not None:
            return StartingPosition("AFTER_SEQUENCE_NUMBER", sequence=self._last_read)
        start = self._start
        if start.kind == "LATEST" and self._since:
            # The tip moves on: an iterator that is made anew begins where the first one did.
            self._start = StartingPosition("AT_TIMESTAMP", timestamp=self._since)
        return start

    def _counts(self, record: Record) -> bool:
        """Whether a record is young enough for where the mapping starts."""
        return self._since is None or bool(self._last_read) or record.arrived >= self._since
