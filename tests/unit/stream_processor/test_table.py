"""Tests of the Iceberg table: each row of the lake is in it once, whatever happens beside it."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from stream_processor.errors import StorageError
from stream_processor.rows.lake_schema import COMPACTED
from stream_processor.storage import parquet
from stream_processor.table import catalog, entries, publish
from stream_processor.table.catalog import LakeCatalog
from stream_processor.table.publish import EventsTable, Published, folders_between
from tests.unit.stream_processor.fake_glue import FakeGlue
from tests.unit.stream_processor.fakes import LAKE, FakeAws
from tests.unit.stream_processor.sample_records import accepted, header, packed, rejected
from tests.unit.stream_processor.test_erasure import ARRIVED, NOW, OTHER, USER, Lake

type Key = tuple[Any, ...]

FOLDERS: Final = folders_between(ARRIVED, ARRIVED + timedelta(hours=3))
#: Later than every object of the fake.
FAR: Final = datetime(2100, 1, 1, tzinfo=UTC)


class TableLake(Lake):
    """A Region's lake with a table."""

    def __init__(self) -> None:
        super().__init__()
        self.glue = FakeGlue()
        self.aws = FakeAws(s3=self.s3, glue=self.glue)

    def table(self) -> EventsTable:
        """Return the table in a new process."""
        app = self.aws.app()
        return EventsTable(app.lake, "meridian_test", self.glue, lambda _: None)

    def publish(self, folders: list[str] = FOLDERS) -> Published:
        return self.table().publish(folders, lambda: True)

    def iceberg(self) -> Table:
        table = LakeCatalog(self.aws.app().lake, "meridian_test", self.glue).find()
        assert table is not None
        return table

    def files(self) -> dict[str, DataFile]:
        """Return the entries of the newest snapshot; fails if one is there twice."""
        return entries.current(self.iceberg(), self.aws.app().lake)

    def table_rows(self) -> list[Key]:
        """Return the rows of the table's files: what a reader of the newest snapshot sees."""
        rows: list[Key] = []
        for key, entry in self.files().items():
            body, _ = self.s3.objects[LAKE, key]
            assert entry.file_size_in_bytes == len(body)
            table = parquet.read(body)
            assert entry.record_count == len(table)
            rows += map(identity, table.to_pylist())
        return rows

    def lake_rows(self) -> list[Key]:
        return [identity(row) for row in self.rows()]


def identity(row: dict[str, Any]) -> Key:
    names = ("verdict", "message_id", "user_id", "shard_id", "sequence_number", "record_index")
    return tuple(row[name] for name in names)


@pytest.fixture
def lake() -> TableLake:
    return TableLake()


def batch(number: int, user: str = OTHER) -> bytes:
    """Return a record with a good event of a user, another one, and a bad one."""
    raw = json.dumps({"type": "page", "messageId": f"b{number}", "userId": user})
    events = [accepted(f"m{number}", userId=user), accepted(f"n{number}", userId=OTHER)]
    return packed(header(f"request-{number}"), events, [rejected("properties_size", raw=raw)])


def same(left: list[Key], right: list[Key]) -> bool:
    return Counter(left) == Counter(right)


def test_table_has_each_row_once_before_and_after_compaction(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.write(batch(1))  # a duplicate
    assert lake.publish() == Published(added=2, files=2, attempts=1)
    assert same(lake.table_rows(), lake.lake_rows())
    assert lake.compact() == 1
    assert lake.publish() == Published(added=2, removed=2, files=2, attempts=1)
    assert {it.partition("/")[0] for it in lake.files()} == {"compacted", "compacted_rest"}
    assert same(lake.table_rows(), lake.lake_rows())
    assert {row[0] for row in lake.table_rows()} == {"good", "bad", "duplicate"}


def test_reader_finds_each_column_of_each_file_in_the_schema(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.compact()
    lake.write(batch(2))
    lake.publish()
    table = lake.iceberg()
    folders = set()
    for key in lake.files():
        columns = parquet.read(lake.s3.objects[LAKE, key][0]).schema
        # Raises for a column that has no name there.
        read = pyarrow_to_schema(columns, name_mapping=table.name_mapping())
        assert set(read.column_names) <= set(table.schema().column_names)
        folders.add(key.partition("/")[0])
    assert folders == {"events", "compacted", "compacted_rest"}


def test_run_without_new_objects_makes_no_snapshot(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.publish()
    before = dict(lake.glue.tables)
    assert lake.publish() == Published(files=1, attempts=1)
    assert lake.glue.tables == before


def test_requests_of_a_run_without_new_objects(lake: TableLake) -> None:
    lake.write(batch(1))
    event = {"scheduled_time": (ARRIVED + timedelta(days=1, minutes=20)).isoformat()}
    publish.scheduled(event, lake.aws.app(), lambda: True)
    requests: Counter[str] = Counter()

    def counted(name: str) -> None:
        real: Callable[..., Any] = getattr(lake.s3, name)

        def call(**query: Any) -> Any:
            requests[name] += 1
            return real(**query)

        setattr(lake.s3, name, call)

    for name in ("list_objects_v2", "get_object", "head_object", "put_object", "delete_object"):
        counted(name)
    publish.scheduled(event, lake.aws.app(), lambda: True)
    # Three prefixes on nine dates; the table's metadata, list of manifests, and manifest.
    assert requests == {"list_objects_v2": 27, "get_object": 3}


def test_late_object_is_added_to_a_compacted_hour(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.compact()
    lake.publish()
    lake.write(batch(2))
    assert lake.publish().added == 1
    assert same(lake.table_rows(), lake.lake_rows())


def test_file_without_rows_is_not_in_the_table(lake: TableLake) -> None:
    lake.write(packed(header(), [accepted("m1")]))
    lake.compact()
    assert lake.publish().added == 1
    assert [it.partition("/")[0] for it in lake.files()] == ["compacted"]


def test_object_that_is_no_parquet_is_left_out(lake: TableLake) -> None:
    lake.write(batch(1))
    key = f"events/{FOLDERS[0]}strange.parquet"
    lake.s3.put_object(Bucket=LAKE, Key=key, Body=b"hello")
    assert lake.publish().added == 1


def test_compacted_file_of_an_earlier_version_gets_its_rest(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.compact()
    for key in lake.s3.list_keys():
        if key.startswith("compacted_rest/"):
            lake.s3.delete_object(Bucket=LAKE, Key=key)
    lake.publish()
    assert same(lake.table_rows(), lake.lake_rows())
    compacted = [key for key in lake.s3.list_keys() if key.startswith("compacted/")]
    lake.compact()
    assert [key for key in lake.s3.list_keys() if key.startswith("compacted/")] == compacted
    assert lake.publish().removed == 1
    assert same(lake.table_rows(), lake.lake_rows())


def test_summary_names_newest_entry_of_each_shard(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.write(batch(2))
    lake.publish()
    snapshot = lake.iceberg().current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    newest = json.loads(snapshot.summary[publish.NEWEST] or "")
    assert newest == {"shardId-000000000000": max(lake.files())}


def test_no_value_of_a_row_is_in_the_metadata(lake: TableLake) -> None:
    lake.write(batch(1, USER))
    lake.publish()
    lake.compact()
    lake.publish()
    metadata = [body for key, body in lake.s3.bodies() if key.startswith("iceberg/")]
    assert metadata
    for entry in lake.files().values():
        assert entry.lower_bounds.keys() <= {
            lake.iceberg().schema().find_field(it).field_id for it in ("received_at", "timestamp")
        }
    assert not [body for body in metadata if USER.encode() in body]


def test_bounds_of_received_at_let_a_query_skip_files(lake: TableLake) -> None:
    for hour in range(2):
        received = (ARRIVED + timedelta(hours=hour)).isoformat()
        lake.write(packed(header(received_at=received), [accepted(f"m{hour}")]), hour=hour)
    lake.publish()
    scan = lake.iceberg().scan(
        row_filter=f"received_at < '{(ARRIVED + timedelta(hours=1)).isoformat()}'"
    )
    assert len(list(scan.plan_files())) == 1


def test_commit_on_a_newer_snapshot_starts_again(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.publish()
    lake.write(batch(2))

    def beside() -> None:
        lake.write(batch(3))
        assert lake.publish().added == 2

    lake.glue.before_update.append(beside)
    assert lake.publish() == Published(files=3, attempts=2)
    assert lake.glue.refused == 1
    assert same(lake.table_rows(), lake.lake_rows())


def test_update_of_another_version_is_refused_by_glue(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.publish()
    lake.write(batch(2))
    lake.glue.lost = ["resent"]
    assert lake.publish() == Published(files=2, attempts=2)
    assert lake.glue.refused == 1
    assert same(lake.table_rows(), lake.lake_rows())


@pytest.mark.parametrize(("lost", "added"), [("answer", 0), ("request", 1)])
def test_run_after_lost_commit_adds_missing_files(lake: TableLake, lost: str, added: int) -> None:
    lake.write(batch(1))
    lake.publish()
    lake.write(batch(2))
    lake.glue.lost = [lost]
    with pytest.raises(StorageError, match="make table"):
        lake.publish()
    assert lake.publish().added == added
    assert same(lake.table_rows(), lake.lake_rows())


@pytest.mark.slow
def test_run_fails_if_other_commits_come_first_each_time(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.publish()
    lake.write(batch(2))
    lake.glue.lost = ["resent"] * 20

    def again() -> None:
        lake.write(batch(len(lake.s3.list_keys())))
        lake.glue.before_update.append(again)
        raise lake.glue.exceptions.ConcurrentModificationException(
            {"Error": {"Code": "ConcurrentModificationException"}}, "UpdateTable"
        )

    lake.glue.before_update.append(again)
    with pytest.raises(StorageError, match="other commits came first"):
        lake.publish()


def test_run_without_time_leaves_hours_and_keeps_their_files(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.publish()
    lake.write(batch(2), hour=1)
    answers = iter([True, False])
    result = lake.table().publish(FOLDERS, lambda: next(answers))
    assert result == Published(files=1, left=3, attempts=1)
    assert lake.publish().added == 1


def test_table_of_an_earlier_version_gets_new_columns(
    lake: TableLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.write(batch(1))
    with monkeypatch.context() as earlier:
        earlier.setattr(catalog, "COMPACTED", pa.schema(list(COMPACTED)[:-2]))
        lake.publish()
        assert len(lake.iceberg().schema().fields) == len(COMPACTED) - 2
    lake.write(batch(2))
    lake.publish()
    assert [it.name for it in lake.iceberg().schema().fields] == COMPACTED.names
    mapping = json.loads(lake.iceberg().properties["schema.name-mapping.default"])
    assert {it["names"][0] for it in mapping} == set(COMPACTED.names)


@pytest.mark.slow
def test_many_commits_leave_few_manifests(lake: TableLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MERGED_MANIFESTS", 4)
    for number in range(13):
        lake.write(batch(number))
        lake.publish()
        assert same(lake.table_rows(), lake.lake_rows())
    snapshot = lake.iceberg().current_snapshot()
    assert snapshot is not None
    assert len(snapshot.manifests(lake.iceberg().io)) <= 4


def test_expiry_keeps_the_newest_snapshot_and_its_metadata(lake: TableLake) -> None:
    for number in range(3):
        lake.write(batch(number))
        lake.publish()
    before = [key for key in lake.s3.list_keys() if key.startswith("iceberg/")]
    assert lake.table().expire(FAR, FAR) == 2
    assert len(lake.iceberg().snapshots()) == 1
    after = [key for key in lake.s3.list_keys() if key.startswith("iceberg/")]
    assert len(after) < len(before)
    assert same(lake.table_rows(), lake.lake_rows())
    lake.write(batch(9))
    assert lake.publish().added == 1
    assert same(lake.table_rows(), lake.lake_rows())


def test_expiry_keeps_young_snapshots_and_unused_metadata(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.publish()
    lake.write(batch(2))
    lake.publish()
    before = lake.s3.list_keys()
    past = datetime(1969, 1, 1, tzinfo=UTC)
    assert lake.table().expire(past, past) == 0
    assert lake.s3.list_keys() == before


def test_expiry_without_a_table_does_nothing(lake: TableLake) -> None:
    assert not lake.table().exists()
    assert lake.table().expire(FAR, FAR) == 0


def every_snapshot_is_readable(lake: TableLake) -> bool:
    """Return whether each file of each snapshot is there with the size that its entry has."""
    table = lake.iceberg()
    for snapshot in table.snapshots():
        for manifest in snapshot.manifests(table.io):
            for entry in manifest.fetch_manifest_entry(table.io):
                key = entry.data_file.file_path.removeprefix(f"s3://{LAKE}/")
                if (LAKE, key) not in lake.s3.objects:
                    return False
                body, _ = lake.s3.objects[LAKE, key]
                if len(body) != entry.data_file.file_size_in_bytes:
                    return False
    return True


def test_erasure_replaces_compacted_files_in_the_table_and_keeps_it_readable(
    lake: TableLake,
) -> None:
    for number in range(3):
        lake.write(batch(number, USER if number == 1 else OTHER))
    lake.write(batch(4, USER), hour=1)
    lake.publish()
    lake.compact()
    lake.publish()
    lake.write(batch(5, USER))
    lake.publish()
    deleted: list[bool] = []
    real: Callable[..., Any] = lake.s3.delete_object

    def checked(**query: Any) -> dict[str, Any]:
        answer: dict[str, Any] = real(**query)
        files = lake.files()
        deleted.append(all((LAKE, key) in lake.s3.objects for key in files))
        return answer

    lake.s3.delete_object = checked  # type: ignore[method-assign]
    assert lake.erase(USER).complete
    assert deleted
    assert all(deleted)
    assert same(lake.table_rows(), lake.lake_rows())
    assert every_snapshot_is_readable(lake)
    assert lake.names(USER) == []


def test_erasure_without_a_table_creates_none(lake: TableLake) -> None:
    lake.write(batch(1, USER))
    assert lake.erase(USER).complete
    assert lake.glue.tables == {}


def test_erased_object_keeps_its_size(lake: TableLake) -> None:
    lake.write(batch(1, USER))
    lake.publish()
    before = {key: len(body) for key, body, _ in lake.aws.objects("events/")}
    lake.erase(USER)
    assert {key: len(body) for key, body, _ in lake.aws.objects("events/")} == before
    assert lake.publish().added == 0


STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from([USER, OTHER]), st.integers(0, 2)),
        st.tuples(st.just("deliver again"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("lose"), st.sampled_from(["answer", "request", "resent"]), st.just(0)),
        st.tuples(
            st.just("beside"),
            st.sampled_from(["publish", "write", "compact", "expire", "erase"]),
            st.integers(0, 2),
        ),
        st.tuples(st.just("crash"), st.integers(0, 12), st.just(0)),
        st.tuples(
            st.sampled_from(["publish", "compact", "erase", "expire"]), st.just(0), st.just(0)
        ),
    ),
    max_size=12,
)


class _Crash(BaseException):
    pass


class Run:
    """Steps on a lake; a step can run beside a commit."""

    def __init__(self) -> None:
        self.lake = TableLake()
        self.events: list[dict[str, Any]] = []

    def step(self, name: str, value: Any, hour: int) -> None:
        if name == "write":
            self.events.append(
                self.lake.write(batch(len(self.events), str(value or OTHER)), hour=hour)
            )
        elif name == "deliver again" and self.events:
            self.lake.deliver(self.events[value % len(self.events)])
        elif name == "lose":
            self.lake.glue.lost.append(value)
        elif name == "beside":
            self.lake.glue.before_update.append(lambda: self.step(value, None, hour))
        elif name == "crash":
            self.crash(value)
        elif name == "publish":
            self.publish()
        elif name == "compact":
            self.lake.compact()
        elif name == "erase":
            self.attempt(lambda: self.lake.erase(USER))
        elif name == "expire":
            # Metadata of a commit beside this one is younger than what expires.
            past = datetime(1969, 1, 1, tzinfo=UTC)
            self.attempt(lambda: self.lake.table().expire(FAR, past))

    def attempt(self, action: Callable[[], object]) -> bool:
        try:
            action()
        except StorageError:
            return False
        return True

    def publish(self) -> None:
        before = self.lake.lake_rows()
        if self.attempt(self.lake.publish):
            # Each row is there once, and everything that was in the lake before.
            rows = Counter(self.lake.table_rows())
            assert max(rows.values(), default=0) <= 1
            assert not Counter(key[3:] for key in before) - Counter(key[3:] for key in rows)

    def crash(self, calls: int) -> None:
        """End a run at one of its writes to S3."""
        real = self.lake.s3.put_object
        left = iter(range(calls))

        def crashing(**query: Any) -> dict[str, Any]:
            if next(left, None) is None:
                raise _Crash
            return real(**query)

        self.lake.s3.put_object = crashing  # type: ignore[method-assign]
        try:
            self.publish()
        except _Crash:
            pass
        finally:
            self.lake.s3.put_object = real  # type: ignore[method-assign]


@pytest.mark.slow
@given(STEPS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_each_row_is_in_the_table_once_after_any_history(
    steps: list[tuple[str, Any, int]],
) -> None:
    run = Run()
    for name, value, hour in steps:
        run.step(name, value, hour)
    run.lake.glue.lost.clear()
    run.lake.glue.before_update.clear()
    run.lake.publish()
    assert same(run.lake.table_rows(), run.lake.lake_rows())
    assert run.lake.erase(USER).complete
    assert same(run.lake.table_rows(), run.lake.lake_rows())
    assert run.lake.names(USER) == []


def test_table_loses_dates_before_their_retention_ends(lake: TableLake) -> None:
    lake.write(batch(1))
    lake.compact()
    lake.publish()
    lake.write(batch(2), hour=24)
    lake.aws.settings = replace(lake.aws.settings, events_retention_days=180)
    scheduled = ARRIVED.replace(hour=0, minute=20)

    def run(days: int) -> dict[str, Any]:
        event = {"scheduled_time": (scheduled + timedelta(days=days)).isoformat()}
        return publish.scheduled(event, lake.aws.app(), lambda: True)

    # S3 deletes the first date's objects from day 181 on. Snapshots that name them stay for a week.
    result = run(172)
    assert (result["removed"], result["files"]) == (0, 2)
    lake.publish([*FOLDERS, *folders_between(ARRIVED, ARRIVED + timedelta(days=1))])
    assert run(173)["removed"] == 2
    assert {it.partition("/")[2].partition("/")[0] for it in lake.files()} == {
        f"date={(ARRIVED + timedelta(days=1)).date()}"
    }
    assert run(173)["removed"] == 0
    assert run(174)["files"] == 0


def test_hours_of_a_scheduled_run_reach_to_the_current_one(lake: TableLake) -> None:
    lake.write(batch(1))
    at = ARRIVED + timedelta(minutes=20)
    event = {"scheduled_time": at.isoformat()}
    assert publish.scheduled(event, lake.aws.app(), lambda: True)["added"] == 1
    assert at < NOW
