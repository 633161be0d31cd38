"""Emails in three languages; a name is text and never a placeholder or a line break."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import email_templates


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
def test_language_returns_supported_language_of_locale(locale: str | None, language: str) -> None:
    assert email_templates.language(locale) == language


#: Kinds of emails to addresses that the student hasn't proved.
UNPROVED = ("ProofRequested", "AccountExists", "ConsentRequested", "NewAddress", "AddressTaken")


def test_every_template_has_placeholders_of_its_kind() -> None:
    for kind, by_language in email_templates.TEMPLATES.items():
        assert by_language.keys() == {"en", "hi", "vi"}
        expected = ["url"] if kind in UNPROVED else ["name", "url"]
        if kind == "AccountErased":
            # Nothing is left to open.
            expected = ["name"]
        for template in by_language.values():
            assert string.Template(template.text).get_identifiers() == expected
            assert string.Template(template.text).is_valid()
            assert "$" not in template.subject


@given(st.text(min_size=1), st.sampled_from(["en", "hi", "vi"]))
def test_render_inserts_any_name_unchanged(name: str, locale: str) -> None:
    email = email_templates.render("AccountCreated", locale, name, "https://school.example")
    assert email is not None
    assert " ".join(name.split()) in email.text
    assert email.text.count("https://school.example") >= 1


@given(st.text(min_size=1), st.sampled_from(["en", "hi", "vi"]), st.sampled_from(UNPROVED))
def test_email_to_unproved_address_is_the_same_for_every_name(
    name: str, locale: str, kind: str
) -> None:
    url = "https://school.example/"
    rendered = email_templates.render(kind, locale, name, url)
    assert rendered == email_templates.render(kind, locale, "Anna", url)


def test_render_replaces_line_breaks_in_name() -> None:
    one, other = (
        email_templates.render("AccountCreated", "en", it, "u") for it in ("A\r\nB: c", "A B: c")
    )
    assert one == other


def test_render_returns_none_for_unknown_kind() -> None:
    assert email_templates.render("Unknown", "en", "A", "u") is None
