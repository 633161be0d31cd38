"""Amazon SES adapter: sends one email to one student or advisor."""

from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from typing import Any, Final

from stepfunctions import aws, outbox
from stepfunctions.email_templates import Email
from stepfunctions.errors import PermanentError

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
    content = _simple(email) if not email.calendar else _raw(sender, recipient, email)
    with aws.translate_errors("SES"):
        client().send_email(
            FromEmailAddress=sender,
            ConfigurationSetName=configuration_set,
            Destination={"ToAddresses": [recipient]},
            Content=content,
            EmailTags=[{"Name": "outbox", "Value": outbox.tag_value(outbox_id)}],
        )


def _simple(email: Email) -> dict[str, Any]:
    return {
        "Simple": {
            "Subject": {"Data": email.subject, "Charset": "UTF-8"},
            "Body": {"Text": {"Data": email.text, "Charset": "UTF-8"}},
        }
    }


def _raw(sender: str, recipient: str, email: Email) -> dict[str, Any]:
    """Return an email with a calendar entry as a MIME message.

    Calendars process a part text/calendar whose method is that of the object (RFC 6047, 2.4); the
    attachment is for people whose mail program doesn't. SES's own attachments have no such
    parameter. SES adds Date and Message-ID.

    Raises:
        PermanentError: The address doesn't fit into a header.
    """
    message = EmailMessage(policy=SMTP)
    try:
        message["From"], message["To"] = sender, recipient
        message["Subject"] = email.subject
        message.set_content(email.text, cte="base64")
        calendar = email.calendar.decode()
        # base64 keeps the object's line breaks as they are.
        message.add_alternative(
            calendar, subtype="calendar", cte="base64", params={"method": email.method}
        )
        message.add_attachment(
            email.calendar, maintype="application", subtype="ics", filename="appointment.ics"
        )
        data = message.as_bytes()
    except (ValueError, MessageError) as error:
        name = type(error).__name__
        raise PermanentError(f"The email can't be written as a MIME message: {name}.") from None
    return {"Raw": {"Data": data}}
