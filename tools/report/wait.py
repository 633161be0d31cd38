"""Wait until the data lake contains the accepted events."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from aws_emulator.errors import CommandError
from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.status import drained, read_status
from tools.progress import step
from tools.report.lake_objects import Counts, Lake

#: The interval between two listings of the lake.
INTERVAL_S: Final = 0.5
TIMEOUT_S: Final = 120.0


@dataclass(frozen=True)
class Expected:
    """The events to wait for: `accepted` good rows and `rejected` bad rows since `since`."""

    accepted: int
    rejected: int
    since: datetime
    last_answer: datetime


def wait_until_stored(
    lake: Lake,
    expected: Expected,
    poller_status: Path | None = None,
    *,
    timeout: float = TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Wait until all rows arrived or the event source mappings are drained; return the row count.

    The function counts rows by the objects' metadata.

    Raises:
        CommandError: Events are missing after `timeout` seconds.
    """
    counts_by_key: dict[str, Counts] = {}
    # LastModified has whole seconds (Amazon S3 API Reference, "ListObjectsV2").
    since = expected.since.replace(microsecond=0)
    expected_rows = expected.accepted + expected.rejected
    give_up = clock() + timeout
    rows = 0
    with step("waiting for the data lake", expected.accepted) as progress:
        while True:
            # Read before the listing, so that the listing has the objects of drained mappings.
            finished = poller_status is not None and is_drained(poller_status, expected.last_answer)
            for item in lake.objects():
                if item.modified >= since and item.key not in counts_by_key:
                    counts_by_key[item.key] = lake.counts(item.key)
            arrived = sum(counts.rows for counts in counts_by_key.values())
            progress.advance(min(arrived, expected.accepted) - min(rows, expected.accepted))
            rows = arrived
            if rows >= expected_rows or finished:
                return rows
            if clock() >= give_up:
                break
            sleep(INTERVAL_S)
    if rows >= expected.accepted:
        return rows
    missing = expected.accepted - rows
    raise CommandError(
        f"{missing:,} of {expected.accepted:,} accepted events didn't reach the data lake within "
        f"{timeout:.0f} s. Run `make verify` against a running system, or read .meridian/run/logs/."
    )


def is_drained(file: Path, since: datetime) -> bool:
    """Return whether the poller has delivered all records that the stream contained at `since`."""
    try:
        status = read_status(file.parent)
    except StateError:
        return False
    mappings = status["mappings"] if status else []
    # Without a Kinesis mapping the poller hasn't discovered the stream yet.
    streams = {each["source_arn"] for each in mappings if ":kinesis:" in each["source_arn"]}
    return bool(streams) and drained(status, since=since.timestamp(), sources=streams)
