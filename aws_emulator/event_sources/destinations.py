"""The invocation record that an on-failure destination receives, and its S3 key.

The shapes are those of the examples in kinesis-on-failure-destination and services-dynamodb-errors.
"""

import datetime as dt
import json
import uuid
from typing import Any

from aws_emulator.event_sources.batch_rules import DiscardedBatch
from aws_emulator.event_sources.mapping import EventSourceMapping


def invocation_record(
    config: EventSourceMapping,
    shard_id: str,
    discard: DiscardedBatch,
    now: float,
    payload: str | None = None,
) -> str:
    """Return the invocation record as JSON. `payload` is the event, for S3 destinations only.

    "Because Lambda sends only the metadata for these destination types [SQS and SNS], use the
    streamArn, shardId, startSequenceNumber, and endSequenceNumber fields to obtain the full
    original record." "In addition … the payload field contains the original invocation record as
    an escaped JSON string." (kinesis-on-failure-destination)
    """
    batch = discard.batch
    # DynamoDB Streams reports times in whole seconds.
    precise = config.source_kind == "kinesis"
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": batch.last.request_id if batch.last else str(uuid.uuid4()),
            "functionArn": config.function_arn,
            "condition": discard.condition,
            "approximateInvokeCount": batch.invocations,
        },
        "version": "1.0",
        "timestamp": _iso(now, precise=True),
        # "All of the fields shown in the KinesisBatchInfo property will always be present."
        "KinesisBatchInfo" if precise else "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": batch.records[0].sequence,
            "endSequenceNumber": batch.records[-1].sequence,
            "approximateArrivalOfFirstRecord": _iso(batch.records[0].arrived, precise=precise),
            "approximateArrivalOfLastRecord": _iso(batch.records[-1].arrived, precise=precise),
            "batchSize": len(batch.records),
            "streamArn": config.source_arn,
        },
    }
    if batch.last:
        document["responseContext"] = {
            "statusCode": batch.last.status,
            "executedVersion": batch.last.version,
            "functionError": batch.last.error,
        }
    if payload is not None:
        document["payload"] = payload
    return json.dumps(document)


def s3_key(config: EventSourceMapping, shard_id: str, now: float, unique: str) -> str:
    """Return the S3 key of an invocation record; `unique` is its random UUID.

    "The S3 object containing the invocation record uses the following naming convention:
    aws/lambda/<ESM-UUID>/<shardID>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<Random UUID>"
    (kinesis-on-failure-destination)
    """
    day = dt.datetime.fromtimestamp(now, dt.UTC)
    return f"aws/lambda/{config.uuid}/{shard_id}/{day:%Y/%m/%d}/{day:%Y-%m-%dT%H.%M.%S}-{unique}"


def _iso(seconds: float, *, precise: bool) -> str:
    time = dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(
        timespec="milliseconds" if precise else "seconds"
    )
    return time.replace("+00:00", "Z")
