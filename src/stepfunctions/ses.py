"""Amazon SES adapter: sends one email to one student."""

from functools import cache
from typing import Any, Final

from stepfunctions import aws, outbox
from stepfunctions.email_templates import Email

#: Seconds to wait for the response of SES.
READ_TIMEOUT_S: Final = 8


@cache
def client() -> Any:
    """Return the process's SES client, created on the first call.

    SendEmail has no idempotency token, so an SDK retry after a lost response would send a second
    email: the client makes one attempt. The long read timeout avoids losing a slow response.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2, read_timeout=READ_TIMEOUT_S, retries={"total_max_attempts": 1}
    )
    return boto3.client("sesv2", config=config)


def send(sender: str, configuration_set: str, recipient: str, email: Email, outbox_id: str) -> None:
    """Send an email, tagged with its outbox id.

    The tag identifies the email in the events of the configuration set, without the address.

    Raises:
        TransientError: SES did not respond or throttled the call.
        PermanentError: SES rejected the email.
    """
    with aws.translate_errors("SES"):
        client().send_email(
            FromEmailAddress=sender,
            ConfigurationSetName=configuration_set,
            Destination={"ToAddresses": [recipient]},
            Content={
                "Simple": {
                    "Subject": {"Data": email.subject, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": email.text, "Charset": "UTF-8"}},
                }
            },
            EmailTags=[{"Name": "outbox", "Value": outbox.tag_value(outbox_id)}],
        )
