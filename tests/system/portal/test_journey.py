"""User journeys through the portal in a browser, on the running system."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.support.managed_login import sign_in_with_password
from tests.system.portal.conftest import Student
from tests.system.school.school_client import SchoolClient, unique_email
from tools.dev.system import System

pytestmark = pytest.mark.browser

type Visit = Callable[..., Page]
TOKEN: Final = "__Host-meridian-token"
#: The first run of a workflow includes the cold start of each function.
SLOW_MS: Final = 40_000
LOGIN_PAGE: Final = re.compile(r"/oauth2/authorize\?")
NAME: Final = 'O\'Brien "Ng\\uyễn" 🎓 <b>'


def sign_in(page: Page, student: Student, path: str = "/app/") -> None:
    page.goto(path)
    expect(page).to_have_url(LOGIN_PAGE)
    sign_in_with_password(page, student.email, student.password)
    page.wait_for_url(lambda url: url.endswith(path))


def status(page: Page, path: str, options: str = "{}") -> int:
    status_code = page.evaluate(f"fetch('{path}', {options}).then(it => it.status)")
    assert isinstance(status_code, int)
    return status_code


def assert_fits(page: Page) -> None:
    """Assert that the page needs no horizontal scrolling."""
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]


def fill_in(page: Page, email: str, name: str = NAME) -> None:
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Full name").fill(name)


def test_student_creates_account_and_gets_email(
    visit: Visit, meridian: System, school: SchoolClient, page_errors: list[str]
) -> None:
    page = visit()
    page.goto("/")
    assert_fits(page)
    page.get_by_role("main").get_by_role("link", name="Create account").click()
    send = page.get_by_role("button", name="Create account")
    send.click()
    # Before any request: a message next to each field, and focus on the first one.
    expect(page.locator("#email-error")).to_have_text("Email address is required.")
    expect(page.locator("#name-error")).to_have_text("Name is required.")
    expect(page.locator("#dateOfBirth-error")).to_have_text("Date of birth is required.")
    expect(page.get_by_label("Email address")).to_be_focused()
    # The workflow's reasons, all at once.
    fill_in(page, "asha at example.com", "123")
    page.get_by_label("Date of birth").fill("2999-01-01")
    send.click()
    expect(page.locator("#email-error")).to_contain_text("valid email address", timeout=SLOW_MS)
    expect(page.locator("#name-error")).to_contain_text("at least one letter")
    expect(page.locator("#dateOfBirth-error")).to_contain_text("in the future")
    assert_fits(page)
    email = unique_email()
    fill_in(page, email)
    page.get_by_label("Date of birth").fill("2001-02-03")
    page.get_by_label("Programme").select_option("music")
    page.get_by_label("Email language").select_option("vi")
    send.click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_focused(timeout=SLOW_MS)
    expect(page.locator("#to")).to_have_text(email)
    assert_fits(page)
    (message,) = school.wait_for_emails(email)
    assert "Xác nhận" in json.dumps(message, ensure_ascii=False)
    page.get_by_role("button", name="Send again").click()
    expect(page.locator("#resend-status")).to_contain_text("Sent", timeout=SLOW_MS)
    assert len(school.wait_for_emails(email, 2)) == 2
    # Both links are valid; the page of a used one has the same result.
    for proof in (*school.proofs_in_emails(email)[:1] * 2,):
        page.goto("/")
        page.goto(f"/confirm.html#{proof['requestId']}.{proof['token']}")
        assert_fits(page)
        page.get_by_role("button", name="Confirm and create account").click()
        ready = page.get_by_role("heading", name="Your account is ready")
        expect(ready).to_be_focused(timeout=SLOW_MS)
    welcome = school.wait_for_emails(email, 3)[-1]
    assert meridian.url in json.dumps(welcome)
    assert "Chào mừng" in json.dumps(welcome, ensure_ascii=False)
    # The page of a second form doesn't tell that the address has an account; the email does.
    page.goto("/sign-up.html")
    fill_in(page, email.upper())
    page.get_by_label("Date of birth").fill("2001-02-03")
    send.click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_focused(timeout=SLOW_MS)
    assert school.wait_for_emails(email, 4)[-1]["Subject"] == "You already have an account"
    assert page_errors == []


@pytest.mark.parametrize("fragment", ["", "#x", f"#{'0' * 8}-0000-0000-0000-{'0' * 12}.{'t' * 43}"])
def test_wrong_link_of_an_email_leads_back_to_the_form(visit: Visit, fragment: str) -> None:
    page = visit()
    page.goto(f"/confirm.html{fragment}")
    page.get_by_role("button", name="Confirm and create account").click()
    expect(page.get_by_role("heading", name=re.compile("link doesn.t work"))).to_be_focused()
    page.get_by_role("link", name="Fill in the form again").click()
    expect(page.get_by_label("Email address")).to_be_visible()


def test_retried_form_is_same_request(visit: Visit, school: SchoolClient) -> None:
    """A lost response and a 503 lead to retries with the same id and to one account."""
    page, sent = visit(), list[str]()

    def fail_twice(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}")["requestId"])
        if len(sent) == 1:
            route.fetch()
            route.abort()
        elif len(sent) == 2:
            route.fulfill(status=503, headers={"Retry-After": "1"}, body="<html>busy</html>")
        else:
            route.continue_()

    page.route("**/api/accounts", fail_twice)
    page.goto("/sign-up.html")
    email = unique_email()
    fill_in(page, email)
    page.get_by_label("Date of birth").fill("2001-02-03")
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("#status")).to_contain_text("Trying again")
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible(timeout=SLOW_MS)
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert len(school.wait_for_emails(email)) == 1


def test_student_books_cancels_and_sends_feedback(
    visit: Visit, student: Callable[[], Student], school: SchoolClient, page_errors: list[str]
) -> None:
    page, other = visit(), visit()
    sign_in(page, student())
    expect(page.locator("#account")).to_have_text("Sign out")
    expect(page.locator("#profile-status")).to_have_text(re.compile("saved any preferences yet"))
    expect(page.locator("#none")).to_be_visible()
    assert_fits(page)
    save_profile(page)
    booked = book(page, "It's about <b>maths</b>")
    expect(page.locator("#appointments-status")).to_contain_text("Booked")
    appointment = page.locator("#booked li")
    expect(appointment).to_have_count(1)
    expect(appointment).to_contain_text("It's about <b>maths</b>")
    sign_in(other, student())
    taken = {"advisorId": "linh-tran", "start": booked}
    answer = other.evaluate(
        "body => fetch('/api/appointments', {method: 'POST', body: JSON.stringify(body), "
        "headers: {'Content-Type': 'application/json'}}).then(it => it.json())",
        taken,
    )
    assert answer["code"] == "slot_taken"
    expect(other.locator("#booked li")).to_have_count(0)
    page.on("dialog", Dialog.accept)
    appointment.get_by_role("button", name="Cancel").click()
    expect(page.locator("#appointments-status")).to_contain_text("cancelled")
    expect(appointment).to_have_count(0)
    assert book(other, "Me too") == booked
    expect(other.locator("#appointments-status")).to_contain_text("Booked")
    words = f"Thank you, {NAME}\nfor {booked}"
    page.get_by_label("Message").fill(words)
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator("#feedback-status")).to_contain_text("Thank you")
    assert words in [json.loads(body)["message"] for body in school.drain("feedback")]
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url(lambda url: url.endswith("/"))
    expect(page.locator("#account")).to_have_text("Sign in")
    expect(page.locator(".who")).to_have_count(0)
    assert status(page, "/api/profile") == 401
    assert page.evaluate("sessionStorage.getItem('display-name')") is None
    assert page_errors == []


def save_profile(page: Page) -> None:
    page.get_by_label("Display name").fill(NAME)
    page.get_by_label("Language", exact=True).select_option("hi")
    page.get_by_label("Time zone").fill("Mars")
    page.get_by_label("Computing").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_label("Time zone").fill("not a zone")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#timeZone-error")).to_contain_text("valid time zone")
    page.get_by_label("Time zone").fill("Asia/Kathmandu")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#profile-status")).to_have_text("Saved.")
    page.reload()
    # The pages have the preferred language, too.
    expect(page.locator("html")).to_have_attribute("lang", "hi")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".who")).to_have_text(f"Signed in as {NAME}")
    expect(page.get_by_label("Display name")).to_have_value(NAME)
    expect(page.get_by_label("Language", exact=True)).to_have_value("hi")
    expect(page.get_by_label("Computing")).to_be_checked()
    expect(page.get_by_label("Music")).not_to_be_checked()


def book(page: Page, note: str) -> str:
    """Book the first free slot of a day that every run of the test can book; return its start."""
    page.get_by_label("Advisor", exact=True).select_option("linh-tran")
    # The other student's page still offers the slot that the first one books.
    expect(page.locator("#start option").first).to_be_attached()
    day = datetime.now(UTC).date() + timedelta(days=40)
    page.get_by_label("Date").fill(day.isoformat())
    expect(page.locator("#start option").first).to_have_attribute(
        "value", f"{day.isoformat()}T01:00:00Z"
    )
    # 08:00 in Ho Chi Minh City, UTC+07:00, is 06:45 in Kathmandu, UTC+05:45.
    assert page.locator("#start option").first.inner_text() in {"06:45", "6:45 am"}
    page.get_by_label("Topic").fill(note)
    start = page.locator("#start").input_value()
    page.get_by_role("button", name="Book appointment").click()
    return start


def test_missing_token_is_refreshed_without_losing_input(
    visit: Visit, student: Callable[[], Student]
) -> None:
    page = visit()
    sign_in(page, student())
    page.get_by_label("Message").fill("Half a thought")
    page.context.clear_cookies(name=TOKEN)
    assert status(page, "/api/profile") == 401
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator("#feedback-status")).to_contain_text("Thank you")
    # Without a session the page shows a message with a sign-in link and keeps the input.
    page.get_by_label("Message").fill("The other half")
    page.context.clear_cookies()
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator("#feedback-status")).to_contain_text("signed out")
    expect(page.locator("#feedback-status a")).to_have_attribute(
        "href", "/auth/sign-in?return_to=%2Fapp%2F"
    )
    expect(page.get_by_label("Message")).to_have_value("The other half")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "No connection"),
        ({"status": 429, "json": {"code": "throttled"}}, "very busy"),
        ({"status": 503, "body": "<html>CloudFront</html>"}, "temporarily unavailable"),
        ({"status": 403, "body": "<html>blocked</html>"}, "was blocked"),
        ({"status": 504, "json": {"code": "timed_out"}}, "took too long"),
    ],
)
def test_failed_call_shows_message(
    visit: Visit, student: Callable[[], Student], page_errors: list[str],
    answer: dict[str, object] | None, words: str,
) -> None:  # fmt: skip
    page = visit()
    sign_in(page, student())
    expect(page.locator("#profile-status")).not_to_be_empty()

    def fail(route: Route) -> None:
        route.abort() if answer is None else route.fulfill(**answer)  # type: ignore[arg-type]  # as above

    page.route("**/api/feedback", fail)
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator("#feedback-status")).to_contain_text(words)
    page.unroute("**/api/feedback")
    page.get_by_role("button", name="Send feedback").click()
    expect(page.locator("#feedback-status")).to_contain_text("Thank you")
    assert page_errors == []


def test_live_page_shows_last_hour(visit: Visit, student: Callable[[], Student]) -> None:
    page = visit()
    sign_in(page, student(), "/app/live.html")
    with page.expect_response(lambda it: it.url.endswith("/v1/batch")) as sent:
        page.get_by_role("button", name="Allow", exact=True).click()
    assert sent.value.status == 200
    # The test's page view is one of the events.
    expect(page.locator("#events")).to_have_text(re.compile("[1-9]"), timeout=SLOW_MS)
    expect(page.locator("#bars rect")).to_have_count(60)
    assert_fits(page)


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
        """Disable logging."""


@pytest.fixture
def same_site_page() -> Iterator[str]:
    """Serve a page on another port of this host; yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()


def test_same_site_page_cannot_use_session(
    visit: Visit, student: Callable[[], Student], meridian: System, same_site_page: str
) -> None:
    """Another port of the host is the same site, so the browser sends the cookies."""
    page = visit()
    sign_in(page, student())
    tab = page.context.new_page()
    answers: dict[str, int] = {}
    tab.on("response", lambda it: answers.update({it.request.method + it.url: it.status}))
    tab.goto(same_site_page)
    with_cookies = "{mode: 'no-cors', credentials: 'include'}"
    tab.evaluate(f"fetch('{meridian.url}/api/profile', {with_cookies})")
    tab.evaluate(
        f"fetch('{meridian.url}/api/feedback', {{method: 'POST', body: '{{}}', ...{with_cookies}}})"
    )
    tab.evaluate(f"fetch('{meridian.url}/auth/session', {with_cookies})")
    assert answers[f"GET{meridian.url}/api/profile"] == 401
    assert answers[f"POST{meridian.url}/api/feedback"] == 401
    sent = tab.goto(f"{meridian.url}/api/profile")
    assert sent is not None
    # A link or the address bar: the browser sends the cookies, and edge_auth ignores them.
    assert TOKEN in sent.request.all_headers()["cookie"]
    assert sent.status == 401
    assert status(page, "/api/profile") == 404
