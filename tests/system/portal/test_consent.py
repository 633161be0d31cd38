"""The pages of a minor's sign-up: the form, the student's link, and the guardian's decision."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from stepfunctions.vocabularies import vocabularies
from tests.support import axe
from tests.system.portal.test_journey import SLOW_MS, assert_fits, fill_in
from tests.system.school.school_client import CONSENT_LINK, PROOF_LINK, SchoolClient, unique_email

pytestmark = pytest.mark.browser

BORN = f"{datetime.now(UTC).year - 12}-01-01"


def open_link(page: Page, school: SchoolClient, recipient: str, link: str) -> None:
    """Open the newest link of an email to a recipient."""
    proof = school.proof_in_email(recipient, link)
    page.goto("/")
    page.goto(f"{link}{proof['requestId']}.{proof['token']}")


def check(page: Page) -> None:
    assert axe.violations(page) == []
    assert_fits(page)


@pytest.mark.parametrize(("width", "agrees"), [(360, True), (1280, False)])
def test_guardian_decides_about_the_account_of_a_minor(
    visit: Callable[..., Page],
    school: SchoolClient,
    page_errors: list[str],
    width: int,
    agrees: bool,
) -> None:
    page, email, guardian = visit(width), unique_email(), unique_email()
    page.goto("/sign-up.html")
    fill_in(page, email)
    asks = page.get_by_label("guardian")
    page.get_by_label("Date of birth").fill("2001-02-03")
    expect(asks).to_be_hidden()
    page.get_by_label("Date of birth").fill(BORN)
    send = page.get_by_role("button", name="Create account")
    send.click()
    expect(page.locator("#guardianEmail-error")).to_contain_text("is required")
    asks.fill(email)
    send.click()
    expect(page.locator("#guardianEmail-error")).to_contain_text("must differ", timeout=SLOW_MS)
    check(page)
    asks.fill(guardian)
    send.click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_focused(timeout=SLOW_MS)

    open_link(page, school, email, PROOF_LINK)
    page.get_by_role("button", name="Confirm and create account").click()
    expect(page.get_by_role("heading", name="asked your parent or guardian")).to_be_focused(
        timeout=SLOW_MS
    )
    check(page)

    page = visit(width)
    open_link(page, school, guardian, CONSENT_LINK)
    check(page)
    page.get_by_role("button", name="Show the student").click()
    expect(page.get_by_role("heading", name="Do you agree?")).to_be_focused(timeout=SLOW_MS)
    expect(page.locator("#student")).to_have_text(email)
    expect(page.locator("#text")).to_have_text(vocabularies().consent_texts["1"])
    check(page)
    page.get_by_role("button", name=re.compile("^I agree" if agrees else "^I don.t agree")).click()
    title = "The account is ready" if agrees else "No account will be created"
    expect(page.get_by_role("heading", name=title)).to_be_focused(timeout=SLOW_MS)
    check(page)
    assert len(school.users_with(email)) == agrees
    assert page_errors == []


@pytest.mark.parametrize("fragment", ["", f"#{'0' * 8}-0000-0000-0000-{'0' * 12}.{'t' * 43}"])
def test_wrong_link_to_a_guardian_decides_nothing(
    visit: Callable[..., Page], fragment: str
) -> None:
    page = visit()
    page.goto(f"/consent.html{fragment}")
    page.get_by_role("button", name="Show the student").click()
    expect(page.get_by_role("heading", name=re.compile("^This link doesn.t work"))).to_be_focused(
        timeout=SLOW_MS
    )
