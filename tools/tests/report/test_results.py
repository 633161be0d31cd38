"""The report's checks, on a modelled day that a fake collector and lake received."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tools.replay import log_source
from tools.replay.command import replay
from tools.replay.ledger import Summary
from tools.report.command import count
from tools.report.results import Report
from tools.tests.replay.fake_collector import WRITE_KEY, FakeCollector
from tools.tests.report.lake_files import Bucket, Row, row


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(scope="module")
def replayed(directory: Path) -> tuple[Summary, FakeCollector]:
    """A day of 600 requests, of which the collector rejects one in fifty."""
    collector = FakeCollector(
        reject=lambda e: "no_reason" if int(e["messageId"][-8:]) % 50 == 0 else None
    )
    day = log_source.modelled_log(requests=600, cache=directory)
    summary = replay(
        "", WRITE_KEY, day, clients=4, out=directory / "replay.json", make=collector.client
    )
    return summary, collector


def rows(collector: FakeCollector) -> list[Row]:
    """Return the rows that the stream processor would store: rejected events are bad rows."""
    now = datetime.now(UTC)
    return [
        row(event, now, "bad", message_id=None, reason_code="no_reason")
        if int(event["messageId"][-8:]) % 50 == 0
        else row(event, now)
        for event in collector.events
    ]


def report(replayed: tuple[Summary, FakeCollector], directory: Path, *objects: list[Row]) -> Report:
    bucket = Bucket()
    for each in objects:
        bucket.put(each)
    return count(bucket.lake, replayed[0], directory)


def failed_checks(replay_report: Report) -> set[str]:
    return {check.name for check in replay_report.checks if not check.passed}


def test_report_passes_when_all_events_are_stored(
    replayed: tuple[Summary, FakeCollector], directory: Path
) -> None:
    stored = rows(replayed[1])

    replay_report = report(replayed, directory, stored[:100], stored[100:])

    assert replay_report.passed
    assert (
        replay_report.sent,
        replay_report.accepted,
        replay_report.stored,
        replay_report.missing,
    ) == (600, 588, 588, 0)
    assert replay_report.rejected == {"no_reason": 12}
    assert replay_report.bad == {"no_reason": 12}
    assert replay_report.objects == 2
    assert sum(replay_report.hours) == 588


def test_report_fails_when_an_event_is_lost(
    replayed: tuple[Summary, FakeCollector], directory: Path
) -> None:
    stored = rows(replayed[1])
    lost = next(index for index, each in enumerate(stored) if each["verdict"] == "good")

    replay_report = report(replayed, directory, stored[:lost] + stored[lost + 1 :])

    assert not replay_report.passed
    assert replay_report.missing == 1
    assert "accepted events missing from the lake" in failed_checks(replay_report)


def test_report_fails_when_an_event_is_stored_twice(
    replayed: tuple[Summary, FakeCollector], directory: Path
) -> None:
    stored = rows(replayed[1])
    twice = next(each for each in stored if each["verdict"] == "good")

    replay_report = report(replayed, directory, stored, [twice])

    assert replay_report.surplus == 1
    assert failed_checks(replay_report) == {"accepted events stored more than once"}


def test_report_passes_with_rows_marked_as_duplicates(
    replayed: tuple[Summary, FakeCollector], directory: Path
) -> None:
    stored = rows(replayed[1])

    replay_report = report(
        replayed, directory, stored, [each | {"verdict": "duplicate"} for each in stored]
    )

    assert replay_report.passed
    assert replay_report.duplicates == 600


def test_report_fails_when_a_path_or_hour_differs(
    replayed: tuple[Summary, FakeCollector], directory: Path
) -> None:
    stored = rows(replayed[1])
    good = next(index for index, each in enumerate(stored) if each["verdict"] == "good")
    stored[good]["page_path"] = "/somewhere/else/"
    stored[good]["timestamp"] += timedelta(hours=1)

    replay_report = report(replayed, directory, stored)

    assert failed_checks(replay_report) == {
        "paths with a different number of views",
        "hours with a different number of views",
    }


def test_report_of_an_empty_lake_misses_all_events(
    replayed: tuple[Summary, FakeCollector], directory: Path
) -> None:
    replay_report = report(replayed, directory)

    assert replay_report.missing == replay_report.accepted == 588
    assert not replay_report.passed
