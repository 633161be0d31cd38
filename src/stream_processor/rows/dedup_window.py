"""The deduplication window of one shard: the message ids of its recent entries, in memory.

The window is read from committed entries only, and isn't stored. So an event can be a duplicate
only of a good row in the lake: a crash, a retry or a second execution environment can't make it a
duplicate of itself, or of an event that was never written.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from stream_processor.rows.object_stats import MessageKey


@dataclass(frozen=True, slots=True)
class DedupLimits:
    """Limits of the window: seconds of arrival, objects, and ids."""

    seconds: int
    objects: int
    ids: int


class DedupWindow:
    """The ids of good rows in the newest entries that were added; supports `in`.

    `read` has, by log, the number of entries from the first one on that needn't be read again.
    """

    def __init__(self, limits: DedupLimits) -> None:
        self.limits = limits
        self.read: dict[str, int] = {}
        self._objects: OrderedDict[int, Sequence[MessageKey]] = OrderedDict()
        self._newest_of: dict[MessageKey, int] = {}
        self._added = 0

    def __contains__(self, key: object) -> bool:
        return key in self._newest_of

    def __len__(self) -> int:
        return len(self._newest_of)

    def add(self, log: str, number: int, ids: Sequence[MessageKey]) -> None:
        """Add the ids of an entry, unless entries before it weren't read: then both are later."""
        if self.read.get(log) == number:
            self._add(ids)
            self.read[log] = number + 1

    def clear(self) -> None:
        """Forget all entries: some of them may no longer exist."""
        self.read.clear()
        self._objects.clear()
        self._newest_of.clear()

    def catch_up(
        self,
        known: Iterable[tuple[str, int]],
        ids_of: Callable[[str, int], Sequence[MessageKey]],
    ) -> None:
        """Add the entries that other execution environments wrote.

        `known` are the logs, newest first, each with its number of entries; `ids_of` returns the
        good ids of an entry.

        Raises:
            StorageError: An entry can't be read.
        """
        missed: list[Sequence[MessageKey]] = []
        budget = self.limits.ids
        entries = list(known)
        for log, number in self._unread(entries):
            if len(missed) == self.limits.objects or budget <= 0:
                break
            missed.append(ids_of(log, number))
            budget -= len(missed[-1])
        for ids in reversed(missed):
            self._add(ids)
        for log, count in entries:
            self.read[log] = max(count, self.read.get(log, 0))

    def _unread(self, known: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
        for log, count in known:
            for number in range(count - 1, self.read.get(log, 0) - 1, -1):
                yield log, number

    def _add(self, ids: Sequence[MessageKey]) -> None:
        self._objects[self._added] = ids
        self._newest_of.update(dict.fromkeys(ids, self._added))
        self._added += 1
        while self._objects and (
            len(self._objects) > self.limits.objects or len(self._newest_of) > self.limits.ids
        ):
            first, oldest = self._objects.popitem(last=False)
            for key in oldest:
                if self._newest_of.get(key) == first:
                    del self._newest_of[key]
