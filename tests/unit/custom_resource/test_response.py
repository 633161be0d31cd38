"""Each request of CloudFormation gets exactly one response."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_resource.response import MAX_REASON_CHARS, CustomResourceError, respond

EVENT: Final[dict[str, Any]] = {
    "RequestType": "Update",
    "ResponseURL": "https://cloudformation.example/response",
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1",
    "RequestId": "r",
    "ResourceType": "Custom::Example",
    "LogicalResourceId": "Example",
    "PhysicalResourceId": "example-1",
    "ResourceProperties": {"Secret": "do not log"},
}


class InvalidExampleError(CustomResourceError):
    code = "invalid_example"


def sent(apply: Any, event: dict[str, Any] = EVENT) -> dict[str, Any]:
    """Return the one response that was sent, as CloudFormation receives it."""
    responses: list[tuple[str, str]] = []
    returned = respond(event, apply, lambda url, body: responses.append((url, json.dumps(body))))
    ((url, body),) = responses
    assert url == EVENT["ResponseURL"]
    document: dict[str, Any] = json.loads(body)
    assert document == returned
    return document


def test_response_contains_ids_of_request_and_attributes() -> None:
    response = sent(lambda _: {"Data": {"Name": "value"}})
    for name in ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId"):
        assert response[name] == EVENT[name]
    assert (response["Status"], response["Data"]) == ("SUCCESS", {"Name": "value"})


def test_created_resource_gets_physical_id_of_handler_else_its_logical_id() -> None:
    create = {name: it for name, it in EVENT.items() if name != "PhysicalResourceId"}
    assert sent(lambda _: {}, create)["PhysicalResourceId"] == "Example"
    chosen = sent(lambda _: {"PhysicalResourceId": "chosen"}, create)
    assert chosen["PhysicalResourceId"] == "chosen"


@given(message=st.text(max_size=3 * MAX_REASON_CHARS))
def test_error_fails_resource_with_its_code_and_a_short_reason(message: str) -> None:
    def apply(_: object) -> dict[str, object]:
        raise InvalidExampleError(message)

    response = sent(apply)
    assert response["Status"] == "FAILED"
    assert response["Reason"].startswith("[invalid_example] ")
    assert len(response["Reason"]) <= MAX_REASON_CHARS


def test_unexpected_error_fails_resource_without_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def apply(event: dict[str, Any]) -> dict[str, object]:
        raise RuntimeError(event["ResourceProperties"]["Secret"])

    response = sent(apply)
    assert (response["Status"], response["Reason"]) == ("FAILED", "[unexpected] RuntimeError")
    assert "do not log" not in capsys.readouterr().out
