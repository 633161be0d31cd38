"""A day of the school, for the pictures of its pages: appointments, a message, a roster, events."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from playwright.sync_api import Page, expect

from tests.system.portal.test_rosters import choose
from tests.system.test_journey import event
from tools.dev.system import System

_WORKFLOW_MS: Final = 60_000
#: Advisor → topic.
_TOPICS: Final = {
    "linh-tran": "Which course fits a beginner?",
    "asha-menon": "Help with the sundial of lesson 3",
}
_ROSTER: Final = (
    "email,name,dateOfBirth\n"
    "meera.iyer@example.com,Meera Iyer,2001-04-12\n"
    "tuan.le@example.com,Lê Tuấn,1999-11-03\n"
    "no address,Sam Hill,2000-01-30\n"
)
_VISITED: Final = ("Home", "Courses", "Where is noon?", "Create your account")


def fill(page: Page, meridian: System) -> None:
    """Act as a visitor and as a student. The page's user is signed in."""
    _send_events(meridian)
    page.goto("/app/")
    page.get_by_label("Display name").fill("Maya Sharma")
    page.get_by_label("Time zone").fill("Asia/Kolkata")
    for interest in ("Mathematics", "Science"):
        page.get_by_label(interest).check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#profile-status")).to_have_text("Saved.")
    for advisor, topic in _TOPICS.items():
        page.get_by_label("Advisor", exact=True).select_option(advisor)
        page.get_by_label("Date").fill(_booked_day())
        expect(page.locator("#start option").first).to_be_attached()
        page.get_by_label("Topic").fill(topic)
        page.get_by_role("button", name="Book appointment").click()
        expect(page.locator("#booked")).to_contain_text(topic)
    page.get_by_label("Message").fill("The video of lesson 1 is great. Is there one on the stars?")
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator("#feedback-status")).to_contain_text("Thank you")


def _booked_day() -> str:
    return (datetime.now(UTC).date() + timedelta(days=6)).isoformat()


def _send_events(meridian: System) -> None:
    """Send page views of visitors, a copy of one, and an event that the collector rejects."""
    visits = [
        event("page", f"visitor-{visitor}", name=title)
        for visitor in range(12)
        for title in _VISITED
    ]
    events = [*visits, visits[0], event("teleport", "visitor-1")]
    httpx.post(
        f"{meridian.url}/v1/batch",
        auth=("portal-write-key", ""),
        json={"batch": events},
        timeout=60,
    ).raise_for_status()


def _show_day(page: Page) -> None:
    page.get_by_label("Advisor").select_option("linh-tran")
    page.get_by_label("Date", exact=True).fill(_booked_day())
    expect(page.locator("#appointments li")).to_have_count(1)


def _show_students(page: Page) -> None:
    page.get_by_label("Email address, name or id").fill("meera")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#search-status")).to_have_text("1 student.")


def _show_report(page: Page) -> None:
    choose(page, "autumn", _ROSTER)
    expect(page.locator("#roster-status")).to_contain_text("2 created", timeout=_WORKFLOW_MS)


_SHOWN: Final[dict[str, Callable[[Page], None]]] = {
    "/app/office.html": _show_day,
    "/app/rosters.html": _show_report,
    "/app/students.html": _show_students,
}


def show(page: Page, address: str) -> None:
    """Let the loaded page show what a user of it looks for."""
    if address in _SHOWN:
        _SHOWN[address](page)
