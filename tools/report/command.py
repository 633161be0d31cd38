"""The report from end to end: wait for the lake, copy it, count it, print it."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from tools.progress import step
from tools.replay.ledger import Summary
from tools.report.book import read
from tools.report.figures import Report, measure
from tools.report.lake import Lake, copies, s3
from tools.report.render import render
from tools.report.sql import tables
from tools.report.wait import TIMEOUT_S, Expected, wait_until_stored

JSON = "report.json"


def run(
    *,
    endpoint: str,
    region: str,
    bucket: str,
    poller_status: Path | None,
    summary: Summary,
    directory: Path,
    output: Path | None = None,
) -> int:
    """Report on the replay of `summary`, whose ledger lies in `directory`.

    Writes the numbers to `output` (JSON; `report.json` in the directory unless given). Returns 0,
    or 1 if anything is missing, two counts differ or the gate let the wrong visitor pass. Raises
    CommandError where the lake cannot be read or stays incomplete.
    """
    lake = Lake(s3(endpoint, region), bucket)
    wait_until_stored(lake, expected(summary), poller_status, timeout=TIMEOUT_S)
    report = count(lake, summary, directory)
    document = {**asdict(report), "sign_in": [row._asdict() for row in report.sign_in]}
    text = json.dumps({**document, "right": report.right}, indent=2) + "\n"
    (output or directory / JSON).write_text(text, encoding="utf-8")
    render(report)
    for check in report.checks:
        if not check.right:
            print(f"error: {check.name}: {check.found:,} instead of {check.expected:,}")
    return 0 if report.right else 1


def expected(summary: Summary) -> Expected:
    """Return what the lake has to hold after a replay."""
    return Expected(
        accepted=summary.accepted,
        rejected=sum(summary.rejected.values()),
        since=datetime.fromisoformat(summary.first_request),
        last_answer=datetime.fromisoformat(summary.last_answer),
    )


def count(lake: Lake, summary: Summary, directory: Path) -> Report:
    """Copy the lake's objects below `directory` and compute the report."""
    ledger = directory / summary.ledger
    since = datetime.fromisoformat(summary.first_request)
    with (
        step("counting the lake"),
        copies(lake, directory) as found,
        tables([copy.path for copy in found], ledger, since) as opened,
    ):
        return measure(summary, read(ledger), opened, found)
