"""A state machine's execution starts at once.

Gap: every execution sleeps 150 ms before its first state.
Seen in: ministack 1.5.33, stepfunctions.py, the only time.sleep(0.15).
Delete when: the sleep is gone.
"""

import time
from types import SimpleNamespace
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

_FIXED_DELAY_S = 0.15


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Give the service a clock whose sleep ignores exactly that delay."""

    def sleep(seconds: float) -> None:
        if seconds != _FIXED_DELAY_S:
            time.sleep(seconds)

    names = {name: getattr(time, name) for name in dir(time) if not name.startswith("_")}
    service = Part("ministack.services.stepfunctions", "time")
    service["time"] = SimpleNamespace(**{**names, "sleep": sleep})
