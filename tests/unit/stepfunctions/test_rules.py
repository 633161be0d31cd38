"""Every reason at once, readable for programs, and without a word of what was written."""

from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given

from stepfunctions import rules
from stepfunctions.rules import Person
from tests import strategies

TODAY = date(2026, 11, 21)
GOOD = Person("anna@example.com", "Anna O'Brien", "2010-02-28", "maths-2", "hi-IN")


def found(**changes: str | None) -> list[tuple[str, str]]:
    person = replace(GOOD, **changes)  # type: ignore[arg-type] # the values are the fields' own
    return [(reason.code, reason.field) for reason in rules.check(person, TODAY)]


def test_a_good_person_has_none() -> None:
    assert found() == []
    assert found(date_of_birth=None, programme=None, locale=None) == []


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
def test_names_of_people_are_names(name: str) -> None:
    assert found(name=name) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"email": ""}, ("missing", "email")),
        ({"email": "nobody"}, ("invalid", "email")),
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
        ({"programme": "a" * 65}, ("invalid", "programme")),
        ({"locale": "english"}, ("invalid", "locale")),
    ],
)
def test_each_rule(changes: dict[str, str], reason: tuple[str, str]) -> None:
    assert found(**changes) == [reason]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a" * 200},
        {"date_of_birth": "2023-11-21"},
        {"date_of_birth": "1905-11-22"},
        {"programme": "a" * 64},
    ],
)
def test_each_limit_is_within(changes: dict[str, str]) -> None:
    assert found(**changes) == []


def test_all_reasons_come_at_once() -> None:
    bad = found(email="x", name="", date_of_birth="x", programme="!", locale="!")
    assert [field for _, field in bad] == ["email", "name", "dateOfBirth", "programme", "locale"]


@given(strategies.form_fields())
def test_no_form_breaks_a_rule_and_no_reason_repeats_it(fields: dict[str, Any]) -> None:
    person = Person(**fields)
    codes = [reason.code for reason in rules.check(person, TODAY)]
    canaries = {name: f"canary {it} canary" if it else it for name, it in asdict(person).items()}
    for reason in rules.check(Person(**canaries), TODAY):
        assert "canary" not in str(reason.document())
    assert set(codes) <= {"missing", "invalid", "too_long", "future", "out_of_range"}
