"""Tests of models: JSON schema draft 4 as API Gateway applies it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api.errors import DefinitionError, InvalidJsonError
from aws_emulator.rest_api.request_model import Models, RequestModel, parse_json
from aws_emulator.tests import strategies


@given(strategies.json_values())
def test_parse_json_returns_value(value: Any) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"NaN", b"[Infinity]", b"-Infinity", b"\xff", b'"\xed\xa0\x80"', b"{'a': 1}",
     b"[" * 100_000, b"[" * 201 + b"]" * 201, b'{"a":' * 5_000 + b"1" + b"}" * 5_000],
)  # fmt: skip
def test_parse_json_rejects_invalid_json(body: bytes) -> None:
    with pytest.raises(InvalidJsonError):
        parse_json(body)


def test_parse_json_accepts_maximum_depth() -> None:
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
def test_patterns_follow_ecma_262(pattern: str, text: str, accepted: bool) -> None:
    assert (
        RequestModel({"type": "string", "pattern": pattern}, Models({})).accepts(text) is accepted
    )


@given(st.integers(0, 5))
def test_array_length_is_ignored(length: int) -> None:
    """Important notes: "The maxItems and minItems tags are not included"."""
    assert RequestModel({"type": "array", "minItems": 2, "maxItems": 3}, Models({})).accepts(
        list(range(length))
    )


@pytest.mark.parametrize(("length", "accepted"), [(3, True), (4, False)])
def test_text_length_counts_characters(length: int, accepted: bool) -> None:
    assert (
        RequestModel({"type": "string", "maxLength": 3}, Models({})).accepts("😀" * length)
        is accepted
    )


def test_model_references_other_model() -> None:
    schema = RequestModel(
        {"$ref": "#/components/schemas/A"},
        Models(
            {
                "A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}},
                "B": {"type": "string"},
            }
        ),
    )
    assert schema.accepts({"b": "x"})
    assert not schema.accepts({"b": 1})


def test_recursive_model_accepts_nothing() -> None:
    schema = RequestModel(
        {"$ref": "#/components/schemas/A"}, Models({"A": {"$ref": "#/components/schemas/A"}})
    )
    assert not schema.accepts(1)


def test_property_can_have_name_of_ignored_keyword() -> None:
    schema = RequestModel({"properties": {"example": {"type": "string"}}}, Models({}))
    assert not schema.accepts({"example": 1})


def test_invalid_schema_is_rejected() -> None:
    with pytest.raises(DefinitionError):
        RequestModel({"type": "text"}, Models({}))


def test_invalid_referenced_schema_is_rejected() -> None:
    with pytest.raises(DefinitionError):
        Models({"A": {"type": "text"}})
