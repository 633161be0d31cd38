"""Policies of queues outside the limits of Amazon SQS, each at the limit and past it."""

import json
from typing import Any

import pytest

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack
from aws_emulator.tests.refusals.refusing import refused


def new_queue(emulator: Emulator) -> str:
    """Create a queue; return its URL."""
    return str(emulator.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"])


def policy(actions: int = 1, resources: int = 1) -> dict[str, Any]:
    """Return a queue's policy with these numbers of actions and resources."""
    return {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": ["sqs:SendMessage", *["sqs:GetQueueUrl"] * (actions - 1)],
                "Resource": ["arn:aws:sqs:us-east-1:000000000000:queue"] * resources,
            }
        ]
    }


@pytest.mark.parametrize(
    ("code", "document"),
    [
        (None, policy(resources=2)),
        ("OverLimit", policy(actions=8)),
        (None, {"Statement": policy()["Statement"] * 21}),
        (None, {"Id": "i" * 8_192, **policy()}),
    ],
    ids=["resources", "actions", "statements", "bytes"],
)
def test_sqs_refuses_policy(emulator: Emulator, code: str | None, document: Any) -> None:
    change, url = emulator.client("sqs").set_queue_attributes, new_queue(emulator)
    change(QueueUrl=url, Attributes={"Policy": json.dumps(policy(actions=7))})
    refused(code, change, QueueUrl=url, Attributes={"Policy": json.dumps(document)})
    change(QueueUrl=url, Attributes={"Policy": ""})
    template = stack(
        It={
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [url], "PolicyDocument": document},
        }
    )
    with pytest.raises(AssertionError, match=r"[Pp]olicy"):
        emulator.deploy(template, unique("queue-policy"))
