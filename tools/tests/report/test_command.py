"""The report command: its output, its file and its exit code."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tools.replay import log_source
from tools.replay.command import replay
from tools.replay.ledger import Summary
from tools.report import __main__ as program
from tools.report import command
from tools.tests.replay.fake_collector import WRITE_KEY, FakeCollector
from tools.tests.report.lake_files import Bucket, row


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    bucket = Bucket()
    monkeypatch.setattr(command, "s3", lambda endpoint, region: bucket)
    monkeypatch.setattr("tools.report.wait.INTERVAL_S", 0.01)
    return bucket


@pytest.fixture
def collector(tmp_path: Path) -> FakeCollector:
    collector = FakeCollector()
    day = log_source.modelled_log(requests=50, cache=tmp_path / "cache")
    out = tmp_path / "replay.json"
    replay("", WRITE_KEY, day, clients=2, out=out, make=collector.client).write(out)
    return collector


def report(directory: Path, *more: str) -> int:
    return program.main(
        ["--endpoint", "http://e", "--bucket", "lake", "--run", str(directory), *more]
    )


def test_report_succeeds_when_no_event_is_missing(
    bucket: Bucket, collector: FakeCollector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.put([row(event, datetime.now(UTC)) for event in collector.events])

    assert report(tmp_path, "--json", str(tmp_path / "numbers.json")) == 0
    assert "50 events, 0 stored more than once" in capsys.readouterr().out
    document = json.loads((tmp_path / "numbers.json").read_text())
    assert (document["stored"], document["missing"], document["passed"]) == (50, 0, True)
    assert document["source"]["kind"] == "model"
    # The command deletes its copies.
    assert not list(tmp_path.glob("lake-*"))


def test_report_fails_when_a_count_differs(
    bucket: Bucket, collector: FakeCollector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = [row(event, datetime.now(UTC)) for event in collector.events]
    bucket.put([*stored[1:], stored[2]])

    assert report(tmp_path) == 1
    assert (
        "error: accepted events missing from the lake: expected 0, found 1"
        in capsys.readouterr().out
    )
    assert json.loads((tmp_path / "report.json").read_text())["missing"] == 1


def test_report_fails_when_events_never_arrive(
    bucket: Bucket,
    collector: FakeCollector,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "TIMEOUT_S", 0.05)
    bucket.put([row(event, datetime.now(UTC)) for event in collector.events[:-3]])

    assert report(tmp_path) == 1
    assert capsys.readouterr().err.startswith(
        "error: 3 of 50 accepted events didn't reach the data lake"
    )


def test_report_fails_without_a_replay(
    bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(tmp_path) == 1
    assert "replay.json: not the summary of a replay" in capsys.readouterr().err


def test_expected_counts_come_from_the_summary() -> None:
    summary = Summary(
        {}, 1, first_request="2025-09-15T08:00:00.000Z", last_answer="2025-09-15T08:01:00.000Z"
    )
    summary.accepted = 7
    summary.rejected.update(no_type=2, no_id=1)

    counts = command.expected(summary)

    assert (counts.accepted, counts.rejected) == (7, 3)
    assert (counts.last_answer - counts.since).total_seconds() == 60
