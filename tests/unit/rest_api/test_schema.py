"""Bodies against models: as API Gateway imports them, no stricter and no looser."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api.errors import DefinitionError, NotJsonError
from aws_emulator.rest_api.schema import Schema, parse_json
from tests import strategies


@given(strategies.json_values())
def test_json_is_parsed(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"NaN", b"[Infinity]", b"-Infinity", b"\xff", b'"\xed\xa0\x80"', b"{'a': 1}",
     b"[" * 100_000, b"[" * 201 + b"]" * 201, b'{"a":' * 5_000 + b"1" + b"}" * 5_000],
)  # fmt: skip
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        parse_json(body)


def test_depth_has_a_limit() -> None:
    assert parse_json(b"[" * 200 + b"]" * 200)


@pytest.mark.parametrize(
    ("pattern", "text", "accepted"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("^[^\\u0000-\\u001f]*$", "O'Brien 😀", True),
        ("^[^\\u0000-\\u001f]*$", "a\nb", False),
        ("^\\d$", "१", False),
        ("b", "abc", True),
        ("^\\$$", "$", True),
    ],
)
def test_patterns_are_those_of_ecma_262(pattern: str, text: str, accepted: bool) -> None:
    assert Schema({"type": "string", "pattern": pattern}, {}).accepts(text) is accepted


@given(st.integers(0, 5))
def test_the_length_of_an_array_is_not_looked_at(length: int) -> None:
    """ "The maxItems and minItems tags are not included in simple request validation." """
    assert Schema({"type": "array", "minItems": 2, "maxItems": 3}, {}).accepts(list(range(length)))


@pytest.mark.parametrize(("length", "accepted"), [(3, True), (4, False)])
def test_lengths_of_text_count_characters(length: int, accepted: bool) -> None:
    assert Schema({"type": "string", "maxLength": 3}, {}).accepts("😀" * length) is accepted


def test_models_refer_to_each_other() -> None:
    schema = Schema(
        {"$ref": "#/components/schemas/A"},
        {"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}}, "B": {"type": "string"}},
    )
    assert schema.accepts({"b": "x"})
    assert not schema.accepts({"b": 1})


def test_a_model_that_never_ends_accepts_nothing() -> None:
    schema = Schema({"$ref": "#/components/schemas/A"}, {"A": {"$ref": "#/components/schemas/A"}})
    assert not schema.accepts(1)


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    schema = Schema({"properties": {"example": {"type": "string"}}}, {})
    assert not schema.accepts({"example": 1})


def test_what_is_no_schema_is_refused() -> None:
    with pytest.raises(DefinitionError):
        Schema({"type": "text"}, {})
