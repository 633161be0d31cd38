"""Amazon SES: the one way out to a student."""

from functools import cache
from typing import Any

from stepfunctions import aws
from stepfunctions.letters import Letter

#: Seconds for SES to answer.
READ_S = 8


@cache
def client() -> Any:
    """The client of this process, made at its first use.

    One attempt: SES has no token for a repetition, and a second attempt of the SDK's own would be a
    second letter wherever the first answer was lost. And patience: an answer that is not waited for
    is a lost one.
    """
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=2, read_timeout=READ_S, retries={"total_max_attempts": 1})
    return boto3.client("sesv2", config=config)


def send(sender: str, recipient: str, letter: Letter, outbox_id: str) -> None:
    """Send a letter. Raises TransientError where SES did not answer, RefusedError where it said no.

    The letter's tag is the outbox's id: a complaint or a bounce can be traced without the address.
    """
    with aws.answers("SES"):
        client().send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [recipient]},
            Content={
                "Simple": {
                    "Subject": {"Data": letter.subject, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": letter.text, "Charset": "UTF-8"}},
                }
            },
            # A tag has letters, digits, - and _ only.
            EmailTags=[{"Name": "outbox", "Value": outbox_id.replace("/", "_")}],
        )
