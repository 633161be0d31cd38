"""The lake's tables and views over objects in a folder."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tools.lake_sql import __main__ as command
from tools.lake_sql.lake_copy import copy_lake
from tools.lake_sql.tables import FOLDERS, columns, open_lake
from tools.paths import ROOT

VIEWS = ("events_once", "bad_rows_open", "appointments_now", "appointments_history")


def write_event(folder: Path, **values: object) -> None:
    """Write an events object with one row; other columns are NULL."""
    typed = {
        name: kind for name, kind in columns()["events"].items() if name not in ("date", "hour")
    }
    selected = ", ".join(f'?::{kind} AS "{name}"' for name, kind in typed.items())
    target = folder / "events" / "date=2026-11-25" / "hour=10"
    target.mkdir(parents=True)
    parameters = [values.get(name) for name in typed]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT {selected}", parameters)
        connection.table("t").write_parquet(str(target / "object.parquet"))


def test_tables_are_those_of_the_catalog() -> None:
    assert columns().keys() == FOLDERS.keys()
    assert columns()["events"]["received_at"] == "TIMESTAMPTZ"


@pytest.mark.parametrize("name", [*FOLDERS, *VIEWS])
def test_table_and_view_of_an_empty_lake_has_no_rows(name: str, tmp_path: Path) -> None:
    assert open_lake(tmp_path).execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "lake" / "queries").glob("*.sql")), ids=lambda path: path.stem
)
def test_saved_query_runs_on_an_empty_lake(path: Path, tmp_path: Path) -> None:
    open_lake(tmp_path).execute(path.read_text()).fetchall()


def test_event_is_visible_in_its_table_and_view_with_partition(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    write_event(
        folder, verdict="good", message_id="m1", source="portal", page_path="/a",
        received_at="2026-11-25T10:00:00Z",
    )  # fmt: skip
    lake = open_lake(folder)
    assert lake.execute("SELECT page_path, date, hour FROM events").fetchall() == [
        ("/a", "2026-11-25", "10")
    ]
    assert lake.execute("SELECT message_id FROM events_once").fetchall() == [("m1",)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["SELECT 1;"], ["SELECT 1;"]),
        (["SELECT", "1;", "SELECT 2;"], ["SELECT\n1;", "SELECT 2;"]),
        (["SELECT 1"], ["SELECT 1"]),
        (["", "  "], []),
    ],
)
def test_statements_end_with_a_semicolon_or_the_input(
    lines: list[str], expected: list[str]
) -> None:
    assert list(command.statements(lines)) == expected


def test_failing_statement_prints_its_error_and_the_next_one_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = open_lake(tmp_path)
    assert not command.run(lake, "SELECT nothing")
    assert "error: Binder Error" in capsys.readouterr().err
    assert command.run(lake, "SELECT 42 AS answer")
    assert "42" in capsys.readouterr().out


class FakeS3:
    """Lists and returns objects; counts the downloads."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.downloads: list[str] = []
        self.changed = datetime(2026, 11, 25, tzinfo=UTC)

    def get_paginator(self, _operation: str) -> "FakeS3":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, object]]:  # noqa: N803 - as boto3
        matching = {key: it for key, it in self.objects.items() if key.startswith(Prefix)}
        entries = [
            {"Key": key, "Size": len(it), "LastModified": self.changed}
            for key, it in matching.items()
        ]
        return [{"Contents": entries}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, object]:  # noqa: N803 - as boto3
        self.downloads.append(Key)
        content = self.objects[Key]
        return {"Body": type("Body", (), {"read": lambda _self: content})()}


def test_copy_downloads_new_objects_once_and_removes_deleted_ones(tmp_path: Path) -> None:
    s3 = FakeS3({"events/a.parquet": b"1", "changes/b.parquet": b"22", "events/x.txt": b"no"})
    assert copy_lake(s3, "lake", tmp_path) == 2  # type: ignore[arg-type]  # a fake client
    assert (tmp_path / "changes" / "b.parquet").read_bytes() == b"22"
    s3.objects = {"events/a.parquet": b"1", "events/c.parquet": b"3"}
    assert copy_lake(s3, "lake", tmp_path) == 2  # type: ignore[arg-type]  # a fake client
    assert s3.downloads == ["events/a.parquet", "changes/b.parquet", "events/c.parquet"]
    assert sorted(it.name for it in tmp_path.rglob("*.parquet")) == ["a.parquet", "c.parquet"]


def test_object_that_an_erasure_replaced_is_copied_again(tmp_path: Path) -> None:
    s3 = FakeS3({"events/a.parquet": b"person"})
    copy_lake(s3, "lake", tmp_path)  # type: ignore[arg-type]  # a fake client
    s3.objects, s3.changed = {"events/a.parquet": b"erased"}, datetime.now(UTC)
    copy_lake(s3, "lake", tmp_path)  # type: ignore[arg-type]  # a fake client
    assert (tmp_path / "events" / "a.parquet").read_bytes() == b"erased"
