"""The queue of what cannot be delivered, and waits for a person."""

from functools import cache
from typing import TYPE_CHECKING

from stepfunctions import aws

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

GROUP = "letters"


@cache
def client() -> "SQSClient":
    """The client of this process, made at its first use."""
    client_of: SQSClient = aws.client("sqs")
    return client_of


def put(queue_url: str, message_id: str, body: str) -> None:
    """Put a message there, once for one id in five minutes. Raises TransientError, RefusedError."""
    with aws.answers("SQS"):
        client().send_message(
            QueueUrl=queue_url,
            MessageBody=body,
            MessageGroupId=GROUP,
            MessageDeduplicationId=message_id,
        )
