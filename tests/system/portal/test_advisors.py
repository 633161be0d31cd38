"""The pages of an advisor's availability and of appointments, on the running portal."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.support import axe
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import assert_fits, sign_in
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.browser

KATHMANDU = ZoneInfo("Asia/Kathmandu")


@pytest.fixture
def staff(meridian: System, student: Callable[[], Student]) -> Student:
    member = student()
    client("cognito-idp", meridian.target).admin_add_user_to_group(
        UserPoolId=meridian.deployed.outputs["UserPoolId"],
        Username=member.email,
        GroupName="staff",
    )
    return member


def test_staff_sets_hours_and_student_books_moves_and_cancels(
    visit: Callable[..., Page],
    student: Callable[[], Student],
    staff: Student,
    page_errors: list[str],
) -> None:
    office, advisor = visit(), f"page-{uuid.uuid4().hex[:8]}"
    sign_in(office, staff, "/app/advisors.html")
    expect(office.locator("#advisors li").filter(has_text="Linh Trần")).to_have_count(1)
    save = office.get_by_role("button", name="Save")
    save.click()
    expect(office.locator("#advisorId-error")).to_contain_text("Enter an id")
    expect(office.get_by_label("Id", exact=True)).to_be_focused()
    office.get_by_label("Id", exact=True).fill(advisor)
    office.get_by_label("Name").fill(f"Ada {advisor}")
    office.get_by_label("Subject").fill("algebra")
    office.get_by_label("Time zone").fill("America/New_York")
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"):
        office.get_by_label(day).fill("9-10")
    save.click()
    expect(office.locator("#change-status")).to_contain_text("hours of monday: '9-10'")
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"):
        office.get_by_label(day).fill("09:00-10:30")
    save.click()
    expect(office.locator("#change-status")).to_contain_text("Saved: Ada")
    expect(office.locator("#advisors li").filter(has_text=advisor)).to_contain_text("New_York")
    assert_fits(office)
    assert axe.violations(office) == []

    page = visit()
    sign_in(page, student())
    page.get_by_label("Advisor", exact=True).select_option(advisor)
    day_of_booking = datetime.now(UTC).date() + timedelta(days=3)
    page.get_by_label("Date").fill(day_of_booking.isoformat())
    # 09:00 in New York, in the student's time zone.
    new_york = ZoneInfo("America/New_York")
    opening = datetime.combine(day_of_booking, time(9), new_york)
    options = page.locator("#start option")
    starts = [opening + timedelta(minutes=30) * it for it in range(3)]
    expected = sum(it.astimezone(KATHMANDU).date() == day_of_booking for it in starts)
    expect(options).to_have_count(expected)
    first = f"{opening.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    expect(options.first).to_have_attribute("value", first)
    assert options.first.inner_text() == f"{opening.astimezone(KATHMANDU):%H:%M}"
    assert axe.violations(page) == []
    page.get_by_label("Topic").fill("Matrices")
    page.get_by_role("button", name="Book appointment").click()
    expect(page.locator("#appointments-status")).to_contain_text("Booked:")
    appointment = page.locator("#booked li")
    expect(appointment).to_contain_text("Matrices")
    expect(options).to_have_count(expected - 1)

    appointment.get_by_role("button", name="Move").click()
    expect(page.locator("#moved")).to_contain_text("Choose a new time for")
    expect(page.get_by_role("button", name="Move appointment")).to_be_visible()
    next_day = day_of_booking + timedelta(days=1)
    page.get_by_label("Date").fill(next_day.isoformat())
    moved = f"{(opening + timedelta(days=1)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    expect(options.first).to_have_attribute("value", moved)
    assert axe.violations(page) == []
    assert_fits(page)
    page.get_by_role("button", name="Move appointment").click()
    expect(page.locator("#appointments-status")).to_contain_text("Moved to")
    expect(appointment).to_have_count(1)
    expect(appointment).to_have_attribute("data-link", f"/api/appointments/{advisor}/{moved}")
    expect(appointment).to_contain_text("Matrices")
    page.on("dialog", Dialog.accept)
    appointment.get_by_role("button", name="Cancel").click()
    expect(page.locator("#appointments-status")).to_contain_text("cancelled")
    expect(appointment).to_have_count(0)
    assert page_errors == []


def test_student_cannot_change_an_availability(
    visit: Callable[..., Page], student: Callable[[], Student]
) -> None:
    page = visit()
    sign_in(page, student(), "/app/advisors.html")
    page.locator("#advisors li").filter(has_text="Linh Trần").get_by_role("button").click()
    expect(page.get_by_label("Id", exact=True)).to_have_value("linh-tran")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#change-status")).to_contain_text("Only staff can use this page.")


def test_staff_moves_and_cancels_an_appointment_of_the_day(
    visit: Callable[..., Page],
    student: Callable[[], Student],
    staff: Student,
    page_errors: list[str],
) -> None:
    member, day = student(), datetime.now(UTC).date() + timedelta(days=50)
    page = visit()
    sign_in(page, member)
    page.get_by_label("Advisor", exact=True).select_option("grace-okoro")
    page.get_by_label("Date").fill(day.isoformat())
    expect(page.locator("#start option").first).to_have_attribute("value", f"{day}T08:00:00Z")
    page.get_by_role("button", name="Book appointment").click()
    expect(page.locator("#appointments-status")).to_contain_text("Booked:")

    office = visit()
    sign_in(office, staff, "/app/office.html")
    office.get_by_label("Advisor").select_option("grace-okoro")
    office.get_by_label("Date", exact=True).fill(day.isoformat())
    listed = office.locator("#appointments li").filter(has_text=member.email)
    # In London, the time zone of the advisor.
    expect(listed).to_contain_text("08:00")
    listed.get_by_role("button", name="Change").click()
    expect(office.locator("#change-title")).to_be_focused()
    expect(office.locator("#newStart option").first).to_have_attribute("value", f"{day}T08:30:00Z")
    office.get_by_role("button", name="Apply").click()
    expect(office.locator("#reason-error")).to_have_text("Enter a reason.")
    office.get_by_label("Reason").fill("The lift is broken.")
    assert axe.violations(office) == []
    assert_fits(office)
    office.get_by_role("button", name="Apply").click()
    expect(office.locator("#day-status")).to_have_text("The appointment was moved.")
    expect(listed).to_contain_text("08:30")
    page.reload()
    expect(page.locator("#booked li")).to_contain_text("Moved by the school: The lift is broken.")

    listed.get_by_role("button", name="Change").click()
    office.get_by_label("Change", exact=True).select_option("cancel")
    office.get_by_label("Reason").fill("The advisor is ill.")
    office.get_by_role("button", name="Apply").click()
    expect(office.locator("#day-status")).to_have_text("The appointment was cancelled.")
    expect(listed).to_have_count(0)
    page.reload()
    expect(page.locator("#none")).to_be_visible()
    assert page_errors == []


def test_pages_of_a_school_without_advisors_name_the_next_step(
    visit: Callable[..., Page],
    student: Callable[[], Student],
    staff: Student,
    page_errors: list[str],
) -> None:
    """As on a new stage, and after an update of one with an appointment of an earlier version."""
    page, office = visit(), visit()
    start = f"{datetime.now(UTC).date() + timedelta(days=5)}T10:00:00Z"
    link = f"/api/appointments/invented/{start}"
    earlier = {"advisorId": "invented", "start": start, "minutes": 30, "note": "", "link": link}
    for each in (page, office):
        each.route(re.compile(r"/api/advisors$"), lambda it: it.fulfill(json={"advisors": []}))
    page.route(
        re.compile(r"/api/appointments\?"), lambda it: it.fulfill(json={"appointments": [earlier]})
    )
    sign_in(page, student())
    expect(page.locator("#no-advisors")).to_contain_text("feedback form below")
    expect(page.get_by_role("button", name="Book appointment")).to_be_hidden()
    expect(page.locator("#booked li")).to_contain_text("invented")
    expect(page.locator("#booked").get_by_role("button")).to_have_text(["Cancel"])
    assert axe.violations(page) == []
    assert_fits(page)

    sign_in(office, staff, "/app/office.html")
    expect(office.locator("#no-advisors")).to_contain_text("The school has no advisors yet")
    expect(office.get_by_label("Advisor")).to_be_hidden()
    assert axe.violations(office) == []
    assert_fits(office)
    office.get_by_role("link", name="Add the first advisor").click()
    expect(office.locator("#advisors-status")).to_contain_text("No advisors yet.")
    assert axe.violations(office) == []
    assert page_errors == []


def test_student_can_choose_advisors_of_each_page_of_the_list(
    visit: Callable[..., Page], student: Callable[[], Student], page_errors: list[str]
) -> None:
    page = visit()

    def answer(route: Route) -> None:
        is_second = "after=" in route.request.url
        name = "Second" if is_second else "First"
        advisor = {"advisorId": name.lower(), "name": name, "subject": "algebra"}
        route.fulfill(json={"advisors": [advisor]} | ({} if is_second else {"next": "more"}))

    page.route(re.compile(r"/api/advisors(\?.*)?$"), answer)
    page.route(re.compile(r"/api/advisors/.*/slots"), lambda it: it.fulfill(json={"slots": []}))
    sign_in(page, student())
    options = page.get_by_label("Advisor", exact=True).locator("option")
    expect(options).to_have_text(["First, algebra", "Second, algebra"])
    assert page_errors == []
