"""Tests of parsing a mapping's settings from the API's shape."""

import datetime as dt
from typing import Any

import pytest

from aws_emulator.event_sources.errors import InvalidMappingError
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.simulator.samples import STREAM_ARN, TABLE_STREAM_ARN, mapping


def test_mapping_uses_documented_defaults() -> None:
    config = EventSourceMapping.from_api(
        {"UUID": "u", "EventSourceArn": STREAM_ARN, "FunctionArn": "arn:aws:lambda:…"}
    )
    assert (config.batch_size, config.batching_window_s, config.parallelization_factor) == (
        100,
        0,
        1,
    )
    assert (config.max_retry_attempts, config.max_record_age_s, config.on_failure_destination) == (
        None,
        None,
        None,
    )
    assert not config.bisect_batch
    assert not config.report_batch_item_failures
    assert config.tumbling_window_s == 0


def test_mapping_parses_minus_one_as_infinite_and_empty_destination_as_none() -> None:
    config = mapping(
        {
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": -1,
            "DestinationConfig": {"OnFailure": {"Destination": ""}},
        }
    )
    assert (config.max_retry_attempts, config.max_record_age_s, config.on_failure_destination) == (
        None,
        None,
        None,
    )


def test_mapping_derives_source_kind_and_region_from_arn() -> None:
    assert (mapping().source_kind, mapping().region) == ("kinesis", "us-east-1")
    assert mapping({"EventSourceArn": TABLE_STREAM_ARN}).source_kind == "dynamodb"


def test_mapping_accepts_starting_timestamp_as_datetime_or_number() -> None:
    at = {"StartingPosition": "AT_TIMESTAMP"}
    time = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for value in (time, time.timestamp()):
        config = mapping({**at, "StartingPositionTimestamp": value})
        assert config.starting_timestamp == time.timestamp()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("BatchSize", 1, 10_000),
        ("MaximumBatchingWindowInSeconds", 0, 300),
        ("ParallelizationFactor", 1, 10),
        ("TumblingWindowInSeconds", 0, 900),
        ("MaximumRetryAttempts", -1, 10_000),
        ("MaximumRecordAgeInSeconds", -1, 604_800),
    ],
)
def test_mapping_rejects_number_outside_its_bounds(name: str, low: int, high: int) -> None:
    mapping({name: low})
    mapping({name: high})
    with pytest.raises(InvalidMappingError, match=name):
        mapping({name: high + 1})
    with pytest.raises(InvalidMappingError, match=name):
        mapping({name: min(low, 0) - 1})


@pytest.mark.parametrize(
    "settings",
    [
        {"StartingPosition": "AT_TIMESTAMP"},
        {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}},
        {"FilterCriteria": {"Filters": [{"Pattern": "[]"}]}},
        {"FilterCriteria": {"Filters": [{}]}},
    ],
)
def test_mapping_rejects_invalid_setting(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidMappingError):
        mapping(settings)
