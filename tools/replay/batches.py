"""Group page views into batches as an SDK's queue does, in the order of the log."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from tools.replay.events import PageView, Visitor

#: Segment's mobile SDKs send a batch of 20 events (`flushAt`), or after 30 s (`flushInterval`).
FLUSH_AT: Final = 20
FLUSH_INTERVAL: Final = timedelta(seconds=30)


class Batch(NamedTuple):
    """The page views that one visitor's SDK sends in one request."""

    visitor: Visitor
    views: tuple[PageView, ...]

    @property
    def body(self) -> bytes:
        """The request body. It has no `sentAt`, so the collector keeps each event's timestamp."""
        return b'{"batch":[' + ",".join(view.body for view in self.views).encode() + b"]}"


def batches(
    views: Iterable[PageView],
    *,
    flush_at: int = FLUSH_AT,
    flush_interval: timedelta = FLUSH_INTERVAL,
) -> Iterator[Batch]:
    """Group each visitor's views into batches that span at most `flush_interval`.

    A server writes a log line when its response ends, so timestamps are not sorted: the interval
    counts in both directions. Memory contains only the open queues, for logs of any length.
    """
    open_queues: dict[str, list[PageView]] = {}
    clock: datetime | None = None
    for view in views:
        clock = view.at if clock is None else max(clock, view.at)
        key = view.visitor.anonymous_id
        queue = open_queues.get(key)
        if queue is not None and abs(view.at - queue[0].at) > flush_interval:
            yield _close(open_queues, key)
            queue = None
        if queue is None:
            queue = open_queues[key] = []
        queue.append(view)
        if len(queue) >= flush_at:
            yield _close(open_queues, key)
        # Queues are in the order of their first view, so the first one expires first, or nearly.
        while open_queues:
            oldest = next(iter(open_queues))
            if clock - open_queues[oldest][0].at <= flush_interval:
                break
            yield _close(open_queues, oldest)
    while open_queues:
        yield _close(open_queues, next(iter(open_queues)))


def _close(open_queues: dict[str, list[PageView]], key: str) -> Batch:
    queue = open_queues.pop(key)
    return Batch(queue[0].visitor, tuple(queue))
