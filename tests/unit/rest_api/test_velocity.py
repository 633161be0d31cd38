"""The variables of a template do what the reference says of them."""

import json
import urllib.parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api.errors import RefusedError
from aws_emulator.rest_api.velocity import Input, Once, Util, render
from tests import strategies

NOWHERE: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}


def rendered(template: str, body: Any = None, **context: Any) -> str:
    return render(template, Input(json.dumps(body), NOWHERE), context)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("O'Brien", "O\\'Brien"),
        ('a"b', 'a\\"b'),
        ("a\\b", "a\\\\b"),
        ("a/b", "a\\/b"),
        ("\b\n\t\f\r", "\\b\\n\\t\\f\\r"),
        ("\x01\x1f", "\\u0001\\u001F"),
        ("\x7f", "\x7f"),
        ("\x80é€", "\\u0080\\u00E9\\u20AC"),
        ("😀", "\\uD83D\\uDE00"),
        ("\ud83d", "\\uD83D"),
    ],
)
def test_escape_javascript_is_javas(text: str, escaped: str) -> None:
    assert Util.escapeJavaScript(text) == escaped


@given(strategies.api_texts)
def test_unescaping_the_quotes_makes_it_json(text: str) -> None:
    """And without that step an O'Brien breaks the document, which is why it is there."""
    escaped = rendered(
        '"$util.escapeJavaScript($input.path("$.t")).replaceAll("\\\\\'","\'")"', {"t": text}
    )
    assert json.loads(escaped) == text
    unfinished = rendered('"$util.escapeJavaScript($input.path("$.t"))"', {"t": text})
    if "'" in text:
        with pytest.raises(ValueError, match="escape"):
            json.loads(unfinished)
    else:
        assert json.loads(unfinished) == text


@given(st.text(max_size=30))
def test_forms_are_encoded_and_decoded(text: str) -> None:
    encoded = Util.urlEncode(text)
    assert urllib.parse.parse_qs(f"a={encoded}", keep_blank_values=True) == {"a": [text]}
    assert Util.urlDecode(encoded) == text
    assert Util.base64Decode(Util.base64Encode(text)) == text


@given(strategies.json_values())
def test_a_body_is_given_as_json_and_as_values(body: Any) -> None:
    given_body = Input(json.dumps({"a": [body, {"b-c": body}]}), NOWHERE)
    assert given_body.path("$.a[0]") == body
    assert given_body.path("$.a[1]['b-c']") == body
    assert given_body.path("$.a[1].b-c") == body
    if body is not None:
        assert json.loads(given_body.json("$.a[0]")) == body


@pytest.mark.parametrize("path", ["$.a.b", "$.a[7]", "$.b[0]", "$['x']"])
def test_what_is_not_there_is_nothing(path: str) -> None:
    assert Input('{"a": [1]}', NOWHERE).path(path) is None
    assert Input('{"a": [1]}', NOWHERE).json(path) == '""'


def test_parameters_are_searched_in_path_query_and_header() -> None:
    places = {
        "path": {"id": "p"}, "querystring": {"id": "q", "x": "q"},
        "header": {"id": "h", "x": "h", "accept": "h"},
    }  # fmt: skip
    given_body = Input("", places)
    assert [given_body.params(name) for name in ("id", "x", "Accept", "none")] == [
        "p",
        "q",
        "h",
        "",
    ]
    assert given_body.params() == places


def test_a_parameter_is_overridden_once() -> None:
    override = Once(header=Once())
    rendered("#set($context.responseOverride.status = 404)", responseOverride=override)
    assert override["status"] == 404
    with pytest.raises(RefusedError, match="DEFAULT_5XX"):
        rendered("#set($context.responseOverride.status = 200)", responseOverride=override)
    assert override["status"] == 404


@pytest.mark.parametrize(
    "template", ["#if(true)x", "$input.path('$..x')", "$util.parseJson('{')", "#set($x = )"]
)
def test_a_template_that_fails_is_a_failure_that_quotes_nothing(template: str) -> None:
    with pytest.raises(RefusedError, match=r"^DEFAULT_5XX: a template ended with \w+$"):
        rendered(template, {"a": {"secret": 1}})


def test_an_expression_that_means_nothing_is_empty() -> None:
    assert rendered("[$nothing $!nothing $input.path('$.a').no()]", {"a": 1}) == "[  ]"
