"""Start executions without a delay.

Gap: every execution sleeps 150 ms before its first state.
Seen in: ministack 1.5.33, stepfunctions.py, the only time.sleep(0.15).
Delete when: the sleep is gone.
"""

import time
from types import SimpleNamespace
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_FIXED_DELAY_S: Final = 0.15


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Give the service a time module whose sleep skips this delay only."""

    def sleep(seconds: float) -> None:
        if seconds != _FIXED_DELAY_S:
            time.sleep(seconds)

    names = {name: getattr(time, name) for name in dir(time) if not name.startswith("_")}
    service = Symbols("ministack.services.stepfunctions", "time")
    service["time"] = SimpleNamespace(**{**names, "sleep": sleep})
