"""Wait until the lake holds what the edge accepted."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aws_emulator.errors import CommandError
from aws_emulator.event_sources.errors import StateError
from aws_emulator.event_sources.status import drained, read_status
from tools.progress import step
from tools.report.lake import Counts, Lake

#: Seconds between two looks at the lake, and until the wait is given up.
INTERVAL_S = 0.5
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Expected:
    """What has to arrive: events `accepted` (and `rejected`, kept as bad rows) since `since`."""

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
    """Return the number of rows that arrived, once it is all or the poller has nothing left.

    Rows are counted from the objects' metadata. Raises CommandError after `timeout` seconds, saying
    how many are missing.
    """
    known: dict[str, Counts] = {}
    # A listing's times are whole seconds (Amazon S3, "ListObjectsV2"), so the first one counts.
    since = expected.since.replace(microsecond=0)
    wanted = expected.accepted + expected.rejected
    give_up = clock() + timeout
    rows = 0
    with step("waiting for the lake", expected.accepted) as progress:
        while True:
            # Asked before the lake is: what is delivered by now is in the listing that follows.
            over = poller_status is not None and is_drained(poller_status, expected.last_answer)
            for item in lake.objects():
                if item.modified >= since and item.key not in known:
                    known[item.key] = lake.counts(item.key)
            arrived = sum(counts.rows for counts in known.values())
            progress.advance(min(arrived, expected.accepted) - min(rows, expected.accepted))
            rows = arrived
            if rows >= wanted or over:
                return rows
            if clock() >= give_up:
                break
            sleep(INTERVAL_S)
    if rows >= expected.accepted:
        return rows
    missing = expected.accepted - rows
    raise CommandError(
        f"{missing:,} of {expected.accepted:,} accepted events did not reach the lake within "
        f"{timeout:.0f} s."
    )


def is_drained(file: Path, since: datetime) -> bool:
    """Tell whether the poller has dealt with all that was in the streams at `since`."""
    try:
        status = read_status(file.parent)
    except StateError:
        return False
    mappings = status["mappings"] if status else []
    # A poller that has not found the mapping of the stream yet has nothing left either.
    streams = {each["source_arn"] for each in mappings if ":kinesis:" in each["source_arn"]}
    return bool(streams) and drained(status, since=since.timestamp(), sources=streams)
