"""Tests of the erasure: names of pages with the person's id in live counters and daily marts."""

import pyarrow as pa
import pytest

from stream_processor.storage import live_counters, parquet
from tests.unit.stream_processor.fakes import LAKE
from tests.unit.stream_processor.test_erasure import OTHER, USER, Lake, visit

MART = "marts/pages/date=2026-11-21/rows.parquet"


@pytest.fixture
def lake() -> Lake:
    return Lake()


def pages(lake: Lake) -> dict[str, int]:
    ((_, figures),) = live_counters.since(lake.aws.app().live, "")
    return dict(figures.pages)


def test_live_counters_keep_their_counts_without_the_name_of_the_page(lake: Lake) -> None:
    for number, path in enumerate([f"/of/{USER}", f"/of/{USER}", f"/of/{OTHER}", "/"]):
        lake.write(visit(f"m{number}", properties={"path": path}))
    assert lake.erase(USER).rows == {"events": 2, "live": 1}
    assert pages(lake) == {live_counters.OTHER: 2, f"/of/{OTHER}": 1, "/": 1}
    assert lake.erase(USER).rows == {}


def test_writer_counts_on_after_an_erasure(lake: Lake) -> None:
    event = lake.write(visit("m1", properties={"path": f"/of/{USER}"}))
    lake.erase(USER)
    lake.deliver(event)
    lake.write(visit("m2", properties={"path": "/"}))
    assert pages(lake) == {live_counters.OTHER: 1, "/": 1}


def test_marts_keep_their_rows_without_the_name_of_the_page(lake: Lake) -> None:
    rows = [(f"/of/{USER}", 3), ("/", 2)]
    table = pa.table({"page_path": [it for it, _ in rows], "views": [it for _, it in rows]})
    for _ in range(2):
        lake.s3.put_object(Bucket=LAKE, Key=MART, Body=parquet.write(table))
    report = lake.erase(USER)
    assert (report.complete, report.rows) == (True, {"marts": 1})
    assert [tuple(it.values()) for it in lake.rows("marts/")] == [("erased", 3), ("/", 2)]
    assert lake.names(USER) == []
