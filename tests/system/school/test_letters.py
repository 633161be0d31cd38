"""The student hears exactly once, whatever happens to the notifier; and where that ends."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.waiting import wait_until
from tests.system.school.world import SENT, TABLE, World, someone
from tools.stack import client

pytestmark = pytest.mark.integration

NOTIFIER = "meridian-local-notify"
#: NotifyFunction's Timeout: so long an invocation that was killed holds its message.
NOTIFIERS_TIME_S = 20


def mapping(world: World) -> str:
    functions = client("lambda", world.running.target)
    found = functions.list_event_source_mappings(FunctionName=NOTIFIER)["EventSourceMappings"]
    uuid_: str = found[0]["UUID"]
    return uuid_


def put_again(world: World, account: str, detail_type: str = "AccountCreated") -> None:
    """Deliver an account's message once more, past the queue's own five minutes."""
    body = {"accountId": account, "kind": detail_type, "outboxId": f"{account}/{detail_type}"}
    world.queues.send_message(
        QueueUrl=world.queue_url("notifications.fifo"),
        MessageBody=json.dumps(body, sort_keys=True),
        MessageGroupId="letters",
        MessageDeduplicationId=uuid.uuid4().hex,
    )


def drained(world: World) -> None:
    """Wait until the queue of the notifications is empty."""
    url = world.queue_url("notifications.fifo")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def look() -> bool | None:
        found = world.queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return True if all(found[name] == "0" for name in names) else None

    wait_until(look, "an empty queue")


def test_a_message_that_is_delivered_many_times_is_one_letter(world: World) -> None:
    email = someone()
    request = world.ask(email)
    assert len(world.heard(email)) == 1
    for _ in range(5):
        put_again(world, world.account_of(request))
    drained(world)
    assert len(world.letters(email)) == 1


def test_an_event_that_is_put_twice_is_one_letter(world: World) -> None:
    email = someone()
    account = world.account_of(world.ask(email))
    assert len(world.heard(email)) == 1
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
    assert world.bus.put_events(Entries=[entry, entry])["FailedEntryCount"] == 0
    time.sleep(1)
    drained(world)
    assert len(world.letters(email)) == 1


def test_a_notifier_that_stood_still_loses_nothing(world: World) -> None:
    functions = client("lambda", world.running.target)
    functions.update_event_source_mapping(UUID=mapping(world), Enabled=False)
    try:
        emails = [someone() for _ in range(4)]
        for request in [world.ask(email) for email in emails]:
            assert world.outcome(request)["status"] == "created"
        time.sleep(2)
        assert [len(world.letters(email)) for email in emails] == [0, 0, 0, 0]
    finally:
        functions.update_event_source_mapping(UUID=mapping(world), Enabled=True)
    assert [len(world.heard(email)) for email in emails] == [1, 1, 1, 1]


@contextmanager
def held_for(world: World, seconds: int) -> Iterator[None]:
    """A queue that gives a message again sooner than its own two minutes."""
    url = world.queue_url("notifications.fifo")
    names = ["VisibilityTimeout"]
    usual = world.queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    world.queues.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
    try:
        yield
    finally:
        world.queues.set_queue_attributes(QueueUrl=url, Attributes=usual)


def test_a_kill_between_send_and_mark_is_one_letter_more_and_not_two(world: World) -> None:
    """The guarantee that is written down in notify.py, at its edge.

    The notifier cannot write down that it has sent, and its process is killed while it tries. Its
    row stays INPROGRESS until the time of the invocation is over; then the message is taken again.
    """
    email = someone()
    with held_for(world, NOTIFIERS_TIME_S + 1):
        with world.fault(service="dynamodb", operation="UpdateItem", kind="refused"):
            account = world.account_of(world.ask(email))
            wait_until(lambda: world.letters(email), "the letter")
            assert world.kill_function("stepfunctions.notify.lambda_handler") >= 1
        assert len(world.heard(email, 2)) == 2
    put_again(world, account)
    drained(world)
    assert len(world.letters(email)) == 2


def test_what_was_sent_is_written_down_without_a_name(world: World) -> None:
    email = someone()
    world.ask(email, "Canaryname Canaryson")
    world.heard(email)
    assert "Canaryname" not in json.dumps(world.tables.scan(TableName=SENT)["Items"])
    assert email not in json.dumps(world.tables.scan(TableName=SENT)["Items"])


def test_a_message_that_nobody_can_read_holds_up_nobody(world: World) -> None:
    world.queues.send_message(
        QueueUrl=world.queue_url("notifications.fifo"),
        MessageBody="no JSON",
        MessageGroupId="letters",
        MessageDeduplicationId=uuid.uuid4().hex,
    )
    email = someone()
    world.ask(email)
    assert len(world.heard(email)) == 1
    assert wait_until(
        lambda: world.taken("notifications-dead-letters.fifo") or None, "a dead letter"
    ) == ["no JSON"]


def test_who_was_withdrawn_hears_nothing(world: World) -> None:
    account = uuid.uuid4().hex
    world.tables.put_item(
        TableName=TABLE,
        Item={
            "pk": {"S": f"ACCOUNT#{account}"},
            "sk": {"S": "ACCOUNT"},
            "status": {"S": "withdrawn"},
        },
    )
    before = len(world.letters())
    put_again(world, account)
    drained(world)
    assert len(world.letters()) == before
