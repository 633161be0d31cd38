"""Each page on a desktop and a phone: no errors, no shifts, targets for fingers, accessible names.

With SCREENSHOTS=<folder> (`make screenshots`), each page is photographed, too.
"""

import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import page_audit
from tests.support.axe import violations
from tests.support.page_texts import WEB
from tests.system.portal import school_day
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import sign_in
from tools.demo_students import put_user
from tools.dev.system import System
from tools.stack import client

pytestmark = pytest.mark.browser

FOLDER: Final = os.environ.get("SCREENSHOTS", "")
#: The course is another member's. Tests of their own open the others.
LEFT_OUT: Final = frozenset({"/courses/navigation/", "/api.html", "/course.html"})
RUNBOOK_ENTRY: Final = re.compile("/app/runbook/.")
#: The largest element can be a row of a list, such as a long message to the school.
LISTING: Final = frozenset(
    {
        *("/courses.html", "/app/advisors.html", "/app/catalogue.html", "/app/events.html"),
        *("/app/inbox.html", "/app/live.html", "/app/office.html", "/app/parked.html"),
        *("/app/rosters.html", "/app/sources.html", "/app/students.html"),
    }
)
#: Files of pictures whose names aren't those of the addresses.
NAMES: Final = {"/": "home", "/courses.html": "course-search", "/course.html?id=noon": "course"}
#: Its drawings grow with the system: a test of its own opens it.
GROWING: Final = frozenset({"/app/operator.html"})


def addresses(top: str) -> list[str]:
    """Return the addresses of the pages for everyone, or of those for members."""
    paths = [it.relative_to(WEB / top).as_posix() for it in sorted((WEB / top).rglob("*.html"))]
    page_paths = [f"/{path.removesuffix('index.html')}" for path in paths]
    # One template makes the runbook's pages: the contents stand for the others.
    return [it for it in page_paths if it not in LEFT_OUT and not RUNBOOK_ENTRY.match(it)]


@pytest.fixture(scope="module", autouse=True)
def fonts() -> None:
    """Refuse to photograph the names of languages as empty boxes."""
    if FOLDER:
        listing = subprocess.run(["fc-list", ":lang=hi"], capture_output=True, check=False)
        assert listing.stdout, "Install a font for Hindi first, such as Debian's fonts-noto-core."


@pytest.fixture
def opened(chromium: Browser, meridian: System) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=meridian.url, locale="en-GB", timezone_id="Asia/Kolkata"
    )
    yield context.new_page()
    context.close()


def audit(page: Page, address: str) -> list[str]:
    """Load a page on a desktop and on a phone, and return its faults."""
    problems: list[str] = []
    for viewport in (page_audit.DESKTOP, page_audit.PHONE):
        page.set_viewport_size(viewport)  # type: ignore[arg-type]  # a typed dictionary
        page.goto(address, wait_until="networkidle")
        expect(page.locator("main h1").first).to_be_attached()
        # For the pictures, further pages have rows.
        may_wait = address in LISTING or bool(FOLDER)
        problems += page_audit.faults(page, largest_may_wait=may_wait)
    if FOLDER:
        photograph(page, address)
    return [f"{address}: {it}" for it in dict.fromkeys(problems)]


def photograph(page: Page, address: str) -> None:
    """Write the pictures of the loaded page to its file."""
    school_day.show(page, address)
    name = NAMES.get(address) or address.strip("/").replace("/", "-").removesuffix(".html")
    page_audit.photograph(page, Path(FOLDER) / f"{name}.jpg")


def test_public_pages_have_no_faults(opened: Page) -> None:
    errors = page_audit.observe(opened)
    page_audit.answer_after_paint(opened)
    problems = []
    for address in addresses("public"):
        problems += audit(opened, address) + violations(opened)
    if FOLDER:
        for address in ("/course.html?id=noon", "/missing"):
            opened.goto(address, wait_until="networkidle")
            photograph(opened, address)
    assert problems == []
    assert errors == []


@pytest.fixture
def clerk(meridian: System) -> Student:
    """Return a member of all groups."""
    clerk = Student(f"clerk-{uuid.uuid4().hex[:8]}@example.com", uuid.uuid4().hex)
    pool = meridian.deployed.outputs["UserPoolId"]
    users = client("cognito-idp", meridian.target)
    put_user(users, pool, clerk.email, clerk.password, paying=True, staff=True, operator=True)
    return clerk


def test_courses_need_no_javascript(chromium: Browser, meridian: System) -> None:
    """Forms need it, and say so."""
    context = chromium.new_context(base_url=meridian.url, java_script_enabled=False)
    page = context.new_page()
    for address in ("/", "/courses.html"):
        page.goto(address)
        for name in ("Where is noon?", "Navigation"):
            expect(page.get_by_role("main").get_by_role("link", name=name)).to_be_visible()
    # Playwright finds no text within noscript.
    expect(page.locator("noscript .note")).to_contain_text("The search requires JavaScript.")
    expect(page.get_by_role("searchbox")).to_be_hidden()
    page.goto("/sign-up.html")
    expect(page.locator("noscript .note")).to_contain_text("This form requires JavaScript.")
    context.close()


#: Pages that show what a service answers.
READING: Final = (
    *("/courses.html", "/course.html?id=noon", "/app/", "/app/live.html", "/app/advisors.html"),
    *("/app/catalogue.html", "/app/events.html", "/app/inbox.html", "/app/office.html"),
    *("/app/parked.html", "/app/rosters.html", "/app/sources.html"),
)


def test_pages_say_that_a_service_does_not_answer(opened: Page, clerk: Student) -> None:
    sign_in(opened, clerk)
    errors = page_audit.observe(opened)
    services = re.compile(r"^https?://[^/]+/(api/|catalogue/)")
    opened.route(services, lambda it: it.fulfill(status=503, json={"code": "unavailable"}))
    for address in READING:
        opened.goto(address)
        expect(opened.locator(".note.bad").first, address).to_be_visible()
        expect(opened.locator("[aria-busy=true]"), address).to_have_count(0)
    assert errors == []


def test_pages_of_members_and_staff_have_no_faults(
    opened: Page, clerk: Student, meridian: System
) -> None:
    """Each page's own test looks at the names of its elements (axe)."""
    opened.goto("/app/")
    if FOLDER:
        page_audit.photograph(opened, Path(FOLDER) / "sign-in.jpg")
    sign_in(opened, clerk)
    if FOLDER:
        school_day.fill(opened, meridian)
    errors = page_audit.observe(opened)
    page_audit.answer_after_paint(opened)
    problems = []
    for address in addresses("members"):
        if FOLDER or address not in GROWING:
            problems += audit(opened, address)
    assert [it for it in problems if it.partition(":")[0] not in GROWING] == []
    assert errors == []
