"""System test of `make reprocess`: the workflow makes a day's rows again, also after a stop."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.system.test_compaction import find_object, iceberg_table, list_keys
from tests.system.test_journey import event, post, stored
from tools.dev import system
from tools.operations import reprocess
from tools.operations.reprocess import CONFIRM, RUN, UNDO
from tools.stack import client

pytestmark = pytest.mark.integration

OBJECTS = 4
#: Columns that say which row of which record a row is, and what it is.
IDENTITY = ("shard_id", "sequence_number", "record_index", "object_id", "message_id", "verdict")


def read(running: system.System, key: str) -> pa.Table:
    s3, bucket = client("s3", running.target), running.deployed.outputs["LakeBucket"]
    return pq.read_table(pa.BufferReader(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))


def forget_titles(running: system.System, key: str) -> None:
    """Let an object be as a version would have written it that didn't read titles."""
    s3, bucket = client("s3", running.target), running.deployed.outputs["LakeBucket"]
    table = read(running, key)
    number = table.schema.get_field_index("page_title")
    field = table.schema.field(number)
    table = table.set_column(number, field, pa.nulls(len(table), field.type))
    target = pa.BufferOutputStream()
    pq.write_table(table, target)
    metadata = s3.head_object(Bucket=bucket, Key=key)["Metadata"]
    s3.put_object(Bucket=bucket, Key=key, Body=target.getvalue().to_pybytes(), Metadata=metadata)


class Day:
    """Events of one day, one per object, without titles."""

    def __init__(self, running: system.System) -> None:
        self.running = running
        self.ids: list[str] = []
        self.keys: list[str] = []
        for number in range(OBJECTS):
            sent = event("page", "reprocessed", properties={"path": "/again", "title": "A title"})
            assert post(running, "/v1/page", sent).status_code == 200, number
            self.ids.append(str(sent["messageId"]))
            stored(running, f"message_id = '{sent['messageId']}'", 1)
            self.keys.append(find_object(running, sent["messageId"]))
        assert len({it.split("/")[1] for it in self.keys}) == 1, "the test ran at midnight"
        self.day = date.fromisoformat(self.keys[0].split("/")[1].removeprefix("date="))
        for key in self.keys:
            forget_titles(running, key)
        # The table's files are the changed objects: their sizes are other ones.
        self.hourly()

    def titles(self) -> list[str | None]:
        """Return the titles of the events in the objects."""
        rows = [row for key in set(self.keys) for row in read(self.running, key).to_pylist()]
        by_id = {row["message_id"]: row["page_title"] for row in rows}
        return [by_id[it] for it in self.ids]

    def table_titles(self) -> list[str | None]:
        """Return their titles in the Iceberg table, which has each event once."""
        rows = iceberg_table(self.running, (*IDENTITY, "page_title"))
        mine = [row for row in rows if row["message_id"] in self.ids]
        assert sorted(row["message_id"] for row in mine) == sorted(self.ids)
        by_id = {row["message_id"]: row["page_title"] for row in mine}
        return [by_id[it] for it in self.ids]

    def identities(self) -> Counter[tuple[object, ...]]:
        """Return which rows the day has, without the columns that can change."""
        keys = list_keys(self.running, f"events/date={self.day}/")
        rows = [row for key in keys for row in read(self.running, key).to_pylist()]
        return Counter(tuple(row[name] for name in IDENTITY) for row in rows)

    def hourly(self) -> dict[str, Any]:
        """Invoke the function as the hourly schedule does, at a time when the hours have ended."""
        at = datetime.now(UTC) + timedelta(hours=3)
        return self.invoke("events", {"scheduled_time": f"{at:%Y-%m-%dT%H:%M:%SZ}"})

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invoke a function of the stage and return its answer."""
        answer = client("lambda", self.running.target).invoke(
            FunctionName=f"meridian-{self.running.target.stage}-{function}",
            Payload=json.dumps(event),
        )
        result: dict[str, Any] = json.load(answer["Payload"])
        assert "FunctionError" not in answer, result
        return result


@contextmanager
def one_unit_in_each_slice(running: system.System) -> Iterator[None]:
    """Let the function have less time than a slice reserves: it does one unit and returns."""
    functions = client("lambda", running.target)
    name = f"meridian-{running.target.stage}-reprocessing"
    functions.update_function_configuration(FunctionName=name, Timeout=60)
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Timeout=900)


def test_stopped_day_is_reprocessed_twice_taken_back_and_confirmed(
    meridian: system.System, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = Day(meridian)
    before = day.identities()
    assert day.titles() == day.table_titles() == [None] * OBJECTS
    with one_unit_in_each_slice(meridian):
        # What the workflow does until it is stopped, when one object is written.
        state: dict[str, Any] = {"day": str(day.day), "mode": RUN, "position": None, "counts": None}
        while "A title" not in day.titles():
            state = day.invoke("reprocessing", state)
            assert not state["done"]
    assert None in day.titles()
    # The schedule publishes no part of the day.
    day.hourly()
    assert day.table_titles() == [None] * OBJECTS

    def run(mode: str) -> dict[str, Any]:
        environment = {"DAY": str(day.day), **({} if mode == RUN else {mode.upper(): "1"})}
        report = tmp_path / "report.json"
        code = reprocess.main(environment | {"REPORT": str(report)}, meridian.directory)
        assert code == 0, capsys.readouterr().out
        answers: dict[str, Any] = json.loads(report.read_text())
        assert answers["us-east-1"]["complete"]
        counts: dict[str, Any] = answers["us-east-1"]["counts"]
        return counts

    first = run(RUN)
    assert first["written"] == OBJECTS - 1
    assert first["before"] == first["after"]
    assert sum(first["after"].values()) == before.total()
    assert day.titles() == day.table_titles() == ["A title"] * OBJECTS
    second = run(RUN)
    assert (second["written"], second["old_versions"]) == (0, OBJECTS)
    run(UNDO)
    assert day.titles() == day.table_titles() == [None] * OBJECTS
    assert run(RUN)["written"] == OBJECTS
    assert run(CONFIRM)["old_versions"] == 0
    assert run(UNDO)["written"] == 0
    assert day.titles() == day.table_titles() == ["A title"] * OBJECTS
    assert day.identities() == before
    # The day follows the lake again: the schedule finds nothing new, and later events arrive.
    assert day.hourly()["table"]["removed"] == 0
    assert "versions with the rows of before are kept" in capsys.readouterr().out
