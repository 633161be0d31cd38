"""The peer: a typical sample of an account workflow with one Lambda function per step.

The first function starts the execution; the state machine calls functions that validate, check,
create and notify. Like common samples, it has no guard against concurrent requests, no outbox and
no compensation. `DEFINITION` has placeholders for the function ARNs; this file has the handlers.
"""

import json
import os
import re
import uuid
from functools import cache
from typing import Any, Final

STEPS: Final = ("validate", "check", "create", "notify")
TABLE: Final = "school-naive"
SENDER: Final = "school@meridian.example"

DEFINITION: Final[dict[str, Any]] = {
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
    """Return a client, created on the first call."""
    import boto3

    return boto3.client(service)  # type: ignore[call-overload] # a name among many


def front(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Start the execution; `event` is that of API Gateway."""
    started = client("stepfunctions").start_execution(
        stateMachineArn=os.environ["MACHINE"],
        name=json.loads(event["body"])["requestId"],
        input=event["body"],
    )
    return {"statusCode": 202, "body": json.dumps({"executionArn": started["executionArn"]})}


def validate(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Validate address and name.

    Raises:
        ValueError: The address or the name is invalid.
    """
    if not re.match(r"[^@\s]+@[^@\s]+\.[^@\s]+$", event["email"]) or not event["name"]:
        raise ValueError("invalid")
    return event


def check(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Check whether the account exists."""
    response = client("dynamodb").get_item(TableName=TABLE, Key={"email": {"S": event["email"]}})
    return {**event, "exists": "Item" in response}


def create(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Create the account."""
    account = str(uuid.uuid4())
    item = {"email": {"S": event["email"]}, "name": {"S": event["name"]}, "id": {"S": account}}
    client("dynamodb").put_item(TableName=TABLE, Item=item)
    return {**event, "accountId": account}


def notify(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Send the email."""
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
