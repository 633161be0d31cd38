"""SQS adapter of the notifier's dead-letter queue."""

from functools import cache
from typing import TYPE_CHECKING, Final

from stepfunctions import aws

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MESSAGE_GROUP: Final = "emails"


@cache
def client() -> "SQSClient":
    """Return the process's SQS client, created on the first call."""
    sqs: SQSClient = aws.client("sqs")
    return sqs


def send(queue_url: str, message_id: str, body: str) -> None:
    """Send a message; SQS drops a repetition of the same id within five minutes.

    Raises:
        TransientError: SQS failed temporarily.
        PermanentError: SQS rejected the request.
    """
    with aws.translate_errors("SQS"):
        client().send_message(
            QueueUrl=queue_url,
            MessageBody=body,
            MessageGroupId=MESSAGE_GROUP,
            MessageDeduplicationId=message_id,
        )
