"""The inbox: messages become items once, in pages, with marks that a second delivery keeps."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from office.errors import UnknownFeedbackError
from office.feedback import PAGE, Inbox
from office.intake import BATCH, MAX_BATCHES, Intake
from tests import strategies

NOW_MS = 1_790_000_000_000


@dataclass
class FakeTable:
    """DynamoDB, as far as the inbox uses it."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put_item(self, Item: dict[str, Any], **_more: Any) -> None:  # noqa: N803 - AWS's name
        if Item["sk"]["S"] in self.items:
            raise failed("ConditionalCheckFailedException")
        self.items[Item["sk"]["S"]] = Item

    def query(self, **request: Any) -> dict[str, Any]:
        before = request.get("ExclusiveStartKey", {"sk": {"S": "~"}})["sk"]["S"]
        keys = sorted((it for it in self.items if it < before), reverse=True)
        page = keys[: request["Limit"]]
        result: dict[str, Any] = {"Items": [self.items[it] for it in page]}
        if len(keys) > len(page):
            result["LastEvaluatedKey"] = {"sk": {"S": page[-1]}}
        return result

    def update_item(self, Key: dict[str, Any], **request: Any) -> dict[str, Any]:  # noqa: N803
        item = self.items.get(Key["sk"]["S"])
        if item is None:
            raise failed("ConditionalCheckFailedException")
        values = request["ExpressionAttributeValues"]
        item |= {"mark": values[":mark"], "by_email": values[":by"]}
        return {"Attributes": item}


@dataclass
class FakeQueue:
    """A queue whose deletions can be lost, and which can be unreachable."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    loses_deletions: bool = False
    is_lost: bool = False

    def send(self, text: str, number: int, **more: str) -> None:
        self.messages.append(
            {
                "MessageId": str(uuid.UUID(int=number)),
                "ReceiptHandle": str(number),
                "Body": json.dumps({"message": text} | more),
                "Attributes": {"SentTimestamp": str(NOW_MS + number)},
                "MessageAttributes": {"student": {"StringValue": "s1"}},
            }
        )

    def receive_message(self, MaxNumberOfMessages: int, **_more: Any) -> Any:  # noqa: N803
        if self.is_lost:
            raise EndpointConnectionError(endpoint_url="sqs")
        return {"Messages": self.messages[:MaxNumberOfMessages]} if self.messages else {}

    def delete_message(self, ReceiptHandle: str, **_more: Any) -> None:  # noqa: N803
        if not self.loses_deletions:
            self.messages = [it for it in self.messages if it["ReceiptHandle"] != ReceiptHandle]


def failed(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "operation")


def inbox_of(table: FakeTable, **queues: FakeQueue) -> Inbox:
    intakes = {name: (Intake(it, table, "office"), name) for name, it in queues.items()}
    return Inbox(table, "office", intakes, lambda: NOW_MS)


def pages(inbox: Inbox) -> list[dict[str, Any]]:
    listed, after = [], ""
    while True:
        page = inbox.page(after)
        assert len(page["feedback"]) <= PAGE
        listed += page["feedback"]
        if "next" not in page:
            return listed
        after = page["next"]


@given(st.lists(strategies.api_texts.filter(bool), max_size=60))
def test_each_message_is_listed_once_newest_first(texts: list[str]) -> None:
    queue, table = FakeQueue(), FakeTable()
    for number, text in enumerate(texts):
        queue.send(text, number)
    inbox = inbox_of(table, home=queue)
    inbox.page("")
    listed = pages(inbox)
    assert [it["message"] for it in listed] == texts[::-1]
    assert {(it["studentId"], it["mark"], it["receivedIn"]) for it in listed} <= {
        ("s1", "new", "home")
    }
    assert queue.messages == []


def test_second_delivery_keeps_the_mark() -> None:
    queue, table = FakeQueue(loses_deletions=True), FakeTable()
    queue.send("hello", 1, topic="lesson")
    inbox = inbox_of(table, home=queue)
    (entry,) = inbox.page("")["feedback"]
    marked = inbox.mark(entry["feedbackId"], "answered", "office@example.com")
    assert (marked["mark"], marked["by"], marked["topic"]) == (
        "answered",
        "office@example.com",
        "lesson",
    )
    (again,) = inbox.page("")["feedback"]
    assert again == marked


def test_lost_region_is_named_and_hides_no_other() -> None:
    home, other = FakeQueue(), FakeQueue(is_lost=True)
    home.send("hello", 1)
    page = inbox_of(FakeTable(), london=home, mumbai=other).page("")
    assert ([it["message"] for it in page["feedback"]], page["missing"]) == (["hello"], ["mumbai"])


def test_message_in_another_format_stays_in_the_queue_and_hides_no_other() -> None:
    queue, table = FakeQueue(), FakeTable()
    queue.send("first", 1)
    queue.send("second", 2)
    queue.messages[0]["Body"] = "not JSON"
    page = inbox_of(table, home=queue).page("")
    assert [it["message"] for it in page["feedback"]] == ["second"]
    assert [it["Body"] for it in queue.messages] == ["not JSON"]


def test_one_page_moves_a_bounded_number_of_messages() -> None:
    queue, table = FakeQueue(), FakeTable()
    for number in range(BATCH * MAX_BATCHES + 5):
        queue.send("hello", number)
    inbox_of(table, home=queue).page("")
    assert (len(table.items), len(queue.messages)) == (BATCH * MAX_BATCHES, 5)


def test_unknown_feedback_is_refused() -> None:
    with pytest.raises(UnknownFeedbackError):
        inbox_of(FakeTable()).mark("unknown", "read", "office@example.com")
