"""Stored pages after sign-out, and requests that sign a student out, in Chromium."""

import json
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import LOGIN_PAGE, TOKEN, sign_in
from tools.dev.system import System

pytestmark = pytest.mark.browser

type Visit = Callable[..., Page]
WAIT_S: Final = 60.0
LESSON: Final = "Where is noon?"


@pytest.fixture
def paying(meridian: System) -> Student:
    """The paying demo student."""
    demo_student = next(it for it in meridian.students if it.paying)
    return Student(demo_student.email, demo_student.password)


def cookie_names(page: Page) -> set[str]:
    return {it["name"] for it in page.context.cookies() if it["name"].startswith("__Host-")}


def session_cookies(page: Page) -> dict[str, str]:
    """Return the values of edge_auth's cookies. The lesson renews those of its video."""
    return {
        it["name"]: it["value"] for it in page.context.cookies() if it["name"].startswith("__Host-")
    }


def read_lesson_twice(page: Page) -> None:
    """Follow links to the lesson and the home page, so that the browser could store both."""
    for _ in range(2):
        page.get_by_role("link", name="Lessons").first.click()
        expect(page.locator("h1")).to_have_text(LESSON)
        page.evaluate("window.kept = true")
        page.get_by_role("link", name="Meridian School").click()
        expect(page.locator("h1")).not_to_have_text(LESSON)


def sign_out_with_link(page: Page) -> None:
    link = page.locator("#account")
    expect(link).to_have_text("Sign out")
    link.click()
    expect(page.locator("#account")).to_have_text("Sign in")


def sign_out_without_script(page: Page) -> None:
    page.goto("/auth/sign-out")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#account")).to_have_text("Sign in")


SIGN_OUTS: Final = [sign_out_with_link, sign_out_without_script]


@pytest.mark.parametrize("sign_out", SIGN_OUTS)
def test_link_to_lesson_after_sign_out_leads_to_sign_in(
    visit: Visit, paying: Student, sign_out: Callable[[Page], None]
) -> None:
    page = visit()
    sign_in(page, paying, "/premium/")
    read_lesson_twice(page)
    sign_out(page)
    assert cookie_names(page) == set()
    page.evaluate("location.href = '/premium/'")
    expect(page).to_have_url(LOGIN_PAGE)


def test_stored_lesson_is_not_shown_without_session(visit: Visit, paying: Student) -> None:
    """Without Clear-Site-Data: another tab, or a browser that doesn't support the header."""
    page = visit()
    sign_in(page, paying, "/premium/")
    read_lesson_twice(page)
    page.context.clear_cookies()
    page.evaluate("location.href = '/premium/'")
    expect(page).to_have_url(LOGIN_PAGE)


@pytest.mark.parametrize("sign_out", SIGN_OUTS)
def test_back_button_after_sign_out_does_not_show_lesson(
    visit: Visit, paying: Student, sign_out: Callable[[Page], None]
) -> None:
    page = visit()
    sign_in(page, paying, "/premium/")
    read_lesson_twice(page)
    page.go_back(wait_until="commit")
    # The back/forward cache works in this browser: the page is the same, with its variable.
    assert page.evaluate("window.kept") is True
    page.go_forward(wait_until="commit")
    expect(page.locator("h1")).not_to_have_text(LESSON)
    sign_out(page)
    for _ in range(3):
        page.go_back(wait_until="commit")
        expect(page.locator("body")).to_be_visible()
        assert page.locator("h1", has_text=LESSON).count() == 0


@pytest.mark.parametrize("sign_out", SIGN_OUTS)
def test_back_button_does_not_show_lesson_on_which_the_student_signed_out(
    visit: Visit, paying: Student, sign_out: Callable[[Page], None]
) -> None:
    page = visit()
    sign_in(page, paying, "/premium/")
    expect(page.locator("h1")).to_have_text(LESSON)
    sign_out(page)
    page.go_back(wait_until="commit")
    expect(page.locator("body")).to_be_visible()
    assert page.locator("h1", has_text=LESSON).count() == 0


@pytest.fixture
def open_page(chromium: Browser, meridian: System) -> Iterator[Page]:
    """A page whose Content Security Policy allows the test's speculation rules."""
    context = chromium.new_context(base_url=meridian.url, bypass_csp=True)
    yield context.new_page()
    context.close()


LINK: Final = """url => {
  const link = document.createElement("link");
  Object.assign(link, {rel: "prefetch", href: url});
  document.head.append(link);
}"""
RULES: Final = """([kind, url]) => {
  const rules = document.createElement("script");
  rules.type = "speculationrules";
  rules.textContent = JSON.stringify({[kind]: [{urls: [url], eagerness: "immediate"}]});
  document.head.append(rules);
}"""


def count_requests(meridian: System, path: str) -> int:
    """Return the number of requests in CloudFront's access log that contain a path."""
    access_log = meridian.directory / "logs" / "cloudfront-access.jsonl"
    return sum(f'"{path}' in line for line in access_log.read_text().splitlines())


@pytest.mark.parametrize("endpoint", ["sign-out", "refresh", "sign-in"])
@pytest.mark.parametrize("kind", ["link", "prefetch", "prerender"])
def test_speculative_request_does_not_change_session(
    open_page: Page, meridian: System, paying: Student, kind: str, endpoint: str
) -> None:
    page = open_page
    sign_in(page, paying, "/premium/")
    before = session_cookies(page)
    assert TOKEN in before
    requests = count_requests(meridian, f"/auth/{endpoint}")
    url = f"/auth/{endpoint}?return_to=/premium/%3F{kind}-{endpoint}"
    if kind == "link":
        page.evaluate(LINK, url)
    else:
        page.evaluate(RULES, [kind, url])
    wait_until(
        lambda: count_requests(meridian, f"/auth/{endpoint}") > requests, f"GET {url}", WAIT_S
    )
    assert session_cookies(page) == before
    session = page.evaluate("fetch('/auth/session').then(it => it.json())")
    assert session["signed_in"] is True, json.dumps(session)
