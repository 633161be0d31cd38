"""The texts of the sign-in pages in each language, and the choice of the language in Chromium."""

import json
import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from aws_emulator.ministack import login_page
from tests.support import axe
from tests.support.chromium import launched

TEXTS: Final[dict[str, dict[str, str]]] = json.loads(
    Path(login_page.__file__).with_name("login_texts.json").read_text()
)
URL: Final = "http://localhost/login"
#: A page of MiniStack with a value in a text, and the labels of the ways to sign in.
BODY: Final = """<div class="error">Incorrect username or password.</div><form>
<label for="password">Password for mai@example.com</label>
<input type="password" id="password" name="password" value="kept">
<button type="submit">Email code</button><button type="submit">Passkey</button></form>"""


def test_languages_have_the_same_texts_and_values() -> None:
    hindi, vietnamese = TEXTS["hi"], TEXTS["vi"]
    assert hindi.keys() == vietnamese.keys()
    for text in hindi:
        for translation in (hindi[text], vietnamese[text]):
            assert re.findall(r"\{\d\}", translation) == re.findall(r"\{\d\}", text)
            assert translation not in {"", text}
        assert re.search(r"[\u0900-\u097f]", hindi[text])


def test_text_of_a_language_ends_no_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    texts = {"hi": {"Next": "</script><script>"}}
    (tmp_path / "login_texts.json").write_text(json.dumps(texts))
    (tmp_path / "login_page.js").write_text("__TEXTS__")
    monkeypatch.setattr(login_page, "_FOLDER", tmp_path)
    login_page._script.cache_clear()
    page = login_page.render({}, "Sign in", "")
    login_page._script.cache_clear()
    assert page.count("</script") == 1


@pytest.mark.browser
def test_page_has_the_language_of_the_browser_then_the_chosen_one() -> None:
    document = login_page.render({}, "Sign in", BODY)
    with launched() as browser:
        context = browser.new_context(locale="vi-VN", viewport={"width": 320, "height": 640})
        page = context.new_page()
        page.route(f"{URL}*", lambda it: it.fulfill(body=document, content_type="text/html"))
        page.goto(URL)
        assert_texts(page, "vi")
        page.get_by_role("button", name="हिन्दी").click()
        assert_texts(page, "hi")
        # The choice asks the server for nothing: a password that is half entered stays.
        expect(page.locator("#password")).to_have_value("kept")
        page.goto(URL)
        assert_texts(page, "hi")
        page.goto("about:blank")
        page.goto(f"{URL}#lang=vi")
        assert_texts(page, "vi")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading")).to_have_text("Sign in")
        expect(page.locator("label")).to_have_text("Password for mai@example.com")
        assert axe.violations(page) == []
        context.close()


def assert_texts(page: Page, language: str) -> None:
    texts = TEXTS[language]
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page).to_have_title(texts["Sign in"])
    expect(page.get_by_role("heading")).to_have_text(texts["Sign in"])
    expect(page.locator(".error")).to_have_text(texts["Incorrect username or password."])
    label = texts["Password for {0}"].replace("{0}", "mai@example.com")
    expect(page.locator("label")).to_have_text(label)
    expect(page.get_by_role("button", name=texts["Email code"])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert axe.violations(page) == []
