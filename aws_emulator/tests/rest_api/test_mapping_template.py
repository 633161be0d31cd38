"""Tests of $input, $util, $context and the template engine."""

import json
import urllib.parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.rest_api.errors import GatewayResponseError
from aws_emulator.rest_api.mapping_template import Input, OverrideMap, Util, render
from aws_emulator.tests.rest_api import strategies

NO_PARAMETERS: dict[str, dict[str, str]] = {"path": {}, "querystring": {}, "header": {}}


def rendered(template: str, body: Any = None, **context: Any) -> str:
    return render(template, Input(json.dumps(body), NO_PARAMETERS), context)


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
def test_escape_javascript_escapes_as_java_does(text: str, escaped: str) -> None:
    assert Util.escapeJavaScript(text) == escaped


@given(strategies.texts)
def test_escaped_text_is_json_after_unescaping_quotes(text: str) -> None:
    """Without the replacement, a single quote makes the JSON invalid."""
    escaped = rendered(
        '"$util.escapeJavaScript($input.path("$.t")).replaceAll("\\\\\'","\'")"', {"t": text}
    )
    assert json.loads(escaped) == text
    without_replacement = rendered('"$util.escapeJavaScript($input.path("$.t"))"', {"t": text})
    if "'" in text:
        with pytest.raises(ValueError, match="escape"):
            json.loads(without_replacement)
    else:
        assert json.loads(without_replacement) == text


@given(st.text(max_size=30))
def test_url_and_base64_encoding_round_trip(text: str) -> None:
    encoded = Util.urlEncode(text)
    assert urllib.parse.parse_qs(f"a={encoded}", keep_blank_values=True) == {"a": [text]}
    assert Util.urlDecode(encoded) == text
    assert Util.base64Decode(Util.base64Encode(text)) == text


@given(strategies.json_values())
def test_input_returns_body_as_json_and_as_value(body: Any) -> None:
    given_body = Input(json.dumps({"a": [body, {"b-c": body}]}), NO_PARAMETERS)
    assert given_body.path("$.a[0]") == body
    assert given_body.path("$.a[1]['b-c']") == body
    assert given_body.path("$.a[1].b-c") == body
    if body is not None:
        assert json.loads(given_body.json("$.a[0]")) == body


@pytest.mark.parametrize("path", ["$.a.b", "$.a[7]", "$.b[0]", "$['x']"])
def test_input_returns_none_for_missing_path(path: str) -> None:
    assert Input('{"a": [1]}', NO_PARAMETERS).path(path) is None
    assert Input('{"a": [1]}', NO_PARAMETERS).json(path) == '""'


def test_params_searches_path_query_and_header() -> None:
    parameters = {
        "path": {"id": "p"}, "querystring": {"id": "q", "x": "q"},
        "header": {"id": "h", "x": "h", "accept": "h"},
    }  # fmt: skip
    given_body = Input("", parameters)
    assert [given_body.params(name) for name in ("id", "x", "Accept", "none")] == [
        "p",
        "q",
        "h",
        "",
    ]
    assert given_body.params() == parameters


def test_second_override_fails() -> None:
    override = OverrideMap(header=OverrideMap())
    rendered("#set($context.responseOverride.status = 404)", responseOverride=override)
    assert override["status"] == 404
    with pytest.raises(GatewayResponseError, match="DEFAULT_5XX"):
        rendered("#set($context.responseOverride.status = 200)", responseOverride=override)
    assert override["status"] == 404


@pytest.mark.parametrize(
    "template", ["#if(true)x", "$input.path('$..x')", "$util.parseJson('{')", "#set($x = )"]
)
def test_failing_template_reason_quotes_no_values(template: str) -> None:
    with pytest.raises(GatewayResponseError, match=r"^DEFAULT_5XX: a template failed with \w+$"):
        rendered(template, {"a": {"secret": 1}})


def test_unknown_reference_renders_as_empty() -> None:
    assert rendered("[$nothing $!nothing $input.path('$.a').no()]", {"a": 1}) == "[  ]"


def test_input_body_is_raw_payload() -> None:
    assert render("<$input.body>", Input('{"a":  1.50}', NO_PARAMETERS), {}) == '<{"a":  1.50}>'
