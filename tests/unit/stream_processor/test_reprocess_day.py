"""Tests of a day that is made again: the same rows, with columns as the current code reads them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_processor.compaction import compact
from stream_processor.errors import StorageError
from stream_processor.handlers import reprocessing
from stream_processor.reprocessing.reprocess_day import (
    CONFIRM,
    RUN,
    UNDO,
    DayReprocessor,
    Result,
)
from stream_processor.rows.event_chunk import EventChunk
from stream_processor.rows.event_rows import EventRows
from stream_processor.rows.lake_schema import EVENTS
from stream_processor.rows.remade_columns import remade
from stream_processor.storage import parquet
from stream_processor.storage.position import BEGIN, Position
from stream_processor.table import publish
from tests.strategies import stream_payloads
from tests.support.examples import at_most, one_in
from tests.support.function_results import as_sent
from tests.unit.stream_processor.fakes import LAKE
from tests.unit.stream_processor.sample_records import accepted, header, packed, rejected
from tests.unit.stream_processor.test_erasure import ARRIVED, OTHER, SHARD, USER
from tests.unit.stream_processor.test_table import TableLake

DAY: Final = ARRIVED.date()


@contextmanager
def earlier_code() -> Iterator[None]:
    """Let the code be that of a version that didn't read titles and campaigns."""
    with pytest.MonkeyPatch.context() as patch:
        real = EventChunk._page_columns

        def pages(chunk: EventChunk) -> dict[str, list[str | None]]:
            return real(chunk) | {"page_title": [None] * len(chunk)}

        patch.setattr(EventChunk, "_page_columns", pages)
        patch.setattr(EventChunk, "_campaign_columns", lambda _: {})
        yield


def visit(number: int, user: str = OTHER, **event: Any) -> bytes:
    """Return a record with a good event that has a title and a campaign, and a bad one."""
    body: dict[str, Any] = {
        "userId": user,
        "properties": {"path": f"/{number}", "title": f"Title {number}"},
        "context": {"campaign": {"source": "news"}, "locale": "de"},
        **event,
    }
    return packed(
        header(f"request-{number}"), [accepted(f"m{number}", **body)], [rejected(raw=user)]
    )


class OldLake(TableLake):
    """A lake whose objects earlier code wrote."""

    def old(self, number: int, user: str = OTHER, hour: int = 0) -> dict[str, Any]:
        with earlier_code():
            return self.write(visit(number, user), hour=hour)

    def reprocessor(self) -> DayReprocessor:
        return DayReprocessor(self.aws.app(), DAY)

    def reprocess(self) -> Result:
        return self.reprocessor().run()

    def titles(self) -> list[str | None]:
        return [row["page_title"] for row in self.rows() if row["verdict"] == "good"]

    def table_titles(self) -> list[str | None]:
        """Return the titles in the good rows of the Iceberg table."""
        rows = [
            row
            for key in self.files()
            for row in parquet.read(self.s3.objects[LAKE, key][0]).to_pylist()
        ]
        return [row["page_title"] for row in rows if row["verdict"] == "good"]


@pytest.fixture
def lake() -> OldLake:
    return OldLake()


def test_rows_get_the_columns_of_the_current_code(lake: OldLake) -> None:
    lake.old(1)
    lake.old(2, hour=1)
    assert lake.titles() == [None, None]
    before = lake.rows()
    result = lake.reprocess()
    assert (result.objects, result.written, result.changed, result.refused) == (2, 2, 2, 0)
    assert result.before == result.after == Counter(good=2, bad=2)
    assert result.complete
    assert result.old_versions == 2
    assert lake.titles() == ["Title 1", "Title 2"]
    new = {"page_title", "campaign_source"}
    for old, row in zip(before, lake.rows(), strict=True):
        assert {name for name in row if row[name] != old[name]} == (
            new if row["verdict"] == "good" else set()
        )


def test_second_run_writes_nothing(lake: OldLake) -> None:
    lake.old(1)
    lake.reprocess()
    history = {key: len(them) for key, them in lake.s3.history.items()}
    assert lake.reprocess().written == 0
    changed = {
        key for _, key in lake.s3.history if len(lake.s3.history[LAKE, key]) != history[LAKE, key]
    }
    assert changed == set()


def test_rows_of_the_current_code_do_not_change(lake: OldLake) -> None:
    lake.write(visit(1))
    assert lake.reprocess().written == 0


def test_context_of_the_request_stays(lake: OldLake) -> None:
    context = {"locale": "fr", "campaign": {"source": "mail"}, "page": {"title": "Shared"}}
    shared = header("request", context=msgspec.Raw(json.dumps(context).encode()))
    lake.write(packed(shared, [accepted("m1")]))
    (row,) = lake.rows()
    assert (row["locale"], row["campaign_source"], row["page_title"]) == ("fr", "mail", "Shared")
    assert lake.reprocess().written == 0
    assert lake.rows() == [row]


def test_undo_brings_the_rows_of_before_back(lake: OldLake) -> None:
    lake.old(1)
    lake.old(2, hour=1)
    before = lake.rows()
    lake.publish()
    lake.reprocess()
    result = lake.reprocessor().run(UNDO)
    assert result.written == 2
    assert result.complete
    assert lake.rows() == before
    assert lake.table_titles() == [None, None]
    assert lake.reprocessor().run(UNDO).written == 0


def test_second_change_before_confirmation_keeps_the_first_rows(lake: OldLake) -> None:
    lake.old(1)
    before = lake.rows()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventChunk, "_campaign_columns", lambda _: {})
        assert lake.reprocess().written == 1
    assert lake.reprocess().written == 1
    lake.reprocessor().run(UNDO)
    assert lake.rows() == before


def test_confirmation_deletes_the_rows_of_before(lake: OldLake) -> None:
    lake.old(1)
    lake.reprocess()
    assert lake.reprocessor().run(CONFIRM).old_versions == 0
    after = lake.rows()
    assert lake.reprocessor().run(UNDO).written == 0
    assert lake.reprocessor().run(CONFIRM).written == 0
    assert lake.rows() == after


def test_table_has_the_new_rows_of_the_whole_day_at_once(lake: OldLake) -> None:
    for number in range(3):
        lake.old(number, hour=number)
    lake.compact()
    lake.publish()
    seen: list[set[str | None]] = []
    real: Callable[..., Any] = lake.glue.update_table

    def checked(**query: Any) -> dict[str, Any]:
        seen.append(set(lake.table_titles()))
        return dict(real(**query))

    lake.glue.update_table = checked  # type: ignore[method-assign]
    lake.reprocess()
    seen.append(set(lake.table_titles()))
    old, new = {None}, {"Title 0", "Title 1", "Title 2"}
    assert seen[0] == old
    assert seen[-1] == new
    assert all(it in (old, new) for it in seen)
    assert Counter(lake.table_rows()) == Counter(lake.lake_rows())


def test_uncompacted_day_is_in_the_table_once(lake: OldLake) -> None:
    lake.old(1)
    lake.publish()
    lake.reprocess()
    assert lake.table_titles() == ["Title 1"]
    assert Counter(lake.table_rows()) == Counter(lake.lake_rows())


def test_compacted_files_have_the_new_rows(lake: OldLake) -> None:
    lake.old(1)
    lake.compact()
    lake.reprocess()
    (row,) = lake.rows("compacted/")
    assert row["page_title"] == "Title 1"
    assert len(lake.rows("compacted_rest/")) == 1


def test_writer_recognises_a_reprocessed_object(lake: OldLake) -> None:
    event = lake.old(1)
    lake.reprocess()
    after = lake.rows()
    lake.deliver(event)
    assert lake.rows() == after
    assert lake.verify()
    assert lake.verify(restore=True)
    assert lake.rows() == after


def test_restored_object_has_the_new_rows(lake: OldLake) -> None:
    lake.old(1)
    lake.reprocess()
    after = lake.rows()
    (key,) = [key for key in lake.s3.list_keys() if key.startswith("events/")]
    lake.s3.delete_object(Bucket=LAKE, Key=key)
    lake.verify(restore=True)
    assert lake.rows() == after


@pytest.mark.slow
def test_erased_person_does_not_come_back(lake: OldLake) -> None:
    lake.old(1, USER)
    lake.old(2)
    lake.publish()
    lake.reprocess()
    assert lake.erase(USER).complete
    assert lake.names(USER) == []
    lake.reprocessor().run(UNDO)
    assert lake.names(USER) == []
    result = lake.reprocess()
    assert result.complete
    assert lake.names(USER) == []
    assert Counter(lake.table_rows()) == Counter(lake.lake_rows())


def test_event_that_is_invalid_now_stays(lake: OldLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.old(1)
    before = lake.rows()

    def refuse(_: bytes) -> None:
        raise reprocess_refusal()

    monkeypatch.setattr("stream_processor.rows.remade_columns.event_schema.event", refuse)
    result = lake.reprocess()
    assert (result.written, result.refused) == (0, 1)
    assert lake.rows() == before


def reprocess_refusal() -> Exception:
    from stream_processor.ingest.event_schema import EventError

    return EventError("event_type", "no type")


def test_object_of_a_newer_version_is_left(lake: OldLake) -> None:
    lake.write(visit(1))
    (key,) = [key for key in lake.s3.list_keys() if key.startswith("events/")]
    body, metadata = lake.s3.objects[LAKE, key]
    table = parquet.read(body).append_column("newer", pa.nulls(2, pa.string()))
    lake.s3.put_object(Bucket=LAKE, Key=key, Body=parquet.write(table), Metadata=metadata)
    result = lake.reprocess()
    assert (result.left, result.written) == (1, 0)


def test_columns_that_a_file_lacks_are_added() -> None:
    lake = OldLake()
    lake.write(visit(1))
    (body,) = [body for _, body, _ in lake.aws.objects("events/")]
    table = parquet.read(body)
    old = table.drop_columns(["page_title", "locale"])
    assert remade(old).table.equals(table)
    assert remade(old.drop_columns(["object_id"])).table.schema.names == [
        it for it in EVENTS.names if it != "object_id"
    ]


@given(st.lists(stream_payloads(), max_size=4))
def test_rows_of_any_record_of_the_current_code_do_not_change(payloads: list[bytes]) -> None:
    rows = EventRows(SHARD, frozenset())
    for number, payload in enumerate(payloads, 1):
        rows.add(payload, number, 1_795_258_800_000)
    table = parquet.read(parquet.write(rows.finish()))
    again = remade(table)
    assert (again.changed, again.refused) == (0, 0)
    assert again.table.equals(table)


class _Crash(BaseException):
    pass


STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("crash"), st.integers(0, 30)),
        st.tuples(st.sampled_from(["run", "undo", "confirm", "compact", "publish"]), st.just(0)),
        st.tuples(st.sampled_from(["erase", "late", "deliver"]), st.integers(0, 2)),
    ),
    max_size=6,
)


class Run:
    """Steps on a lake of earlier code; a run can end at any of its writes."""

    def __init__(self) -> None:
        self.lake = OldLake()
        self.events = [self.lake.old(0, USER), self.lake.old(1), self.lake.old(2, hour=1)]
        self.lake.compact()
        self.lake.publish()

    def step(self, name: str, value: int) -> None:
        lake = self.lake
        match name:
            case "crash":
                self.crash(value)
            case "run":
                assert lake.reprocess().complete
            case "undo":
                assert lake.reprocessor().run(UNDO).complete
            case "confirm":
                lake.reprocessor().run(CONFIRM)
            case "compact":
                lake.compact()
            case "publish":
                lake.publish()
            case "erase":
                assert lake.erase(USER).complete
            case "late":
                self.events.append(lake.old(len(self.events), hour=value))
            case "deliver":
                lake.deliver(self.events[value])

    def crash(self, calls: int) -> None:
        """End a run at one of its writes to S3 or Glue."""
        lake, left = self.lake, iter(range(calls))
        real = {name: getattr(lake.s3, name) for name in ("put_object", "delete_object")}

        def crashing(name: str) -> Callable[..., Any]:
            def call(**query: Any) -> Any:
                if next(left, None) is None:
                    raise _Crash
                return real[name](**query)

            return call

        for name in real:
            setattr(lake.s3, name, crashing(name))
        try:
            lake.reprocess()
        except _Crash:
            pass
        finally:
            for name, method in real.items():
                setattr(lake.s3, name, method)


@pytest.mark.slow
@given(STEPS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=one_in(3))
def test_each_row_is_there_once_with_the_new_columns_after_any_history(
    steps: list[tuple[str, int]],
) -> None:
    run = Run()
    lake = run.lake
    identity = Counter(key[3:] for key in lake.lake_rows())
    for name, value in steps:
        run.step(name, value)
        assert not identity - Counter(key[3:] for key in lake.lake_rows())
    result = lake.reprocess()
    assert result.complete
    assert lake.reprocess().written == 0
    good = [row for row in lake.rows() if row["verdict"] == "good"]
    assert all(row["page_title"] for row in good)
    rows = Counter(key[3:] for key in lake.lake_rows())
    assert max(rows.values()) == 1
    lake.compact()
    lake.publish()
    assert Counter(lake.table_rows()) == Counter(lake.lake_rows())
    compacted = Counter(row["message_id"] for row in lake.rows("compacted/"))
    assert compacted == Counter(row["message_id"] for row in good)
    assert lake.verify()
    assert lake.erase(USER).complete
    lake.reprocessor().run(UNDO)
    assert lake.names(USER) == []


def test_run_beside_an_erasure_is_refused_and_repeated(lake: OldLake) -> None:
    lake.old(1, USER)
    real: Callable[..., Any] = lake.s3.put_object
    beside: list[bool] = []

    def put(**query: Any) -> dict[str, Any]:
        if "IfMatch" in query and not beside:
            beside.append(True)
            assert lake.erase(USER).complete
        return dict(real(**query))

    lake.s3.put_object = put  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        lake.reprocess()
    assert lake.names(USER) == []
    assert lake.reprocess().complete
    assert lake.names(USER) == []


class Units:
    """Time for a number of units of work."""

    def __init__(self, units: int) -> None:
        self._left = units

    def __call__(self) -> bool:
        self._left -= 1
        return self._left > 0


def sliced(lake: OldLake, mode: str, units: int, between: Callable[[], object]) -> Result:
    """Run in slices of some units, each by the handler's event, with something between them."""
    event: dict[str, Any] = {"day": str(DAY), "mode": mode, "position": None, "counts": None}
    while not event.get("done"):
        event = as_sent(reprocessing.run(lake.aws.app(), event, Units(units)))
        between()
    assert event["complete"]
    return Result.of(event["counts"])


def day_of_three_hours() -> OldLake:
    lake = OldLake()
    for number, hour in enumerate((0, 0, 1, 2)):
        lake.old(number, hour=hour)
    lake.compact()
    lake.publish()
    return lake


@pytest.mark.slow
@settings(deadline=None, max_examples=at_most(4), suppress_health_check=[HealthCheck.too_slow])
@given(units=st.integers(1, 9))
def test_slices_of_any_size_do_the_same_as_one_run(units: int) -> None:
    whole, parts = day_of_three_hours(), day_of_three_hours()
    for mode in (RUN, UNDO, RUN, CONFIRM):
        result = whole.reprocessor().run(mode)
        assert sliced(parts, mode, units, lambda: None) == result
        for prefix in ("events/", "compacted/", "compacted_rest/"):
            assert parts.rows(prefix) == whole.rows(prefix)
        assert Counter(parts.table_rows()) == Counter(whole.table_rows())
    assert parts.table_titles() == [f"Title {number}" for number in range(4)]


@pytest.mark.slow
def test_schedules_beside_the_slices_show_no_part_of_the_day_in_the_table() -> None:
    lake = day_of_three_hours()
    new = {f"Title {number}" for number in range(4)}
    seen: list[set[str | None]] = []

    def hourly() -> None:
        held = lake.table().held()
        at = datetime.combine(DAY, time(), UTC) + timedelta(hours=9)
        event = {"scheduled_time": at.isoformat()}
        compact.scheduled(event, lake.aws.app(), lambda: True, held)
        publish.scheduled(event, lake.aws.app(), lambda: True)
        seen.append(set(lake.table_titles()))

    sliced(lake, RUN, 1, hourly)
    assert {None} in seen
    assert seen[-1] == new
    assert all(it in ({None}, new) for it in seen)
    assert lake.table().held() == set()
    assert Counter(lake.table_rows()) == Counter(lake.lake_rows())


@pytest.mark.slow
def test_hourly_publication_that_began_before_a_run_shows_no_part_of_the_day() -> None:
    lake = day_of_three_hours()
    real: Callable[..., Any] = lake.s3.list_objects_v2
    stages: list[str] = []

    def between(**query: Any) -> Any:
        # The publication has read the table without the mark, and lists the day.
        if not stages:
            stages.append("write")
            reprocessor, result, position = lake.reprocessor(), Result(str(DAY)), BEGIN
            while position.stage != "write":
                following = reprocessor.run_slice(RUN, position, lambda: False, result)
                assert following is not None
                position = following
        return real(**query)

    lake.s3.list_objects_v2 = between  # type: ignore[method-assign]
    lake.publish()
    assert stages
    assert set(lake.table_titles()) == {None}
    lake.reprocess()
    assert set(lake.table_titles()) == {f"Title {number}" for number in range(4)}


def test_interrupted_day_stays_held_until_the_next_run_ends(lake: OldLake) -> None:
    lake.old(1)
    lake.old(2, hour=1)
    lake.publish()
    lake.reprocessor().run_slice(RUN, Position("write", ""), Units(1), Result(str(DAY), to_write=2))
    lake.table().hold(DAY)
    late = lake.old(3, hour=1)
    lake.publish()
    assert len(lake.table_titles()) == 2
    assert lake.reprocess().complete
    assert sorted(map(str, lake.table_titles())) == ["Title 1", "Title 2", "Title 3"]
    lake.deliver(late)
    assert lake.table().held() == set()
