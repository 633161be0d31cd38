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
#: Records of one request: a record has up to three messages.
BATCH_RECORDS: Final = 3


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
        batch = records[published : published + BATCH_RECORDS]
        accepted = publish(batch)
        published += accepted
        if accepted < len(batch):
            failed = records[published]["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": failed}]}
    return {"batchItemFailures": []}


def publish(records: Sequence[Mapping[str, Any]]) -> int:
    """Publish the messages of some records; return how many EventBridge accepted in full.

    Counting ends at the first record with a failed message.

    Raises:
        OutboxError: A record isn't an outbox item.
        TransientError: The whole call failed temporarily.
        PermanentError: EventBridge rejected the whole call.
        SettingsError: EVENT_BUS_NAME is missing.
    """
    by_record = [outbox.from_stream(record) for record in records]
    messages = [message for of_record in by_record for message in of_record]
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
    entries = answer["Entries"]
    for message, entry in zip(messages, entries, strict=True):
        if "EventId" in entry:
            ids = {"outbox_id": message.outbox_id, "event_id": entry["EventId"]}
            function_log.info("published", message.correlation_id, **ids)
    accepted = first = 0
    for of_record in by_record:
        results = entries[first : first + len(of_record)]
        if not all("EventId" in entry for entry in results):
            break
        accepted, first = accepted + 1, first + len(of_record)
    return accepted
