"""RelayFunction: publish outbox items from the DynamoDB stream to EventBridge, in order.

A function does this instead of EventBridge Pipes because its partial failures, bisection and
on-failure destination follow the rules of an event source mapping, which the tests cover.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from stepfunctions import aws, function_log, outbox
from stepfunctions.settings import settings

SOURCE: Final = "meridian.accounts"
#: EventBridge, "PutEvents": at most 10 entries in a request.
MAX_ENTRIES: Final = 10


@cache
def client() -> Any:
    """Return the process's EventBridge client, created on the first call."""
    return aws.client("events")


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Publish a stream batch; return the first record that EventBridge didn't accept, if any.

    Lambda retries from that record on (AWS, "Reporting batch item failures", streams): EventBridge
    can receive an event twice, but the relay skips none.

    Raises:
        OutboxError: A record isn't an outbox item.
        TransientError: EventBridge failed temporarily.
        PermanentError: EventBridge rejected the request.
        SettingsError: EVENT_BUS_NAME is missing.
    """
    records = event["Records"]
    published = 0
    while published < len(records):
        batch = records[published : published + MAX_ENTRIES]
        accepted = publish(batch)
        published += accepted
        if accepted < len(batch):
            failed = records[published]["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": failed}]}
    return {"batchItemFailures": []}


def publish(records: Sequence[Mapping[str, Any]]) -> int:
    """Publish up to ten records; return how many EventBridge accepted before the first failure.

    Raises:
        OutboxError: A record isn't an outbox item.
        TransientError: The whole call failed temporarily.
        PermanentError: EventBridge rejected the whole call.
        SettingsError: EVENT_BUS_NAME is missing.
    """
    messages = [outbox.from_stream(record) for record in records]
    bus = settings().require("event_bus_name")
    with aws.translate_errors("EventBridge"):
        answer = client().put_events(
            Entries=[
                {
                    "EventBusName": bus,
                    "Source": SOURCE,
                    "DetailType": message.kind,
                    # Sorted: SQS detects a repetition by the digest of this text.
                    "Detail": json.dumps(message.document(), sort_keys=True),
                }
                for message in messages
            ]
        )
    # PutEvents returns 200 even if some entries failed: each entry has its result.
    failed = [index for index, entry in enumerate(answer["Entries"]) if "EventId" not in entry]
    accepted = failed[0] if failed else len(messages)
    for message, entry in zip(messages[:accepted], answer["Entries"], strict=False):
        ids = {"outbox_id": message.outbox_id, "event_id": entry["EventId"]}
        function_log.info("published", message.correlation_id, **ids)
    return accepted
