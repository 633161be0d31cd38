"""On a stream, acknowledged, before the visitor is told so: retries, and the next region."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from edge_ingest.errors import UnavailableError
from edge_ingest.kinesis import Entry, PutError
from edge_ingest.regions import nearest_first

ATTEMPTS: Final = 3  # in each region
BACKOFF_SECONDS: Final = 0.05
CALL_SECONDS: Final = 2.0
# A region that failed is tried last for this long, so that each visitor need not wait for it.
AVOID_SECONDS: Final = 10.0
# A key whose shard throttled is spread over others for this long.
SPREAD_SECONDS: Final = 60.0
SPREAD: Final = 16
_MAX_HOT_KEYS: Final = 1024
# Under this much time a call has no chance to come back.
_LEAST_SECONDS: Final = 0.05
_THROTTLED: Final = "ProvisionedThroughputExceededException"


class Stream(Protocol):
    """PutRecords, as `kinesis.Kinesis` has it."""

    def put(
        self, region: str, stream: str, entries: Sequence[Entry], seconds: float
    ) -> list[str | None]:
        """Return each record's error code or None; raise PutError where the call failed."""


class Delivered(NamedTuple):
    """Where a request's records were acknowledged."""

    region: str
    failover: bool
    records: int
    bytes: int


class Delivery:
    """Puts a request's records on the nearest stream that takes them all."""

    def __init__(
        self,
        stream: Stream,
        name: str,
        regions: Sequence[str],
        here: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._stream = stream
        self._name = name
        self._regions = nearest_first(here, regions)
        self._clock = clock
        self._sleep = sleep
        self._avoid: dict[str, float] = {}
        self._hot: dict[str, float] = {}

    def deliver(
        self, pack: Callable[[str, bool], Sequence[bytes]], key: str, seconds: float
    ) -> Delivered:
        """Store what `pack(region, failover)` makes; return when every record is acknowledged.

        A region that took only some of the records counts for none: the next one is given all,
        and what is stored twice is deduplicated by its message ids.

        Raises:
            UnavailableError: no region acknowledged them all within `seconds`.
        """
        deadline = self._clock() + seconds
        order = self._order()
        for n, region in enumerate(order):
            left = deadline - self._clock()
            if left < _LEAST_SECONDS:
                break
            failover = region != self._regions[0]
            records = pack(region, failover)
            # The regions that are left share the time that is left.
            if self._store(region, records, key, self._clock() + left / (len(order) - n)):
                self._avoid.pop(region, None)
                return Delivered(region, failover, len(records), sum(map(len, records)))
            self._avoid[region] = self._clock() + AVOID_SECONDS
        raise UnavailableError("unavailable", "the events were not stored", 2 + int(8 * _random()))

    def _order(self) -> list[str]:
        now = self._clock()
        return sorted(self._regions, key=lambda region: self._avoid.get(region, 0.0) > now)

    def _store(self, region: str, records: Sequence[bytes], key: str, deadline: float) -> bool:
        pending = list(records)
        for attempt in range(ATTEMPTS):
            left = deadline - self._clock()
            if left < _LEAST_SECONDS:
                return False
            # The partition key chooses the shard. One that throttles may stand under one busy key.
            chosen = self._spread(key)
            entries = [Entry(data, chosen) for data in pending]
            try:
                codes = self._stream.put(region, self._name, entries, min(left, CALL_SECONDS))
            except PutError as error:
                if not error.passing:
                    return False
                codes = [error.code] * len(pending)
            # PutRecords: failed records have an ErrorCode, "reattempt failed records" only.
            pending = [data for data, code in zip(pending, codes, strict=True) if code]
            if not pending:
                return True
            if attempt > 0 and _THROTTLED in codes:
                self._mark_hot(key)
            self._back_off(attempt, deadline)
        return False

    def _back_off(self, attempt: int, deadline: float) -> None:
        # Full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog): clients that
        # failed together do not come back together.
        if attempt + 1 < ATTEMPTS:
            pause = _random() * BACKOFF_SECONDS * 2 ** (attempt + 1)
            self._sleep(max(0.0, min(pause, deadline - self._clock())))

    def _spread(self, key: str) -> str:
        until = self._hot.get(key)
        if until is None:
            return key
        if until < self._clock():
            del self._hot[key]
            return key
        return f"{key}.{int(_random() * SPREAD):x}"

    def _mark_hot(self, key: str) -> None:
        if len(self._hot) >= _MAX_HOT_KEYS:
            self._hot.clear()
        self._hot[key] = self._clock() + SPREAD_SECONDS


def _random() -> float:
    """Return a number from 0 to 1. The random module would cost a cold start 6 ms."""
    return int.from_bytes(os.urandom(4)) / 2**32
