"""Letters in three languages; what a name holds is a name."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import letters


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("vi", "vi"),
        ("hi-IN", "hi"),
        ("HI-Deva-IN", "hi"),
        ("en-GB", "en"),
        ("fr", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_language_of_a_locale(locale: str | None, language: str) -> None:
    assert letters.language(locale) == language


def test_each_language_has_the_same_holes() -> None:
    for by_language in letters.LETTERS.values():
        assert by_language.keys() == {"en", "hi", "vi"}
        for letter in by_language.values():
            assert string.Template(letter.text).get_identifiers() == ["name", "url"]
            assert string.Template(letter.text).is_valid()
            assert "$" not in letter.subject


@given(st.text(min_size=1), st.sampled_from(["en", "hi", "vi"]))
def test_any_name_can_be_written_to(name: str, locale: str) -> None:
    letter = letters.write("AccountCreated", locale, name, "https://school.example")
    assert letter is not None
    assert " ".join(name.split()) in letter.text
    assert letter.text.count("https://school.example") >= 1


def test_a_line_break_in_a_name_makes_no_line() -> None:
    one, other = (letters.write("AccountCreated", "en", it, "u") for it in ("A\r\nB: c", "A B: c"))
    assert one == other


def test_what_has_no_letter_has_none() -> None:
    assert letters.write("Unknown", "en", "A", "u") is None
