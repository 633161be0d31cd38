"""Each request of CloudFormation gets exactly one response."""

import contextlib
import json
import time
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custom_resource.response import (
    ANSWER_S,
    MAX_REASON_CHARS,
    MAX_RESPONSE_BYTES,
    CustomResourceError,
    respond,
)

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


def sent(apply: Any, event: dict[str, Any] = EVENT, context: object = None) -> dict[str, Any]:
    """Return the one response that was sent, as CloudFormation receives it."""
    responses: list[tuple[str, str]] = []
    returned = respond(
        event, apply, lambda url, body: responses.append((url, json.dumps(body))), context
    )
    ((url, body),) = responses
    assert url == EVENT["ResponseURL"]
    document: dict[str, Any] = json.loads(body)
    assert document == returned
    assert len(body.encode()) <= MAX_RESPONSE_BYTES
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


def test_attributes_over_4_kb_fail_the_resource() -> None:
    response = sent(lambda _: {"Data": {"Text": MAX_RESPONSE_BYTES * "x"}})
    assert response["Status"] == "FAILED"
    assert response["Reason"].startswith("[response_size] ")
    assert "Data" not in response


class Context:
    """Lambda's context object, with little time left."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return round(1_000 * ANSWER_S) + 50


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_operation_that_takes_too_long_fails_before_lambda_stops_it(request_type: str) -> None:
    def apply(_: object) -> dict[str, object]:
        # As code that repeats a failed call does.
        with contextlib.suppress(Exception):
            time.sleep(60)
        return {}

    response = sent(apply, {**EVENT, "RequestType": request_type}, Context())
    assert (response["Status"], response["Reason"][:9]) == ("FAILED", "[timeout]")


def test_operation_in_time_is_not_interrupted_afterwards() -> None:
    assert sent(lambda _: {}, context=Context())["Status"] == "SUCCESS"
    time.sleep(0.1)
