"""The outcome of an invocation, and how many records of the batch it completes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record

Kind = Literal["returned", "function_error", "not_invoked"]

#: The number of leading records of a batch that succeeded; None if all succeeded.
type SucceededCount = int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one invocation, by `kind`.

    `returned`: the function returned `body` (JSON text). `function_error`: it raised, timed out or
    crashed (`error` as in X-Amz-Function-Error). `not_invoked`: Lambda throttled the call or
    returned an error without invoking the function.
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
    """Return how many leading records of the batch succeeded; 0 is a complete failure.

    The rules are those of services-kinesis-batchfailurereporting and
    services-ddb-batchfailurereporting. Comments mark the cases that neither page documents.
    """
    if outcome.kind != "returned":
        return 0
    try:
        body = json.loads(outcome.body or b"null")
    except ValueError:
        # Not documented for streams. services-sqs-errorhandling lists "An invalid JSON response" as
        # a complete failure.
        return 0 if config.report_batch_item_failures or config.tumbling_window_s else None
    # "If the response does not contain a state property, Lambda considers this a failed
    # invocation." (services-kinesis-windows)
    if config.tumbling_window_s and not (isinstance(body, dict) and "state" in body):
        return 0
    # "Even when your function code returns partial batch failure responses, these responses will
    # not be processed by Lambda unless the ReportBatchItemFailures feature is explicitly turned on"
    if not config.report_batch_item_failures:
        return None
    return _count_before_failures(records, body)


def _count_before_failures(records: Sequence[Record], body: Any) -> SucceededCount:
    # "Lambda treats a batch as a complete success if you return any of the following: … An empty
    # EventResponse; A null EventResponse" (observed on AWS also for an empty string or list)
    if body in (None, "", [], {}):
        return None
    if not isinstance(body, dict):
        return 0  # not documented: not an EventResponse, so that no record succeeded
    failures = body.get("batchItemFailures")
    # "… An empty batchItemFailure list; A null batchItemFailure list"
    if failures is None or failures == []:
        return None
    if not isinstance(failures, list):
        return 0  # not documented: see above
    index = {record.sequence: position for position, record in enumerate(records)}
    positions = []
    for failure in failures:
        # "Lambda treats a batch as a complete failure if you return any of the following: An empty
        # string itemIdentifier; A null itemIdentifier; An itemIdentifier with a bad key name"
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        # Not documented: AWS treats an identifier that isn't in the batch as a complete failure.
        if not isinstance(identifier, str) or identifier not in index:
            return 0
        positions.append(index[identifier])
    # "If the batchItemFailures array contains multiple items, Lambda uses the record with the
    # lowest sequence number as the checkpoint. Lambda then retries all records starting from that
    # checkpoint."
    return min(positions)
