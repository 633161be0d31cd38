"""Delivery: put a request's records on a stream, with retries and failover to other Regions.

Input: a function that packs the records for a Region. Output: `Delivered`, after Kinesis
acknowledged every record. `pipeline` calls it last, before the response.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from edge_ingest.errors import ServiceUnavailableError
from edge_ingest.kinesis import KinesisError, PutResult, RecordEntry
from edge_ingest.regions import nearest_first

MAX_ATTEMPTS: Final = 3  # in each Region
BACKOFF_S: Final = 0.05
CALL_TIMEOUT_S: Final = 2.0
# After a Region failed, requests try it last for this time instead of waiting for it again.
REGION_COOLDOWN_S: Final = 10.0
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


class Delivered(NamedTuple):
    """The Region whose stream acknowledged the records. `failover`: it isn't the nearest one.

    `shard` and `sequence` are the position of one of the records, for the log.
    """

    region: str
    failover: bool
    records: int
    bytes: int
    shard: str = ""
    sequence: str = ""


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
        self._cooldowns: dict[str, float] = {}  # Region: end of its cooldown
        self._hot_keys: dict[str, float] = {}  # partition key: end of the spreading

    def deliver(
        self, pack: Callable[[str, bool], Sequence[bytes]], key: str, timeout: float
    ) -> Delivered:
        """Store the records from `pack(region, failover)` under the partition key.

        If a Region stores only a part of the records, the next Region gets all of them.
        The stream processor removes the duplicates by message id.

        Raises:
            ServiceUnavailableError: No Region acknowledged all records within `timeout` seconds.
        """
        deadline = self._clock() + timeout
        regions = self._regions_in_order()
        for n, region in enumerate(regions):
            remaining_s = deadline - self._clock()
            if remaining_s < _MIN_CALL_S:
                break
            failover = region != self._regions[0]
            records = pack(region, failover)
            # Divide the remaining time equally among the remaining Regions.
            stored = self._put(
                region, records, key, self._clock() + remaining_s / (len(regions) - n)
            )
            if stored is not None:
                self._cooldowns.pop(region, None)
                size = sum(map(len, records))
                position = stored.shard_id, stored.sequence_number
                return Delivered(region, failover, len(records), size, *position)
            self._cooldowns[region] = self._clock() + REGION_COOLDOWN_S
        raise ServiceUnavailableError(
            "unavailable", "no stream stored the events; send them again", 2 + int(8 * _random())
        )

    def _regions_in_order(self) -> list[str]:
        now = self._clock()
        return sorted(self._regions, key=lambda region: self._cooldowns.get(region, 0.0) > now)

    def _put(
        self, region: str, records: Sequence[bytes], key: str, deadline: float
    ) -> PutResult | None:
        """Return the last result if the Region acknowledged all records before the deadline."""
        pending = list(records)
        for attempt in range(MAX_ATTEMPTS):
            remaining_s = deadline - self._clock()
            if remaining_s < _MIN_CALL_S:
                return None
            partition_key = self._spread(key)
            entries = [RecordEntry(data, partition_key) for data in pending]
            try:
                results = self._stream.put_records(
                    region, self._stream_name, entries, min(remaining_s, CALL_TIMEOUT_S)
                )
            except KinesisError as error:
                if not error.retryable:
                    return None
                results = [PutResult(error.code)] * len(pending)
            # PutRecords: failed records have an ErrorCode, "reattempt failed records" only.
            pending = [
                data for data, result in zip(pending, results, strict=True) if result.error_code
            ]
            if not pending:
                return results[-1]
            # The partition key selects the shard. Two throttled attempts suggest a hot key.
            if attempt > 0 and any(it.error_code == _THROTTLED for it in results):
                self._mark_hot(key)
            self._back_off(attempt, deadline)
        return None

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
