"""The adapter of the queue `parked`: what it keeps of a message, and what it starts with."""

import json
from typing import Any

import pytest

from office.parked import Progress
from office.parked_queue import ParkedQueue
from tests.support.paths import ROOT
from tests.unit.stacks.test_templates import resources

ID = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
BODY = {"requestId": "r", "accountId": "a", "correlationId": "c", "error": "E", "undone": "nothing"}


class FakeServices:
    """A queue with one message, a table, and a state machine."""

    def __init__(self, body: dict[str, Any]) -> None:
        attributes = {"SentTimestamp": "1790000000000"}
        message = {"Attributes": attributes, "MessageId": ID, "ReceiptHandle": "h"}
        self.messages = [{**message, "Body": json.dumps(body)}]
        self.items: list[dict[str, Any]] = []
        self.inputs: list[Any] = []
        self.requested = set[str]()

    def receive_message(self, **_: object) -> dict[str, Any]:
        taken, self.messages = self.messages, []
        return {"Messages": taken}

    def delete_message(self, **_: object) -> None: ...

    def put_item(self, **request: Any) -> None:
        self.items.append(request["Item"])

    def query(self, **_: object) -> dict[str, Any]:
        return {"Items": self.items}

    def get_item(self, **request: Any) -> dict[str, Any]:
        """Return an item of the account `a` with the requested attributes."""
        stored = {
            "ACCOUNT": {"status": {"S": "pending"}, "email_key": {"S": "k"}},
            "PERSON": {"email": {"S": "a@b.c"}, "name": {"S": "Anna"}},
        }
        assert request["Key"]["pk"] == {"S": "ACCOUNT#a"}
        names = request["ProjectionExpression"].replace("#status", "status").split(", ")
        self.requested.update(names)
        item = stored[request["Key"]["sk"]["S"]] | request["Key"]
        return {"Item": {name: value for name, value in item.items() if name in names}}

    def start_execution(self, **request: Any) -> None:
        self.inputs.append(json.loads(request["input"]))


def queue_of(services: FakeServices) -> ParkedQueue:
    return ParkedQueue(
        services,
        services,
        services,
        queue_url="url",
        office="office",
        accounts="accounts",
        machine="machine",
        region="us-east-1",
    )


def test_progress_reads_the_address_as_the_role_permits() -> None:
    services = FakeServices(BODY)
    queue = queue_of(services)
    queue.take_in()
    ((parked,), _) = queue.listed()
    assert queue.progress(parked) == Progress("pending", has_form=True, email="a@b.c")
    role = resources(ROOT / "stacks" / "school-office.yaml")["OfficeRole"]["Properties"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    (allowed,) = (it["Condition"] for it in statements if it["Sid"] == "AccountStates")
    assert services.requested <= set(allowed["ForAllValues:StringEquals"]["dynamodb:Attributes"])


@pytest.mark.parametrize(
    ("more", "trusted"), [({"trusted": True}, True), ({"trusted": False}, False), ({}, False)]
)
def test_finished_request_is_trusted_if_its_message_says_so(
    more: dict[str, bool], trusted: bool
) -> None:
    """Without `trusted`, the row of a roster could change no student who has an account."""
    services = FakeServices(BODY | more)
    queue = queue_of(services)
    queue.take_in()
    ((parked,), _) = queue.listed()
    queue.start(parked, "office-1")
    expected = {"requestId": "r", "accountId": "a", "correlationId": "c", "trusted": trusted}
    assert services.inputs == [expected]
