"""System test of two committers of one Iceberg table at the same time, while events arrive."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.support.waiting import wait_until
from tests.system.test_compaction import ROW, iceberg, iceberg_table
from tests.system.test_journey import event, post, stored
from tools.dev import system
from tools.operations import commands as operations
from tools.paths import BIN, ROOT

pytestmark = pytest.mark.integration

#: Publishes again and again until its input ends; prints the counts of each run.
COMMITTER: Final = """
import json, os, select, sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from stream_processor import settings
from stream_processor.storage.app_context import AppContext
from stream_processor.table.publish import EventsTable, folders_between
app = AppContext.from_settings(settings.parse(os.environ))
while not select.select([sys.stdin], [], [], 0)[0]:
    now = datetime.now(UTC)
    folders = folders_between(now - timedelta(hours=2), now)
    print(json.dumps(asdict(EventsTable.of(app).publish(folders, lambda: True))), flush=True)
"""
EVENTS: Final = 12


@contextmanager
def committer(running: system.System) -> Iterator[list[dict[str, Any]]]:
    """Run a committer in another process; yield the counts of its runs, complete at the end.

    It ends without an error, whatever the other one does.
    """
    runs: list[dict[str, Any]] = []
    process = subprocess.Popen(
        [str(BIN / "python"), "-c", COMMITTER],
        cwd=ROOT,
        env=operations.local_stack(running.target).environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield runs
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        runs += map(json.loads, output.splitlines())
    finally:
        process.kill()
        process.wait()


def assert_once(running: system.System, ids: set[str]) -> set[str]:
    """Assert that the table has no file and no row twice; return which of the events it has."""
    files = Counter(iceberg(running).inspect.files().column("file_path").to_pylist())
    assert max(files.values()) == 1
    rows = iceberg_table(running, (*ROW, "message_id", "verdict"))
    assert max(Counter(tuple(row[name] for name in ROW) for row in rows).values()) == 1
    mine = Counter(row["message_id"] for row in rows if row["message_id"] in ids)
    assert not mine or max(mine.values()) == 1
    return set(mine)


def test_two_committers_at_once_publish_each_arriving_event_once(meridian: system.System) -> None:
    assert operations.run(operations.local_stack(meridian.target), "table").returncode == 0
    ids: set[str] = set()
    with committer(meridian) as first, committer(meridian) as second:
        for number in range(EVENTS):
            sent = event("page", "committed", properties={"path": f"/{number}"})
            assert post(meridian, "/v1/page", sent).status_code == 200
            ids.add(str(sent["messageId"]))
            stored(meridian, f"message_id = '{sent['messageId']}'", 1)
            # A committer whose commit was refused has one further attempt for each other commit,
            # and gives up after eight. So the next event waits until one of them has this one.
            wait_until(
                lambda: assert_once(meridian, ids) == ids, "the event in the table", interval_s=0.2
            )
    for runs in (first, second):
        assert len(runs) > 1
    assert any(it["attempts"] > 1 for it in (*first, *second)), "no commit was refused"
    assert operations.run(operations.local_stack(meridian.target), "table").returncode == 0
    assert assert_once(meridian, ids) == ids
