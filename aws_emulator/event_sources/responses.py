"""What an invocation came back with, and what that says about its batch."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record

Kind = Literal["returned", "function_error", "not_invoked"]

#: The verdict on a batch: how many of its first records are done. None is all of them.
type SucceededCount = int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one invocation.

    `returned`: the function answered with `body` (its JSON text). `function_error`: it raised,
    timed out or died (`error` as in X-Amz-Function-Error). `not_invoked`: throttled, or the
    function could not be reached; the batch never got there.
    """

    kind: Kind
    body: bytes = b"null"
    error: str | None = None
    request_id: str = ""
    status: int = 200
    version: str = "$LATEST"


def count_succeeded(
    config: EventSourceMapping, records: Sequence[Record], outcome: Outcome
) -> SucceededCount:
    """How many leading records of the batch the answer lets the checkpoint pass.

    0 is a complete failure. The rules are those of services-kinesis-batchfailurereporting and of
    services-ddb-batchfailurereporting; what neither page says is marked.
    """
    if outcome.kind != "returned":
        return 0
    try:
        body = json.loads(outcome.body or b"null")
    except ValueError:
        # Not on the page. An answer that is no JSON names no record; services-sqs-errorhandling
        # lists "An invalid JSON response" as a complete failure.
        return 0 if config.report_batch_item_failures or config.tumbling_window_s else None
    # "If the response does not contain a state property, Lambda considers this a failed
    # invocation." (services-kinesis-windows)
    if config.tumbling_window_s and not (isinstance(body, dict) and "state" in body):
        return 0
    # "Even when your function code returns partial batch failure responses, these responses will
    # not be processed by Lambda unless the ReportBatchItemFailures feature is explicitly turned on"
    if not config.report_batch_item_failures:
        return None
    return _reported(records, body)


def _reported(records: Sequence[Record], body: Any) -> SucceededCount:
    # "Lambda treats a batch as a complete success if you return any of the following: … An empty
    # EventResponse; A null EventResponse" (seen on AWS also for an empty string and an empty list)
    if body in (None, "", [], {}):
        return None
    if not isinstance(body, dict):
        return 0  # not on the page: no EventResponse, so it clears no record
    failures = body.get("batchItemFailures")
    # "… An empty batchItemFailure list; A null batchItemFailure list"
    if failures is None or failures == []:
        return None
    if not isinstance(failures, list):
        return 0  # not on the page: as above
    index = {record.sequence: place for place, record in enumerate(records)}
    places = []
    for failure in failures:
        # "Lambda treats a batch as a complete failure if you return any of the following: An empty
        # string itemIdentifier; A null itemIdentifier; An itemIdentifier with a bad key name"
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        # An identifier that is not in the batch: not on the page; AWS treats it as a failure.
        if not isinstance(identifier, str) or identifier not in index:
            return 0
        places.append(index[identifier])
    # "If the batchItemFailures array contains multiple items, Lambda uses the record with the
    # lowest sequence number as the checkpoint. Lambda then retries all records starting from that
    # checkpoint."
    return min(places)
