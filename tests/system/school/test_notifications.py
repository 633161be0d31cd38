"""Each student gets one email under any failure of the notifier, with one documented exception."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from tests.support.waiting import wait_until
from tests.system.school.school_client import SENT, TABLE, SchoolClient, unique_email
from tools.stack import client

pytestmark = pytest.mark.integration

NOTIFIER: Final = "meridian-local-notify"
#: NotifyFunction's Timeout: a killed invocation locks its idempotency record for this time.
FUNCTION_TIMEOUT_S: Final = 20


def mapping_uuid(school: SchoolClient) -> str:
    """Return the UUID of the notifier's event source mapping."""
    functions = client("lambda", school.running.target)
    event_source_mappings = functions.list_event_source_mappings(FunctionName=NOTIFIER)[
        "EventSourceMappings"
    ]
    uuid_: str = event_source_mappings[0]["UUID"]
    return uuid_


def send_again(school: SchoolClient, account: str, detail_type: str = "AccountCreated") -> None:
    """Send an account's message again, with a new id to pass the queue's deduplication."""
    body = {"accountId": account, "kind": detail_type, "outboxId": f"{account}/{detail_type}"}
    school.sqs.send_message(
        QueueUrl=school.queue_url("notifications.fifo"),
        MessageBody=json.dumps(body, sort_keys=True),
        MessageGroupId="emails",
        MessageDeduplicationId=uuid.uuid4().hex,
    )


def wait_until_empty(school: SchoolClient) -> None:
    """Wait until the notifications queue is empty."""
    url = school.queue_url("notifications.fifo")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def look() -> bool | None:
        attributes = school.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)[
            "Attributes"
        ]
        return True if all(attributes[name] == "0" for name in names) else None

    wait_until(look, "an empty queue")


def test_repeated_message_sends_one_email(school: SchoolClient) -> None:
    email = unique_email()
    request = school.request_account(email)
    assert len(school.wait_for_emails(email)) == 1
    for _ in range(5):
        send_again(school, school.account_of(request))
    wait_until_empty(school)
    assert len(school.emails(email)) == 1


def test_repeated_event_sends_one_email(school: SchoolClient) -> None:
    email = unique_email()
    account = school.account_of(school.request_account(email))
    assert len(school.wait_for_emails(email)) == 1
    detail = {
        "accountId": account,
        "kind": "AccountCreated",
        "outboxId": f"{account}/AccountCreated",
    }
    entry = {
        "EventBusName": "meridian-local",
        "Source": "meridian.accounts",
        "DetailType": "AccountCreated",
        "Detail": json.dumps(detail, sort_keys=True),
    }
    assert school.events.put_events(Entries=[entry, entry])["FailedEntryCount"] == 0
    time.sleep(1)
    wait_until_empty(school)
    assert len(school.emails(email)) == 1


def test_paused_notifier_sends_every_email_later(school: SchoolClient) -> None:
    functions = client("lambda", school.running.target)
    functions.update_event_source_mapping(UUID=mapping_uuid(school), Enabled=False)
    try:
        emails = [unique_email() for _ in range(4)]
        for request in [school.request_account(email) for email in emails]:
            assert school.wait_for_outcome(request)["status"] == "created"
        time.sleep(2)
        assert [len(school.emails(email)) for email in emails] == [0, 0, 0, 0]
    finally:
        functions.update_event_source_mapping(UUID=mapping_uuid(school), Enabled=True)
    assert [len(school.wait_for_emails(email)) for email in emails] == [1, 1, 1, 1]


@contextmanager
def visibility_timeout(school: SchoolClient, seconds: int) -> Iterator[None]:
    """Shorten the queue's visibility timeout of two minutes."""
    url = school.queue_url("notifications.fifo")
    names = ["VisibilityTimeout"]
    usual = school.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    school.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
    try:
        yield
    finally:
        school.sqs.set_queue_attributes(QueueUrl=url, Attributes=usual)


def test_kill_between_send_and_record_sends_one_extra_email(school: SchoolClient) -> None:
    """The exception to the guarantee in notify.py.

    The notifier is killed while it can't record the sent email. Its record stays INPROGRESS until
    the invocation would have timed out; then SQS delivers the message again.
    """
    email = unique_email()
    with visibility_timeout(school, FUNCTION_TIMEOUT_S + 1):
        with school.fault(service="dynamodb", operation="UpdateItem", kind="refused"):
            account = school.account_of(school.request_account(email))
            wait_until(lambda: school.emails(email), "the email")
            assert school.kill_function("stepfunctions.notify.lambda_handler") >= 1
        assert len(school.wait_for_emails(email, 2)) == 2
    send_again(school, account)
    wait_until_empty(school)
    assert len(school.emails(email)) == 2


def test_idempotency_table_contains_no_personal_data(school: SchoolClient) -> None:
    email = unique_email()
    school.request_account(email, "Canaryname Canaryson")
    school.wait_for_emails(email)
    assert "Canaryname" not in json.dumps(school.dynamodb.scan(TableName=SENT)["Items"])
    assert email not in json.dumps(school.dynamodb.scan(TableName=SENT)["Items"])


def test_idempotency_keys_keep_their_prefix(school: SchoolClient) -> None:
    """Records of earlier releases stay valid: a new prefix would send their emails again."""
    email = unique_email()
    school.request_account(email)
    school.wait_for_emails(email)
    keys = {item["id"]["S"] for item in school.dynamodb.scan(TableName=SENT)["Items"]}
    prefix = f"{NOTIFIER}.stepfunctions.notify._once.<locals>.by_document#"
    assert {key for key in keys if not key.startswith(prefix)} == set()


def test_invalid_message_does_not_block_others(school: SchoolClient) -> None:
    school.sqs.send_message(
        QueueUrl=school.queue_url("notifications.fifo"),
        MessageBody="not JSON",
        MessageGroupId="emails",
        MessageDeduplicationId=uuid.uuid4().hex,
    )
    email = unique_email()
    school.request_account(email)
    assert len(school.wait_for_emails(email)) == 1
    assert wait_until(
        lambda: school.drain("notifications-dead-letters.fifo") or None,
        "a message in the dead-letter queue",
    ) == ["not JSON"]


def test_withdrawn_account_gets_no_email(school: SchoolClient) -> None:
    account = uuid.uuid4().hex
    school.dynamodb.put_item(
        TableName=TABLE,
        Item={
            "pk": {"S": f"ACCOUNT#{account}"},
            "sk": {"S": "ACCOUNT"},
            "status": {"S": "withdrawn"},
        },
    )
    before = len(school.emails())
    send_again(school, account)
    wait_until_empty(school)
    assert len(school.emails()) == before


def test_address_that_bounced_gets_no_further_email(school: SchoolClient) -> None:
    """The mailbox simulator of Amazon SES returns emails to this address."""
    email = f"bounce+{uuid.uuid4().hex[:12]}@simulator.amazonses.com"
    account = school.account_of(school.request_account(email))
    school.wait_for_emails(email)
    item = wait_until(
        lambda: next(
            (it for it in school.items() if it["pk"]["S"].startswith("SUPPRESSED#")), None
        ),
        "the suppressed address",
        30,
    )
    assert item["reason"] == {"S": "Bounce"}
    assert email not in json.dumps(item)
    # The school has an account for the address; another kind of email has another outbox id.
    send_again(school, account, "WelcomeBack")
    send_again(school, account, "AccountCreated")
    wait_until_empty(school)
    assert len(school.emails(email)) == 1
