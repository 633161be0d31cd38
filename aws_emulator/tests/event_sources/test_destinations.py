"""Tests of the invocation record of a discarded batch, and of its S3 key."""

import json
from typing import Final

from aws_emulator.event_sources.batch_rules import Batch, DiscardedBatch
from aws_emulator.event_sources.destinations import invocation_record, s3_key
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.simulator.samples import (
    STREAM_ARN,
    TABLE_STREAM_ARN,
    dynamodb_records,
    kinesis_records,
    mapping,
)

NOW: Final = 1_767_225_661.021
LAST: Final = Outcome("function_error", error="Unhandled", request_id="r-1", version="7")


def test_invocation_record_of_kinesis_batch() -> None:
    records = kinesis_records([b"x"] * 3)
    discard = DiscardedBatch(
        Batch(tuple(records), invocations=3, last=LAST), "RetryAttemptsExhausted"
    )
    document = json.loads(invocation_record(mapping(), "shardId-000000000001", discard, NOW))
    assert document == {
        "requestContext": {
            "requestId": "r-1",
            "functionArn": mapping().function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "7",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-01-01T00:01:01.021Z",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000001",
            "startSequenceNumber": records[0].sequence,
            "endSequenceNumber": records[2].sequence,
            "approximateArrivalOfFirstRecord": "2026-01-01T00:00:00.000Z",
            "approximateArrivalOfLastRecord": "2026-01-01T00:00:00.020Z",
            "batchSize": 3,
            "streamArn": STREAM_ARN,
        },
    }


def test_invocation_record_of_expired_dynamodb_batch() -> None:
    records = dynamodb_records([{"eventName": "INSERT", "Keys": {"id": {"S": "a"}}}])
    config = mapping({"EventSourceArn": TABLE_STREAM_ARN})
    discard = DiscardedBatch(Batch(tuple(records)), "RecordAgeExceeded")
    document = json.loads(invocation_record(config, "shard", discard, NOW))
    assert "responseContext" not in document
    assert document["requestContext"]["approximateInvokeCount"] == 0
    assert document["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"] == (
        "2026-01-01T00:00:00Z"
    )


def test_invocation_record_contains_event_for_s3_only() -> None:
    discard = DiscardedBatch(Batch(tuple(kinesis_records([b"x"]))), "RecordAgeExceeded")
    document = json.loads(invocation_record(mapping(), "s", discard, NOW, '{"Records":[]}'))
    assert document["payload"] == '{"Records":[]}'
    assert "payload" not in json.loads(invocation_record(mapping(), "s", discard, NOW))


def test_s3_key_follows_documented_format() -> None:
    assert s3_key(mapping(), "shardId-000000000001", NOW, "unique") == (
        f"aws/lambda/{mapping().uuid}/shardId-000000000001/2026/01/01/2026-01-01T00.01.01-unique"
    )
