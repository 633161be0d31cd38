"""Delivery: put a request's records on a stream, with retries and failover to other Regions.

Input: a function that packs the records for a Region. Output: `Delivered`, after Kinesis
acknowledged every record. `pipeline` calls it last, before the response.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from edge_ingest.errors import ServiceUnavailableError
from edge_ingest.kinesis import KinesisError, PutResult, RecordEntry
from edge_ingest.regions import nearest_first

MAX_ATTEMPTS: Final = 3  # in each Region
BACKOFF_S: Final = 0.05
# After a Region failed, requests try it last for this time instead of waiting for it again. Each
# further failure doubles the time.
FIRST_AVOIDANCE_S: Final = 10.0
MAX_AVOIDANCE_S: Final = 320.0
# A Region that hangs costs a visitor this time whenever its avoidance ends.
PROBE_TIMEOUT_S: Final = 0.5
# After a shard throttled a partition key, random suffixes spread it over shards for this time.
HOT_KEY_S: Final = 60.0
HOT_KEY_SUFFIXES: Final = 16
_MAX_HOT_KEYS: Final = 1024
# Shorter than any call to Kinesis takes.
_MIN_CALL_S: Final = 0.05
_THROTTLED: Final = "ProvisionedThroughputExceededException"


class Stream(Protocol):
    """The PutRecords operation; `kinesis.KinesisClient` implements it."""

    def put_records(
        self, region: str, stream: str, entries: Sequence[RecordEntry], timeout: float
    ) -> list[PutResult]:
        """Return the result of each record.

        Raises:
            KinesisError: The call failed as a whole.
        """

    def is_reachable(self, region: str, stream: str, timeout: float) -> bool:
        """Return whether the Region answers a request that stores nothing."""


class Delivered(msgspec.Struct, frozen=True):
    """The Region whose stream acknowledged the records. `failover`: it isn't the nearest one.

    `shard` and `sequence` are the position of one of the records, for the log.
    """

    region: str
    failover: bool
    records: int
    bytes: int
    shard: str = ""
    sequence: str = ""


class _Avoidance(msgspec.Struct, frozen=True):
    """When the avoidance of a Region ends, by the monotonic clock, and how long it is."""

    end_s: float
    duration_s: float


#: Of a request without events.
NOTHING_DELIVERED: Final = Delivered("", failover=False, records=0, bytes=0)

# The positions of the records that a Region didn't acknowledge, and its last result.
type _Outcome = tuple[list[int], PutResult | None]


class Delivery:
    """Put the records of a request on the nearest stream that accepts all of them.

    Keeps the Regions that failed and the partition keys that were throttled across requests.
    """

    def __init__(
        self,
        stream: Stream,
        stream_name: str,
        regions: Sequence[str],
        edge_region: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream = stream
        self._stream_name = stream_name
        self._regions = nearest_first(edge_region, regions)
        self._clock = clock
        self._sleep = sleep
        self._avoidances: dict[str, _Avoidance] = {}
        self._hot_keys: dict[str, float] = {}  # partition key: end of the spreading

    def deliver(
        self, pack: Callable[[str, bool], Sequence[bytes]], key: str, timeout: float
    ) -> Delivered:
        """Store the records from `pack(region, failover)` under the partition key.

        If a Region acknowledges only a part of the records, the next Region gets the others. A
        Region may have stored a record whose acknowledgement was lost or came too late. Therefore
        the nearest Region gets half of the time, and the time of a single call isn't limited
        further: a second call would store a second copy.

        Raises:
            ServiceUnavailableError: No Region acknowledged all records within `timeout` seconds.
        """
        deadline = self._clock() + timeout
        regions = self._regions_in_order()
        count = size = 0
        pending: list[int] = []
        for n, region in enumerate(regions):
            remaining_s = deadline - self._clock()
            if remaining_s < _MIN_CALL_S:
                break
            failover = region != self._regions[0]
            records = pack(region, failover)
            if len(records) != count:
                # The Region's name is part of a record, so the division could differ.
                count, pending = len(records), list(range(len(records)))
            size = sum(map(len, records))
            is_last = n + 1 == len(regions)
            region_deadline = deadline if is_last else self._clock() + remaining_s / 2
            pending, last = self._put(region, records, pending, key, region_deadline)
            if last is not None and not pending:
                self._avoidances.pop(region, None)
                position = last.shard_id, last.sequence_number
                return Delivered(region, failover, count, size, *position)
            self._avoid(region)
        raise ServiceUnavailableError(
            "unavailable", "no stream stored the events; send them again", 2 + int(8 * _random())
        )

    def _regions_in_order(self) -> list[str]:
        """Return the Regions nearest first, and those to be avoided last."""
        if not self._avoidances:
            return list(self._regions)
        usable: list[str] = []
        avoided: list[str] = []
        for region in self._regions:
            # Only the first Region gets the request, so no other needs a probe.
            is_usable = self._is_usable(region, probe=not usable)
            (usable if is_usable else avoided).append(region)
        return usable + avoided

    def _is_usable(self, region: str, *, probe: bool) -> bool:
        """Return whether to try a Region. After its avoidance, a probe decides.

        An execution environment handles one request at a time, so one visitor waits for the probe.
        """
        avoidance = self._avoidances.get(region)
        if avoidance is None:
            return True
        if avoidance.end_s > self._clock():
            return False
        if not probe or self._stream.is_reachable(region, self._stream_name, PROBE_TIMEOUT_S):
            return True
        self._avoid(region)
        return False

    def _avoid(self, region: str) -> None:
        avoidance = self._avoidances.get(region)
        seconds = (
            FIRST_AVOIDANCE_S
            if avoidance is None
            else min(2 * avoidance.duration_s, MAX_AVOIDANCE_S)
        )
        self._avoidances[region] = _Avoidance(self._clock() + seconds, seconds)

    def _put(
        self, region: str, records: Sequence[bytes], pending: list[int], key: str, deadline: float
    ) -> _Outcome:
        """Put the records at the positions `pending`, with retries until the deadline."""
        last: PutResult | None = None
        for attempt in range(MAX_ATTEMPTS):
            remaining_s = deadline - self._clock()
            if remaining_s < _MIN_CALL_S:
                break
            partition_key = self._spread(key)
            entries = [RecordEntry(records[position], partition_key) for position in pending]
            try:
                results = self._stream.put_records(region, self._stream_name, entries, remaining_s)
            except KinesisError as error:
                if not error.retryable:
                    break
                results = [PutResult(error.code)] * len(pending)
            # PutRecords: failed records have an ErrorCode, "reattempt failed records" only.
            pending = [
                position
                for position, result in zip(pending, results, strict=True)
                if result.error_code
            ]
            last = results[-1]
            if not pending:
                break
            # The partition key selects the shard. Two throttled attempts suggest a hot key.
            if attempt > 0 and any(it.error_code == _THROTTLED for it in results):
                self._mark_hot(key)
            self._back_off(attempt, deadline)
        return pending, last

    def _back_off(self, attempt: int, deadline: float) -> None:
        # Full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog): clients that
        # failed together don't retry together.
        if attempt + 1 < MAX_ATTEMPTS:
            pause = _random() * BACKOFF_S * 2 ** (attempt + 1)
            self._sleep(max(0.0, min(pause, deadline - self._clock())))

    def _spread(self, key: str) -> str:
        """Return the partition key, with a random suffix if it is hot."""
        until = self._hot_keys.get(key)
        if until is None:
            return key
        if until < self._clock():
            del self._hot_keys[key]
            return key
        return f"{key}.{int(_random() * HOT_KEY_SUFFIXES):x}"

    def _mark_hot(self, key: str) -> None:
        if len(self._hot_keys) >= _MAX_HOT_KEYS:
            self._hot_keys.clear()
        self._hot_keys[key] = self._clock() + HOT_KEY_S


def _random() -> float:
    """Return a number in [0, 1). The random module would slow down the cold start."""
    return int.from_bytes(os.urandom(4)) / 2**32
