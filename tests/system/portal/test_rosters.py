"""The office's page of rosters: from a file with faults to a report, and a mended list."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.nightly import mark_others
from tests.system.portal.conftest import Student
from tests.system.portal.test_advisors import staff
from tests.system.portal.test_journey import assert_fits, sign_in
from tests.system.school.school_client import SchoolClient

pytestmark = pytest.mark.browser

__all__ = ["staff"]
#: An import starts by an event, takes at least a second a row, and polls for the last outcomes.
IMPORT_MS = 45_000


def choose(page: Page, name: str, text: str) -> None:
    """Choose a file and upload it."""
    file: Any = {"name": f"{name}.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Upload and create accounts").click()
    expect(page.locator("#upload-status")).to_have_text("Uploaded.", timeout=IMPORT_MS)


def check(page: Page) -> None:
    assert axe.violations(page) == []
    assert_fits(page)


@pytest.mark.parametrize("width", mark_others((360, 1280), (360,)))
def test_staff_uploads_a_list_reads_the_report_and_mends_it(
    visit: Callable[..., Page],
    staff: Student,
    school: SchoolClient,
    page_errors: list[str],
    width: int,
) -> None:
    page, tag = visit(width), uuid.uuid4().hex[:10]
    sign_in(page, staff, "/app/rosters.html")
    page.get_by_role("button", name="Upload and create accounts").click()
    expect(page.locator("#file-error")).to_have_text("Choose a file.")
    check(page)

    choose(page, f"Herbst {tag}", 'email;name\na@example.com;"A\nb@example.com;B\n')
    expect(page.get_by_label("Name of the list")).to_have_value(f"Herbst-{tag}")
    status = page.locator("#roster-status")
    expect(status).to_contain_text("row 2 has a misplaced or unclosed quote", timeout=IMPORT_MS)

    row = f"{tag}@example.com;Åsa;2015-04-01"
    choose(page, tag, f"E-mail;Name;Birthday\n{row}\nno address;Bo;\n")
    expect(status).to_contain_text("2 rows:", timeout=IMPORT_MS)
    expect(status).to_contain_text("1 created")
    expect(status).to_contain_text("1 rejected")
    expect(page.locator("#lines li")).to_have_count(1)
    expect(page.locator("#lines li")).to_contain_text("Row 3 · rejected")
    expect(page.locator("#lines li")).to_contain_text("email: Enter a valid email address")
    assert len(school.users_with(f"{tag}@example.com")) == 1
    check(page)

    choose(page, tag, f"E-mail;Name;Birthday\n{row}\n{tag}-2@example.com;Bo;\n")
    expect(status).to_contain_text("1 already there", timeout=IMPORT_MS)
    expect(status).to_contain_text("1 created")
    assert len(school.users_with(f"{tag}@example.com")) == 1

    # Long enough to show the progress, at 25 rows a second; a busy machine can miss it.
    choose(page, f"long-{tag}", "email;name\n" + "no address;Bo\n" * 100)
    expect(status).to_contain_text(re.compile("of 100 rows are done|^100 rows:"), timeout=IMPORT_MS)
    expect(status).to_contain_text("100 rows: 100 rejected", timeout=IMPORT_MS)
    expect(page.locator("#lines li")).to_have_count(100)
    group = "/aws/lambda/meridian-local-office"
    lines = school.logs.filter_log_events(logGroupName=group, limit=5000)["events"]
    assert [it["message"] for it in lines if "BatchGetItem" in it["message"]] == []

    # The list of another visit.
    page.reload()
    page.get_by_role("button", name=f"Open list Herbst-{tag}").click()
    expect(status).to_contain_text("No account was created.")
    check(page)
    assert page_errors == []


def test_student_cannot_use_the_page(
    visit: Callable[..., Page], student: Callable[[], Student]
) -> None:
    page = visit()
    sign_in(page, student(), "/app/rosters.html")
    expect(page.locator("#list-status")).to_contain_text("Only staff can use this page.")


def test_roster_longer_than_the_bound_of_the_firewall_is_uploaded(
    visit: Callable[..., Page], staff: Student
) -> None:
    """The web ACL blocks other bodies over 8 KB. The import refuses the file."""
    page, tag = visit(), uuid.uuid4().hex[:10]
    sign_in(page, staff, "/app/rosters.html")
    choose(page, f"long-{tag}", f"{'x' * 99}\n" * 15_000)
    expect(page.locator("#roster-status")).to_contain_text(
        "The first row must contain the columns", timeout=IMPORT_MS
    )
