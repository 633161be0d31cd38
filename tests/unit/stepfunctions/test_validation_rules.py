"""Validation returns every reason at once and never quotes the submitted values."""

from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepfunctions import validation_rules
from stepfunctions.validation_rules import Person
from stepfunctions.vocabularies import vocabularies
from tests import strategies

TODAY = date(2026, 11, 21)
GUARDIAN = "parent@example.com"
GOOD = Person("anna@example.com", "Anna O'Brien", "2010-02-28", "mathematics", "hi-IN", GUARDIAN)


def reasons_of(**changes: str | None) -> list[tuple[str, str]]:
    person = replace(GOOD, **changes)  # type: ignore[arg-type] # the values have the fields' types
    return [
        (reason.code, reason.field) for reason in validation_rules.validate_person(person, TODAY)
    ]


def test_valid_person_has_no_reasons() -> None:
    assert reasons_of() == []
    assert reasons_of(date_of_birth=None, programme=None, locale=None) == []


@pytest.mark.parametrize(
    "name",
    [
        "अनन्या शर्मा",
        "Nguyễn Thị Ánh",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "X Æ",
        "O'Brien",
    ],
)
def test_international_name_is_valid(name: str) -> None:
    assert reasons_of(name=name) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"email": ""}, ("missing", "email")),
        ({"email": "no-domain"}, ("invalid", "email")),
        ({"name": "  "}, ("missing", "name")),
        ({"name": "a" * 201}, ("too_long", "name")),
        ({"name": "a\x00b"}, ("invalid", "name")),
        ({"name": "\ud800a"}, ("invalid", "name")),
        ({"name": "123"}, ("invalid", "name")),
        ({"date_of_birth": "28.02.2010"}, ("invalid", "dateOfBirth")),
        ({"date_of_birth": "20100228"}, ("invalid", "dateOfBirth")),
        ({"date_of_birth": "2011-02-29"}, ("invalid", "dateOfBirth")),
        ({"date_of_birth": "2026-11-22"}, ("future", "dateOfBirth")),
        ({"date_of_birth": "1905-11-21"}, ("out_of_range", "dateOfBirth")),
        ({"date_of_birth": "2023-11-22"}, ("out_of_range", "dateOfBirth")),
        ({"programme": "Maths"}, ("invalid", "programme")),
        ({"programme": "maths-2"}, ("invalid", "programme")),
        ({"locale": "english"}, ("invalid", "locale")),
    ],
)
def test_invalid_value_has_one_reason(changes: dict[str, str], reason: tuple[str, str]) -> None:
    assert reasons_of(**changes) == [reason]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a" * 200},
        {"date_of_birth": "2023-11-21"},
        {"date_of_birth": "1905-11-22"},
        {"programme": "music"},
    ],
)
def test_value_at_limit_is_valid(changes: dict[str, str]) -> None:
    assert reasons_of(**changes) == []


def test_all_reasons_are_returned_at_once() -> None:
    bad = reasons_of(email="x", name="", date_of_birth="x", programme="!", locale="!")
    assert [field for _, field in bad] == ["email", "name", "dateOfBirth", "programme", "locale"]


@given(
    st.dates(date(2025, 1, 1), date(2032, 12, 31)),
    st.sampled_from([3, 120]),
    st.integers(-400, 400),
)
def test_age_at_the_limits_counts_birthdays(today: date, limit: int, days: int) -> None:
    """Also for those born on 29 February, whose birthday is 1 March in other years."""
    born = date(today.year - limit, today.month, min(today.day, 28)) + timedelta(days)
    if born > today:
        return
    person = replace(GOOD, date_of_birth=born.isoformat())
    accepted = validation_rules.validate_person(person, today) == []
    assert accepted == (3 <= birthdays(born, today) <= 120)


def birthdays(born: date, today: date) -> int:
    """Count birthdays one by one; those of 29 February are on 1 March in other years."""
    return sum(
        (year, born.month, born.day) <= (today.year, today.month, today.day)
        for year in range(born.year + 1, today.year + 1)
    )


@given(st.dates(date(2025, 1, 1), date(2032, 12, 31)), st.integers(-800, 800))
def test_student_needs_a_guardian_until_the_birthday_of_adults(today: date, days: int) -> None:
    adult = vocabularies().adult_age_years
    born = date(today.year - adult, today.month, min(today.day, 28)) + timedelta(days)
    minor = birthdays(born, today) < adult
    alone = replace(GOOD, date_of_birth=born.isoformat(), guardian_email=None)
    reasons = validation_rules.validate_person(alone, today)
    assert [(it.code, it.field) for it in reasons] == [("missing", "guardianEmail")] * minor
    assert validation_rules.is_minor(alone, today) == minor
    # The office has the consent for its list.
    assert validation_rules.validate_person(alone, today, trusted=True) == []
    asked = replace(alone, guardian_email=GUARDIAN)
    assert validation_rules.validate_person(asked, today) == []


@pytest.mark.parametrize(
    ("guardian", "code"),
    [
        ("", "missing"),
        ("  ", "missing"),
        ("no-domain", "invalid"),
        ("ANNA@Example.com ", "same"),
        ("anna+1@example.com", ""),
    ],
)
def test_guardian_has_another_valid_address(guardian: str, code: str) -> None:
    assert reasons_of(guardian_email=guardian) == [(code, "guardianEmail")] * bool(code)


@given(st.text())
def test_programme_is_valid_if_the_vocabulary_has_it(text: str) -> None:
    assert (reasons_of(programme=text) == []) == (text in vocabularies().programmes)


def test_every_programme_of_the_vocabulary_is_valid() -> None:
    for programme in vocabularies().programmes:
        assert reasons_of(programme=programme) == []


@given(strategies.form_fields())
def test_reasons_never_quote_the_form(fields: dict[str, Any]) -> None:
    person = Person(**fields)
    codes = [reason.code for reason in validation_rules.validate_person(person, TODAY)]
    canaries = {name: f"canary {it} canary" if it else it for name, it in asdict(person).items()}
    for reason in validation_rules.validate_person(Person(**canaries), TODAY):
        assert "canary" not in str(reason.document())
    assert set(codes) <= {"missing", "invalid", "too_long", "future", "out_of_range", "same"}
