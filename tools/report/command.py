"""The report command: wait for the data lake, download it, count it, print the report."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

from aws_emulator.endpoint import Endpoint
from tools.progress import step
from tools.replay.ledger import Summary
from tools.report.lake_objects import Lake, copies, s3
from tools.report.lake_tables import open_tables
from tools.report.ledger_counts import count_ledger
from tools.report.page import PAGE_FILE, write_page
from tools.report.render import render
from tools.report.results import Report, measure
from tools.report.stored_times import stored_times
from tools.report.wait import TIMEOUT_S, Expected, wait_until_stored

REPORT_FILE: Final = "report.json"


def run(
    *,
    endpoint: str,
    region: str,
    bucket: str,
    poller_status: Path | None,
    summary: Summary,
    directory: Path,
    output: Path | None = None,
    log_group: str | None = None,
) -> int:
    """Report on the replay of `summary`, whose ledger is in `directory`.

    Writes the numbers as JSON to `output`, by default `report.json` in the directory, and the page
    with plots to `report.html` there. `log_group` is EventsFunction's; without it the lag isn't
    measured. Returns 1 if an event is missing, two counts differ or the edge allowed or denied
    access wrongly, else 0.

    Raises:
        CommandError: The lake can't be read, or events are missing after the timeout.
    """
    lake = Lake(s3(endpoint, region), bucket)
    wait_until_stored(lake, expected(summary), poller_status, timeout=TIMEOUT_S)
    logged = {}
    if log_group is not None:
        logged = stored_times(Endpoint(endpoint, region).client("logs"), log_group)
    report = count(lake, summary, directory, logged)
    document = {**asdict(report), "access_checks": [row._asdict() for row in report.access_checks]}
    text = json.dumps({**document, "passed": report.passed}, indent=2) + "\n"
    (output or directory / REPORT_FILE).write_text(text, encoding="utf-8")
    page = directory / PAGE_FILE
    write_page(report, page)
    render(report)
    for check in report.checks:
        if not check.passed:
            print(f"error: {check.name}: expected {check.expected:,}, found {check.actual:,}")
    print(f"Plots: {page.resolve().as_uri()}", flush=True)
    return 0 if report.passed else 1


def expected(summary: Summary) -> Expected:
    """Return the events that the lake must contain after a replay."""
    return Expected(
        accepted=summary.accepted,
        rejected=sum(summary.rejected.values()),
        since=datetime.fromisoformat(summary.first_request),
        last_answer=datetime.fromisoformat(summary.last_answer),
    )


def count(
    lake: Lake, summary: Summary, directory: Path, stored_at: Mapping[str, datetime] | None = None
) -> Report:
    """Download the lake's objects into `directory` and compute the report.

    `stored_at` has the time at which each object was stored, by key, as far as it is known.

    Raises:
        CommandError: The lake or the ledger can't be read.
    """
    times = stored_at or {}
    ledger = directory / summary.ledger
    since = datetime.fromisoformat(summary.first_request)
    with (
        step("querying the data lake"),
        copies(lake, directory) as lake_copies,
        open_tables(
            [copy.path for copy in lake_copies],
            ledger,
            since,
            {it.path: times[it.original.key] for it in lake_copies if it.original.key in times},
        ) as opened,
    ):
        return measure(summary, count_ledger(ledger), opened, lake_copies)
