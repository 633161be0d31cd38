"""A student's first sign-in, from the sign-up form to a page by status, on the running system."""

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from tests.support.managed_login import sign_in_with_code
from tests.support.waiting import wait_until
from tests.system.portal.test_journey import LOGIN_PAGE, SLOW_MS, status
from tests.system.school.school_client import TIMEOUT_S, SchoolClient, unique_email
from tools.demo_students import PAYING_GROUP
from tools.dev.system import SENDER, System

pytestmark = pytest.mark.browser

type Visit = Callable[..., Page]
CODE: Final = re.compile(r"\b\d{8}\b")


class Mailbox:
    """The emails to one student."""

    def __init__(self, school: SchoolClient, address: str) -> None:
        self._school, self._address = school, address
        self._read = 0

    def next(self) -> dict[str, Any]:
        """Wait for the next email and return it."""

        def look() -> list[dict[str, Any]] | None:
            emails = self._school.emails(self._address)
            return emails if len(emails) > self._read else None

        arrived = wait_until(look, f"email {self._read + 1} to {self._address}", TIMEOUT_S)
        self._read += 1
        return arrived[self._read - 1]

    def code(self) -> str:
        """Wait for the next email and return the code in its text."""
        # The message ID is a UUID, whose parts can look like a code.
        match = CODE.search(self.next()["BodyText"])
        assert match
        return match[0]


def proof_link(text: str, meridian: System) -> str:
    """Return the link in the email that asks for the proof."""
    match = re.search(rf"{re.escape(meridian.url)}/confirm\.html#\S+", text)
    assert match
    return match[0]


def test_student_signs_up_and_signs_in_with_emailed_codes(
    visit: Visit, meridian: System, school: SchoolClient, page_errors: list[str]
) -> None:
    page, email = visit(), unique_email()
    inbox = Mailbox(school, email)
    page.goto("/sign-up.html")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Full name").fill("Asha Menon")
    page.get_by_label("Date of birth").fill("2001-02-03")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_focused(timeout=SLOW_MS)
    neutral = inbox.next()["BodyText"]
    assert "Asha" not in neutral
    assert school.users_with(email) == []
    page.goto(proof_link(neutral, meridian))
    page.get_by_role("button", name="Confirm and create account").click()
    expect(page.get_by_role("heading", name="Your account is ready")).to_be_focused(timeout=SLOW_MS)
    welcome = inbox.next()
    assert welcome["Source"] == SENDER
    assert meridian.url in str(welcome)
    (user,) = school.users_with(email)
    assert user["UserStatus"] == "CONFIRMED"

    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(LOGIN_PAGE)
    sign_in_with_code(page, email, inbox.code)
    expect(page).to_have_url(f"{meridian.url}/app/")
    expect(page.locator("#account")).to_have_text("Sign out")
    # A page by status: not paid, then paid.
    assert status(page, "/premium/") == 403
    school.cognito.admin_add_user_to_group(
        UserPoolId=school.user_pool_id, Username=email, GroupName=PAYING_GROUP
    )
    page.goto("/upgrade.html")
    page.get_by_role("link", name="Refresh access").click()
    expect(page).to_have_url(f"{meridian.url}/premium/")
    expect(page.locator("h1")).to_be_visible()

    other_device = visit()
    other_device.goto("/premium/")
    expect(other_device).to_have_url(LOGIN_PAGE)
    sign_in_with_code(other_device, email, inbox.code)
    expect(other_device).to_have_url(f"{meridian.url}/premium/")
    assert page_errors == []


def test_wrong_code_does_not_sign_in(visit: Visit, school: SchoolClient) -> None:
    email = unique_email()
    assert school.wait_for_outcome(school.request_account(email))["status"] == "created"
    page = visit()
    page.goto("/app/")
    sign_in_with_code(page, email, lambda: "00000000")
    expect(page.locator(".error")).to_have_text("Incorrect code.")
