"""The pages of a change of address: the form of the account, and the two links."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import SLOW_MS, assert_fits, sign_in
from tests.system.school.school_client import SchoolClient, unique_email
from tests.system.school.test_address import LINK, new_student

pytestmark = pytest.mark.browser


def check(page: Page) -> None:
    assert axe.violations(page) == []
    assert_fits(page)


@pytest.mark.parametrize("width", [360])
def test_student_changes_the_address_with_two_links(
    visit: Callable[..., Page], school: SchoolClient, page_errors: list[str], width: int
) -> None:
    student, new = new_student(school), unique_email()
    page = visit(width)
    sign_in(page, Student(student.email, student.password))
    field = page.get_by_label("New email address")
    send = page.get_by_role("button", name="Change address")
    note = page.locator("#address-status")
    field.fill("nobody")
    send.click()
    expect(page.locator("#new-address-error")).to_have_text("Enter an email address.")
    field.fill(student.email)
    send.click()
    expect(note).to_contain_text("has this address already", timeout=SLOW_MS)
    field.fill(new)
    send.click()
    expect(note).to_contain_text("sent a link to each address", timeout=SLOW_MS)
    check(page)
    # The links are opened elsewhere: they need no sign-in.
    page = visit(width)
    for recipient, heading in ((new, "One more link"), (student.email, "Your address has changed")):
        proof = student.proof(recipient)
        page.goto("/")
        page.goto(f"{LINK}{proof['accountId']}.{proof['token']}")
        page.get_by_role("button", name="Confirm", exact=True).click()
        expect(page.get_by_role("heading", name=heading)).to_be_focused(timeout=2 * SLOW_MS)
        check(page)
    page = visit(width)
    sign_in(page, Student(new, student.password))
    assert page_errors == []


@pytest.mark.parametrize("fragment", ["", f"#{'0' * 32}.{'t' * 43}"])
def test_wrong_link_changes_nothing(visit: Callable[..., Page], fragment: str) -> None:
    page = visit()
    page.goto(f"/address.html{fragment}")
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("^This link doesn.t work"))).to_be_focused(
        timeout=SLOW_MS
    )
