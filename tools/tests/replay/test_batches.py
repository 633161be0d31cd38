"""Batches: each view is in one batch, in order, with the views of its visitor."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tools.replay.batches import FLUSH_AT, FLUSH_INTERVAL, batches
from tools.replay.combined_log_format import Request
from tools.replay.events import EventMaker, PageView
from tools.tests.strategies import page_views

MAKER = EventMaker(site="https://s.example", digest="0" * 64, salt=b"")
START = datetime(2025, 9, 15, tzinfo=UTC)


def view(seconds: float, line: int = 1, client: str = "192.0.2.1") -> PageView:
    at = START + timedelta(seconds=seconds)
    return MAKER.page_view(line, Request(client, client, at, "GET", "/", "", 200, 1, None, None))


@given(page_views(), st.integers(1, 5), st.integers(0, 120))
def test_batches_contain_each_view_once_in_order(
    views: list[PageView], flush_at: int, seconds: int
) -> None:
    interval = timedelta(seconds=seconds)
    sent_batches = list(batches(views, flush_at=flush_at, flush_interval=interval))

    assert sorted(each.line for batch in sent_batches for each in batch.views) == [
        each.line for each in views
    ]
    for visitor in {each.visitor for each in views}:
        sent = [v.line for batch in sent_batches for v in batch.views if batch.visitor == visitor]
        assert sent == [each.line for each in views if each.visitor == visitor]
    for batch in sent_batches:
        assert 1 <= len(batch.views) <= flush_at
        assert {each.visitor for each in batch.views} == {batch.visitor}
        assert all(abs(each.at - batch.views[0].at) <= interval for each in batch.views)


def test_full_queue_becomes_a_batch() -> None:
    views = [view(0, line) for line in range(FLUSH_AT + 1)]

    assert [len(batch.views) for batch in batches(views[:FLUSH_AT])] == [FLUSH_AT]
    assert [len(batch.views) for batch in batches(views)] == [FLUSH_AT, 1]


def test_queue_becomes_a_batch_after_the_flush_interval() -> None:
    last = FLUSH_INTERVAL.total_seconds()

    assert len(list(batches([view(0), view(last)]))) == 1
    assert len(list(batches([view(0), view(last + 1)]))) == 2
    assert len(list(batches([view(last + 1), view(0)]))) == 2


def test_expired_queue_becomes_a_batch_before_the_end_of_the_log() -> None:
    views = iter([view(0, 1, "192.0.2.1"), view(31, 2, "192.0.2.2"), view(32, 3, "192.0.2.2")])

    first = next(iter(batches(views)))

    assert [each.line for each in first.views] == [1]
    assert [each.line for each in views] == [3]


def test_batch_body_has_no_sent_at() -> None:
    (batch,) = batches([view(0, 1), view(1, 2)])

    assert batch.body == b'{"batch":[%s,%s]}' % tuple(v.body.encode() for v in batch.views)
    assert b"sentAt" not in batch.body
