"""The usual sample of an account workflow: a function in front, and a function for each step.

Written as such samples are: the front function starts the execution, the machine calls a function
to validate, one to look, one to write and one to tell. No guard against a race, no outbox, no
compensation. `DEFINITION` takes the functions' names; each handler is one of this file's.
"""

import json
import os
import re
import uuid
from functools import cache
from typing import Any

STEPS = ("validate", "check", "create", "notify")
TABLE = "school-naive"
SENDER = "school@meridian.example"

DEFINITION: dict[str, Any] = {
    "StartAt": "Validate",
    "States": {
        "Validate": {"Type": "Task", "Resource": "{validate}", "Next": "CheckExisting"},
        "CheckExisting": {"Type": "Task", "Resource": "{check}", "Next": "Exists"},
        "Exists": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.exists", "BooleanEquals": True, "Next": "Duplicate"}],
            "Default": "CreateAccount",
        },
        "CreateAccount": {"Type": "Task", "Resource": "{create}", "Next": "SendNotification"},
        "SendNotification": {"Type": "Task", "Resource": "{notify}", "Next": "Created"},
        "Created": {"Type": "Succeed"},
        "Duplicate": {"Type": "Fail", "Error": "Duplicate"},
    },
}


@cache
def client(service: str) -> Any:
    import boto3

    return boto3.client(service)  # type: ignore[call-overload] # a name among many


def front(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Start the execution."""
    started = client("stepfunctions").start_execution(
        stateMachineArn=os.environ["MACHINE"],
        name=event["requestId"],
        input=json.dumps(event),
    )
    return {"statusCode": 202, "body": json.dumps({"executionArn": started["executionArn"]})}


def validate(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Look at the address and the name."""
    if not re.match(r"[^@\s]+@[^@\s]+\.[^@\s]+$", event["email"]) or not event["name"]:
        raise ValueError("invalid")
    return event


def check(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Look whether there is an account."""
    found = client("dynamodb").get_item(TableName=TABLE, Key={"email": {"S": event["email"]}})
    return {**event, "exists": "Item" in found}


def create(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write the account."""
    account = str(uuid.uuid4())
    item = {"email": {"S": event["email"]}, "name": {"S": event["name"]}, "id": {"S": account}}
    client("dynamodb").put_item(TableName=TABLE, Item=item)
    return {**event, "accountId": account}


def notify(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write to the student."""
    client("sesv2").send_email(
        FromEmailAddress=SENDER,
        Destination={"ToAddresses": [event["email"]]},
        Content={
            "Simple": {
                "Subject": {"Data": "Welcome"},
                "Body": {"Text": {"Data": f"Hello {event['name']}"}},
            }
        },
    )
    return event
