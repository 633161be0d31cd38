"""Each text of the students' pages exists in Hindi and in Vietnamese, and no other one does."""

import json
import re
from typing import Final

import pytest

from tests.support import page_texts
from tests.support.page_texts import WEB, message, texts_of_page

LANGUAGES: Final = ("hi", "vi")
#: Pages for staff and developers are in English.
ENGLISH: Final = frozenset(
    {
        *(f"members/app/{it}.html" for it in ("advisors", "catalogue", "events", "inbox")),
        *(f"members/app/{it}.html" for it in ("office", "operator", "parked", "rosters")),
        *(str(it.relative_to(WEB)) for it in (WEB / "members/app/runbook").glob("*.html")),
        *(f"members/app/{it}.html" for it in ("sources", "students")),
        "public/api.html",
    }
)


def catalogue(language: str) -> dict[str, str]:
    document = json.loads((WEB / "public" / "lang" / f"{language}.json").read_text())
    assert isinstance(document, dict)
    return document


def test_every_page_of_students_is_translated() -> None:
    translated = {str(it.relative_to(WEB)) for it in page_texts.translated_pages()}
    pages = {str(it.relative_to(WEB)) for it in WEB.rglob("*.html")}
    assert pages - translated <= ENGLISH
    assert not translated & ENGLISH


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_missing_and_none_is_unused(language: str) -> None:
    texts = page_texts.texts()
    translated = catalogue(language).keys()
    assert sorted(texts - translated) == []
    assert sorted(translated - texts) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translation_has_the_placeholders_of_its_text(language: str) -> None:
    for text, translation in catalogue(language).items():
        assert translation.strip(), text
        placeholders = [sorted(re.findall(r"\{\d\}", it)) for it in (text, translation)]
        assert placeholders[0] == placeholders[1], text


def test_translations_are_in_their_languages() -> None:
    """A text of both catalogues that stays as it is has no words, or is a name."""
    hindi, vietnamese = catalogue("hi"), catalogue("vi")
    for text, translation in hindi.items():
        assert re.search(r"[\u0900-\u097f]", translation) or text == "Meridian School", text
    for text, translation in vietnamese.items():
        assert not re.search(r"[\u0900-\u097f]", translation), text
    unchanged = {text for text, translation in vietnamese.items() if text == translation}
    assert unchanged <= {"London", "Meridian School", "Mumbai"}


def test_texts_end_alike() -> None:
    """A sentence stays a sentence, and a label a label."""
    for text, translation in catalogue("vi").items():
        if " " in text and not re.fullmatch(r"\w+ \w+", text):
            assert (text[-1] in ".?…:") == (translation[-1] in ".?…:"), text
    for text, translation in catalogue("hi").items():
        if " " in text and not re.fullmatch(r"\w+ \w+", text):
            assert (text[-1] in ".?…:") == (translation[-1] in "।?…:"), text


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("<p>One <b>two</b> three.</p>", {"One {0} three.", "two"}),
        ("<p><img alt='a globe'> One <b>two</b></p>", {"a globe", "One", "two"}),
        ("<p>See <a>this</a>.</p>", {"See {0}.", "this"}),
        ("<p lang='vi'>Xin chào</p><code>make up</code><p translate='no'>no one</p>", set()),
        ("<p>12:30</p><button aria-label='Close it'>+</button>", {"Close it"}),
    ],
)
def test_messages_of_a_page(html: str, texts: set[str]) -> None:
    assert texts_of_page(f"<html><body>{html}</body></html>") == texts


def test_message_of_element_without_text_is_empty() -> None:
    assert message(page_texts.Element("p", {})) == ""
