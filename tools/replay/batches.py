"""Page views are grouped as an SDK's queue would have sent them, in the order of the log."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from tools.replay.events import PageView, Visitor

#: Segment's mobile SDKs send when 20 events wait (`flushAt`) or 30 s passed (`flushInterval`).
FLUSH_AT = 20
FLUSH_INTERVAL = timedelta(seconds=30)


class Batch(NamedTuple):
    """What one visitor's SDK sends in one request."""

    visitor: Visitor
    views: tuple[PageView, ...]

    @property
    def body(self) -> bytes:
        """The request's body. Without `sentAt`, so that every event keeps its own time."""
        return b'{"batch":[' + ",".join(view.body for view in self.views).encode() + b"]}"


def batches(
    views: Iterable[PageView],
    *,
    flush_at: int = FLUSH_AT,
    flush_interval: timedelta = FLUSH_INTERVAL,
) -> Iterator[Batch]:
    """Group views of one visitor that lie within `flush_interval` of the queue's first, by order.

    Logs are written when an answer ends, so their times run back at places: an interval counts in
    both directions. Memory holds the open queues only, so a log may be of any length.
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
        # Queues open in the order of the log: the first is due first, or nearly so.
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
