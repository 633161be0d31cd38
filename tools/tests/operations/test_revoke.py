"""`make revoke`: what it asks the function, and what it prints."""

import io
import json
from typing import Any

import pytest

from aws_emulator.errors import CommandError
from tools.operations.revoke import request_of, revoke


class Functions:
    """A Lambda client with one function, which gives a fixed result."""

    def __init__(self, result: object, **response: str) -> None:
        self.response = {"Payload": io.BytesIO(json.dumps(result).encode()), **response}
        self.invoked: list[tuple[str, Any]] = []

    def invoke(self, **asked: Any) -> dict[str, Any]:
        self.invoked.append((asked["FunctionName"], json.loads(asked["Payload"])))
        return self.response


@pytest.mark.parametrize(
    ("variables", "request_"),
    [
        ({"USER_NAME": "a@example.com"}, {"user": "a@example.com"}),
        ({"SESSION": "x", "USER": "operator", "EVERYONE": ""}, {"session": "x"}),
        ({"EVERYONE": "1"}, {"everyone": True}),
    ],
)
def test_each_variable_names_a_kind_of_revocation(
    variables: dict[str, str], request_: dict[str, object]
) -> None:
    assert request_of(variables) == request_


@pytest.mark.parametrize(
    "variables", [{}, {"USER": "operator"}, {"USER_NAME": "a@example.com", "EVERYONE": "1"}]
)
def test_none_or_several_variables_are_refused(variables: dict[str, str]) -> None:
    with pytest.raises(CommandError, match="with one of USER="):
        request_of(variables)


def test_published_revocation_is_reported() -> None:
    body = {"revoked": "user", "effective_within_seconds": 60, "entries": 2}
    functions = Functions({"status": 200, "body": body})
    line = revoke(functions, "prod", {"user": "a@example.com"})
    assert functions.invoked == [("meridian-prod-revocations", {"user": "a@example.com"})]
    assert "within 60 seconds" in line
    assert "2 entries" in line


def test_refusal_and_failure_say_that_nothing_was_published() -> None:
    refused = Functions({"status": 404, "body": {"code": "unknown_user", "detail": "No user."}})
    with pytest.raises(CommandError, match=r"Nothing was changed: No user\."):
        revoke(refused, "prod", {"user": "a@example.com"})
    failed = Functions({"errorMessage": "x"}, FunctionError="Unhandled")
    with pytest.raises(CommandError, match="Read the log of meridian-prod-revocations"):
        revoke(failed, "prod", {"everyone": True})
