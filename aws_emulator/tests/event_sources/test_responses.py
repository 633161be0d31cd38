"""Tests of function responses: the cases of services-kinesis-batchfailurereporting."""

import json
from typing import Any, Final

import pytest

from aws_emulator.event_sources.responses import Outcome, count_succeeded
from aws_emulator.simulator.samples import dynamodb_records, kinesis_records, mapping

REPORTING: Final = mapping({"FunctionResponseTypes": ["ReportBatchItemFailures"]})
RECORDS: Final = kinesis_records([b"x"] * 4)


def answered(body: Any) -> Outcome:
    return Outcome("returned", body=json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [None, "", [], {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"other": 1}],
)
def test_response_is_complete_success(body: Any) -> None:
    assert count_succeeded(REPORTING, RECORDS, answered(body)) is None


def test_empty_response_is_complete_success() -> None:
    assert count_succeeded(REPORTING, RECORDS, Outcome("returned", body=b"")) is None


@pytest.mark.parametrize(
    "failures",
    [
        [{"itemIdentifier": ""}],
        [{"itemIdentifier": None}],
        [{"itemIdentifier": 123}],
        [{"itemIdentifier": "123"}],
        [{"foo": RECORDS[2].sequence}],
        [{}],
        ["text"],
        [None],
        "text",
        {"itemIdentifier": RECORDS[2].sequence},
        [{"itemIdentifier": RECORDS[2].sequence}, {"itemIdentifier": ""}],
    ],
)
def test_response_is_complete_failure(failures: Any) -> None:
    assert count_succeeded(REPORTING, RECORDS, answered({"batchItemFailures": failures})) == 0


@pytest.mark.parametrize("body", [b"nonsense", b"\xff", b'"text"', b"7", b"[1]", b"true"])
def test_malformed_response_is_complete_failure(body: bytes) -> None:
    assert count_succeeded(REPORTING, RECORDS, Outcome("returned", body=body)) == 0


@pytest.mark.parametrize("kind", ["function_error", "not_invoked"])
def test_failed_invocation_is_complete_failure(kind: Any) -> None:
    outcome = Outcome(kind, body=b'{"batchItemFailures": []}')
    assert count_succeeded(REPORTING, RECORDS, outcome) == 0
    assert count_succeeded(mapping(), RECORDS, outcome) == 0


def test_lowest_reported_sequence_number_is_the_checkpoint() -> None:
    failures = [{"itemIdentifier": RECORDS[position].sequence} for position in (3, 1, 2)]
    assert count_succeeded(REPORTING, RECORDS, answered({"batchItemFailures": failures})) == 1


def test_reported_sequence_numbers_may_differ_in_length() -> None:
    records = kinesis_records([b"x"] * 2, first=9 * 10**20) + kinesis_records([b"x"], first=10**56)
    failures = [{"itemIdentifier": records[position].sequence} for position in (2, 1)]
    assert count_succeeded(REPORTING, records, answered({"batchItemFailures": failures})) == 1


def test_dynamodb_response_is_partial_success() -> None:
    records = dynamodb_records([{"eventName": "INSERT", "Keys": {"id": {"S": "a"}}}] * 3)
    failures = [{"itemIdentifier": records[2].sequence}]
    assert count_succeeded(REPORTING, records, answered({"batchItemFailures": failures})) == 2


@pytest.mark.parametrize("body", [b"nonsense", b"{}", b'"text"'])
def test_response_is_ignored_without_report_batch_item_failures(body: bytes) -> None:
    failures = {"batchItemFailures": [{"itemIdentifier": RECORDS[0].sequence}]}
    assert count_succeeded(mapping(), RECORDS, answered(failures)) is None
    assert count_succeeded(mapping(), RECORDS, Outcome("returned", body=body)) is None


def test_tumbling_window_response_without_state_is_failure() -> None:
    windowed = mapping({"TumblingWindowInSeconds": 60})
    assert count_succeeded(windowed, RECORDS, answered({"state": {}})) is None
    assert count_succeeded(windowed, RECORDS, answered({"state": None})) is None
    assert count_succeeded(windowed, RECORDS, answered({})) == 0
    assert count_succeeded(windowed, RECORDS, answered(None)) == 0
    assert count_succeeded(windowed, RECORDS, Outcome("returned", body=b"nonsense")) == 0
