"""What Lambda's answers mean at the edge."""

import json
from typing import Any

import pytest

from aws_emulator.cloudfront.errors import ExecutionError, LimitExceededError, ResultInvalidError
from aws_emulator.cloudfront.functions import TIMEOUT_S, _outcome


def test_a_result_is_any_json() -> None:
    for value in (None, {}, [1], "x", {"status": "200"}):
        assert _outcome(200, "", json.dumps(value).encode()) == value
    assert _outcome(200, "", b"") is None


@pytest.mark.parametrize(
    ("status", "function_error", "body", "error", "code"),
    [
        (429, "", {}, LimitExceededError, "FunctionThrottled"),
        (404, "", {}, ExecutionError, "FunctionNotInvocable"),
        (500, "", {}, ExecutionError, "FunctionNotInvocable"),
        (
            200,
            "Unhandled",
            {"errorMessage": "2026 x Task timed out after 5.00 seconds"},
            LimitExceededError,
            "FunctionTimeout",
        ),
        (200, "Unhandled", {"errorType": "KeyError"}, ExecutionError, "FunctionFailed"),
        (200, "Unhandled", None, ExecutionError, "FunctionFailed"),
        (200, "Handled", "text", ExecutionError, "FunctionFailed"),
    ],
)
def test_what_went_wrong_is_said_as_cloudfront_does(
    status: int, function_error: str, body: Any, error: type[Exception], code: str
) -> None:
    with pytest.raises(error) as caught:
        _outcome(status, function_error, json.dumps(body).encode())
    assert caught.value.status == 503  # type: ignore[attr-defined]  # every error of the tree has one
    assert caught.value.code == code  # type: ignore[attr-defined]  # every error of the tree has one


def test_the_message_of_a_failure_stays_out_of_the_page() -> None:
    body = json.dumps({"errorType": "ValueError", "errorMessage": "token abc"}).encode()
    with pytest.raises(ExecutionError) as caught:
        _outcome(200, "Unhandled", body)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_an_invalid_result(body: bytes) -> None:
    with pytest.raises(ResultInvalidError):
        _outcome(200, "", body)


def test_the_times_are_those_of_the_page() -> None:
    assert TIMEOUT_S == {
        "viewer-request": 5,
        "viewer-response": 5,
        "origin-request": 30,
        "origin-response": 30,
    }
