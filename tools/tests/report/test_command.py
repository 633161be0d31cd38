"""A modelled day travels through an edge and a lake in memory, and both counts agree."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tools.replay import source
from tools.replay.command import replay
from tools.replay.ledger import Summary
from tools.report.command import count
from tools.report.figures import Report
from tools.tests.replay.edge import WRITE_KEY, Edge
from tools.tests.report.lake_files import Bucket, Row, row


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(scope="module")
def replayed(directory: Path) -> tuple[Summary, Edge]:
    """A day of 600 requests, one in fifty rejected."""
    edge = Edge(reject=lambda e: "no_reason" if int(e["messageId"][-8:]) % 50 == 0 else None)
    day = source.modelled(requests=600, cache=directory)
    summary = replay("", WRITE_KEY, day, clients=4, out=directory / "replay.json", make=edge.client)
    return summary, edge


def rows(edge: Edge) -> list[Row]:
    """What a faithful stream would have stored: rejected events become bad rows."""
    now = datetime.now(UTC)
    return [
        row(event, now, "bad", message_id=None, reason_code="no_reason")
        if int(event["messageId"][-8:]) % 50 == 0
        else row(event, now)
        for event in edge.events
    ]


def report(replayed: tuple[Summary, Edge], directory: Path, *objects: list[Row]) -> Report:
    bucket = Bucket()
    for each in objects:
        bucket.put(each)
    return count(bucket.lake, replayed[0], directory)


def wrong(found: Report) -> set[str]:
    return {check.name for check in found.checks if not check.right}


def test_all_counts_agree_when_everything_is_stored(
    replayed: tuple[Summary, Edge], directory: Path
) -> None:
    stored = rows(replayed[1])

    found = report(replayed, directory, stored[:100], stored[100:])

    assert found.right
    assert (found.sent, found.accepted, found.stored, found.missing) == (600, 588, 588, 0)
    assert found.rejected == {"no_reason": 12}
    assert found.bad == {"no_reason": 12}
    assert found.objects == 2
    assert sum(found.hours) == 588


def test_a_lost_event_is_missing(replayed: tuple[Summary, Edge], directory: Path) -> None:
    stored = rows(replayed[1])
    lost = next(index for index, each in enumerate(stored) if each["verdict"] == "good")

    found = report(replayed, directory, stored[:lost] + stored[lost + 1 :])

    assert not found.right
    assert found.missing == 1
    assert "accepted events missing in the lake" in wrong(found)


def test_an_event_stored_twice_is_found(replayed: tuple[Summary, Edge], directory: Path) -> None:
    stored = rows(replayed[1])
    twice = next(each for each in stored if each["verdict"] == "good")

    found = report(replayed, directory, stored, [twice])

    assert found.surplus == 1
    assert wrong(found) == {"accepted events stored more than once"}


def test_a_duplicate_that_was_recognised_is_no_fault(
    replayed: tuple[Summary, Edge], directory: Path
) -> None:
    stored = rows(replayed[1])

    found = report(
        replayed, directory, stored, [each | {"verdict": "duplicate"} for each in stored]
    )

    assert found.right
    assert found.duplicates == 600


def test_a_changed_path_or_hour_is_found(replayed: tuple[Summary, Edge], directory: Path) -> None:
    stored = rows(replayed[1])
    good = next(index for index, each in enumerate(stored) if each["verdict"] == "good")
    stored[good]["page_path"] = "/somewhere/else/"
    stored[good]["timestamp"] += timedelta(hours=1)

    found = report(replayed, directory, stored)

    assert wrong(found) == {
        "paths whose views differ from the log",
        "hours whose views differ from the log",
    }


def test_an_empty_lake_misses_everything(replayed: tuple[Summary, Edge], directory: Path) -> None:
    found = report(replayed, directory)

    assert found.missing == found.accepted == 588
    assert not found.right
