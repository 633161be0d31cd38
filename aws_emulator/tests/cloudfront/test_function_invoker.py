"""Tests of mapping Lambda responses to function errors."""

import json
from typing import Any

import pytest

from aws_emulator.cloudfront.edge_functions.invoker import TIMEOUT_S, _outcome
from aws_emulator.cloudfront.errors import (
    FunctionExecutionError,
    FunctionLimitError,
    FunctionResultError,
)


def test_invoker_returns_any_json_result() -> None:
    for value in (None, {}, [1], "x", {"status": "200"}):
        assert _outcome(200, "", json.dumps(value).encode()) == value
    assert _outcome(200, "", b"") is None


@pytest.mark.parametrize(
    ("status", "function_error", "body", "error", "code"),
    [
        (429, "", {}, FunctionLimitError, "FunctionThrottled"),
        (404, "", {}, FunctionExecutionError, "FunctionNotInvocable"),
        (500, "", {}, FunctionExecutionError, "FunctionNotInvocable"),
        (
            200,
            "Unhandled",
            {"errorMessage": "2026 x Task timed out after 5.00 seconds"},
            FunctionLimitError,
            "FunctionTimeout",
        ),
        (200, "Unhandled", {"errorType": "KeyError"}, FunctionExecutionError, "FunctionFailed"),
        (200, "Unhandled", None, FunctionExecutionError, "FunctionFailed"),
        (200, "Handled", "text", FunctionExecutionError, "FunctionFailed"),
    ],
)
def test_invoker_maps_lambda_error_to_cloudfront_error(
    status: int, function_error: str, body: Any, error: type[Exception], code: str
) -> None:
    with pytest.raises(error) as caught:
        _outcome(status, function_error, json.dumps(body).encode())
    assert caught.value.status == 503  # type: ignore[attr-defined]  # every error of the tree has one
    assert caught.value.code == code  # type: ignore[attr-defined]  # every error of the tree has one


def test_invoker_omits_error_message_from_error() -> None:
    body = json.dumps({"errorType": "ValueError", "errorMessage": "token abc"}).encode()
    with pytest.raises(FunctionExecutionError) as caught:
        _outcome(200, "Unhandled", body)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000])
def test_invoker_rejects_result_that_is_not_json(body: bytes) -> None:
    with pytest.raises(FunctionResultError):
        _outcome(200, "", body)


def test_function_timeouts_match_quotas() -> None:
    assert TIMEOUT_S == {
        "viewer-request": 5,
        "viewer-response": 5,
        "origin-request": 30,
        "origin-response": 30,
    }
