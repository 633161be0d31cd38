"""`make source` and `make suppress`: what they ask the function, and what they print."""

import json
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tools.operations.source import change, request_of, suppression_of
from tools.tests.operations.test_revoke import Functions


@pytest.mark.parametrize(
    ("variables", "request_"),
    [
        ({}, {"action": "list"}),
        ({"ID": "shop", "ACTION": "create"}, {"action": "create", "id": "shop"}),
        (
            {"ID": "shop", "ACTION": "configure", "SETTINGS": '{"origins": ["null"]}'},
            {"action": "configure", "id": "shop", "settings": {"origins": ["null"]}},
        ),
    ],
)
def test_variables_name_an_action(variables: dict[str, str], request_: dict[str, object]) -> None:
    assert request_of(variables) == request_


def test_person_is_suppressed_or_released() -> None:
    person = {"PERSON": "a@example.com"}
    assert suppression_of(person) == {"action": "suppress", "person": "a@example.com"}
    released = suppression_of(person | {"RELEASE": "1"})
    assert released == {"action": "release", "person": "a@example.com"}
    with pytest.raises(CommandError, match="with PERSON="):
        suppression_of({})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ACTION": "create"}, "with ID="),
        ({"ACTION": "drop", "ID": "shop"}, "with ID="),
        ({"ACTION": "create", "ID": "shop", "SETTINGS": "{"}, "SETTINGS isn't valid JSON"),
    ],
)
def test_missing_or_invalid_variable_is_refused(variables: dict[str, str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        request_of(variables)


SHOP: dict[str, Any] = {"id": "shop", "enabled": False, "keys": 2, "settings": {}}


def test_change_prints_sources_and_the_new_key() -> None:
    body = {
        "sources": [SHOP, SHOP | {"id": "blog", "enabled": True, "keys": 1}],
        "suppressed": 3,
        "writeKey": "a-new-key",
        "effectiveWithinSeconds": 60,
    }
    functions = Functions({"status": 200, "body": body})
    text = change(functions, "prod", {"action": "rotate", "id": "shop"})
    assert functions.invoked == [("meridian-prod-sources", {"action": "rotate", "id": "shop"})]
    assert "disabled  2 write keys" in text
    assert "enabled   1 write key" in text
    assert "3 suppressed ids" in text
    assert "Write key: a-new-key" in text
    assert "within 60 seconds" in text


def test_number_of_suppressed_ids_is_a_sentence() -> None:
    functions = Functions({"status": 200, "body": {"sources": [], "suppressed": 1}})
    assert change(functions, "prod", {"action": "list"}) == "1 suppressed id of persons."


def test_refusal_and_failure_say_that_no_source_was_changed() -> None:
    refused = Functions({"status": 404, "body": {"code": "unknown_source", "detail": "No source."}})
    with pytest.raises(CommandError, match=r"Nothing was changed: No source\."):
        change(refused, "prod", {"action": "rotate", "id": "shop"})
    failed = Functions(json.loads('{"errorMessage": "x"}'), FunctionError="Unhandled")
    with pytest.raises(CommandError, match="Read the log of meridian-prod-sources"):
        change(failed, "prod", {"action": "list"})
