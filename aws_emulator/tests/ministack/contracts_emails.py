"""Contracts of the patches for raw emails."""

import base64
import json
import urllib.request
from email.message import EmailMessage

import boto3
import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.running import Emulator, unique


def ses_raw_emails(emulator: Emulator) -> None:
    """A raw email needs ses:SendRawEmail and valid content, and its attachments can be read."""
    sender, recipient = (f"{unique(it)}@app.example" for it in ("sender", "recipient"))
    ses, users, name = emulator.client("sesv2"), emulator.client("iam"), unique("raw")
    for address in (sender, recipient):
        ses.create_email_identity(EmailIdentity=address)
    users.create_user(UserName=name)
    key = users.create_access_key(UserName=name)["AccessKey"]
    restricted_ses = boto3.client(
        "sesv2",
        region_name="us-east-1",
        endpoint_url=emulator.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )

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
