"""The real writer, broken in one place each: what the proof has to notice."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from stream_processor import chain, changerows, door, events, lake
from stream_processor.chain import Commit, Mark, Outcome, Summary
from stream_processor.dynamodb import HighWater, Table
from stream_processor.lake import Prefix
from stream_processor.live import LiveMinutes
from stream_processor.s3 import Bucket
from stream_processor.window import Window

type Break = Callable[[pytest.MonkeyPatch], None]

_commit = chain.commit
_write = chain._write


def put_without_if_none_match(patched: pytest.MonkeyPatch) -> None:
    def create(self: Bucket, key: str, body: bytes, metadata: Any) -> bool:
        self._s3.put_object(Bucket=self.name, Key=key, Body=body, Metadata=metadata)
        return True

    patched.setattr(Bucket, "create", create)


def row_that_goes_back(patched: pytest.MonkeyPatch) -> None:
    put_if = Table.put_if

    def always(self: Table, item: Any, condition: str, values: Any = None) -> bool:
        if "high" in condition:
            self._dynamodb.put_item(TableName=self.name, Item=item)
            return True
        return put_if(self, item, condition, values)

    patched.setattr(Table, "put_if", always)


def adopted_without_reading(patched: pytest.MonkeyPatch) -> None:
    def write(rest: Any, mark: Any, objects: Any, draft: Any, name: Any) -> Commit[Any]:
        mine = draft(rest, None if mark is None else mark.high)
        objects.create(name(rest[0]), mine)
        return Commit(name(rest[0]), mine.summary, mine.tally, 0, adopted=False)

    patched.setattr(chain, "_write", write)


def lost_row_not_rebuilt(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(door.ShardChain, "mark", lambda self: self._row.read())


def rebuilt_behind_the_newest(patched: pytest.MonkeyPatch) -> None:
    def end(bucket: Bucket, names: Prefix, keys: list[str]) -> Mark | None:
        if not keys:
            return None
        newest: Summary = lake.summary(bucket, max(keys, key=names.first)).summary
        return Mark(newest.last, newest.arrived_ms)

    patched.setattr(lake, "_before_newest", end)


def named_after_the_last(patched: pytest.MonkeyPatch) -> None:
    def write(rest: Any, mark: Any, objects: Any, draft: Any, name: Any) -> Commit[Any]:
        return _write(rest, mark, objects, draft, lambda _: name(rest[-1]))

    patched.setattr(chain, "_write", write)


def named_after_the_first_of_the_batch(patched: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
        name = parts.pop("name")
        return _commit(batch, name=lambda _: name(batch[0]), **parts)

    patched.setattr(chain, "commit", commit)


def row_before_the_object(patched: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
        draft, marks = parts.pop("draft"), parts["marks"]

        def drafted(rest: Any, previous: int | None) -> Any:
            mine = draft(rest, previous)
            marks.raise_to(Mark(mine.summary.last, mine.summary.arrived_ms))
            return mine

        return _commit(batch, draft=drafted, **parts)

    patched.setattr(chain, "commit", commit)


def row_before_the_count(patched: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
        committed, marks = parts.pop("committed"), parts["marks"]

        def late(done: Commit[Any]) -> None:
            marks.raise_to(Mark(done.summary.last, done.summary.arrived_ms))
            committed(done)

        return _commit(batch, committed=late, **parts)

    patched.setattr(chain, "commit", commit)


def counted_at_each_delivery(patched: pytest.MonkeyPatch) -> None:
    add = LiveMinutes._add
    numbers = iter(range(10**6))

    def always(self: LiveMinutes, minute: str, last: int, figures: Any, expires: int) -> None:
        # A watermark that is higher each time refuses nothing.
        add(self, minute, 10**55 * 9 + next(numbers), figures, expires)

    patched.setattr(LiveMinutes, "_add", always)


def no_look_for_what_was_left(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(chain, "_orphan", lambda *_: None)


def numbers_compared_as_texts(patched: pytest.MonkeyPatch) -> None:
    def behind(batch: Sequence[Any], mark: Mark | None) -> Sequence[Any]:
        return [r for r in batch if mark is None or str(r.sequence) > str(mark.high)]

    patched.setattr(chain, "_behind", behind)


def row_not_padded(patched: pytest.MonkeyPatch) -> None:
    def raise_to(self: HighWater, mark: Mark) -> None:
        high = {"S": str(mark.high)}
        arrived = {"N": str(mark.arrived_ms)}
        self._table.put_if(
            {"chain": {"S": self._chain}, "high": high, "arrived": arrived},
            "attribute_not_exists(high) OR high < :high",
            {":high": high},
        )

    patched.setattr(HighWater, "raise_to", raise_to)


def what_is_left_not_named(patched: pytest.MonkeyPatch) -> None:
    answer = door.answer
    patched.setattr(
        door, "answer", lambda batches, run: answer(batches, run) and {"batchItemFailures": []}
    )


def failures_swallowed(patched: pytest.MonkeyPatch) -> None:
    def commit(batch: Sequence[Any], **parts: Any) -> Outcome[Any]:
        try:
            return _commit(batch, **parts)
        except Exception as error:  # noqa: BLE001 -- the mistake that is made here
            return Outcome((), None, error)

    patched.setattr(chain, "commit", commit)


def ids_learned_before_the_put(patched: pytest.MonkeyPatch) -> None:
    draft = events.draft

    def learning(limits: Any, shard: str, rest: Any, previous: Any, window: Any) -> Any:
        mine = draft(limits, shard, rest, previous, window)
        window.learn(mine.summary.last, mine.tally.ids)
        window.high = previous
        return mine

    patched.setattr(events, "draft", learning)


def window_not_caught_up(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(Window, "catch_up", lambda *_: None)


def poison_raises(patched: pytest.MonkeyPatch) -> None:
    draft = events.draft

    def strict(limits: Any, shard: str, rest: Any, previous: Any, window: Any) -> Any:
        mine = draft(limits, shard, rest, previous, window)
        if mine.summary.bad:
            raise ValueError("a record that cannot be read")
        return mine

    patched.setattr(events, "draft", strict)


def every_region_exports(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(changerows, "own", lambda *_: True)


#: What is broken, and at which of the two doors it shows.
EVENTS_BREAKS: dict[str, Break] = {
    break_.__name__: break_
    for break_ in (
        put_without_if_none_match,
        row_that_goes_back,
        adopted_without_reading,
        lost_row_not_rebuilt,
        rebuilt_behind_the_newest,
        named_after_the_last,
        named_after_the_first_of_the_batch,
        row_before_the_object,
        row_before_the_count,
        counted_at_each_delivery,
        no_look_for_what_was_left,
        numbers_compared_as_texts,
        row_not_padded,
        what_is_left_not_named,
        failures_swallowed,
        ids_learned_before_the_put,
        window_not_caught_up,
        poison_raises,
    )
}
CHANGES_BREAKS: dict[str, Break] = {"every_region_exports": every_region_exports}
