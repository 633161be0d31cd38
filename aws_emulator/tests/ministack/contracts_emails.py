"""Contracts of the patches for emails."""

import base64
import json
import urllib.request
from email.message import EmailMessage
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.roles import client_of_user
from aws_emulator.tests.ministack.running import Emulator, unique


def ses_raw_emails(emulator: Emulator) -> None:
    """A raw email needs ses:SendRawEmail and valid content, and its attachments can be read."""
    sender, recipient = (f"{unique(it)}@app.example" for it in ("sender", "recipient"))
    ses, users, name = emulator.client("sesv2"), emulator.client("iam"), unique("raw")
    for address in (sender, recipient):
        ses.create_email_identity(EmailIdentity=address)
    restricted_ses = client_of_user(emulator, name, "sesv2")

    def send(content: bytes) -> None:
        restricted_ses.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [recipient]},
            Content={"Raw": {"Data": content}},
        )

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, "Lesson"
    message.set_content("Zoë\n")
    message.add_alternative("BEGIN:VCALENDAR\n", subtype="calendar", params={"method": "REQUEST"})
    for action, allowed in (("ses:SendEmail", False), ("ses:SendRawEmail", True)):
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        users.put_user_policy(UserName=name, PolicyName="send", PolicyDocument=document)
        if allowed:
            send(message.as_bytes())
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                send(message.as_bytes())
    for invalid in (b"From: a@app.example", b"Subject: x\n\nx", b"From: a@b\n\n" + b"x" * 1_001):
        with pytest.raises(ClientError, match="BadRequestException"):
            send(invalid)
    with urllib.request.urlopen(f"{emulator.endpoint}/_local/emails", timeout=60) as answer:
        (email,) = (it for it in json.load(answer) if it["To"] == [recipient])
    assert (email["Subject"], email["BodyText"]) == ("Lesson", "Zoë\n")
    (calendar,) = email["Attachments"]
    assert calendar["ContentType"] == "text/calendar"
    assert calendar["Parameters"]["method"] == "REQUEST"
    assert base64.b64decode(calendar["Data"]).startswith(b"BEGIN:VCALENDAR")
    page_url = f"{emulator.endpoint}/_local/mailbox?to={recipient}"
    with urllib.request.urlopen(page_url, timeout=60) as answer:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = answer.read().decode()
    assert "1 email," in page
    assert calendar["Data"] in page


def ses_identities(emulator: Emulator) -> None:
    """A policy for one identity allows SendEmail from it; the sandbox checks the recipient too."""
    sender, other = (f"{unique('sender')}@app.example" for _ in range(2))
    account = "arn:aws:ses:us-east-1:000000000000:identity"
    ses = emulator.client("sesv2")
    for address in (sender, other):
        ses.create_email_identity(EmailIdentity=address)
    users, name = emulator.client("iam"), unique("sender")
    restricted_ses = client_of_user(emulator, name, "sesv2")

    def allow(resource: str, **condition: Any) -> None:
        allowed = {"Effect": "Allow", "Action": "ses:SendEmail", "Resource": resource, **condition}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        users.put_user_policy(UserName=name, PolicyName="one-sender", PolicyDocument=document)

    domain = f"{unique('app')}.example"
    recipient = f"user@{domain}"
    message: dict[str, Any] = {
        "Destination": {"ToAddresses": [recipient]},
        "Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
    }

    def refusal(source: str) -> str:
        with pytest.raises(ClientError) as caught:
            restricted_ses.send_email(FromEmailAddress=source, **message)
        return str(caught.value)

    region = "region US-EAST-1"
    assert not ses.get_account()["ProductionAccessEnabled"]
    allow(f"{account}/{sender}")
    assert f"failed the check in {region}: {recipient}" in refusal(sender)
    # A verified recipient needs a permission for its identity: the domain, or the address.
    for identity in (domain, recipient):
        allow(f"{account}/{sender}")
        ses.create_email_identity(EmailIdentity=identity)
        message_of_denial = refusal(sender)
        assert "AccessDenied" in message_of_denial
        assert f"identity/{identity}" in message_of_denial
        allow(f"{account}/*", Condition={"StringEquals": {"ses:FromAddress": sender}})
        assert restricted_ses.send_email(FromEmailAddress=sender, **message)["MessageId"]
    assert "AccessDenied" in refusal(other)
    # Outside the sandbox, the sender's identity is enough.
    allow(f"{account}/{sender}")
    details = {"MailType": "TRANSACTIONAL", "WebsiteURL": "https://app.example"}
    ses.put_account_details(ProductionAccessEnabled=True, **details)
    try:
        assert restricted_ses.send_email(FromEmailAddress=sender, **message)["MessageId"]
    finally:
        ses.put_account_details(ProductionAccessEnabled=False, **details)
