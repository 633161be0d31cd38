"""The function that the poller's tests invoke: it writes down what it got, and fails as told.

A record's data is JSON: {"n": int, "do"?: "raise" | "report" | "sleep", "times"?: int}. `raise` and
`report` hold for the record's first `times` deliveries (always, without it). It runs inside the
emulator, so it imports nothing of the project.
"""

import base64
import json
import os
import time
import uuid
from typing import Any


def told(record: dict[str, Any]) -> dict[str, Any]:
    """What the test put into a record, of either source."""
    if "kinesis" in record:
        answer: dict[str, Any] = json.loads(base64.b64decode(record["kinesis"]["data"]))
        return answer
    image = record["dynamodb"].get("NewImage") or record["dynamodb"].get("OldImage", {})
    return {"n": int(image["n"]["N"]), **json.loads(image.get("told", {"S": "{}"})["S"])}


def sequence(record: dict[str, Any]) -> str:
    """A record's sequence number."""
    source = record.get("kinesis") or record["dynamodb"]
    return str(source.get("sequenceNumber") or source.get("SequenceNumber"))


def lambda_handler(event: dict[str, Any], context: object) -> Any:
    """Write one object for this call, then do the first thing that a record tells."""
    import boto3

    records = [told(record) for record in event["Records"]]
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
        if record.get("do") in {"raise", "report"} and _again(s3, bucket, record):
            failures.append((record["do"], sequence(source)))
        if record.get("do") == "sleep":
            time.sleep(record.get("seconds", 1.0))
    note["failed"] = bool(failures)
    note["ended"] = time.time()
    key = f"calls/{began:020.6f}-{uuid.uuid4()}"
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(note).encode())
    if any(kind == "raise" for kind, _ in failures):
        raise ValueError("told to")
    answer: dict[str, Any] = {"batchItemFailures": [{"itemIdentifier": s} for _, s in failures]}
    if "state" in event:
        answer["state"] = {"count": event["state"].get("count", 0) + len(records)}
    return answer


def _again(s3: Any, bucket: str, record: dict[str, Any]) -> bool:
    """Whether the record still fails: its deliveries are counted by objects."""
    prefix = f"tries/{record['n']}/"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"]
    s3.put_object(Bucket=bucket, Key=f"{prefix}{uuid.uuid4()}", Body=b"")
    return "times" not in record or bool(found < record["times"])
