"""A function that was updated is ready at once.

Gap: an updated function is "Pending" for a fixed 0.5 s, and the SDK's waiters look once a second,
so each publication at the edge costs a second that stands for nothing.
Seen in: ministack 1.5.33, lambda_svc.py, _LAMBDA_STATE_TRANSITION_DELAY.
Delete when: the delay can be set, or is gone. (Code that forgets to wait is not found out here; nor
was it before, because MiniStack takes the next update of a pending function.)
"""

from typing import Any

from local.emulator.control import Control
from local.emulator.settings import Settings
from local.emulator.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Take the delay away, not the transition."""
    service = Part("ministack.services.lambda_svc", "_LAMBDA_STATE_TRANSITION_DELAY")
    service["_LAMBDA_STATE_TRANSITION_DELAY"] = 0
