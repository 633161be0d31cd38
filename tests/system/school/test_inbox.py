"""The inbox of feedback on the running system: by the API, and on its page."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support import axe
from tests.support.nightly import mark_others
from tests.system.portal.conftest import Student, chromium, page_errors, student, visit
from tests.system.portal.test_advisors import staff
from tests.system.portal.test_journey import assert_fits, sign_in
from tests.system.school.test_api import NOTE
from tests.system.school.test_office import Person
from tools.dev.system import System

__all__ = ["chromium", "page_errors", "staff", "student", "visit"]


@pytest.fixture(scope="module")
def office(meridian: System) -> Iterator[Person]:
    person = Person(meridian, "office", staff=True)
    with person.api.http:
        yield person


@pytest.fixture(scope="module")
def pupil(meridian: System) -> Iterator[Person]:
    person = Person(meridian, "pupil")
    with person.api.http:
        yield person


def write(pupil: Person, text: str, **more: str) -> None:
    assert pupil.api.send("POST", "/feedback", json={"message": text, **more})[0] == 202


def page_of(office: Person, **params: str) -> Any:
    status, answer = office.api.send("GET", "/feedback", params=params)
    assert status == 200, answer
    return answer


def of_pupil(office: Person, pupil: Person) -> list[Any]:
    """Return all feedback of a student, newest first."""
    page = page_of(office)
    entries = page["feedback"]
    while "next" in page:
        page = page_of(office, after=page["next"])
        entries += page["feedback"]
    return [it for it in entries if it["studentId"] == pupil.id]


@pytest.mark.integration
def test_office_reads_and_marks_the_feedback_of_a_student(office: Person, pupil: Person) -> None:
    write(pupil, NOTE, topic="lesson")
    (entry,) = of_pupil(office, pupil)
    assert (entry["message"], entry["topic"], entry["mark"]) == (NOTE, "lesson", "new")
    path = f"/feedback/{entry['feedbackId']}"
    for mark in ("read", "answered", "answered"):
        status, marked = office.api.send("PUT", path, json={"mark": mark})
        assert (status, marked["mark"], marked["by"]) == (200, mark, office.email)
    assert of_pupil(office, pupil) == [marked]


@pytest.mark.integration
def test_inbox_has_pages_without_gaps(meridian: System, office: Person) -> None:
    writer = Person(meridian, "writer")
    texts = [f"{number} {uuid.uuid4()}" for number in range(30)]
    with writer.api.http:
        for text in texts:
            write(writer, text)
        assert [it["message"] for it in of_pupil(office, writer)] == texts[::-1]


@pytest.mark.integration
def test_students_cannot_read_or_mark_feedback(office: Person, pupil: Person) -> None:
    unknown = f"1790000000000-{uuid.uuid4()}"
    for method, path, options in (
        ("GET", "/feedback", {}),
        ("PUT", f"/feedback/{unknown}", {"json": {"mark": "read"}}),
    ):
        status, refused = pupil.api.send(method, path, **options)
        assert (status, refused["code"]) == (403, "not_staff")
    status, refused = office.api.send("PUT", f"/feedback/{unknown}", json={"mark": "read"})
    assert (status, refused["code"]) == (404, "feedback_unknown")
    status, refused = office.api.send("GET", "/feedback", params={"after": "FEEDBACK"})
    assert (status, refused["code"]) == (404, "feedback_unknown")


@pytest.mark.browser
@pytest.mark.parametrize("width", mark_others((360, 1280), (360,)))
def test_staff_marks_feedback_and_opens_its_student_on_the_page(
    visit: Callable[..., Page],
    pupil: Person,
    staff: Student,
    page_errors: list[str],
    width: int,
) -> None:
    text = f"The video stops. {uuid.uuid4()}"
    write(pupil, text, topic="website")
    page = visit(width)
    sign_in(page, staff, "/app/inbox.html")
    entry = page.locator("#inbox li").filter(has_text=text)
    expect(entry).to_contain_text("website · new")
    entry.get_by_role("button", name="Mark as read").click()
    expect(page.locator("#inbox-status")).to_have_text("Marked as read.")
    expect(entry).to_contain_text(f"read by {staff.email}")
    page.get_by_label("Show").select_option("new")
    expect(entry).to_have_count(0)
    page.get_by_label("Show").select_option("read")
    expect(entry).to_have_count(1)
    assert axe.violations(page) == []
    assert_fits(page)
    entry.get_by_role("link", name="Open student").click()
    expect(page.locator("#student-name")).to_be_focused()
    expect(page.locator("#facts")).to_contain_text(pupil.email)
    assert page_errors == []
