"""The rules of a batch: how it is cut, when it is too old, and what follows a failure.

Pure: batches and answers in, decisions out. The poller (`service.py`) and the fault simulator
(`simulator.py`) both act on what stands here, so that there is one statement of the rules.
Page names are those of the AWS Lambda developer guide.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import ENVELOPE_CLOSE, ENVELOPE_OPEN, Record
from aws_emulator.event_sources.responses import Outcome, count_succeeded

#: "as long as the total size of the events doesn't exceed the payload limit for synchronous
#: invocation (6 MB)" (with-kinesis); 6 MB in gettingstarted-limits is 6 MiB.
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
#: The longest wait between two tries and the first one, in seconds. AWS gives no figures; these
#: keep a laptop's run short.
MIN_BACKOFF_S, MAX_BACKOFF_S = 0.1, 10.0

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are invoked together.

    `retries` is the used part of the retry quota; `invocations` how often they reached the
    function (the document's approximateInvokeCount); `refused` how often in a row they did not;
    `last` the latest answer.
    """

    records: tuple[Record, ...]
    retries: int = 0
    invocations: int = 0
    throttles: int = 0
    last: Outcome | None = None


@dataclass(frozen=True, slots=True)
class DiscardedBatch:
    """A batch that is given up, on its way to the on-failure destination."""

    batch: Batch
    condition: Condition


@dataclass(frozen=True, slots=True)
class Decision:
    """What one answer means: records that are done, and what is next, in this order."""

    done: tuple[Record, ...]
    next: tuple[Batch | DiscardedBatch, ...] = ()
    wait_s: float = 0.0


def cut_batch(pending: Iterable[Record], batch_size: int, reserve: int = 0) -> int:
    """How many of the first `pending` records make one batch; `reserve` bytes stand beside them.

    A single record that is over the limit goes alone: there is no smaller batch.
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
    """Part a batch, before it is (re)sent, from its records that are too old."""
    if config.max_record_age_s is None:
        return None, batch
    old = 0
    for record in batch.records:
        # with-kinesis: "The maximum age of a record that Lambda sends to your function": one that
        # is exactly so old is still sent. Records arrive in order, so the old ones come first.
        if now - record.arrived <= config.max_record_age_s:
            break
        old += 1
    if not old:
        return None, batch
    gone = DiscardedBatch(_part(batch, batch.records[:old]), "RecordAgeExceeded")
    rest = _part(batch, batch.records[old:]) if old < len(batch.records) else None
    return gone, rest


def decide_next(
    config: EventSourceMapping, batch: Batch, outcome: Outcome, rng: random.Random | None = None
) -> Decision:
    """What follows the answer to an invocation of `batch`."""
    # with-kinesis, of the retry attempts: "This doesn't apply to service errors or throttles where
    # the batch didn't reach the function." And: "If Lambda throttles the function or returns an
    # error without invoking the function, Lambda retries until the records expire or exceed the
    # maximum age that you configure on the event source mapping."
    if outcome.kind == "not_invoked":
        throttles = replace(batch, throttles=batch.throttles + 1)
        return Decision((), (throttles,), backoff(throttles.throttles, rng))
    done = count_succeeded(config, batch.records, outcome)
    # "by default Lambda checkpoints to the highest sequence number of a batch only when the batch
    # is a complete success" (services-kinesis-batchfailurereporting)
    if done is None:
        return Decision(batch.records)
    passed, left = batch.records[:done], batch.records[done:]
    tried = Batch(left, batch.retries, batch.invocations + 1, last=outcome)
    if config.bisect_batch and (halves := _bisect(tried, partial=done > 0)):
        return Decision(passed, halves)
    # "Lambda retries until the records in the batch expire, exceed the maximum age, or reach the
    # configured retry quota" (with-kinesis). The page does not say that progress renews the quota.
    if config.max_retry_attempts is not None and tried.retries >= config.max_retry_attempts:
        return Decision(passed, (DiscardedBatch(tried, "RetryAttemptsExhausted"),))
    again = replace(tried, retries=tried.retries + 1)
    return Decision(passed, (again,), backoff(again.retries, rng))


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
        # keep what their batch had used.
        return _part(batch, batch.records[:half]), _part(batch, batch.records[half:])
    return ()


def backoff(tries: int, rng: random.Random | None = None) -> float:
    """Seconds after the try number `tries`: exponential, with jitter where `rng` is given."""
    wait: float = min(MIN_BACKOFF_S * 2 ** min(tries - 1, 16), MAX_BACKOFF_S)
    return wait * rng.uniform(0.5, 1.0) if rng else wait


def _part(batch: Batch, records: Sequence[Record]) -> Batch:
    return replace(batch, records=tuple(records))
