"""The printed report: its numbers, its width, and untrusted text."""

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tools.replay.access_check import ANONYMOUS, PAYING, AccessCheck
from tools.report.distribution import distribution
from tools.report.render import MAX_WIDTH, bar, render
from tools.report.results import Check, Report, Sessions

REPORT = Report(
    source={"kind": "own", "label": "your log (access.log)"},
    lines=1_002, bad_lines={"time": 2}, clients=8, requests=120, retried=3,
    statuses={"200": 117, "503": 3}, sent=1_000, accepted=990, rejected={"no_type": 10},
    stored=990, surplus=0, duplicates=4, bad={"no_type": 10}, missing=0,
    objects=3, bytes=2_400_000, replay_s=4.2, stored_s=6.6, events_per_s=150.0,
    pages=[("/", 600), ("/courses/", 90)], files=[("/favicon.ico", 300)], page_views=690,
    hours=[0] * 23 + [990], bot_views=99, bot_visitors=5, visitors=50,
    sessions=Sessions(60, 30, 2, 40, 75.0, 0.0, 200.0, 4_000.0,
                      by_views={"1": 30, "2": 20, "over 50": 10}, by_length={"0 s": 60}),
    locations={"IN": 600, "GB": 300, "unknown": 90}, locations_by="country",
    latency=distribution({80: 90, 240: 30}), lag=distribution({900: 800, 2_100: 200}),
    access_checks=[AccessCheck(ANONYMOUS, "/premium/", 401, "no token"),
                   AccessCheck(PAYING, "/premium/", 200, "")],
    checks=[Check("accepted events stored", 990, 990)],
)  # fmt: skip


def printed(report: Report, width: int = 200, *, terminal: bool = False) -> str:
    out = io.StringIO()
    render(report, Console(file=out, width=width, force_terminal=terminal, highlight=False))
    return out.getvalue()


def test_report_prints_each_number() -> None:
    text = " ".join(printed(REPORT).split())

    for part in (
        "your log (access.log) - your own traffic",
        "1,002, invalid: time 2",
        "1,000 in 120 requests by 8 concurrent clients, 3 retried",
        "accepted 990 rejected 10 (no_type 10) statuses 200 117, 503 3",
        "stored 990 events, 0 stored more than once duplicates 4",
        "bad 10 (no_type 10) missing 0 objects 3 Parquet objects, 2.4 MB",
        "statuses 200 117, 503 3 latency median 80 ms, p90 240 ms, p95 240 ms, p99 240 ms",
        "lag median 900 ms, p90 2.10 s, p95 2.10 s, p99 2.10 s, maximum 2.10 s",
        "from IN 60.6%, GB 30.3%, unknown 9.1%",
        "6.6 s from the first request to the last row, of which 4.2 s sending",
        "150 events per second",
        "50, 10.0% bots, which made 10.0% of the requests",
        "60 (a session ends after 30 minutes without a request), 50.0% with a single request",
        "mean 1 min 15 s, median 0 s, p90 3 min 20 s, maximum 1 h 06 min",
        "top pages (690 views) views files loaded by pages (300) views / 600 /favicon.ico 300",
        "anonymous visitor /premium/ 401 no token",
        "accepted events stored 990 990 ✓",
    ):
        assert part in text


@pytest.mark.parametrize("kind", ["public", "model"])
def test_report_prints_the_source_of_the_log(kind: str) -> None:
    text = printed(replace(REPORT, source={"kind": kind, "label": "this"}))

    assert ("generated from the statistics" in text) == (kind == "model")
    assert ("real traffic (10,000 requests" in text) == (kind == "public")


def test_report_marks_failed_checks() -> None:
    failed = replace(
        REPORT,
        checks=[Check("accepted events stored", 990, 989)],
        access_checks=[AccessCheck(ANONYMOUS, "/premium/", 200, "allowed")],
    )

    assert REPORT.passed
    assert not failed.passed
    assert "✗ differs" in printed(failed)
    assert "✗ unexpected" in printed(failed)
    assert not replace(REPORT, access_checks=failed.access_checks).passed


@given(st.text(max_size=200), st.text(max_size=30), st.sampled_from([60, 80, 100, 240]))
def test_report_fits_its_width_and_escapes_control_characters(
    path: str, reason: str, width: int
) -> None:
    hostile = replace(
        REPORT,
        pages=[(f"/\x1b[2J[red]{path}", 1)],
        access_checks=[AccessCheck(ANONYMOUS, "/premium/", 401, f"\x9b31m{reason}"[:60])],
    )
    text = printed(hostile, width, terminal=True)

    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", plain)
    assert max(cell_len(line) for line in plain.split("\n")) <= min(width, MAX_WIDTH)


def test_report_without_terminal_has_no_escape_codes() -> None:
    text = printed(REPORT, 80)

    assert "\x1b" not in text
    assert not any(line.endswith(" ") for line in text.split("\n"))
    assert "/favicon.ico" in text


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_bar_length_is_proportional_to_its_value(value: int, maximum: int) -> None:
    drawn = bar(min(value, maximum), maximum)

    assert len(drawn) <= 24
    assert len(bar(maximum, maximum)) == 24
    assert (len(drawn) - 1) * maximum <= 24 * min(value, maximum) + maximum
    assert bar(0, 0) == ""


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100])
def test_every_hour_keeps_its_number_at_any_width(width: int) -> None:
    hours = [1_000 + hour for hour in range(24)]
    text = printed(replace(REPORT, hours=hours), width, terminal=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    section = plain.partition("Views by hour of day")[2]
    for hour, views in enumerate(hours):
        assert re.search(rf"\b{hour:02d} +{views:,}(?!\d)", section), (hour, views)
