"""Tests of the printed report and its page."""

from pathlib import Path

import pytest

from tools.gameday import catalogue, report
from tools.gameday.acts import FURTHER, Act, move_act, region_act
from tools.gameday.answers import Answer, Ledger
from tools.gameday.checks import Check
from tools.gameday.figures import Behind, Part, Scene


def day() -> tuple[list[Scene], Ledger]:
    ledger = Ledger(events={"e1": 1.0})
    ledger.answers = [
        Answer("events", "Asia", 1, 1.2, 200),
        Answer("profile", "Asia", 5, 5.2, 503, "unavailable", has_retry_after=True),
        Answer("profile", "Asia", 7, 7.5, 200),
    ]
    return [Scene(region_act(FURTHER, "hanging"), 0, 4, 8, 10)], ledger


def test_report_shows_the_time_line_and_the_recovery(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes, ledger = day()
    path = tmp_path / "day.html"
    assert report.show(7, scenes, ledger, [Check("a check", 1, 1)], [], path) == 0
    output = capsys.readouterr().out
    assert "Mumbai, hangs (lost for 4 s)" in output
    assert "profile 3.5" in output
    assert "1 of 3 requests refused" in output
    page = path.read_text()
    assert "All checks passed." in page
    assert 'class="refused"' in page
    assert "profile 3.5" in page


def test_failed_check_fails_the_day_with_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = Check("events, missing", 0, 1, ("<e1>",), missing_in="events")
    path = tmp_path / "day.html"
    assert report.show(7, *day(), [check], [], path) == 1
    output = capsys.readouterr().out
    assert "      <e1>" in output
    assert "make gameday SEED=7" in output
    assert "Failed: events, missing" in path.read_text()
    assert "<e1>" not in path.read_text()


def test_report_has_the_acts_on_the_catalogue_beside_those_on_the_school(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Ledger()
    ledger.answers = [
        Answer("search", "Europe", 1, 1.1, 200),
        Answer("search", "Europe", 5, 5.1, 503),
        Answer("search", "Europe", 6, 6.5, 200),
        Answer("change", "Asia", 5, 5.5, 0),
        Answer("change", "Asia", 8, 9.0, 201),
    ]
    scene = Scene(Act("database in London"), 0, 4, 8, 10)
    courses = Part([scene], ledger, catalogue.OPERATIONS, "the catalogue")
    path = tmp_path / "day.html"
    assert report.show(7, *day(), [Check("a check", 1, 1)], [], path, courses) == 0
    output = capsys.readouterr().out
    lines = output.partition("RTO of the catalogue")[2].splitlines()
    assert "Europe search 2.5, change -" in lines[2]
    assert "Asia   search -, change 5.0" in lines[3]
    assert "Error budget of the catalogue: 2 of 5 requests refused" in output
    assert "Time line of the catalogue" in output
    assert "Waits in ms of the catalogue" in output
    assert path.read_text().count('<svg class="timeline"') == 2
    assert "RTO of the catalogue" in path.read_text()


def test_report_has_the_missing_writes_of_each_store_of_a_new_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes, ledger = day()
    lacked = (
        Behind("events", 80, 160, 9),
        Behind("bookings", 3, 90, 0.84),
        Behind("pages", 0, 14, 0),
    )
    scenes.append(Scene(move_act("refused"), 10, 14, 18, 20, 15, lacked))
    report.show(7, scenes, ledger, [], [], tmp_path / "day.html")
    output, page = capsys.readouterr().out, (tmp_path / "day.html").read_text()
    for text in (
        "bookings         3 of 90 writes, the last 0.8 s before the loss\n",
        "pages            0 of 14 writes\n",
        "events          80 of 160 writes, the last 9.0 s before the loss (not replicated",
    ):
        assert text in output
        assert text.strip() in page


def test_report_ends_with_the_time_of_each_phase(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = ["Time: 3:20 minutes", "  acts on the school    2:10"]
    report.show(7, *day(), [], [], tmp_path / "day.html", times=times)
    output = capsys.readouterr().out
    assert "\n".join(times) in output.partition("Checks")[2]
