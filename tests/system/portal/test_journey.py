"""What a student does at the portal, in a browser, on the running system."""

import json
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.system.portal.conftest import Student
from tests.system.school.world import World, someone
from tools.dev.system import System

pytestmark = pytest.mark.browser

type Visit = Callable[..., Page]
TOKEN = "__Host-meridian-token"
#: A workflow's first run starts every function of it.
SLOW_MS = 40_000
LOGIN_PAGE = re.compile(r"/oauth2/authorize\?")
NAME = 'O\'Brien "Ng\\uyễn" 🎓 <b>'


def sign_in(page: Page, student: Student, path: str = "/app/") -> None:
    page.goto(path)
    expect(page).to_have_url(LOGIN_PAGE)
    page.fill("input[name=username]", student.email)
    page.fill("input[name=password]", student.password)
    page.click("[type=submit]")
    page.wait_for_url(lambda url: url.endswith(path))


def status(page: Page, path: str, options: str = "{}") -> int:
    found = page.evaluate(f"fetch('{path}', {options}).then(it => it.status)")
    assert isinstance(found, int)
    return found


def fits(page: Page) -> None:
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]


def fill_in(page: Page, email: str, name: str = NAME) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Your name").fill(name)


def test_an_account_is_asked_for_and_a_letter_comes(
    visit: Visit, meridian: System, world: World, complaints: list[str]
) -> None:
    page = visit()
    page.goto("/")
    fits(page)
    page.get_by_role("link", name="Ask for an account").click()
    send = page.get_by_role("button", name="Ask for an account")
    send.click()
    # Said before anything is sent, each next to its field, and the first one has the focus.
    expect(page.locator("#email-error")).to_have_text("An e-mail address is needed.")
    expect(page.locator("#name-error")).to_have_text("A name is needed.")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    # What only the school can know comes from the workflow, every reason at once.
    fill_in(page, "asha at example.com", "123")
    page.get_by_label("Date of birth").fill("2999-01-01")
    send.click()
    expect(page.locator("#email-error")).to_contain_text("no e-mail address", timeout=SLOW_MS)
    expect(page.locator("#name-error")).to_contain_text("at least one letter")
    expect(page.locator("#dateOfBirth-error")).to_contain_text("in the past")
    fits(page)
    email = someone()
    fill_in(page, email)
    page.get_by_label("Date of birth").fill("2001-02-03")
    page.get_by_label("Programme").select_option("music")
    page.get_by_label("We write to you in").select_option("vi")
    send.click()
    expect(page.get_by_role("heading", name="Your account is ready")).to_be_focused(timeout=SLOW_MS)
    expect(page.locator("#to")).to_have_text(email)
    (letter,) = world.heard(email)
    assert meridian.url in json.dumps(letter)
    assert "Chào mừng" in json.dumps(letter, ensure_ascii=False)
    # Somebody else with the same address hears why not.
    page.goto("/sign-up.html")
    fill_in(page, email.upper())
    send.click()
    expect(page.locator("#email-error")).to_contain_text("There is an account", timeout=SLOW_MS)
    assert complaints == []


def test_a_form_that_is_sent_again_is_the_same_request(visit: Visit, world: World) -> None:
    """The answer is lost, then the school is busy: pressed once, and it is one account."""
    page, sent = visit(), list[str]()

    def unlucky(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}")["requestId"])
        if len(sent) == 1:
            route.fetch()
            route.abort()
        elif len(sent) == 2:
            route.fulfill(status=503, headers={"Retry-After": "1"}, body="<html>busy</html>")
        else:
            route.continue_()

    page.route("**/api/accounts", unlucky)
    page.goto("/sign-up.html")
    email = someone()
    fill_in(page, email)
    page.get_by_role("button", name="Ask for an account").click()
    expect(page.locator("#said")).to_contain_text("try again")
    expect(page.get_by_role("heading", name="Your account is ready")).to_be_visible(timeout=SLOW_MS)
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert len(world.heard(email)) == 1
    assert len(world.users_with(email)) == 1


def test_a_student_books_cancels_and_says_what_could_be_better(
    visit: Visit, student: Callable[[], Student], world: World, complaints: list[str]
) -> None:
    page, other = visit(), visit()
    sign_in(page, student())
    expect(page.locator("#account")).to_have_text("Sign out")
    expect(page.locator("#profile-said")).to_have_text(re.compile("know nothing of you"))
    expect(page.locator("#none")).to_be_visible()
    fits(page)
    keep_a_profile(page)
    booked = book(page, "It's about <b>maths</b>")
    expect(page.locator("#appointments-said")).to_contain_text("Booked")
    line = page.locator("#booked li")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("It's about <b>maths</b>")
    sign_in(other, student())
    assert book(other, "Me too") == booked
    expect(other.locator("#appointments-said")).to_contain_text("Somebody else has this half hour")
    expect(other.locator("#booked li")).to_have_count(0)
    page.on("dialog", Dialog.accept)
    line.get_by_role("button").click()
    expect(page.locator("#appointments-said")).to_contain_text("cancelled")
    expect(line).to_have_count(0)
    other.get_by_role("button", name="Book").click()
    expect(other.locator("#appointments-said")).to_contain_text("Booked")
    words = f"Thank you, {NAME}\nfor {booked}"
    page.get_by_label("Your words").fill(words)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#feedback-said")).to_contain_text("Thank you")
    assert words in [json.loads(body)["message"] for body in world.taken("feedback")]
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url(lambda url: url.endswith("/"))
    expect(page.locator("#account")).to_have_text("Sign in")
    assert status(page, "/api/profile") == 401
    assert complaints == []


def keep_a_profile(page: Page) -> None:
    page.get_by_label("What we call you").fill(NAME)
    page.get_by_label("Language", exact=True).select_option("hi")
    page.get_by_label("Time zone").fill("Mars")
    page.get_by_label("Computing").check()
    page.get_by_role("button", name="Keep").click()
    page.get_by_label("Time zone").fill("not a zone")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("#timeZone-error")).to_contain_text("no time zone")
    page.get_by_label("Time zone").fill("Asia/Kathmandu")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("#profile-said")).to_have_text("Kept.")
    page.reload()
    expect(page.get_by_label("What we call you")).to_have_value(NAME)
    expect(page.get_by_label("Language", exact=True)).to_have_value("hi")
    expect(page.get_by_label("Computing")).to_be_checked()
    expect(page.get_by_label("Music")).not_to_be_checked()


def book(page: Page, note: str) -> str:
    """Ask for tomorrow's first half hour; return when it is."""
    page.get_by_label("Advisor", exact=True).select_option("linh-tran")
    page.get_by_label("What is it about?").fill(note)
    start = page.locator("#start").input_value()
    # By a clock in Kathmandu the half hours of the world begin at a quarter past and to.
    assert start.endswith(("T01:30:00Z", "T02:00:00Z"))
    assert page.locator("#start option").first.inner_text() in {"07:15", "7:15 am"}
    page.get_by_role("button", name="Book").click()
    return start


def test_a_token_that_is_gone_is_renewed_and_nothing_typed_is_lost(
    visit: Visit, student: Callable[[], Student]
) -> None:
    page = visit()
    sign_in(page, student())
    page.get_by_label("Your words").fill("Half a thought")
    page.context.clear_cookies(name=TOKEN)
    assert status(page, "/api/profile") == 401
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#feedback-said")).to_contain_text("Thank you")
    # With nothing to renew it with, the page says so, offers the sign-in, and keeps the words.
    page.get_by_label("Your words").fill("The other half")
    page.context.clear_cookies()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#feedback-said")).to_contain_text("You are signed out")
    expect(page.locator("#feedback-said a")).to_have_attribute(
        "href", "/auth/sign-in?return_to=%2Fapp%2F"
    )
    expect(page.get_by_label("Your words")).to_have_value("The other half")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "No connection"),
        ({"status": 429, "json": {"code": "throttled"}}, "Many people are asking"),
        ({"status": 503, "body": "<html>CloudFront</html>"}, "does not answer"),
        ({"status": 403, "body": "<html>blocked</html>"}, "was refused"),
        ({"status": 504, "json": {"code": "timed_out"}}, "took too long"),
    ],
)
def test_what_goes_wrong_is_said_in_words(
    visit: Visit, student: Callable[[], Student], complaints: list[str],
    answer: dict[str, object] | None, words: str,
) -> None:  # fmt: skip
    page = visit()
    sign_in(page, student())
    expect(page.locator("#profile-said")).not_to_be_empty()

    def fail(route: Route) -> None:
        route.abort() if answer is None else route.fulfill(**answer)  # type: ignore[arg-type]  # as above

    page.route("**/api/feedback", fail)
    page.get_by_label("Your words").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#feedback-said")).to_contain_text(words)
    page.unroute("**/api/feedback")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#feedback-said")).to_contain_text("Thank you")
    assert complaints == []


def test_the_last_hour_is_watched_live(visit: Visit, student: Callable[[], Student]) -> None:
    page = visit()
    seen: list[int] = []
    page.on("response", lambda it: seen.append(it.status) if it.url.endswith("/v1/page") else None)
    sign_in(page, student(), "/app/live.html")
    # This very view is one of them.
    expect(page.locator("#events")).to_have_text(re.compile("[1-9]"), timeout=SLOW_MS)
    expect(page.locator("#bars rect")).to_have_count(60)
    assert seen == [200]
    fits(page)


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
        """Say nothing."""


@pytest.fixture
def neighbour() -> Iterator[str]:
    """Another program of this host, with a page of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_address[1]}/"
        server.shutdown()


def test_another_page_of_the_same_site_brings_nobody_along(
    visit: Visit, student: Callable[[], Student], meridian: System, neighbour: str
) -> None:
    """Another port of this host is the same site: the browser sends the cookies along."""
    page = visit()
    sign_in(page, student())
    tab = page.context.new_page()
    answers: dict[str, int] = {}
    tab.on("response", lambda it: answers.update({it.request.method + it.url: it.status}))
    tab.goto(neighbour)
    brought = "{mode: 'no-cors', credentials: 'include'}"
    tab.evaluate(f"fetch('{meridian.url}/api/profile', {brought})")
    tab.evaluate(
        f"fetch('{meridian.url}/api/feedback', {{method: 'POST', body: '{{}}', ...{brought}}})"
    )
    tab.evaluate(f"fetch('{meridian.url}/auth/session', {brought})")
    assert answers[f"GET{meridian.url}/api/profile"] == 401
    assert answers[f"POST{meridian.url}/api/feedback"] == 401
    sent = tab.goto(f"{meridian.url}/api/profile")
    assert sent is not None
    # A link or the address bar: the cookies come along, and count for nothing.
    assert TOKEN in sent.request.all_headers()["cookie"]
    assert sent.status == 401
    assert status(page, "/api/profile") == 404
