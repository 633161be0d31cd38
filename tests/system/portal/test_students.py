"""The office's page of students: from a search to a lesson that opens, and closes again."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.nightly import mark_others
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_advisors import staff
from tests.system.portal.test_journey import assert_fits, sign_in

pytestmark = pytest.mark.browser

__all__ = ["staff"]
WIDTHS = mark_others((360, 1280), (360,))


def open_student(office: Page, student: Student) -> None:
    office.get_by_label("Email address, name or id").fill(student.email)
    office.get_by_role("button", name="Search").click()
    expect(office.locator("#search-status")).to_have_text("1 student.")
    office.get_by_role("button", name="Open").click()
    expect(office.locator("#student-name")).to_be_focused()


@pytest.mark.parametrize("width", WIDTHS)
def test_staff_grants_and_ends_the_paid_access_of_a_student(
    visit: Callable[..., Page],
    student: Callable[[], Student],
    staff: Student,
    page_errors: list[str],
    width: int,
) -> None:
    pupil = student()
    page = visit()
    sign_in(page, pupil)
    page.goto("/premium/")
    expect(page.locator("h1")).to_contain_text("requires a paid account")

    office = visit(width)
    sign_in(office, staff, "/app/students.html")
    office.get_by_role("button", name="Search").click()
    expect(office.locator("#text-error")).to_have_text("Enter at least 3 characters.")
    open_student(office, pupil)
    expect(office.locator("#access-state")).to_have_text("This student has no paid access.")
    expect(office.locator("#zone")).to_contain_text("Times in Asia/Kat")
    office.get_by_role("button", name="Grant paid access").click()
    expect(office.locator("#why-error")).to_have_text("Enter a reason.")
    assert axe.violations(office) == []
    assert_fits(office)
    office.get_by_label("Reason").fill("Invoice 118 is paid.")
    office.get_by_role("button", name="Grant paid access").click()
    expect(office.locator("#access-status")).to_contain_text("Paid access granted.")
    expect(office.locator("#changes li")).to_contain_text(f"Invoice 118 is paid. · {staff.email}")

    # The student forces the refresh of the session.
    page.get_by_role("link", name="Refresh access").click()
    expect(page.locator("h1")).to_have_text("Where is noon?")

    office.get_by_label("Reason").fill("Refunded.")
    office.get_by_role("button", name="End paid access").click()
    expect(office.locator("#access-status")).to_contain_text("Paid access ended.")
    expect(office.locator("#changes li")).to_have_count(2)
    assert axe.violations(office) == []
    assert_fits(office)

    def is_closed() -> bool:
        page.goto("/premium/")
        return page.get_by_role("heading", name="Where is noon?", level=1).count() == 0

    # The local maximum age of the deny-list is 5 seconds.
    wait_until(is_closed, "the lessons are closed", 60, interval_s=0.5)
    assert page_errors == []


def test_student_cannot_search(visit: Callable[..., Page], student: Callable[[], Student]) -> None:
    page = visit()
    sign_in(page, student(), "/app/students.html")
    page.get_by_label("Email address, name or id").fill("asha")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#search-status")).to_contain_text("Only staff can use this page.")
    expect(page.locator("#students li")).to_have_count(0)


def test_student_opens_a_course_that_the_office_granted_until_it_ends(
    visit: Callable[..., Page],
    student: Callable[[], Student],
    staff: Student,
    page_errors: list[str],
) -> None:
    pupil = student()
    page = visit()
    sign_in(page, pupil, "/courses/")
    page.get_by_role("link", name="Navigation").click()
    expect(page.locator("h1")).to_contain_text("requires a paid account")

    office = visit(360)
    sign_in(office, staff, "/app/students.html")
    open_student(office, pupil)
    expect(office.locator("#no-courses")).to_be_visible()
    office.get_by_label("Course", exact=True).fill("Navigation!")
    office.get_by_role("button", name="Grant course").click()
    expect(office.locator("#course-error")).to_contain_text("lower-case letters")
    office.get_by_label("Course", exact=True).fill("navigation")
    office.get_by_role("button", name="Grant course").click()
    expect(office.locator("#course-why-error")).to_have_text("Enter a reason.")
    assert axe.violations(office) == []
    assert_fits(office)
    office.get_by_label("Why", exact=True).fill("Invoice 119 is paid.")
    office.get_by_role("button", name="Grant course").click()
    expect(office.locator("#course-status")).to_contain_text("Course granted.")
    expect(office.locator("#courses li")).to_contain_text("navigation")
    expect(office.locator("#changes li")).to_contain_text("course navigation granted")

    # One forced refresh of the session; the paid pages and other courses stay closed.
    page.get_by_role("link", name="Refresh access").click()
    expect(page.locator("h1")).to_have_text("Navigation")
    assert page.url.endswith("/courses/navigation/")
    for closed in ("/premium/", "/courses/geometry/"):
        page.goto(closed)
        expect(page.locator("h1")).to_contain_text("requires a paid account")

    office.get_by_label("Why", exact=True).fill("Refunded.")
    office.get_by_role("button", name="End course").click()
    expect(office.locator("#course-status")).to_contain_text("Course ended.")
    expect(office.locator("#no-courses")).to_be_visible()
    assert axe.violations(office) == []

    def is_closed() -> bool:
        page.goto("/courses/navigation/")
        return page.get_by_role("heading", name="Navigation", exact=True).count() == 0

    # The local maximum age of the deny-list is 5 seconds.
    wait_until(is_closed, "the course is closed", 60, interval_s=0.5)
    assert page_errors == []
