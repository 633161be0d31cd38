"""The weather station's consumer: one item per sensor with its last reading."""

import base64
import json
import os
from typing import Any

import boto3


def store(event: dict[str, Any], _context: object) -> None:
    """Write each record of a Kinesis batch to the table."""
    table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    for record in event["Records"]:
        reading = json.loads(base64.b64decode(record["kinesis"]["data"]))
        reading["station"] = os.environ["STATION"]
        table.put_item(Item=reading)
