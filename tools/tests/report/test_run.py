"""The report's command: what it prints, writes and returns."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tools.replay import source
from tools.replay.command import replay
from tools.replay.ledger import Summary
from tools.report import __main__ as program
from tools.report import command
from tools.tests.replay.edge import WRITE_KEY, Edge
from tools.tests.report.lake_files import Bucket, row


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    bucket = Bucket()
    monkeypatch.setattr(command, "s3", lambda endpoint, region: bucket)
    monkeypatch.setattr("tools.report.wait.INTERVAL_S", 0.01)
    return bucket


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    edge = Edge()
    day = source.modelled(requests=50, cache=tmp_path / "cache")
    out = tmp_path / "replay.json"
    replay("", WRITE_KEY, day, clients=2, out=out, make=edge.client).write(out)
    return edge


def report(directory: Path, *more: str) -> int:
    return program.main(
        ["--endpoint", "http://e", "--bucket", "lake", "--run", str(directory), *more]
    )


def test_nothing_missing_is_success(
    bucket: Bucket, edge: Edge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.put([row(event, datetime.now(UTC)) for event in edge.events])

    assert report(tmp_path, "--json", str(tmp_path / "numbers.json")) == 0
    assert "50 events, 0 of them more than once" in capsys.readouterr().out
    document = json.loads((tmp_path / "numbers.json").read_text())
    assert (document["stored"], document["missing"], document["right"]) == (50, 0, True)
    assert document["source"]["kind"] == "model"
    # The copies are gone again.
    assert not list(tmp_path.glob("lake-*"))


def test_a_wrong_count_fails_the_command(
    bucket: Bucket, edge: Edge, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = [row(event, datetime.now(UTC)) for event in edge.events]
    bucket.put([*stored[1:], stored[2]])

    assert report(tmp_path) == 1
    assert "error: accepted events missing in the lake: 1 instead of 0" in capsys.readouterr().out
    assert json.loads((tmp_path / "report.json").read_text())["missing"] == 1


def test_what_never_arrives_fails_the_command(
    bucket: Bucket,
    edge: Edge,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "TIMEOUT_S", 0.05)
    bucket.put([row(event, datetime.now(UTC)) for event in edge.events[:-3]])

    assert report(tmp_path) == 1
    assert capsys.readouterr().err.startswith(
        "error: 3 of 50 accepted events did not reach the lake"
    )


def test_a_report_needs_a_replay(
    bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(tmp_path) == 1
    assert "replay.json is no summary of a replay" in capsys.readouterr().err


def test_what_is_expected_of_the_lake() -> None:
    summary = Summary(
        {}, 1, first_request="2025-09-15T08:00:00.000Z", last_answer="2025-09-15T08:01:00.000Z"
    )
    summary.accepted = 7
    summary.rejected.update(no_type=2, no_id=1)

    found = command.expected(summary)

    assert (found.accepted, found.rejected) == (7, 3)
    assert (found.last_answer - found.since).total_seconds() == 60
