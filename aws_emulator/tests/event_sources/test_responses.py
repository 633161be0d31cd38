"""What an answer says about its batch: the tables of services-kinesis-batchfailurereporting."""

import json
from typing import Any

import pytest

from aws_emulator.event_sources.responses import Outcome, count_succeeded
from aws_emulator.simulator.samples import dynamodb_records, kinesis_records, mapping

REPORTING = mapping({"FunctionResponseTypes": ["ReportBatchItemFailures"]})
RECORDS = kinesis_records([b"x"] * 4)


def answered(body: Any) -> Outcome:
    return Outcome("returned", body=json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [None, "", [], {}, {"batchItemFailures": []}, {"batchItemFailures": None}, {"other": 1}],
)
def test_complete_success(body: Any) -> None:
    assert count_succeeded(REPORTING, RECORDS, answered(body)) is None


def test_an_empty_answer_is_a_success() -> None:
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
def test_complete_failure(failures: Any) -> None:
    assert count_succeeded(REPORTING, RECORDS, answered({"batchItemFailures": failures})) == 0


@pytest.mark.parametrize("body", [b"nonsense", b"\xff", b'"text"', b"7", b"[1]", b"true"])
def test_what_is_no_answer_clears_nothing(body: bytes) -> None:
    assert count_succeeded(REPORTING, RECORDS, Outcome("returned", body=body)) == 0


@pytest.mark.parametrize("kind", ["function_error", "not_invoked"])
def test_what_did_not_return_clears_nothing(kind: Any) -> None:
    outcome = Outcome(kind, body=b'{"batchItemFailures": []}')
    assert count_succeeded(REPORTING, RECORDS, outcome) == 0
    assert count_succeeded(mapping(), RECORDS, outcome) == 0


def test_the_lowest_sequence_number_is_the_checkpoint() -> None:
    failures = [{"itemIdentifier": RECORDS[place].sequence} for place in (3, 1, 2)]
    assert count_succeeded(REPORTING, RECORDS, answered({"batchItemFailures": failures})) == 1


def test_the_numbers_are_found_however_long_they_are() -> None:
    records = kinesis_records([b"x"] * 2, first=9 * 10**20) + kinesis_records([b"x"], first=10**56)
    failures = [{"itemIdentifier": records[place].sequence} for place in (2, 1)]
    assert count_succeeded(REPORTING, records, answered({"batchItemFailures": failures})) == 1


def test_a_table_stream_reports_alike() -> None:
    records = dynamodb_records([{"eventName": "INSERT", "Keys": {"id": {"S": "a"}}}] * 3)
    failures = [{"itemIdentifier": records[2].sequence}]
    assert count_succeeded(REPORTING, records, answered({"batchItemFailures": failures})) == 2


@pytest.mark.parametrize("body", [b"nonsense", b"{}", b'"text"'])
def test_without_the_switch_the_answer_is_not_read(body: bytes) -> None:
    failures = {"batchItemFailures": [{"itemIdentifier": RECORDS[0].sequence}]}
    assert count_succeeded(mapping(), RECORDS, answered(failures)) is None
    assert count_succeeded(mapping(), RECORDS, Outcome("returned", body=body)) is None


def test_a_window_needs_its_state_back() -> None:
    windowed = mapping({"TumblingWindowInSeconds": 60})
    assert count_succeeded(windowed, RECORDS, answered({"state": {}})) is None
    assert count_succeeded(windowed, RECORDS, answered({"state": None})) is None
    assert count_succeeded(windowed, RECORDS, answered({})) == 0
    assert count_succeeded(windowed, RECORDS, answered(None)) == 0
    assert count_succeeded(windowed, RECORDS, Outcome("returned", body=b"nonsense")) == 0
