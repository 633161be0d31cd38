"""Figures of the stream function by their source, the objects of the lake."""

import time
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_cockpit import flow, send_events
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.browser

#: Counts of the stream function that the lake confirms.
OF_THE_LAKE: Final = ("good", "bad", "duplicate", "objects", "written")


def lake(meridian: System) -> dict[str, int]:
    """Return the numbers of rows, objects and bytes that are in the lake."""
    s3, bucket = client("s3", meridian.target), meridian.deployed.outputs["LakeBucket"]
    counts = dict.fromkeys(OF_THE_LAKE, 0)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/"):
        for item in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            counts["objects"] += 1
            counts["written"] += len(body)
            verdicts = pq.read_table(pa.BufferReader(body), columns=["verdict"]).column(0)
            for verdict in verdicts.to_pylist():
                counts[verdict] = counts.get(verdict, 0) + 1
    return counts


def grown(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in OF_THE_LAKE}


def test_rows_objects_and_bytes_are_those_of_the_lake(meridian: System, operator: Student) -> None:
    start = int(time.time()) // 3600 * 3600 - 3600

    def settled() -> tuple[dict[str, float], dict[str, int]] | None:
        """Return the counts and the lake, if no batch was written between them."""
        counts, stored = flow(meridian, operator, start), lake(meridian)
        later = flow(meridian, operator, start)
        return (counts, stored) if not any(grown(later, counts).values()) else None

    counts, stored = wait_until(settled, "counts while nothing is written", interval_s=1)
    send_events(meridian)

    def is_confirmed() -> bool:
        rows = grown(lake(meridian), stored)
        least = all(rows[it] >= 1 for it in ("good", "bad", "duplicate"))
        return least and grown(flow(meridian, operator, start), counts) == rows

    wait_until(is_confirmed, "counts that have grown as the lake has", interval_s=1)
