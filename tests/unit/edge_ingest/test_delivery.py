"""Tests for `delivery`: retries, failover, deadlines and hot partition keys."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import delivery
from edge_ingest.delivery import Delivered, Delivery
from edge_ingest.errors import ServiceUnavailableError
from edge_ingest.kinesis import KinesisError, PutResult, RecordEntry
from tests.unit.edge_ingest.harness import Clock, Fault, Streams, unreachable

REGIONS = ("us-east-1", "eu-west-2", "ap-south-1")
THROTTLED = "ProvisionedThroughputExceededException"


class Case:
    """A delivery from ap-south-1 with streams in memory and a manual clock."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.streams = Streams(fault)
        self.clock = Clock()
        self.delivery = Delivery(
            self.streams,
            "meridian-test-events",
            REGIONS,
            "ap-south-1",
            self.clock,
            self.clock.sleep,
        )

    def deliver(self, records: int = 1, key: str = "key", timeout: float = 5.0) -> Delivered:
        def pack(region: str, failover: bool) -> list[bytes]:
            return [f"{region} {failover} {n}".encode() for n in range(records)]

        return self.delivery.deliver(pack, key, timeout)

    @property
    def stored(self) -> list[str]:
        return [entry.data.decode() for _, entry in self.streams.stored]


def test_nearest_region_stores_the_records() -> None:
    case = Case()
    assert case.deliver(2) == Delivered(
        "ap-south-1", failover=False, records=2, bytes=36, shard="shardId-0", sequence="1"
    )
    assert case.stored == ["ap-south-1 False 0", "ap-south-1 False 1"]


def test_retry_sends_only_failed_records_after_backoff() -> None:
    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        codes: list[str | None] = [None, THROTTLED, "InternalFailure"]
        return codes if len(entries) == 3 else [None] * len(entries)

    case = Case(fault)
    before = case.clock.now
    assert case.deliver(3).region == "ap-south-1"
    assert [len(entries) for _, entries in case.streams.calls] == [3, 2]
    assert case.stored == [f"ap-south-1 False {n}" for n in range(3)]
    assert 0 < case.clock.now - before <= delivery.BACKOFF_S * 2


def test_failover_uses_next_region_by_distance() -> None:
    case = Case(unreachable("ap-south-1"))
    assert case.deliver() == Delivered(
        "eu-west-2", failover=True, records=1, bytes=16, shard="shardId-0", sequence="1"
    )
    assert case.stored == ["eu-west-2 True 0"]
    case = Case(unreachable("ap-south-1", "eu-west-2"))
    assert case.deliver().region == "us-east-1"


def test_region_gets_three_attempts_before_failover() -> None:
    case = Case(unreachable("ap-south-1"))
    case.deliver()
    assert [region for region, _ in case.streams.calls] == ["ap-south-1"] * 3 + ["eu-west-2"]


def test_final_error_fails_over_without_retry() -> None:
    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        if region == "ap-south-1":
            raise KinesisError("ResourceNotFoundException", retryable=False)
        return [None] * len(entries)

    case = Case(fault)
    assert case.deliver().region == "eu-west-2"
    assert [region for region, _ in case.streams.calls] == ["ap-south-1", "eu-west-2"]


def test_failed_region_is_tried_last_until_its_avoidance_ends() -> None:
    case = Case(unreachable("ap-south-1"))
    case.deliver()
    case.streams.fault = None
    case.streams.calls.clear()
    assert case.deliver() == Delivered(
        "eu-west-2", failover=True, records=1, bytes=16, shard="shardId-0", sequence="1"
    )
    case.clock.now += delivery.FIRST_AVOIDANCE_S
    assert case.deliver().region == "ap-south-1"


def test_avoided_region_is_used_when_others_fail() -> None:
    case = Case(unreachable("ap-south-1"))
    case.deliver()
    case.streams.fault = unreachable("eu-west-2", "us-east-1")
    assert case.deliver().region == "ap-south-1"


def test_successful_delivery_ends_the_avoidance() -> None:
    case = Case(unreachable("ap-south-1"))
    case.deliver()
    case.streams.fault = unreachable("eu-west-2", "us-east-1")
    case.deliver()
    case.streams.fault = None
    assert case.deliver().region == "ap-south-1"


def test_next_region_gets_only_the_records_that_are_not_stored() -> None:
    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        if region == "ap-south-1":
            return [None if entry.data.endswith(b"0") else "InternalFailure" for entry in entries]
        return [None] * len(entries)

    case = Case(fault)
    delivered = case.deliver(2)
    assert (delivered.region, delivered.records) == ("eu-west-2", 2)
    assert case.stored == ["ap-south-1 False 0", "eu-west-2 True 1"]


def test_next_region_gets_all_records_if_they_are_divided_otherwise() -> None:
    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        failed = "InternalFailure" if region == "ap-south-1" else None
        return [None, *[failed] * (len(entries) - 1)] if len(entries) > 1 else [failed]

    case = Case(fault)

    def pack(region: str, failover: bool) -> list[bytes]:
        return [f"{region} {n}".encode() for n in range(3 if failover else 2)]

    case.delivery.deliver(pack, "key", 5.0)
    assert case.stored == ["ap-south-1 0", *(f"eu-west-2 {n}" for n in range(3))]


def slow(case: Case, regions: dict[str, float]) -> None:
    """Make Regions answer after some seconds: the records are stored, also after the timeout."""
    put = case.streams.put_records

    def put_records(
        region: str, stream: str, entries: Sequence[RecordEntry], timeout: float
    ) -> list[PutResult]:
        results = put(region, stream, entries, timeout)
        seconds = regions.get(region, 0.0)
        case.clock.now += min(seconds, timeout)
        if seconds > timeout:
            raise KinesisError("unreachable", retryable=True)
        return results

    def is_reachable(region: str, stream: str, timeout: float) -> bool:
        seconds = regions.get(region, 0.0)
        case.clock.now += min(seconds, timeout)
        return seconds <= timeout

    case.streams.put_records = put_records  # type: ignore[method-assign]
    case.streams.is_reachable = is_reachable  # type: ignore[method-assign]


@pytest.mark.parametrize("seconds", [0.5, 2.5, 3.9])
def test_slow_region_stores_the_records_once(seconds: float) -> None:
    case = Case()
    slow(case, {"ap-south-1": seconds})
    assert case.deliver(timeout=8.0).region == "ap-south-1"
    assert case.stored == ["ap-south-1 False 0"]


def test_region_that_is_too_slow_stores_one_copy_and_is_avoided() -> None:
    case = Case()
    slow(case, {"ap-south-1": 30.0})
    for _ in range(5):
        assert case.deliver(timeout=8.0).region == "eu-west-2"
    assert case.stored.count("ap-south-1 False 0") == 1
    assert case.stored.count("eu-west-2 True 0") == 5


def test_lost_answer_is_repeated_in_the_same_region() -> None:
    case = Case()
    lost = [True, True]
    put = case.streams.put_records

    def put_records(
        region: str, stream: str, entries: Sequence[RecordEntry], timeout: float
    ) -> list[PutResult]:
        results = put(region, stream, entries, timeout)
        if lost:
            lost.pop()
            raise KinesisError("unreachable", retryable=True)
        return results

    case.streams.put_records = put_records  # type: ignore[method-assign]
    assert case.deliver().region == "ap-south-1"
    # The stream processor removes the copies of one Region.
    assert case.stored == ["ap-south-1 False 0"] * 3


def test_hanging_region_costs_less_and_less() -> None:
    case = Case()
    slow(case, {"ap-south-1": 1_000.0})
    waits = []
    started = case.clock.now
    while case.clock.now < started + 1_800:
        before = case.clock.now
        assert case.deliver(timeout=8.0).region == "eu-west-2"
        waits.append(case.clock.now - before)
        case.clock.now += 1.0
    assert waits[0] == pytest.approx(4.0)
    long = [wait for wait in waits[1:] if wait > 0]
    assert len(long) <= 10
    assert max(long) <= delivery.PROBE_TIMEOUT_S
    assert case.stored.count("ap-south-1 False 0") == 1


def test_region_is_used_again_after_a_successful_probe() -> None:
    case = Case(unreachable("ap-south-1"))
    case.deliver()
    case.clock.now += delivery.FIRST_AVOIDANCE_S
    assert case.deliver().region == "eu-west-2"
    case.streams.fault = None
    case.clock.now += delivery.FIRST_AVOIDANCE_S
    assert case.deliver().region == "eu-west-2"
    case.clock.now += delivery.FIRST_AVOIDANCE_S
    assert case.deliver().region == "ap-south-1"
    assert case.streams.probes == ["ap-south-1"] * 2
    # A new failure starts with the first avoidance again.
    case.streams.fault = unreachable("ap-south-1")
    case.deliver()
    case.streams.fault = None
    case.clock.now += delivery.FIRST_AVOIDANCE_S
    assert case.deliver().region == "ap-south-1"


def test_delivery_fails_with_retry_after_when_all_regions_fail() -> None:
    case = Case(unreachable(*REGIONS))
    with pytest.raises(ServiceUnavailableError) as caught:
        case.deliver()
    assert caught.value.retry_after in range(2, 10)
    assert {region for region, _ in case.streams.calls} == set(REGIONS)


@given(st.floats(0.0, 6.0), st.floats(0.0, 3.0))
def test_delivery_ends_by_its_deadline(seconds: float, call: float) -> None:
    case = Case()

    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        case.clock.now += call
        raise KinesisError("unreachable", retryable=True)

    case.streams.fault = fault
    before = case.clock.now
    with pytest.raises(ServiceUnavailableError):
        case.deliver(timeout=seconds)
    assert case.clock.now - before <= seconds + call + 1e-6


def test_each_region_gets_a_share_of_the_timeout() -> None:
    case = Case()
    slow(case, dict.fromkeys(REGIONS, 30.0))
    with pytest.raises(ServiceUnavailableError):
        case.deliver(timeout=6.0)
    assert [region for region, _ in case.streams.calls] == ["ap-south-1", "eu-west-2", "us-east-1"]


def test_throttled_key_gets_suffixes_until_its_spreading_ends() -> None:
    hot = {"key"}

    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        return [THROTTLED if entry.partition_key in hot else None for entry in entries]

    case = Case(fault)
    assert case.deliver().region == "ap-south-1"
    used = [entries[0].partition_key for _, entries in case.streams.calls]
    assert used[:2] == ["key", "key"]
    assert used[2].startswith("key.")
    spread = set()
    for _ in range(60):
        case.deliver()
        spread.add(case.streams.calls[-1][1][0].partition_key)
    assert "key" not in spread
    assert 8 < len(spread) <= delivery.HOT_KEY_SUFFIXES
    case.deliver(key="other")
    assert case.streams.calls[-1][1][0].partition_key == "other"
    case.clock.now += delivery.HOT_KEY_S + 1
    hot.clear()
    case.deliver()
    assert case.streams.calls[-1][1][0].partition_key == "key"


def test_single_throttle_adds_no_suffix() -> None:
    left = [THROTTLED]

    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        return [left.pop() if left else None]

    case = Case(fault)
    case.deliver()
    assert {entries[0].partition_key for _, entries in case.streams.calls} == {"key"}


def test_hot_keys_are_bounded_to_1024() -> None:
    def fault(region: str, entries: Sequence[RecordEntry]) -> list[str | None]:
        return [None if "." in entry.partition_key else THROTTLED for entry in entries]

    case = Case(fault)
    for n in range(1500):
        case.deliver(key=f"k{n}")
    assert len(case.delivery._hot_keys) <= 1024
