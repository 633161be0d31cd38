"""Acknowledged, or 503: retries, regions in order, the time that is left, and hot keys."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_ingest import delivery
from edge_ingest.delivery import Delivered, Delivery
from edge_ingest.errors import UnavailableError
from edge_ingest.kinesis import Entry, PutError
from tests.unit.edge_ingest.edge import Clock, Streams, Weather, down

REGIONS = ("us-east-1", "eu-west-2", "ap-south-1")
THROTTLED = "ProvisionedThroughputExceededException"


class Case:
    """A delivery from Mumbai on streams in memory, on a clock of its own."""

    def __init__(self, weather: Weather | None = None) -> None:
        self.streams = Streams(weather)
        self.clock = Clock()
        self.delivery = Delivery(
            self.streams,
            "meridian-test-events",
            REGIONS,
            "ap-south-1",
            self.clock,
            self.clock.sleep,
        )

    def deliver(self, records: int = 1, key: str = "key", seconds: float = 5.0) -> Delivered:
        def pack(region: str, failover: bool) -> list[bytes]:
            return [f"{region} {failover} {n}".encode() for n in range(records)]

        return self.delivery.deliver(pack, key, seconds)

    @property
    def stored(self) -> list[str]:
        return [entry.data.decode() for _, entry in self.streams.stored]


def test_the_nearest_region_takes_it() -> None:
    case = Case()
    assert case.deliver(2) == Delivered("ap-south-1", failover=False, records=2, bytes=36)
    assert case.stored == ["ap-south-1 False 0", "ap-south-1 False 1"]


def test_only_failed_records_are_put_again_and_after_a_pause() -> None:
    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        codes: list[str | None] = [None, THROTTLED, "InternalFailure"]
        return codes if len(entries) == 3 else [None] * len(entries)

    case = Case(weather)
    before = case.clock.now
    assert case.deliver(3).region == "ap-south-1"
    assert [len(entries) for _, entries in case.streams.calls] == [3, 2]
    assert case.stored == [f"ap-south-1 False {n}" for n in range(3)]
    assert 0 <= case.clock.now - before <= delivery.BACKOFF_SECONDS * 2


def test_the_next_regions_by_distance() -> None:
    case = Case(down("ap-south-1"))
    assert case.deliver() == Delivered("eu-west-2", failover=True, records=1, bytes=16)
    assert case.stored == ["eu-west-2 True 0"]
    case = Case(down("ap-south-1", "eu-west-2"))
    assert case.deliver().region == "us-east-1"


def test_a_region_is_tried_as_often_as_documented() -> None:
    case = Case(down("ap-south-1"))
    case.deliver()
    assert [region for region, _ in case.streams.calls] == ["ap-south-1"] * 3 + ["eu-west-2"]


def test_what_will_not_pass_is_not_tried_again() -> None:
    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        if region == "ap-south-1":
            raise PutError("ResourceNotFoundException", passing=False)
        return [None] * len(entries)

    case = Case(weather)
    assert case.deliver().region == "eu-west-2"
    assert [region for region, _ in case.streams.calls] == ["ap-south-1", "eu-west-2"]


def test_a_region_that_failed_is_avoided_for_a_while_and_then_tried_again() -> None:
    case = Case(down("ap-south-1"))
    case.deliver()
    case.streams.weather = None
    case.streams.calls.clear()
    assert case.deliver() == Delivered("eu-west-2", failover=True, records=1, bytes=16)
    case.clock.now += delivery.AVOID_SECONDS
    assert case.deliver().region == "ap-south-1"


def test_a_region_that_is_avoided_is_still_the_last_resort() -> None:
    case = Case(down("ap-south-1"))
    case.deliver()
    case.streams.weather = down("eu-west-2", "us-east-1")
    assert case.deliver().region == "ap-south-1"


def test_a_region_that_took_a_part_counts_for_none() -> None:
    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        if region == "ap-south-1":
            return [None if entry.data.endswith(b"0") else "InternalFailure" for entry in entries]
        return [None] * len(entries)

    case = Case(weather)
    assert case.deliver(2).region == "eu-west-2"
    assert case.stored == ["ap-south-1 False 0", "eu-west-2 True 0", "eu-west-2 True 1"]


def test_no_region_is_a_503_with_retry_after() -> None:
    case = Case(down(*REGIONS))
    with pytest.raises(UnavailableError) as caught:
        case.deliver()
    assert caught.value.retry_after in range(2, 10)
    assert {region for region, _ in case.streams.calls} == set(REGIONS)


@given(st.floats(0.0, 6.0), st.floats(0.0, 3.0))
def test_the_time_that_is_left_is_kept(seconds: float, call: float) -> None:
    case = Case()

    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        case.clock.now += min(call, delivery.CALL_SECONDS)
        raise PutError("unreachable", passing=True)

    case.streams.weather = weather
    before = case.clock.now
    with pytest.raises(UnavailableError):
        case.deliver(seconds=seconds)
    assert case.clock.now - before <= seconds + min(call, delivery.CALL_SECONDS) + 1e-6


def test_each_region_has_its_share_of_the_time() -> None:
    case = Case()

    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        case.clock.now += 2.0
        raise PutError("unreachable", passing=True)

    case.streams.weather = weather
    with pytest.raises(UnavailableError):
        case.deliver(seconds=6.0)
    assert {region for region, _ in case.streams.calls} == set(REGIONS)


def test_a_key_that_throttles_is_spread_and_comes_together_again() -> None:
    hot = {"key"}

    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        return [THROTTLED if entry.key in hot else None for entry in entries]

    case = Case(weather)
    assert case.deliver().region == "ap-south-1"
    used = [entries[0].key for _, entries in case.streams.calls]
    assert used[:2] == ["key", "key"]
    assert used[2].startswith("key.")
    spread = set()
    for _ in range(60):
        case.deliver()
        spread.add(case.streams.calls[-1][1][0].key)
    assert "key" not in spread
    assert 8 < len(spread) <= delivery.SPREAD
    case.deliver(key="other")
    assert case.streams.calls[-1][1][0].key == "other"
    case.clock.now += delivery.SPREAD_SECONDS + 1
    hot.clear()
    case.deliver()
    assert case.streams.calls[-1][1][0].key == "key"


def test_one_throttle_that_passes_spreads_nothing() -> None:
    left = [THROTTLED]

    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        return [left.pop() if left else None]

    case = Case(weather)
    case.deliver()
    assert {entries[0].key for _, entries in case.streams.calls} == {"key"}


def test_the_memory_of_hot_keys_is_bounded() -> None:
    def weather(region: str, entries: Sequence[Entry]) -> list[str | None]:
        return [None if "." in entry.key else THROTTLED for entry in entries]

    case = Case(weather)
    for n in range(1500):
        case.deliver(key=f"k{n}")
    assert len(case.delivery._hot) <= 1024
