"""The rules for batches: size limits, maximum record age, retries, bisecting, discards.

Pure functions: batches and outcomes in, decisions out. `ShardProcessor` applies them for the poller
and for the fault simulator. Quoted pages are those of the AWS Lambda developer guide.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import ENVELOPE_CLOSE, ENVELOPE_OPEN, Record
from aws_emulator.event_sources.responses import Outcome, count_succeeded

#: "as long as the total size of the events doesn't exceed the payload limit for synchronous
#: invocation (6 MB)" (with-kinesis); 6 MB in gettingstarted-limits is 6 MiB.
MAX_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
#: The first and the longest wait between two attempts, in seconds. AWS doesn't publish its values;
#: these keep a local run short.
MIN_BACKOFF_S: Final = 0.1
MAX_BACKOFF_S: Final = 10.0

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one invocation.

    `retries` counts against MaximumRetryAttempts. `invocations` counts the calls that reached the
    function (approximateInvokeCount in the invocation record). `throttles` counts consecutive calls
    that did not reach it. `last` is the latest outcome of a call that reached it.
    """

    records: tuple[Record, ...]
    retries: int = 0
    invocations: int = 0
    throttles: int = 0
    last: Outcome | None = None


@dataclass(frozen=True, slots=True)
class DiscardedBatch:
    """A batch to discard; its invocation record goes to the on-failure destination."""

    batch: Batch
    condition: Condition


@dataclass(frozen=True, slots=True)
class Decision:
    """The consequence of an outcome: the finished records, then the batches to process next.

    `wait_s` is the back-off before the first of them, in seconds.
    """

    done: tuple[Record, ...]
    next: tuple[Batch | DiscardedBatch, ...] = ()
    wait_s: float = 0.0


def cut_batch(pending: Iterable[Record], batch_size: int, reserve: int = 0) -> int:
    """Return how many of the first pending records fit into one batch.

    `reserve` is the size in bytes of the event's other fields. A record over the payload limit gets
    a batch to itself.
    """
    count, size = 0, len(ENVELOPE_OPEN) + len(ENVELOPE_CLOSE) + reserve
    for record in pending:
        size += len(record.text) + (1 if count else 0)
        # "until it has gathered a full batch, the batching window expires, or the batch reaches
        # the payload limit of 6 MB" (with-kinesis)
        if count == batch_size or (count and size > MAX_PAYLOAD_BYTES):
            break
        count += 1
    return count


def discard_expired(
    config: EventSourceMapping, batch: Batch, now: float
) -> tuple[DiscardedBatch | None, Batch | None]:
    """Split a batch before an attempt: the records over the maximum age, and the rest."""
    if config.max_record_age_s is None:
        return None, batch
    old = 0
    for record in batch.records:
        # with-kinesis: "The maximum age of a record that Lambda sends to your function". A record
        # of exactly the maximum age is sent. Records are in arrival order: the oldest come first.
        if now - record.arrived <= config.max_record_age_s:
            break
        old += 1
    if not old:
        return None, batch
    expired = DiscardedBatch(_part(batch, batch.records[:old]), "RecordAgeExceeded")
    rest = _part(batch, batch.records[old:]) if old < len(batch.records) else None
    return expired, rest


def decide_next(
    config: EventSourceMapping, batch: Batch, outcome: Outcome, rng: random.Random | None = None
) -> Decision:
    """Decide how to continue after an invocation of the batch: finish, retry, bisect or discard."""
    # with-kinesis, of the retry attempts: "This doesn't apply to service errors or throttles where
    # the batch didn't reach the function." And: "If Lambda throttles the function or returns an
    # error without invoking the function, Lambda retries until the records expire or exceed the
    # maximum age that you configure on the event source mapping."
    if outcome.kind == "not_invoked":
        throttles = replace(batch, throttles=batch.throttles + 1)
        return Decision((), (throttles,), backoff(throttles.throttles, rng))
    succeeded = count_succeeded(config, batch.records, outcome)
    # "by default Lambda checkpoints to the highest sequence number of a batch only when the batch
    # is a complete success" (services-kinesis-batchfailurereporting)
    if succeeded is None:
        return Decision(batch.records)
    passed, remaining = batch.records[:succeeded], batch.records[succeeded:]
    processed = Batch(remaining, batch.retries, batch.invocations + 1, last=outcome)
    if config.bisect_batch and (halves := _bisect(processed, partial=succeeded > 0)):
        return Decision(passed, halves)
    # "Lambda retries until the records in the batch expire, exceed the maximum age, or reach the
    # configured retry quota" (with-kinesis). The page does not say that progress renews the quota.
    if config.max_retry_attempts is not None and processed.retries >= config.max_retry_attempts:
        return Decision(passed, (DiscardedBatch(processed, "RetryAttemptsExhausted"),))
    retried = replace(processed, retries=processed.retries + 1)
    return Decision(passed, (retried,), backoff(retried.retries, rng))


def _bisect(batch: Batch, *, partial: bool) -> tuple[Batch, ...]:
    # "When a partial batch success response is received and both BisectBatchOnFunctionError and
    # ReportBatchItemFailures are turned on, the batch is bisected at the returned sequence number
    # and Lambda retries only the remaining records."
    if partial:
        return (batch,)
    # "If your invocation fails and BisectBatchOnFunctionError is turned on, the batch is bisected
    # regardless of your ReportBatchItemFailures setting." (services-kinesis-batchfailurereporting)
    if len(batch.records) > 1:
        half = len(batch.records) // 2
        # "Splitting a batch does not count towards the retry quota" (with-kinesis): both halves
        # keep the retry count of their batch.
        return _part(batch, batch.records[:half]), _part(batch, batch.records[half:])
    return ()


def backoff(tries: int, rng: random.Random | None = None) -> float:
    """Return the wait in seconds after attempt `tries`: exponential; `rng` adds jitter."""
    wait: float = min(MIN_BACKOFF_S * 2 ** min(tries - 1, 16), MAX_BACKOFF_S)
    return wait * rng.uniform(0.5, 1.0) if rng else wait


def _part(batch: Batch, records: Sequence[Record]) -> Batch:
    return replace(batch, records=tuple(records))
