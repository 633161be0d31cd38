"""The page that explains a missing event, on the running portal."""

import uuid
from collections.abc import Callable
from typing import Final

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import assert_fits, sign_in
from tests.system.test_journey import event
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.browser

CANARY: Final = "canary-4711"


@pytest.fixture
def staff(meridian: System, student: Callable[[], Student]) -> Student:
    created = student()
    client("cognito-idp", meridian.target).admin_add_user_to_group(
        UserPoolId=meridian.deployed.outputs["UserPoolId"],
        Username=created.email,
        GroupName="staff",
    )
    return created


def send_events(meridian: System) -> str:
    """Send an accepted event, its copy, and a rejected one; return CloudFront's request ID."""
    good = event("track", CANARY, event=CANARY, userId=CANARY)
    refused = event("teleport", CANARY, event=CANARY)
    response = httpx.post(
        f"{meridian.url}/v1/batch",
        auth=("portal-write-key", ""),
        json={"batch": [good, good, refused]},
        timeout=30,
    )
    assert (response.json()["accepted"], len(response.json()["rejected"])) == (2, 1)
    return response.headers["x-amz-cf-id"]


def test_staff_sees_verdicts_of_events_within_seconds(
    visit: Callable[..., Page], meridian: System, staff: Student, page_errors: list[str]
) -> None:
    page = visit()
    sign_in(page, staff, "/app/events.html")
    expect(page.locator("#events-status")).to_contain_text("Updated at")
    request_id = send_events(meridian)
    rows = page.locator("#rows tr").filter(has_text=request_id)
    expect(rows).to_have_count(3)
    texts = rows.all_inner_texts()
    seen = {tuple(cell.strip() for cell in text.split("\t")[1:4]) for text in texts}
    assert {verdict for verdict, _, _ in seen} == {"accepted", "duplicate", "rejected"}
    (reason,) = (why for verdict, _, why in seen if verdict == "rejected")
    assert reason.startswith("invalid_type: ")
    page.get_by_label("Show").select_option("bad")
    expect(rows).to_have_count(1)
    # Neither the page nor its data names the visitor or what they did.
    assert CANARY not in page.content()
    assert CANARY not in page.evaluate("fetch('/api/verdicts?source=portal').then(it => it.text())")
    assert_fits(page)
    assert axe.violations(page) == []
    page.get_by_role("textbox", name="Source").fill("an unknown source")
    page.get_by_role("button", name="Show events").click()
    expect(page.locator("#source-error")).to_contain_text("Enter the id of a source")
    page.get_by_role("textbox", name="Source").fill(f"source-{uuid.uuid4().hex}")
    page.get_by_role("button", name="Show events").click()
    expect(page.locator("#events-status")).to_contain_text("0 events.")
    assert page_errors == []


def test_student_sees_no_verdicts(
    visit: Callable[..., Page], student: Callable[[], Student]
) -> None:
    page = visit()
    sign_in(page, student(), "/app/events.html")
    expect(page.locator("#events-status")).to_contain_text("Only staff can use this page.")
    expect(page.locator("#rows tr")).to_have_count(0)
    status = page.evaluate("fetch('/api/verdicts?source=portal').then(it => it.status)")
    assert status == 403
    assert axe.violations(page) == []
