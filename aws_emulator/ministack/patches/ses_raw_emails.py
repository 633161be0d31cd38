"""Check raw emails of SES, and keep their attachments: GET /_local/emails, GET /_local/mailbox.

Gap: MiniStack authorizes a raw email as ses:SendEmail, accepts any content, and keeps its text
only. Amazon SES needs ses:SendRawEmail, a header and a body, and lines of up to 1,000 characters.
Seen in: ministack 1.5.33, ses_v2.py, handle_request, and core/iam_actions.py, extract_iam_action.
Delete when: a raw email needs ses:SendRawEmail, and its attachments can be read.

Sources: Amazon SES developer guide, "Sending raw email using the Amazon SES API v2"; API reference,
EmailContent; Service Authorization Reference, "Actions defined by Amazon Simple Email Service".
"""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final

from aws_emulator.ministack import mailbox
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_PATH: Final = "/v2/email/outbound-emails"
_MAX_LINE: Final = 1_000


def install(_settings: Settings, control: ControlApi, _application: object) -> None:
    """Check raw emails, and answer with all emails and their attachments: as JSON, as a page."""
    actions = Symbols("ministack.core.iam_actions", "extract_iam_action")
    actions.wrap("extract_iam_action", _raw_action)
    api = Symbols("ministack.services.ses_v2", "handle_request", "_json_err", "_sent_emails_list")
    sent = Symbols("ministack.services.ses", "_sent_emails")

    def checking(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
            data = _raw_data(method, path, body)
            if data is None:
                return await original(method, path, headers, body, query)
            message, error = _parsed(data)
            if message is None:
                return api["_json_err"]("BadRequestException", error)
            answer = await original(method, path, headers, body, query)
            if answer[0] == 200:
                api["_sent_emails_list"]()[-1].update(_parts(message))
            return answer

        return handle

    api.wrap("handle_request", checking)

    def emails(_query: dict[str, str]) -> list[dict[str, Any]]:
        stored = sent["_sent_emails"].to_dict().values()
        messages = [it for listed in stored if isinstance(listed, list) for it in listed]
        return sorted(messages, key=lambda it: float(it["Timestamp"]))

    control.add("GET", "/_local/emails", emails)
    control.add_page(
        "/_local/mailbox", lambda query: mailbox.render(emails(query), query.get("to", ""))
    )


def _raw_action(original: Callable[..., str | None]) -> Callable[..., str | None]:
    def action(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any
    ) -> str | None:
        if service == "ses" and _raw_data(method, path, body) is not None:
            return "ses:SendRawEmail"
        return original(service, method, path, headers, body, query)

    return action


def _raw_data(method: str, path: str, body: bytes) -> str | None:
    """Return the base64 text of a raw email, or None for other requests."""
    if (method, path.rstrip("/")) != ("POST", _PATH):
        return None
    try:
        document = json.loads(body)
        raw = document["Content"]["Raw"]["Data"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(raw)


def _parsed(data: str) -> tuple[EmailMessage | None, str]:
    """Return the message, or None with the reason why SES refuses it."""
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None, "The raw message isn't base64."
    if b"\r\n\r\n" not in content and b"\n\n" not in content:
        return None, "The message has no header and body, separated by one blank line."
    if any(len(line) > _MAX_LINE for line in content.splitlines()):
        return None, f"A line of the message has over {_MAX_LINE} characters."
    message = message_from_bytes(content, _class=EmailMessage, policy=SMTP)
    if not message["From"]:
        return None, "Missing required header 'From'."
    return message, ""


def _parts(message: EmailMessage) -> dict[str, Any]:
    """Return the text and the further parts of a message, as MiniStack's record keeps them."""
    body = message.get_body(("plain",))
    further = [
        {
            "ContentType": part.get_content_type(),
            "Parameters": dict(part["Content-Type"].params),
            "FileName": part.get_filename() or "",
            "Data": base64.b64encode(_content(part)).decode(),
        }
        for part in message.walk()
        if not part.is_multipart() and part is not body
    ]
    text = body.get_content() if isinstance(body, EmailMessage) else ""
    return {"BodyText": text.replace("\r\n", "\n"), "Attachments": further}


def _content(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
