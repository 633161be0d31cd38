"""The deduplication window of one shard: the message ids of its recent objects, in memory.

The window is read from committed objects only, and isn't stored. So an event can be a
duplicate only of a good row in the lake: a crash, a retry or a second execution environment can't
make it a duplicate of itself, or of an event that was never written. An object can be deleted after
the window read it: a mark behind the window's shows that, and `clear` forgets what it read.
"""

from collections import deque
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
    """The keys of the newest objects up to sequence number `high`; supports `in`."""

    def __init__(self, limits: DedupLimits) -> None:
        self.high: int | None = None
        self._limits = limits
        self._objects: deque[Sequence[MessageKey]] = deque()
        self._newest_of: dict[MessageKey, int] = {}
        self._first = 0

    def __contains__(self, key: object) -> bool:
        return key in self._newest_of

    def __len__(self) -> int:
        return len(self._newest_of)

    def add(self, last: int, ids: Sequence[MessageKey]) -> None:
        """Add the ids of the object that ends at `last`, and evict the oldest objects."""
        number = self._first + len(self._objects)
        self._objects.append(ids)
        self._newest_of.update(dict.fromkeys(ids, number))
        self.high = last
        while self._objects and (
            len(self._objects) > self._limits.objects or len(self._newest_of) > self._limits.ids
        ):
            for key in self._objects.popleft():
                if self._newest_of.get(key) == self._first:
                    del self._newest_of[key]
            self._first += 1

    def clear(self) -> None:
        """Forget all objects: some of them may no longer exist."""
        self.high = None
        self._objects.clear()
        self._newest_of.clear()

    def catch_up(
        self,
        high: int | None,
        newest_first: Callable[[], Iterable[str]],
        first_of: Callable[[str], int],
        ids_of: Callable[[str], tuple[int, Sequence[MessageKey]]],
    ) -> None:
        """Add the objects up to `high` that other execution environments wrote.

        Before the shard's first object, `high` is None.

        `newest_first` lists the keys of the shard's recent objects, `first_of` returns a key's
        first sequence number, `ids_of` an object's last sequence number and good ids.

        Raises:
            StorageError: An object can't be listed or read.
        """
        if self.high is not None and (high is None or high < self.high):
            self.clear()
        if high is None or high == self.high or not self._limits.objects:
            return
        missed: list[tuple[int, Sequence[MessageKey]]] = []
        budget = self._limits.ids
        for key in self._between(newest_first(), first_of, high):
            last, ids = ids_of(key)
            missed.append((last, ids))
            budget -= len(ids)
            if len(missed) == self._limits.objects or budget <= 0:
                break
        for last, ids in reversed(missed):
            self.add(last, ids)
        self.high = high

    def _between(
        self, newest_first: Iterable[str], first_of: Callable[[str], int], high: int
    ) -> Iterator[str]:
        for key in newest_first:
            first = first_of(key)
            if self.high is not None and first <= self.high:
                return
            if first <= high:
                yield key
