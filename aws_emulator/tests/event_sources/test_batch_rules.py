"""Tests of batch size, record age, retries and bisecting, each at its limit and one past it."""

import json
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_emulator.event_sources.batch_rules import (
    MAX_BACKOFF_S,
    MAX_PAYLOAD_BYTES,
    Batch,
    DiscardedBatch,
    backoff,
    cut_batch,
    decide_next,
    discard_expired,
)
from aws_emulator.event_sources.mapping import EventSourceMapping
from aws_emulator.event_sources.records import Record, payload
from aws_emulator.event_sources.responses import Outcome
from aws_emulator.simulator.samples import kinesis_records, mapping

FAILED: Final = Outcome("function_error", error="Unhandled", request_id="r")
DONE: Final = Outcome("returned")
REFUSED: Final = Outcome("not_invoked", status=429)


def batch(count: int, retries: int = 0, invocations: int = 0) -> Batch:
    return Batch(tuple(kinesis_records([b"x"] * count)), retries, invocations)


def reported(*records: Record) -> Outcome:
    failures = [{"itemIdentifier": record.sequence} for record in records]
    return Outcome("returned", body=json.dumps({"batchItemFailures": failures}).encode())


def sized(total: int, count: int = 3) -> list[Record]:
    """Return records whose event has exactly `total` bytes."""
    records = kinesis_records([b"x"] * count)
    missing = total - len(payload(records).encode())
    last = records[-1]
    return [*records[:-1], replace(last, text=last.text[:-1] + " " * missing + "}")]


def test_batch_has_at_most_batch_size_records() -> None:
    assert cut_batch(kinesis_records([b"x"] * 7), 7) == 7
    assert cut_batch(kinesis_records([b"x"] * 8), 7) == 7
    assert cut_batch([], 7) == 0


def test_batch_holds_event_of_6_mb_but_not_one_byte_more() -> None:
    exact = sized(MAX_PAYLOAD_BYTES)
    assert len(payload(exact).encode()) == MAX_PAYLOAD_BYTES
    assert cut_batch(exact, 100) == 3
    assert cut_batch(sized(MAX_PAYLOAD_BYTES + 1), 100) == 2


def test_record_over_payload_limit_gets_its_own_batch() -> None:
    (large,) = sized(MAX_PAYLOAD_BYTES + 1, count=1)
    assert cut_batch([large, *kinesis_records([b"x"])], 100) == 1


@given(sizes=st.lists(st.integers(1, 3_000_000), min_size=1, max_size=12), most=st.integers(1, 9))
def test_batch_is_as_large_as_its_limits_allow(sizes: list[int], most: int) -> None:
    records = [Record(str(i), i, 0.0, "k", "x" * size) for i, size in enumerate(sizes)]
    count = cut_batch(records, most)
    assert 1 <= count <= most
    assert count == 1 or len(payload(records[:count])) <= MAX_PAYLOAD_BYTES
    if count < min(most, len(records)):
        assert len(payload(records[: count + 1])) > MAX_PAYLOAD_BYTES


def test_record_is_sent_at_maximum_age_and_discarded_after_it() -> None:
    config = mapping({"MaximumRecordAgeInSeconds": 60})
    one = batch(1)
    arrived = one.records[0].arrived
    assert discard_expired(config, one, arrived + 60) == (None, one)
    gone, rest = discard_expired(config, one, arrived + 60.001)
    assert gone == DiscardedBatch(one, "RecordAgeExceeded")
    assert rest is None


def test_only_expired_records_of_batch_are_discarded() -> None:
    config = mapping({"MaximumRecordAgeInSeconds": 60})
    three = batch(3, retries=2, invocations=5)
    gone, rest = discard_expired(config, three, three.records[1].arrived + 60)
    assert gone
    assert rest
    assert gone.batch == replace(three, records=three.records[:1])
    assert rest == replace(three, records=three.records[1:])


def test_no_record_expires_without_maximum_age() -> None:
    three = batch(3)
    assert discard_expired(mapping(), three, 1e12) == (None, three)


@pytest.mark.parametrize("maximum", [0, 1, 3])
def test_batch_is_retried_up_to_maximum_retry_attempts(maximum: int) -> None:
    config = mapping({"MaximumRetryAttempts": maximum})
    current = batch(2)
    for retry in range(1, maximum + 1):
        decision = decide_next(config, current, FAILED)
        assert decision.done == ()
        (following,) = decision.next
        assert isinstance(following, Batch)
        assert (following.retries, following.invocations) == (retry, retry)
        assert decision.wait_s > 0
        current = following
    (last,) = decide_next(config, current, FAILED).next
    assert isinstance(last, DiscardedBatch)
    assert last.condition == "RetryAttemptsExhausted"
    assert last.batch.invocations == maximum + 1


def test_batch_is_retried_forever_without_maximum_retry_attempts() -> None:
    (following,) = decide_next(mapping(), batch(2, retries=9_999), FAILED).next
    assert isinstance(following, Batch)


def test_throttled_batch_keeps_its_retry_quota() -> None:
    config = mapping({"MaximumRetryAttempts": 0, "BisectBatchOnFunctionError": True})
    current = batch(2)
    waits = []
    for _ in range(3):
        decision = decide_next(config, current, REFUSED)
        (following,) = decision.next
        assert isinstance(following, Batch)
        assert following.records == current.records
        assert (following.retries, following.invocations) == (0, 0)
        waits.append(decision.wait_s)
        current = following
    assert waits == sorted(set(waits))


def test_bisect_keeps_retry_quota_of_failed_batch() -> None:
    config = mapping({"BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 0})
    five = batch(5)
    decision = decide_next(config, five, FAILED)
    assert [b.records for b in decision.next if isinstance(b, Batch)] == [
        five.records[:2],
        five.records[2:],
    ]
    assert {b.retries for b in decision.next if isinstance(b, Batch)} == {0}
    assert isinstance(decide_next(config, batch(1), FAILED).next[0], DiscardedBatch)


def test_bisect_splits_at_reported_record() -> None:
    config = mapping(
        {
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "MaximumRetryAttempts": 0,
        }
    )
    five = batch(5)
    decision = decide_next(config, five, reported(five.records[3], five.records[1]))
    assert decision.done == five.records[:1]
    assert [b.records for b in decision.next if isinstance(b, Batch)] == [five.records[1:]]
    assert {b.retries for b in decision.next if isinstance(b, Batch)} == {0}


def test_bisect_halves_batch_when_first_record_is_reported() -> None:
    config = mapping(
        {
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
    )
    four = batch(4)
    decision = decide_next(config, four, reported(four.records[0]))
    assert [b.records for b in decision.next if isinstance(b, Batch)] == [
        four.records[:2],
        four.records[2:],
    ]


def test_partial_success_without_bisect_uses_a_retry() -> None:
    config = mapping(
        {"FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 1}
    )
    five = batch(5)
    decision = decide_next(config, five, reported(five.records[2]))
    (following,) = decision.next
    assert isinstance(following, Batch)
    assert decision.done == five.records[:2]
    assert following.records == five.records[2:]
    assert following.retries == 1
    (given_up,) = decide_next(config, following, reported(five.records[4])).next
    assert isinstance(given_up, DiscardedBatch)
    assert given_up.batch.records == five.records[4:]


@st.composite
def decisions(draw: st.DrawFn) -> tuple[EventSourceMapping, Batch, Outcome]:
    config = mapping(
        {
            "BisectBatchOnFunctionError": draw(st.booleans()),
            "FunctionResponseTypes": draw(st.sampled_from([[], ["ReportBatchItemFailures"]])),
            "MaximumRetryAttempts": draw(st.integers(-1, 3)),
        }
    )
    given_batch = batch(draw(st.integers(1, 9)), retries=draw(st.integers(0, 3)))
    outcome = draw(
        st.one_of(
            st.sampled_from([FAILED, DONE, REFUSED, Outcome("returned", body=b"nonsense")]),
            st.lists(st.sampled_from(given_batch.records)).map(lambda r: reported(*r)),
        )
    )
    return config, given_batch, outcome


@given(decisions())
def test_decision_keeps_all_records_in_order(
    given_case: tuple[EventSourceMapping, Batch, Outcome],
) -> None:
    config, given_batch, outcome = given_case
    decision = decide_next(config, given_batch, outcome)
    after = [
        record
        for item in decision.next
        for record in (item.batch if isinstance(item, DiscardedBatch) else item).records
    ]
    assert (*decision.done, *after) == given_batch.records


@given(st.integers(1, 10_000), st.randoms(use_true_random=False))
def test_backoff_grows_up_to_maximum(tries: int, rng: object) -> None:
    assert 0 < backoff(tries) <= backoff(tries + 1) <= MAX_BACKOFF_S
    assert backoff(tries, rng) <= backoff(tries)  # type: ignore[arg-type]  # a Random
