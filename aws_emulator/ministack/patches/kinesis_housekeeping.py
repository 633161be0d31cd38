"""Kinesis looks for expired records once a minute.

Gap: each PutRecords and each GetRecords copies every record of the stream to find the expired ones,
so throughput falls with what the stream holds.
Seen in: ministack 1.5.33, kinesis.py, _expire_records and _expire_iterators.
Delete when: the housekeeping costs no more than what it removes.
"""

import time
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

#: Retention is counted in hours and iterators live five minutes: a minute late changes nothing.
INTERVAL_S = 60.0


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Run each kind of housekeeping at most once a minute, per stream."""
    service = Part("ministack.services.kinesis", "_expire_records", "_expire_iterators")
    service.wrap("_expire_records", _seldom)
    service.wrap("_expire_iterators", _seldom)


def _seldom(function: Callable[..., None]) -> Callable[..., None]:
    last: dict[str, float] = {}

    def seldom(*stream: dict[str, Any]) -> None:
        key = stream[0]["StreamARN"] if stream else ""
        now = time.monotonic()
        if now - last.get(key, now - INTERVAL_S) >= INTERVAL_S:
            last[key] = now
            function(*stream)

    return seldom
