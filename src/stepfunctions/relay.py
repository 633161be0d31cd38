"""From the outbox to the bus: the table's stream becomes events, in order, none left out.

EventBridge Pipes could do this without a function. It is one, because partial failures, bisection
and the destination of what fails follow the rules of an event source mapping, which are tested.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from stepfunctions import aws, outbox
from stepfunctions.settings import settings

SOURCE = "meridian.accounts"
#: EventBridge, "PutEvents": at most 10 entries in a request.
ENTRIES = 10


@cache
def client() -> Any:
    """The client of this process, made at its first use."""
    return aws.client("events")


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Take a batch of the stream; return the first record that is not on the bus, if there is one.

    Lambda sends the batch again from there on (AWS, "Reporting batch item failures", streams): a
    message can reach the bus twice, and none is passed over.
    """
    records = event["Records"]
    done = 0
    while done < len(records):
        batch = records[done : done + ENTRIES]
        taken = publish(batch)
        done += taken
        if taken < len(batch):
            failed = records[done]["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": failed}]}
    return {"batchItemFailures": []}


def publish(records: Sequence[Mapping[str, Any]]) -> int:
    """Put up to ten records on the bus; return how many from the front are on it.

    Raises TransientError and RefusedError where EventBridge takes none, OutboxError for a record
    that is no row of the outbox.
    """
    messages = [outbox.from_stream(record) for record in records]
    bus = settings().need("bus")
    with aws.answers("EventBridge"):
        answer = client().put_events(
            Entries=[
                {
                    "EventBusName": bus,
                    "Source": SOURCE,
                    "DetailType": message.kind,
                    # Sorted: the queue knows a repetition by the digest of this text.
                    "Detail": json.dumps(message.document(), sort_keys=True),
                }
                for message in messages
            ]
        )
    # PutEvents answers 200 where it took a part: each entry says for itself.
    refused = [number for number, it in enumerate(answer["Entries"]) if "EventId" not in it]
    return refused[0] if refused else len(messages)
