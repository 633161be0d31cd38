"""A student chooses a language once; each page has it, without an English text left."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.support.axe import violations
from tests.support.page_texts import WEB, translated_pages
from tests.system.portal.conftest import Student
from tests.system.portal.test_journey import assert_fits, sign_in
from tools.dev.system import System

pytestmark = pytest.mark.browser

type Visit = Callable[..., Page]
NAMES: Final = {"hi": "हिन्दी", "vi": "Tiếng Việt"}
#: Returns the texts of a page's elements without elements, and its labels.
SHOWN: Final = """() => [...document.querySelectorAll("body *")]
  .filter(it => !it.closest("script, style, noscript, code, [lang]:not(html)"))
  .flatMap(it => [
    ...(it.children.length ? [] : [it.textContent.replace(/\\s+/g, " ").trim()]),
    ...["alt", "aria-label", "placeholder"].map(name => it.getAttribute(name)),
  ])"""


def addresses() -> tuple[list[str], list[str]]:
    """Return the addresses of the translated pages: for everyone, and for members."""
    paths = [it.relative_to(WEB).as_posix() for it in translated_pages()]
    urls = [(it.partition("/")[0], "/" + it.partition("/")[2]) for it in paths]
    named = [(top, url.removesuffix("index.html")) for top, url in urls]
    return (
        [url for top, url in named if top == "public"],
        # The course is another member's.
        [url for top, url in named if top == "members" and "navigation" not in url],
    )


def english_texts(page: Page, language: str) -> list[str]:
    """Return the texts of a page that have a translation."""
    document: dict[str, str] = json.loads((WEB / f"public/lang/{language}.json").read_text())
    changed = {text for text, translation in document.items() if text != translation}
    shown: list[Any] = page.evaluate(SHOWN)
    return [it for it in shown if it in changed]


@pytest.mark.parametrize("language", [*NAMES])
def test_chosen_language_is_on_every_page(
    visit: Visit, meridian: System, page_errors: list[str], language: str
) -> None:
    page = visit()
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name=NAMES[language]).click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    public, members = addresses()
    for address in public:
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("#languages")).to_be_visible()
        assert english_texts(page, language) == [], address
        assert_fits(page)
    assert violations(page) == []
    paying = next(it for it in meridian.students if it.paying)
    sign_in(page, Student(paying.email, paying.password))
    for address in members:
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator("#languages")).to_be_visible()
        assert english_texts(page, language) == [], address
        assert_fits(page)
    # The messages of scripts, too.
    page.goto("/app/")
    page.locator("#feedback-form button").click()
    expect(page.locator("#message-error")).not_to_be_empty()
    assert english_texts(page, language) == []
    assert violations(page) == []
    # Pages for staff stay in English.
    page.goto("/app/students.html")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page_errors == []


def test_student_books_moves_and_cancels_an_appointment_in_hindi(
    visit: Visit, student: Callable[[], Student], page_errors: list[str]
) -> None:
    hindi = json.loads((WEB / "public/lang/hi.json").read_text())
    page, day = visit(locale="hi-IN"), datetime.now(UTC).date() + timedelta(days=40)
    sign_in(page, student())
    expect(page.locator("html")).to_have_attribute("lang", "hi")
    button, status = page.locator("#book-button"), page.locator("#appointments-status")

    def choose(date: str, text: str) -> None:
        """Choose the first free time of a date, and press the button with a text."""
        page.locator("#advisor").select_option("linh-tran")
        page.locator("#day").fill(date)
        expect(page.locator("#start option").first).to_have_attribute("value", re.compile(date))
        expect(button).to_have_text(hindi[text])
        button.click()

    choose(day.isoformat(), "Book appointment")
    expect(status).to_contain_text(hindi["Booked: {0}."].partition("{0}")[0])
    listed = page.locator("#booked li")
    expect(listed.get_by_role("button")).to_have_text([hindi["Move"], hindi["Cancel"]])
    assert english_texts(page, "hi") == []
    listed.get_by_role("button").first.click()
    expect(page.locator("#keep")).to_have_text(hindi["Keep the present time"])
    assert english_texts(page, "hi") == []
    choose((day + timedelta(days=1)).isoformat(), "Move appointment")
    expect(status).to_contain_text(hindi["Moved to {0}."].partition("{0}")[2])
    assert_fits(page)
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept()

    page.on("dialog", accept)
    listed.get_by_role("button").last.click()
    expect(status).to_have_text(hindi["Your appointment was cancelled."])
    expect(page.locator("#none")).to_have_text(hindi["You have no appointments yet."])
    assert asked == [hindi["Cancel this appointment? Other students can then book this time."]]
    assert english_texts(page, "hi") == []
    assert page_errors == []


def test_sign_in_pages_have_the_chosen_language(visit: Visit, meridian: System) -> None:
    page = visit()
    page.goto("/")
    page.get_by_role("button", name=NAMES["hi"]).click()
    expect(page.locator("html")).to_have_attribute("lang", "hi")
    page.locator("#account").click()
    expect(page.locator("input[name=username]")).to_be_visible()
    expect(page.get_by_role("heading")).to_have_text("साइन इन करें")
    expect(page.locator("label")).to_have_text("ईमेल पता")
    page.fill("input[name=username]", meridian.students[0].email)
    page.click("[type=submit]")
    expect(page.get_by_role("heading")).to_have_text("साइन इन करने का तरीका चुनें")
    page.get_by_role("button", name=NAMES["vi"]).click()
    expect(page.get_by_role("heading")).to_have_text("Chọn cách đăng nhập")
    page.click("button[value=PASSWORD]")
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    page.fill("input[name=password]", "wrong")
    page.click("[type=submit]")
    expect(page.locator(".error")).to_have_text("Địa chỉ email hoặc mật khẩu không đúng.")
    assert_fits(page)
    assert violations(page) == []


def test_browser_in_vietnamese_gets_vietnamese_pages(visit: Visit) -> None:
    page = visit(locale="vi-VN")
    page.goto("/sign-up.html")
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    expect(page.locator("#locale")).to_have_value("vi")
    # English is a choice, too.
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", name="Create your account")).to_be_visible()


def test_error_pages_have_the_chosen_language(visit: Visit, page_errors: list[str]) -> None:
    page = visit(locale="vi-VN")
    page.goto("/no-such-page")
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    assert english_texts(page, "vi") == []
    page.get_by_role("button", name=NAMES["hi"]).click()
    expect(page.locator("html")).to_have_attribute("lang", "hi")
    assert violations(page) == []
    assert_fits(page)
    # Another page of edge_auth, and one of the portal.
    for address in ("/auth/sign-out", "/courses.html"):
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", "hi")
        expect(page.locator("#languages")).to_be_visible()
        assert english_texts(page, "hi") == [], address
    assert page_errors == []


def test_page_stays_in_english_if_the_texts_cannot_be_loaded(
    visit: Visit, page_errors: list[str]
) -> None:
    page = visit(locale="hi-IN")
    page.route("**/lang/hi.json", lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_role("button", name="English")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Noon is somewhere, right now")
    assert page_errors == []
