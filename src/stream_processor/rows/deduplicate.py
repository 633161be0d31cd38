"""Classify rows as good, bad or duplicate, and count them."""

from bisect import bisect_left
from collections.abc import Container

from stream_processor.rows.event_chunk import EventChunk
from stream_processor.rows.lake_schema import BAD, DUPLICATE, GOOD
from stream_processor.rows.object_stats import MessageKey, ObjectStats


class Deduplicator:
    """Classify the rows of one object. Keys in `window` are in earlier objects of the shard."""

    def __init__(self, window: Container[MessageKey]) -> None:
        self.stats = ObjectStats()
        self.counts = {GOOD: 0, BAD: 0, DUPLICATE: 0}
        self.reasons: dict[str, int] = {}
        self._window = window
        self._seen: set[MessageKey] = set()

    def classify(self, chunk: EventChunk) -> None:
        """Mark the duplicates among the rows that aren't bad, and count all rows."""
        self._find_duplicates(chunk)
        self._count(chunk)

    def clear(self) -> None:
        """Free the keys after the last row."""
        self._seen.clear()

    def _find_duplicates(self, chunk: EventChunk) -> None:
        fresh = set(chunk.keys)
        if (
            not chunk.rows.bad
            and len(fresh) == len(chunk.keys)
            and fresh.isdisjoint(self._seen)
            and not any(map(self._window.__contains__, fresh))
        ):
            self._seen |= fresh
            return
        for row, key in enumerate(chunk.keys):
            if row in chunk.rows.bad:
                continue
            if key in self._seen:
                chunk.duplicate[row] = (
                    "duplicate_in_object",
                    "another event of this object has the same id",
                )
            elif key in self._window:
                chunk.duplicate[row] = (
                    "duplicate_in_window",
                    "an event of a recent object has the same id",
                )
            else:
                self._seen.add(key)

    def _count(self, chunk: EventChunk) -> None:
        bad = chunk.rows.bad
        self.counts[BAD] += len(bad)
        self.counts[DUPLICATE] += len(chunk.duplicate)
        self.counts[GOOD] += len(chunk) - len(bad) - len(chunk.duplicate)
        for one in bad.values():
            self.reasons[one.code] = self.reasons.get(one.code, 0) + 1
        left_out = sorted(bad.keys() | chunk.duplicate.keys())
        for header, minute, start, end in chunk.spans:
            count = end - start - bisect_left(left_out, end) + bisect_left(left_out, start)
            if count:
                self.stats.add_request(minute, header, count)
        paths, keys = chunk.paths, chunk.keys
        for minute, start, end in chunk.minutes():
            if not left_out:
                self.stats.add_rows(minute, paths[start:end], keys[start:end])
            elif rows := sorted(set(range(start, end)).difference(left_out)):
                self.stats.add_rows(minute, [paths[r] for r in rows], [keys[r] for r in rows])
