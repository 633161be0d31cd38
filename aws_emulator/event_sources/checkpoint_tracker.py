"""Compute the checkpoint of a shard whose records finish out of order."""

from collections import deque
from collections.abc import Iterable

from aws_emulator.event_sources.records import Record


class CheckpointTracker:
    """Track the records in flight; `position` is the sequence number of the checkpoint.

    With concurrent batches, a later record can finish first. The checkpoint must not pass an
    unfinished record: after a restart, the poller reads only the records after the checkpoint.
    """

    def __init__(self, position: str | None = None) -> None:
        self.position = position
        self._open: deque[Record] = deque()
        self._finished: set[int] = set()

    def __len__(self) -> int:
        """Return the number of records after the checkpoint."""
        return len(self._open)

    def add(self, records: Iterable[Record]) -> None:
        """Add records in the order of the shard."""
        self._open.extend(records)

    def finish(self, records: Iterable[Record]) -> None:
        """Mark records as delivered, discarded or filtered."""
        self._finished.update(record.number for record in records)
        while self._open and self._open[0].number in self._finished:
            record = self._open.popleft()
            self._finished.remove(record.number)
            self.position = record.sequence

    @property
    def oldest(self) -> Record | None:
        """The first unfinished record."""
        return self._open[0] if self._open else None
