"""Remove expired Kinesis records once a minute.

Gap: each PutRecords and each GetRecords copies every record of the stream to find expired ones, so
throughput falls as the stream grows.
Seen in: ministack 1.5.33, kinesis.py, _expire_records and _expire_iterators.
Delete when: expiry costs no more than the records that it removes.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Retention is in hours and an iterator lives five minutes, so a minute's delay is harmless.
INTERVAL_S: Final = 60.0


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Expire records and iterators of a stream once a minute at most."""
    service = Symbols("ministack.services.kinesis", "_expire_records", "_expire_iterators")
    service.wrap("_expire_records", _throttled)
    service.wrap("_expire_iterators", _throttled)


def _throttled(function: Callable[..., None]) -> Callable[..., None]:
    last: dict[str, float] = {}

    def throttled(*stream: dict[str, Any]) -> None:
        key = stream[0]["StreamARN"] if stream else ""
        now = time.monotonic()
        if now - last.get(key, now - INTERVAL_S) >= INTERVAL_S:
            last[key] = now
            function(*stream)

    return throttled
