"""Searches, cursors and courses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.errors import RequestError
from catalogue.model import (
    MAX_WORDS,
    Course,
    Cursor,
    decode_cursor,
    encode_cursor,
    parse_course,
    parse_number,
    parse_search,
    words,
)
from tests.unit.catalogue.fakes import outcome

COURSE: dict[str, Any] = {
    "language": "en",
    "subject": "maths",
    "teacher": "noether",
    "title": "Algebra",
    "summary": "Groups and rings.",
    "terms": [{"name": "Autumn", "starts": "2026-09-01", "ends": "2026-12-18"}],
    "prices": [{"currency": "GBP", "amount": 12_000}],
}
IDS = st.from_regex(r"\A[a-z0-9-]{1,64}\Z")


def parse(**changes: object) -> object:
    return parse_course("algebra-1", json.dumps(COURSE | changes).encode())


@given(st.text(max_size=120))
def test_words_are_characters_marks_and_digits_or_refused(text: str) -> None:
    result = outcome(lambda: words(text))
    if isinstance(result, RequestError):
        assert result.status == 400
        return
    assert len(result) <= MAX_WORDS
    assert all(word and not set(word) & set(" '\"\\:&|!()*<>%_;-\x00") for word in result)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("  Toán, CAO cấp! ", ("toán", "cao", "cấp")),
        ("गणित के मूल", ("गणित", "के", "मूल")),
        ("'; DROP TABLE courses; --", ("drop", "table", "courses")),
        ("", ()),
    ],
)
def test_words_of_several_scripts(text: str, result: tuple[str, ...]) -> None:
    assert words(text) == result


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"q": "%%%"}, "search_without_words"),
        ({"q": "a" * 101}, "search_too_long"),
        ({"q": "a " * 9}, "search_too_many_words"),
        ({"q": "a" * 41}, "word_too_long"),
        ({"language": "EN"}, "language_malformed"),
        ({"language": "en' OR 1=1"}, "language_malformed"),
        ({"subject": "maths;"}, "subject_malformed"),
        ({"limit": "0"}, "limit_malformed"),
        ({"limit": "51"}, "limit_malformed"),
        ({"limit": "٣"}, "limit_malformed"),
        ({"after": "nonsense"}, "after_malformed"),
        ({"after": "a" * 1_201}, "after_malformed"),
    ],
)
def test_hostile_search_has_a_stable_code(query: dict[str, str], code: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_search(query)
    assert caught.value.code == code


@given(st.sampled_from([0, 1, 2]), st.text(st.characters(exclude_categories=["Cs"])), IDS)
def test_cursor_survives_the_address(rank: int, key: str, identity: str) -> None:
    cursor = Cursor(rank, key.replace("\x00", "")[:200], identity)
    assert decode_cursor(encode_cursor(cursor)) == cursor


@pytest.mark.parametrize("character", ["rad/s", "\U0010ffff", '"', "\\", "गी"])
def test_cursor_of_the_longest_title_is_accepted(character: str) -> None:
    """The database's key of a title has at most five bytes for each of its 200 characters."""
    cursor = Cursor(2, (character * 200).encode()[:1_000].decode(errors="ignore"), "i" * 64)
    assert decode_cursor(encode_cursor(cursor)) == cursor


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda data: data.hex()))
def test_other_text_is_no_cursor(text: str) -> None:
    cursor = outcome(lambda: decode_cursor(text))
    if isinstance(cursor, RequestError):
        assert cursor.code == "after_malformed"
    else:
        assert cursor.rank in {0, 1, 2}


def test_number_of_a_query_has_digits_only() -> None:
    assert parse_number("12", "limit") == 12
    with pytest.raises(RequestError):
        parse_number("-1", "limit")


def test_course_has_all_fields() -> None:
    course = parse_course("algebra-1", json.dumps(COURSE | {"version": 3}).encode())
    assert course.terms == (("Autumn", "2026-09-01", "2026-12-18"),)
    assert course.prices == (("GBP", 12_000),)
    assert course.version == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"title": ""}, "title_malformed"),
        ({"title": "a" * 201}, "title_malformed"),
        ({"title": "a\x07b"}, "title_malformed"),
        ({"title": "\ud800"}, "title_malformed"),
        ({"summary": 1}, "summary_malformed"),
        ({"language": "english"}, "language_malformed"),
        ({"owner": "me"}, "field_unknown"),
        ({"version": True}, "version_malformed"),
        (
            {"terms": [{"name": "A", "starts": "2026-02-30", "ends": "2026-03-01"}]},
            "terms_malformed",
        ),
        (
            {"terms": [{"name": "A", "starts": "2026-03-02", "ends": "2026-03-01"}]},
            "terms_malformed",
        ),
        ({"terms": COURSE["terms"] * 2}, "terms_malformed"),
        ({"prices": [{"currency": "GBP", "amount": 1.5}]}, "prices_malformed"),
        ({"prices": [{"currency": "GBP", "amount": -1}]}, "prices_malformed"),
        ({"prices": [{"currency": "GBP", "amount": True}]}, "prices_malformed"),
        ({"prices": ["GBP"]}, "prices_malformed"),
        ({"prices": {}}, "prices_malformed"),
    ],
)
def test_invalid_course_has_a_stable_code(changes: dict[str, object], code: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(**changes)
    assert caught.value.code == code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda children: st.lists(children) | st.dictionaries(st.text(max_size=5), children),
    max_leaves=5,
)


@given(st.sampled_from(sorted({*COURSE, "version", "other"})), JSON)
def test_any_other_value_of_a_field_is_accepted_or_refused(name: str, value: object) -> None:
    course = outcome(lambda: parse(**{name: value}))
    assert isinstance(course, Course) or (isinstance(course, RequestError) and course.status == 400)


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"\xff", b"[" * 100_000])
def test_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        parse_course("algebra-1", body)
