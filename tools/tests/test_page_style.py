"""The pages of the replay and of a game day have the portal's style, and are accessible."""

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.support import axe
from tests.support.chromium import launched
from tools.gameday import report as gameday
from tools.gameday.checks import Check
from tools.page_style import logo, style
from tools.paths import ROOT
from tools.report.page import write_page
from tools.tests.gameday.test_report import day
from tools.tests.report.test_render import REPORT

SIZES: Final = ((1280, 900), (390, 844))


def test_style_is_that_of_the_portal_and_loads_nothing() -> None:
    sheet = (ROOT / "web/public/style.css").read_text()
    tokens = re.findall(r"(--[a-z0-9-]+): ([^;]+);", sheet)
    assert len(tokens) > 50
    assert re.findall(r"(--[a-z0-9-]+): ([^;]+);", style()) == tokens
    assert all(it.startswith('"data:') for it in re.findall(r"url\((.*?)\)", style()))
    assert "href" not in logo()


@pytest.mark.browser
def test_pages_are_accessible_and_fit_a_phone_in_light_and_dark(tmp_path: Path) -> None:
    replay, loss = tmp_path / "report.html", tmp_path / "day.html"
    write_page(REPORT, replay)
    gameday.show(7, *day(), [Check("a check", 1, 1)], [], loss)
    with launched() as browser:
        for width, height in SIZES:
            for scheme in ("light", "dark"):
                page = browser.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                )
                errors: list[str] = []
                _record_errors(page, errors)
                for path in (replay, loss):
                    check(page, path)
                assert errors == []
                page.close()


def _record_errors(page: Page, errors: list[str]) -> None:
    def record(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", record)


def check(page: Page, path: Path) -> None:
    page.goto(path.as_uri(), timeout=120_000)
    expect(page.get_by_role("status")).to_have_text("All checks passed.")
    plots = page.locator(".plot")
    expect(page.locator(".plot .main-svg").first).to_have_count(min(1, plots.count()))
    assert page.evaluate("document.fonts.check('16px Manrope')")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # A plot is as high as its drawing: the rules for the portal's own drawings don't apply.
    for plot in plots.all():
        drawing = plot.locator(".main-svg").first.bounding_box()
        assert drawing is not None
        assert drawing["height"] >= 200
    assert axe.violations(page) == []
