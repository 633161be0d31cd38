"""The page has the terminal's numbers, is one file without links, and escapes the log's text."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aws_emulator.errors import CommandError
from tools.replay.access_check import ANONYMOUS, AccessCheck
from tools.report import page as html
from tools.report.distribution import Distribution
from tools.report.plots import OTHERS
from tools.report.render import render
from tools.report.results import Check, Report
from tools.report.sections import MAX_LOCATIONS
from tools.tests.report.test_render import REPORT


class Elements(HTMLParser):
    """Collects the elements, their text and the content of script elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._script = str(dict(attrs).get("id") or tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is not None:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data
        elif data.strip():
            self.text.append(data.strip())


def parsed(report: Report) -> Elements:
    return Elements(html.page(report))


def figures(report: Report) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(parsed(report).scripts["figures"])
    return document


def numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,.]*", text)


def printed(report: Report) -> str:
    out = io.StringIO()
    render(report, Console(file=out, width=240, highlight=False))
    return out.getvalue()


def rows_of_the_terminal(report: Report) -> Iterator[str]:
    for line in printed(report).splitlines():
        yield from (cell for cell in re.split(r"\s{2,}", line.strip()) if cell)


def test_page_has_each_number_of_the_terminal() -> None:
    hours = [1_000 + 7 * hour for hour in range(24)]
    report = replace(REPORT, hours=hours, stored=sum(hours))
    page = " ".join(parsed(report).text)
    on_page = set(numbers(page))
    in_terminal = [number for cell in rows_of_the_terminal(report) for number in numbers(cell)]
    assert len(in_terminal) > 100
    assert [number for number in in_terminal if number not in on_page] == []


def test_page_has_each_name_of_the_terminal() -> None:
    page = " ".join(" ".join(parsed(REPORT).text).split()).lower()
    names = {
        cell.lower()
        for cell in rows_of_the_terminal(REPORT)
        if re.fullmatch(r"[A-Za-z][\w /]*", cell)
    }
    assert len(names) > 20
    assert {name for name in names if name not in page} == set()


def test_plots_have_the_numbers_of_the_report() -> None:
    plots = figures(REPORT)
    (hours,) = plots["hours"]["data"]
    assert list(hours["y"]) == list(REPORT.hours)
    (sessions,) = plots["sessions"]["data"]
    assert dict(zip(sessions["x"], sessions["y"], strict=True)) == REPORT.sessions.by_views
    (lengths,) = plots["session-lengths"]["data"]
    assert dict(zip(lengths["x"], lengths["y"], strict=True)) == REPORT.sessions.by_length
    (locations,) = plots["locations"]["data"]
    assert dict(zip(locations["y"], locations["x"], strict=True)) == REPORT.locations
    for name, measured in (("latency", REPORT.latency), ("lag", REPORT.lag)):
        line, points = plots[name]["data"]
        assert list(line["y"]) == list(measured.curve)
        assert list(points["y"]) == [measured.percentile(int(each)) for each in points["x"]]


def test_locations_beyond_the_first_are_plotted_as_others() -> None:
    many = {f"{chr(65 + number)}Z": 100 - number for number in range(MAX_LOCATIONS + 3)}
    (locations,) = figures(replace(REPORT, locations=many))["locations"]["data"]
    shown = dict(zip(locations["y"], locations["x"], strict=True))
    assert len(shown) == MAX_LOCATIONS + 1
    assert shown[OTHERS] == sum(many.values()) - sum(list(many.values())[:MAX_LOCATIONS])


def test_report_without_durations_has_a_page() -> None:
    page = html.page(replace(REPORT, latency=Distribution(), lag=Distribution()))
    assert "not measured" in page.lower()


def test_page_loads_nothing() -> None:
    page = parsed(REPORT)
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "img", "object", "embed"}
        assert not {"src", "href", "srcset"} & attributes.keys(), tag
    (policy,) = [it["content"] for tag, it in page.tags if it.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_each_plot_has_a_title_and_a_description() -> None:
    page = parsed(REPORT)
    ids = {it["id"] for _, it in page.tags if it.get("id")}
    plots = [it for _, it in page.tags if it.get("role") == "img"]
    assert [it["id"] for it in plots] == list(figures(REPORT))
    for plot in plots:
        assert plot["aria-labelledby"] is not None
        labels = plot["aria-labelledby"].split()
        assert len(labels) == 2
        assert set(labels) <= ids


def test_page_states_whether_the_checks_passed() -> None:
    failed = replace(REPORT, checks=[Check("accepted events stored", 990, 989)])
    assert "All checks passed." in parsed(REPORT).text
    assert "A check failed: see Checks." in parsed(failed).text
    assert "✗ differs" in parsed(failed).text


def test_text_of_the_log_is_escaped() -> None:
    hostile = "/</script><script>alert(1)</script>\x1b[2J"
    report = replace(
        REPORT,
        pages=[(hostile, 1)],
        locations={hostile: 1},
        access_checks=[AccessCheck(ANONYMOUS, hostile, 401, hostile)],
    )
    page = parsed(report)
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    assert "\x1b" not in html.page(report)
    assert json.loads(page.scripts["figures"])["locations"]["data"][0]["y"] == [hostile]


def test_page_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"Can't write the report .*: Is a directory"):
        html.write_page(REPORT, tmp_path)
