"""The checkpoint of a shard whose records are finished out of order."""

from collections import deque
from collections.abc import Iterable

from aws_emulator.event_sources.records import Record


class CheckpointTracker:
    """The last record before which every record of the shard is finished.

    With concurrent batches a later record can be finished first. The checkpoint may not pass an
    unfinished one: a restart reads again from it, and what is in front of it is gone.
    """

    def __init__(self, position: str | None = None) -> None:
        self.position = position
        self._open: deque[Record] = deque()
        self._finished: set[int] = set()

    def __len__(self) -> int:
        """How many records are read and not yet behind the checkpoint."""
        return len(self._open)

    def read(self, records: Iterable[Record]) -> None:
        """Take in records in the shard's order."""
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
        """The first record that is not finished."""
        return self._open[0] if self._open else None
