"""The Lambda function of the integration tests: records its invocations in S3, fails on request.

A record's data is JSON: {"n": int, "do"?: str, "times"?: int}, where "do" is one of:

raise, report  fail the invocation, or report the record, in the first `times` deliveries or in all
sleep          wait for `seconds`
meet           wait until two invocations with such a record have started; fail if it stays alone

The function runs inside the emulator and can't import modules of this repository.
"""

import base64
import json
import os
import time
import uuid
from typing import Any


def instructions(record: dict[str, Any]) -> dict[str, Any]:
    """Return the test's instructions in a Kinesis or DynamoDB record."""
    if "kinesis" in record:
        answer: dict[str, Any] = json.loads(base64.b64decode(record["kinesis"]["data"]))
        return answer
    image = record["dynamodb"].get("NewImage") or record["dynamodb"].get("OldImage", {})
    return {"n": int(image["n"]["N"]), **json.loads(image.get("told", {"S": "{}"})["S"])}


def sequence(record: dict[str, Any]) -> str:
    """Return the sequence number of a record."""
    source = record.get("kinesis") or record["dynamodb"]
    return str(source.get("sequenceNumber") or source.get("SequenceNumber"))


def lambda_handler(event: dict[str, Any], context: object) -> Any:
    """Write one object for the invocation, then follow the instructions of the records."""
    import boto3

    records = [instructions(record) for record in event["Records"]]
    s3 = boto3.client("s3")
    bucket = os.environ["BUCKET"]
    began = time.time()
    note = {
        "began": began,
        "numbers": [record["n"] for record in records],
        **{name: value for name, value in event.items() if name != "Records"},
        "first": event["Records"][0] if event["Records"] else None,
    }
    failures = []
    for record, source in zip(records, event["Records"], strict=True):
        if record.get("do") in {"raise", "report"} and _still_fails(s3, bucket, record):
            failures.append((record["do"], sequence(source)))
        if record.get("do") == "sleep":
            time.sleep(record.get("seconds", 1.0))
        if record.get("do") == "meet" and not _meets(s3, bucket):
            raise ValueError("no other invocation started")
    note["failed"] = bool(failures)
    key = f"calls/{began:020.6f}-{uuid.uuid4()}"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(note).encode())
    if any(kind == "raise" for kind, _ in failures):
        raise ValueError("requested failure")
    answer: dict[str, Any] = {"batchItemFailures": [{"itemIdentifier": s} for _, s in failures]}
    if "state" in event:
        answer["state"] = {"count": event["state"].get("count", 0) + len(records)}
    return answer


def _meets(s3: Any, bucket: str) -> bool:
    """Note this invocation as an object; return whether there are two of them within 20 s."""
    s3.put_object(Bucket=bucket, Key=f"meeting/{uuid.uuid4()}", Body=b"")
    until = time.monotonic() + 20
    while s3.list_objects_v2(Bucket=bucket, Prefix="meeting/")["KeyCount"] < 2:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def _still_fails(s3: Any, bucket: str, record: dict[str, Any]) -> bool:
    """Count a delivery of the record as an object; return whether this delivery fails."""
    prefix = f"deliveries/{record['n']}/"
    count = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"]
    s3.put_object(Bucket=bucket, Key=f"{prefix}{uuid.uuid4()}", Body=b"")
    return "times" not in record or bool(count < record["times"])
