"""The page of the collector's sources, on the running portal."""

import uuid
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import assert_fits, sign_in
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.browser


def test_staff_creates_and_disables_a_source_on_the_page(
    visit: Callable[..., Page],
    meridian: System,
    student: Callable[[], Student],
    page_errors: list[str],
) -> None:
    staff, name = student(), f"page-{uuid.uuid4().hex[:8]}"
    client("cognito-idp", meridian.target).admin_add_user_to_group(
        UserPoolId=meridian.deployed.outputs["UserPoolId"],
        Username=staff.email,
        GroupName="staff",
    )
    page = visit()
    sign_in(page, staff, "/app/sources.html")
    rows = page.locator("#rows tr")
    expect(rows.filter(has_text="portal")).to_have_count(1)
    form = page.locator("#change")
    form.get_by_role("button", name="Apply").click()
    expect(page.locator("#source-error")).to_contain_text("Enter the id of a source")
    form.get_by_role("textbox", name="Source").fill(name)
    form.get_by_role("textbox", name="Settings as JSON").fill('{"origins": ["x"]}')
    form.get_by_role("button", name="Apply").click()
    expect(page.locator("#change-status")).to_contain_text("must be an origin")
    form.get_by_role("textbox", name="Settings as JSON").fill("")
    form.get_by_role("button", name="Apply").click()
    expect(page.locator("#change-status")).to_contain_text("Write key, shown only now: ")
    key = page.locator("#change-status").inner_text().rpartition(" ")[2]
    expect(rows.filter(has_text=name)).to_contain_text("enabled")
    assert_fits(page)
    assert axe.violations(page) == []

    def status() -> int:
        body = {"type": "page", "anonymousId": "a"}
        url = f"{meridian.url}/v1/page"
        return httpx.post(url, auth=(key, ""), json=body, timeout=30).status_code

    wait_until(lambda: status() == 200, "the new key is accepted", 60, interval_s=0.5)
    form.get_by_label("Change").select_option("disable")
    form.get_by_role("button", name="Apply").click()
    expect(rows.filter(has_text=name)).to_contain_text("disabled")
    wait_until(lambda: status() == 401, "the key is refused", 60, interval_s=0.5)
    assert page_errors == []


def test_student_sees_no_sources(
    visit: Callable[..., Page], student: Callable[[], Student]
) -> None:
    page = visit()
    sign_in(page, student(), "/app/sources.html")
    expect(page.locator("#sources-status")).to_contain_text("Only staff can use this page.")
    expect(page.locator("#rows tr")).to_have_count(0)
