"""The course catalogue in a browser: a visitor without an account, and the staff who change it."""

import gzip
import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Locator, Page, Request, Response, Route, expect

from tests.support import axe
from tests.support.access_tokens import access_token_of
from tests.support.waiting import wait_until
from tests.system.portal.conftest import Student
from tests.system.portal.test_advisors import staff
from tests.system.portal.test_journey import assert_fits, sign_in
from tools.dev.system import System

pytestmark = pytest.mark.browser

__all__ = ["staff"]
#: What a visitor downloads to see the first results, at most.
FIRST_VIEW_BYTES: Final = 60 * 1024
PAGE_ROWS: Final = 9


@pytest.fixture(autouse=True)
def _catalogue(meridian: System) -> None:
    if meridian.catalogue is None:
        pytest.skip("POSTGRESQL AND VALKEY CAN'T BE INSTALLED: see tools/setup/regional.py")


@pytest.fixture
def course(meridian: System, staff: Student) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return a factory of courses with a word of their own, which are archived afterwards."""
    created = []

    def create(**changes: Any) -> dict[str, Any]:
        word = f"w{uuid.uuid4().hex[:12]}"
        document = {
            "id": word,
            "language": "en",
            "subject": "time",
            "teacher": "asha-menon",
            "title": f"Course {word}",
            "summary": "Written by a test.",
            "terms": [{"name": "Spring", "starts": "2027-01-11", "ends": "2027-04-02"}],
            "prices": [{"currency": "GBP", "amount": 12_050}, {"currency": "VND", "amount": 900}],
        } | changes
        answer = change(meridian, staff, "POST", "", document)
        assert answer.status_code == 201, answer.text
        created.append(document["id"])
        stored: dict[str, Any] = answer.json()["course"]
        return stored

    yield create
    for identity in created:
        change(meridian, staff, "DELETE", f"/{identity}", None)


def change(
    meridian: System, user: Student, method: str, path: str, document: object
) -> httpx.Response:
    """Send a change of the staff through CloudFront."""
    token = access_token_of(meridian, user.email, user.password)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
    url = f"{meridian.url}/catalogue/staff/courses{path}"
    return httpx.request(method, url, json=document, headers=headers, timeout=60)


def titles(page: Page) -> list[str]:
    return page.locator("#results h2").all_text_contents()


def search_field(page: Page) -> Locator:
    return page.get_by_role("searchbox", name="Search")


def search(page: Page, text: str) -> None:
    search_field(page).fill(text)


def test_visitor_finds_a_course_while_typing_and_opens_it(
    visit: Callable[..., Page],
    course: Callable[..., dict[str, Any]],
    page_errors: list[str],
) -> None:
    document = course()
    page = visit(320)
    page.goto("/courses.html")
    expect(page.locator("#results li")).to_have_count(PAGE_ROWS)
    assert axe.violations(page) == []
    assert_fits(page)
    search_field(page).press_sequentially(document["id"][:8])
    expect(page.locator("#results li")).to_have_count(1)
    expect(page.locator("#status")).to_have_text("1 course.")
    # The address leads another visitor to the same results.
    page.wait_for_url(f"**/courses.html?q={document['id'][:8]}")
    page.reload()
    expect(page.locator("#results h2")).to_have_text(document["title"])
    expect(search_field(page)).to_have_value(document["id"][:8])
    # By keyboard: from the search over both filters to the result.
    search_field(page).focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(document["title"])
    assert page.title().startswith(document["title"])
    expect(page.locator("#prices li")).to_have_text(["£120.50", re.compile("900")])
    expect(page.locator("#terms li")).to_contain_text("2 April 2027")
    assert axe.violations(page) == []
    assert_fits(page)
    page.get_by_role("link", name="All courses").click()
    expect(page.locator("#results h2")).to_have_text(document["title"])
    assert page_errors == []


def test_search_corrects_typing_errors_and_filters_and_pages(
    visit: Callable[..., Page], page_errors: list[str]
) -> None:
    page = visit(1280)
    page.goto("/courses.html?q=algebar")
    expect(page.locator("#status")).to_contain_text("No course has “algebar”.")
    assert "Algebra for beginners" in titles(page)
    search(page, "toan")
    expect(page.locator("#results h2").first).to_have_text("Toán cao cấp")
    search(page, "")
    page.get_by_label("Subject").select_option("maps")
    page.get_by_role("combobox", name="Language").select_option("hi")
    expect(page.locator("#results h2")).to_have_text(["नक्शा पढ़ना सीखें"])
    expect(page.locator("#results h2 a")).to_have_attribute("lang", "hi")
    search(page, "zzzzqqqq")
    expect(page.locator("#status")).to_have_text(
        "No course matches. Try another word, or fewer filters."
    )
    assert axe.violations(page) == []
    page.get_by_role("button", name="Show all courses").click()
    expect(page.locator("#results li")).to_have_count(PAGE_ROWS)
    first = titles(page)
    page.get_by_role("button", name="Show more courses").click()
    expect(page.locator("#results li").nth(PAGE_ROWS)).to_be_attached()
    expect(page.locator("#results li").nth(PAGE_ROWS).get_by_role("link")).to_be_focused()
    assert titles(page)[:PAGE_ROWS] == first
    assert len(set(titles(page))) == len(titles(page))
    # What a search has no word of, it says.
    search(page, "%%%")
    expect(page.locator("#status")).to_have_text("Enter a word to search for.")
    assert page_errors == []


def test_typing_sends_one_request_after_a_pause_and_ends_the_one_before(
    visit: Callable[..., Page],
) -> None:
    page = visit()
    page.clock.install(time=datetime(2026, 12, 1, tzinfo=UTC))
    asked: list[str] = []
    held: list[Route] = []

    def answer(route: Route) -> None:
        query = re.findall(r"[?&]q=(\w+)", route.request.url)
        if not query:
            route.continue_()
            return
        asked.append(query[0])
        if query[0] == "noon":
            held.append(route)
            return
        route.continue_()

    page.route("**/catalogue/courses?*", answer)
    page.goto("/courses.html")
    expect(page.locator("#results li")).to_have_count(PAGE_ROWS)
    page.clock.pause_at(datetime(2026, 12, 2, tzinfo=UTC))
    failed: list[Request] = []
    page.on("requestfailed", lambda it: failed.append(it))
    search_field(page).press_sequentially("noon")
    page.clock.run_for(249)
    assert asked == []
    page.clock.run_for(1)
    with page.expect_request(lambda it: "q=piano" in it.url) as second:
        wait_until(lambda: is_held(page, held), "the request for noon")
        search(page, "piano")
        page.clock.run_for(250)
    assert "q=piano" in second.value.url
    expect(page.locator("#results h2")).to_have_text(["Piano for adults"])
    assert asked == ["noon", "piano"]
    assert ["q=noon" in it.url for it in failed] == [True]


def is_held(page: Page, held: list[Route]) -> bool:
    # The page's events arrive while it waits.
    page.wait_for_timeout(20)
    return bool(held)


def test_page_names_the_failure_and_offers_other_courses(visit: Callable[..., Page]) -> None:
    page = visit()
    failures = [
        {"status": 503, "json": {"code": "catalogue_unavailable"}},
        {"status": 403, "content_type": "application/xml", "body": "<Error/>"},
    ]
    page.route("**/catalogue/courses?*", lambda route: route.fulfill(**failures[0]))
    page.goto("/courses.html")
    expect(page.locator("#status")).to_contain_text("answer right now")
    assert axe.violations(page) == []
    # Without a catalogue, CloudFront answers that there is no such page.
    failures.pop(0)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="available here")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("link", name="Where is noon?")).to_be_visible()
    expect(search_field(page)).to_be_hidden()
    assert axe.violations(page) == []
    assert_fits(page)
    page.goto("/")
    expect(page.locator("#course-list a")).to_have_text(["Where is noon?", "Navigation"])
    page.goto("/course.html?id=unknown-course")
    expect(page.get_by_role("heading", name="Course not found")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("offered anymore.")


def test_home_page_shows_courses_of_the_catalogue_in_the_visitors_language(
    visit: Callable[..., Page], page_errors: list[str]
) -> None:
    page = visit(1280)
    page.goto("/")
    expect(page.locator("#course-list .tag")).to_have_text(["Time", "Maps", "The sky"])
    assert axe.violations(page) == []
    assert_fits(page)
    assert page_errors == []


def test_first_view_is_small(visit: Callable[..., Page]) -> None:
    page = visit()
    responses: list[Response] = []
    page.on("response", lambda it: responses.append(it))
    page.goto("/courses.html", wait_until="networkidle")
    expect(page.locator("#results li")).to_have_count(PAGE_ROWS)
    sizes = {it.url: sent_bytes(it) for it in responses}
    assert sum(sizes.values()) <= FIRST_VIEW_BYTES, sizes


def sent_bytes(response: Response) -> int:
    """Return the size of a body as CloudFront sends it; the local one doesn't compress."""
    body = response.body()
    if len(body) < 1_000 or response.headers.get("content-type", "").startswith("font/"):
        return len(body)
    return len(gzip.compress(body, 6, mtime=0))


def open_course(page: Page, document: dict[str, Any]) -> None:
    page.get_by_label("Words").fill(document["id"])
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#search-status")).to_have_text("1 course.")
    page.get_by_role("button", name=f"Edit {document['title']}").click()
    expect(page.locator("#editor-title")).to_be_focused()


def test_staff_adds_changes_and_archives_a_course(
    visit: Callable[..., Page], staff: Student, page_errors: list[str]
) -> None:
    page = visit()
    sign_in(page, staff, "/app/catalogue.html")
    expect(page.locator("#courses li").first).to_be_visible()
    page.get_by_role("button", name="New course").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#id-error")).to_contain_text("lower-case letters")
    expect(page.locator("#title-error")).to_have_text("Enter a title.")
    word = f"w{uuid.uuid4().hex[:12]}"
    page.get_by_label("Id").fill(word)
    page.get_by_label("Title").fill(f"Stars {word}")
    page.get_by_label("Summary").fill("Bright ones.")
    page.get_by_label("Subject").select_option("sky")
    page.get_by_role("button", name="Add a term").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#terms-error")).to_contain_text("a first day and a last day")
    page.get_by_label("Name of the term").fill("Spring")
    page.get_by_label("First day").fill("2027-01-11")
    page.get_by_label("Last day").fill("2027-04-02")
    page.get_by_role("button", name="Add a price").click()
    page.get_by_label("Currency").fill("gbp")
    page.get_by_label("Amount").fill("12.5")
    assert axe.violations(page) == []
    assert_fits(page)
    # The answer of the first attempt is lost: the second one has its key, and finds the course.
    keys: list[str | None] = []

    def lose_first(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            route.fetch()
            route.abort()
            return
        route.continue_()

    page.route("**/catalogue/staff/courses", lose_first)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#edit-status")).to_contain_text("Saved.")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    expect(page.get_by_label("Amount")).to_have_value("12.5")
    # The list shows one's own change at once.
    page.get_by_label("Words").fill(word)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#courses li")).to_have_count(1)
    page.get_by_label("Title").fill(f"Planets {word}")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#courses li")).to_contain_text(f"Planets {word}")
    assert axe.violations(page) == []
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("button", name="Yes, archive").click()
    expect(page.locator("#search-status")).to_have_text("Archived.")
    expect(page.locator("#courses li")).to_have_count(0)
    assert page_errors == []


def test_late_answer_to_an_earlier_search_changes_nothing(
    visit: Callable[..., Page], staff: Student, course: Callable[..., dict[str, Any]]
) -> None:
    document = course()
    page = visit()
    address = "**/catalogue/staff/courses?*"
    held: list[Route] = []
    page.route(address, lambda it: it.continue_() if held else held.append(it))
    with page.expect_request(address):
        sign_in(page, staff, "/app/catalogue.html")
    open_course(page, document)
    with page.expect_response(address):
        held[0].continue_()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#search-status")).to_have_text("1 course.")
    expect(page.locator("#courses li")).to_have_count(1)
    # A form that is sent before the script has loaded.
    page.goto(f"/app/catalogue.html?q={document['id']}")
    expect(page.locator("#search-status")).to_have_text("1 course.")


@pytest.mark.parametrize(("button", "title"), [("Keep mine", "Mine"), ("Take theirs", "Theirs")])
def test_staff_decides_when_someone_else_changed_the_course_meanwhile(
    visit: Callable[..., Page],
    meridian: System,
    staff: Student,
    course: Callable[..., dict[str, Any]],
    button: str,
    title: str,
) -> None:
    document = course()
    page = visit(1280)
    sign_in(page, staff, "/app/catalogue.html")
    open_course(page, document)
    theirs = {name: document[name] for name in ("language", "summary", "terms", "prices")}
    theirs |= {"subject": "time", "teacher": "asha-menon", "title": "Theirs"}
    answer = change(meridian, staff, "PUT", f"/{document['id']}", theirs)
    assert answer.status_code == 200, answer.text
    page.get_by_label("Title").fill("Mine")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Someone else changed")).to_be_focused()
    expect(page.locator("#differences li")).to_have_text(["Title is now “Theirs”"])
    assert axe.violations(page) == []
    page.get_by_role("button", name=button).click()
    if title == "Mine":
        expect(page.locator("#edit-status")).to_contain_text("Saved.")
    expect(page.locator("#editor-title")).to_have_text(title)
    expect(page.get_by_label("Title")).to_have_value(title)
    read = change(meridian, staff, "GET", f"/{document['id']}", None)
    assert json.loads(read.text)["title"] == title


def test_student_cannot_change_the_catalogue(
    visit: Callable[..., Page], student: Callable[[], Student], meridian: System
) -> None:
    pupil = student()
    page = visit()
    sign_in(page, pupil, "/app/catalogue.html")
    expect(page.locator("#search-status")).to_contain_text("Only staff can use this page.")
    refused = change(meridian, pupil, "DELETE", "/algebra-1", None)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_staff")
    anonymous = httpx.delete(f"{meridian.url}/catalogue/staff/courses/algebra-1", timeout=60)
    assert anonymous.status_code == 401


def test_load_balancer_admits_cloudfront_only(meridian: System) -> None:
    assert meridian.catalogue is not None
    (address,) = meridian.catalogue.urls.values()
    assert httpx.get(f"{address}/catalogue/courses", timeout=60).status_code == 403
    assert httpx.get(f"{address}/catalogue/health", timeout=60).status_code == 200
    seen = httpx.get(f"{meridian.url}/catalogue/courses?q=noon", timeout=60)
    assert seen.status_code == 200
    assert seen.headers["X-Region"] == meridian.target.region
