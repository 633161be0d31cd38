"""Undecoded paths and queries."""

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.errors import RequestError
from catalogue.http import Request, decode, json_response, matches, parse_query
from tests.unit.catalogue.fakes import outcome

PLAIN = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60)


@given(PLAIN)
def test_encoded_text_decodes_to_itself(text: str) -> None:
    assert decode(quote(text, safe="")) == text
    assert decode(quote_plus(text), plus=True) == text


@given(st.text(max_size=40))
def test_query_is_parsed_or_refused_with_a_code(text: str) -> None:
    query = outcome(lambda: parse_query(text, frozenset({"q", "after"})))
    if isinstance(query, RequestError):
        assert query.status == 400
        assert query.code
    else:
        assert query.keys() <= {"q", "after"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("q=%", "escape_malformed"),
        ("q=%zz", "escape_malformed"),
        ("q=%ff", "not_utf8"),
        ("q=%ed%a0%80", "not_utf8"),
        ("q=a%00b", "control_character"),
        ("q=a&q=b", "parameter_repeated"),
        ("Q=a", "parameter_unknown"),
        ("q=" + "a" * 2_000, "query_too_long"),
    ],
)
def test_hostile_query_has_a_stable_code(query: str, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_query(query, frozenset({"q"}))
    assert caught.value.code == code


def test_equal_documents_have_equal_tags_and_others_not() -> None:
    one, same, other = (json_response(200, {"a": value}, {}) for value in (1, 1, 2))
    assert one.headers["ETag"] == same.headers["ETag"] != other.headers["ETag"]
    tag = one.headers["ETag"]
    assert matches(f'"x", W/{tag}', tag)
    assert matches("*", tag)
    assert not matches('"x"', tag)
    assert not matches("", tag)


def test_request_has_empty_query_headers_and_body_by_default() -> None:
    assert Request("GET", "/") == Request("GET", "/", "", {}, b"")
