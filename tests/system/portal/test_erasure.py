"""The pages of an export and an erasure: the account's forms, their links, and the office's."""

import re
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_advisors import staff
from tests.system.portal.test_journey import SLOW_MS, assert_fits, sign_in
from tests.system.portal.test_students import open_student
from tests.system.school.school_client import TIMEOUT_S, SchoolClient
from tests.system.school.test_address import new_student

pytestmark = pytest.mark.browser

__all__ = ["staff"]
LINK = "/erase.html#"
#: The erasure waits three times for 5 seconds, and reads the data lake twice.
ERASURE_MS = 5 * SLOW_MS


def check(page: Page) -> None:
    assert axe.violations(page) == []
    assert_fits(page)


def link(school: SchoolClient, recipient: str, page: str = LINK) -> str:
    """Wait for the link in an email; return its path."""

    def look() -> list[str]:
        texts = [str(it["BodyText"]) for it in school.emails(recipient)]
        return [it.partition(page)[2].split()[0] for it in texts if page in it]

    return page + wait_until(look, f"a link for {recipient}", 2 * TIMEOUT_S)[-1]


def test_student_downloads_the_file_by_the_link_in_an_email(
    visit: Callable[..., Page], school: SchoolClient, staff: Student, page_errors: list[str]
) -> None:
    own = new_student(school)
    student = Student(own.email, own.password)
    page = visit(360)
    sign_in(page, student)
    page.get_by_role("button", name="Ask for your data").click()
    expect(page.locator("#export-status")).to_contain_text("making the file", timeout=SLOW_MS)
    check(page)
    path = link(school, own.email, "/export.html#")
    # The link is opened elsewhere: it needs no sign-in.
    page = visit(360)
    page.goto(path)
    check(page)
    with page.expect_download(timeout=SLOW_MS) as download:
        page.get_by_role("button", name="Download the file").click()
    assert download.value.suggested_filename == "meridian-export.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        assert own.email in archive.read("user.jsonl").decode()
    check(page)

    office = visit(1280)
    sign_in(office, staff, "/app/students.html")
    open_student(office, student)
    office.get_by_role("button", name="Send the data").click()
    # The student's own request is less than an hour old.
    expect(office.locator("#export-status")).to_have_text(
        "The email was sent within the last hour.", timeout=SLOW_MS
    )
    check(office)
    page.goto(f"/export.html#{'0' * 64}.{'t' * 43}")
    page.reload()
    page.get_by_role("button", name="Download the file").click()
    expect(page.get_by_role("heading", name=re.compile("^This link doesn.t work"))).to_be_focused(
        timeout=SLOW_MS
    )
    check(page)
    assert page_errors == []


def test_student_and_office_erase_an_account_in_the_browser(
    visit: Callable[..., Page], school: SchoolClient, staff: Student, page_errors: list[str]
) -> None:
    own, other = new_student(school), new_student(school)
    page = visit(360)
    sign_in(page, Student(own.email, own.password))
    page.get_by_role("button", name="Ask for erasure").click()
    expect(page.locator("#erase-status")).to_contain_text("sent you a link", timeout=SLOW_MS)
    check(page)
    # The link is opened elsewhere: it needs no sign-in.
    page = visit(360)
    page.goto(link(school, own.email))
    check(page)
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_role("heading", name="The account is being erased")).to_be_focused(
        timeout=SLOW_MS
    )
    check(page)

    office = visit(1280)
    sign_in(office, staff, "/app/students.html")
    open_student(office, Student(other.email, other.password))
    office.get_by_role("button", name="Erase everything").click()
    expect(office.locator("#erase-email-error")).to_contain_text("address that is shown")
    office.get_by_label("Email address of the student, to confirm").fill(other.email)
    office.get_by_label("Grounds for the erasure").fill("Call of 3 May.")
    office.get_by_role("button", name="Erase everything").click()
    expect(office.locator("#erase-status")).to_contain_text("is being erased", timeout=SLOW_MS)
    check(office)

    expect(page.get_by_role("heading", name="The account is erased")).to_be_focused(
        timeout=ERASURE_MS
    )
    expect(page.locator("#report")).to_contain_text("A last reading of all")
    check(page)
    expect(office.locator("#erase-status")).to_have_text(
        "The student is erased.", timeout=ERASURE_MS
    )
    check(office)
    for email in (own.email, other.email):
        office.get_by_label("Email address, name or id").fill(email)
        office.get_by_role("button", name="Search").click()
        expect(office.locator("#search-status")).to_contain_text(
            "0 students. The student with this address was erased on"
        )
        assert school.users_with(email) == []
        assert len([it for it in school.emails(email) if "is erased" in str(it["BodyText"])]) == 1
    # The link shows the report again, and erases nothing more.
    page.reload()
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_role("heading", name="The account is erased")).to_be_focused(timeout=SLOW_MS)
    assert page_errors == []


@pytest.mark.parametrize("fragment", ["", f"#{'0' * 64}.{'t' * 43}"])
def test_wrong_link_erases_nothing(visit: Callable[..., Page], fragment: str) -> None:
    page = visit()
    page.goto(f"/erase.html{fragment}")
    page.get_by_role("button", name="Erase everything").click()
    expect(page.get_by_role("heading", name=re.compile("^This link doesn.t work"))).to_be_focused(
        timeout=SLOW_MS
    )
