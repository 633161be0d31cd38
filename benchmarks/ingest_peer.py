"""A conventional collector: json, a compiled JSON Schema, boto3, one Kinesis record per event."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

KEY: Final = "a-write-key"
STREAM: Final = "meridian-bench-events"
REGION: Final = "us-east-1"


def peer() -> Callable[[dict[str, Any]], str]:
    """Return the handler, a function from event to status."""
    import boto3
    import fastjsonschema

    text, identity = {"type": "string"}, {"type": ["string", "number", "null"]}
    validate = fastjsonschema.compile(
        {
            "type": "object",
            "properties": {
                "type": {"enum": ["track", "page", "screen", "identify", "group", "alias"]},
                "messageId": {"type": "string", "minLength": 1, "maxLength": 99},
                "userId": identity,
                "anonymousId": identity,
                "groupId": identity,
                "previousId": identity,
                "timestamp": {"type": "string", "format": "date-time"},
                "originalTimestamp": {"type": "string", "format": "date-time"},
                "event": text,
                "name": {"type": ["string", "null"]},
                "properties": {"type": "object"},
                "traits": {"type": "object"},
                "context": {"type": "object"},
            },
            "required": ["type"],
            "anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}],
        }
    )
    kinesis = boto3.client("kinesis", region_name=REGION)

    def answer(event: dict[str, Any]) -> str:
        cf = event["Records"][0]["cf"]
        request = cf["request"]
        headers = {name: values[0]["value"] for name, values in request["headers"].items()}
        basic = headers["authorization"].partition(" ")[2]
        if base64.b64decode(basic).decode().rstrip(":") != KEY:
            return "401"
        body = json.loads(base64.b64decode(request["body"]["data"]))
        received = datetime.now(UTC)
        sent = datetime.fromisoformat(body["sentAt"])
        records: list[Any] = []
        rejected = []
        for index, item in enumerate(body["batch"]):
            try:
                validate(item)
            except fastjsonschema.JsonSchemaException as error:
                rejected.append({"index": index, "message": str(error)})
                continue
            original = datetime.fromisoformat(item["timestamp"])
            item |= {
                "receivedAt": received.isoformat(timespec="milliseconds"),
                "originalTimestamp": item["timestamp"],
                "sentAt": body["sentAt"],
                "timestamp": (received - (sent - original)).isoformat(timespec="milliseconds"),
                "ip": request["clientIp"].rpartition(".")[0] + ".0",
                "userAgent": headers["user-agent"],
                "bot": "bot" in headers["user-agent"].lower(),
                "country": headers["cloudfront-viewer-country"],
                "region": headers.get("cloudfront-viewer-country-region"),
                "city": headers.get("cloudfront-viewer-city"),
                "timeZone": headers.get("cloudfront-viewer-time-zone"),
                "device": "desktop" if headers["cloudfront-is-desktop-viewer"] else "mobile",
                "requestId": cf["config"]["requestId"],
                "source": "portal",
            }
            visitor = item.get("anonymousId") or item["userId"]
            key = hashlib.sha256(f"{KEY}{visitor}".encode()).hexdigest()
            records.append({"Data": json.dumps(item).encode(), "PartitionKey": key})
        response = kinesis.put_records(StreamName=STREAM, Records=records)
        json.dumps({"success": True, "accepted": len(records), "rejected": rejected})
        return "503" if response["FailedRecordCount"] else "200"

    return answer
