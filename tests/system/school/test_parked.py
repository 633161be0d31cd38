"""Parked accounts on the running system: listed, finished and undone by the office."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.nightly import mark_others
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student, chromium, page_errors, student, visit
from tests.system.portal.test_advisors import staff
from tests.system.portal.test_journey import assert_fits, sign_in
from tests.system.school.school_client import EXECUTIONS, SchoolClient, unique_email
from tests.system.school.test_compensation import assert_compensated, broken
from tests.system.school.test_office import Person
from tests.system.school.workflows import (
    assert_created_once,
    modified_machine,
    run_to_end,
    stored_request,
)
from tools.dev.system import System

__all__ = ["chromium", "page_errors", "staff", "student", "visit"]


@pytest.fixture(scope="module")
def office(meridian: System) -> Iterator[Person]:
    person = Person(meridian, "office", staff=True)
    with person.api.http:
        yield person


def listed(office: Person, account: str) -> Any:
    status, answer = office.api.send("GET", "/parked")
    assert status == 200, answer
    (one,) = [it for it in answer["parked"] if it["accountId"] == account]
    return one


def act(office: Person, parked_id: str, action: str, request_id: str = "") -> tuple[int, Any]:
    body = {
        "requestId": request_id or str(uuid.uuid4()),
        "action": action,
        "reason": 'O\'Brien: "mended"',
    }
    return office.api.send("POST", f"/parked/{parked_id}", json=body)


CAUSE = "{'error': 'TransientError', 'undone': 'nothing'}"


def lacks_capacity(definition: Any) -> None:
    """Let CreateIdentity park the request, as after hours without capacity."""
    state = definition["States"]["CreateIdentity"]
    state["Arguments"]["FunctionName"] += "-missing"
    state["Retry"] = []
    state["Catch"] = [
        {
            "ErrorEquals": ["States.ALL"],
            "Output": f"{{% $merge([$states.input, {CAUSE}]) %}}",
            "Next": "Park",
        }
    ]


def parked_request(school: SchoolClient, change: Callable[[Any], None]) -> dict[str, str]:
    email = unique_email()
    request = stored_request(school, email)
    with modified_machine(school, change) as arn:
        assert run_to_end(school, arn, request)["status"] == "FAILED"
    return request | {"email": email}


def ids(request: dict[str, str]) -> dict[str, str]:
    return {name: it for name, it in request.items() if name != "email"}


@pytest.mark.integration
def test_office_finishes_an_account_that_lacked_capacity(
    school: SchoolClient, office: Person
) -> None:
    request = parked_request(school, lacks_capacity)
    parked = listed(office, request["accountId"])
    assert (parked["state"], parked["error"], parked["action"]) == ("waiting", "TransientError", "")
    assert parked["email"] == request["email"]
    first = str(uuid.uuid4())
    for _ in range(3):
        # A repeated click starts no second execution; after its end it is refused.
        status, answer = act(office, parked["parkedId"], "finish", first)
        assert status == 200 or (status, answer["code"]) == (409, "parked_settled")
    ended = school.wait_for_end(f"{EXECUTIONS}-account:office-{first}")
    assert ended["status"] == "SUCCEEDED"
    assert_created_once(school, ids(request), request["email"])
    after = listed(office, request["accountId"])
    assert (after["state"], after["action"], after["by"]) == ("created", "finish", office.email)
    status, refused = act(office, parked["parkedId"], "undo")
    assert (status, refused["code"]) == (409, "parked_settled")


@pytest.mark.integration
def test_office_undoes_an_account_that_lacked_capacity(
    school: SchoolClient, office: Person
) -> None:
    request = parked_request(school, lacks_capacity)
    parked = listed(office, request["accountId"])
    status, answer = act(office, parked["parkedId"], "undo")
    assert status == 200, answer
    wait_until(lambda: listed(office, request["accountId"])["state"] == "undone", "the undo", 60)
    assert_compensated(school, ids(request), request["email"])
    # The student can sign up again.
    again = school.request_account(request["email"])
    assert school.wait_for_outcome(again)["status"] == "created"


@pytest.mark.integration
def test_office_finishes_a_failed_compensation(school: SchoolClient, office: Person) -> None:
    request = parked_request(school, broken("Activate", "DeleteIdentity"))
    parked = listed(office, request["accountId"])
    assert parked["state"] == "undoing"
    assert act(office, parked["parkedId"], "finish")[0] == 200
    wait_until(lambda: listed(office, request["accountId"])["state"] == "undone", "the undo", 60)
    assert_compensated(school, ids(request), request["email"])


@pytest.mark.integration
def test_students_cannot_see_or_end_parked_accounts(meridian: System, office: Person) -> None:
    pupil = Person(meridian, "pupil")
    unknown = f"1790000000000-{uuid.uuid4()}"
    with pupil.api.http:
        for status, refused in (pupil.api.send("GET", "/parked"), act(pupil, unknown, "undo")):
            assert (status, refused["code"]) == (403, "not_staff")
    status, refused = act(office, unknown, "finish")
    assert (status, refused["code"]) == (404, "parked_unknown")
    status, refused = act(office, unknown, "destroy")
    assert (status, refused["code"]) == (400, "body_invalid")


@pytest.mark.browser
@pytest.mark.parametrize("width", mark_others((360, 1280), (360,)))
def test_staff_undoes_a_parked_account_on_the_page(
    visit: Callable[..., Page],
    school: SchoolClient,
    staff: Student,
    page_errors: list[str],
    width: int,
) -> None:
    request = parked_request(school, lacks_capacity)
    page = visit(width)
    sign_in(page, staff, "/app/parked.html")
    entry = page.locator("#parked li").filter(has_text=request["accountId"])
    expect(entry).to_contain_text("waits for you")
    expect(entry).to_contain_text(request["email"])
    entry.get_by_role("button", name="Undo").click()
    expect(page.locator("#act-title")).to_be_focused()
    page.locator("#apply").click()
    expect(page.locator("#reason-error")).to_have_text("Enter a reason.")
    page.get_by_label("Reason").fill("The student has left.")
    assert axe.violations(page) == []
    assert_fits(page)
    page.locator("#apply").click()
    expect(page.locator("#list-status")).to_have_text("The account is removed.", timeout=30_000)
    expect(entry).to_contain_text(f"Undo by {staff.email}: The student has left.")
    assert axe.violations(page) == []
    assert page_errors == []
