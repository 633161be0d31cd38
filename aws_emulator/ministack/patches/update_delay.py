"""A function that was updated is ready at once.

Gap: an updated function is "Pending" for a fixed 0.5 s, and the SDK's waiters look once a second,
so each publication at the edge costs a second that stands for nothing.
Seen in: ministack 1.5.33, lambda_svc.py, _schedule_state_transition.
Delete when: the delay can be set, or is gone. (Code that forgets to wait is not found out here; nor
was it before, because MiniStack takes the next update of a pending function.)
"""

from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

_READY = {
    "State": "Active",
    "StateReason": "",
    "StateReasonCode": "",
    "LastUpdateStatus": "Successful",
    "LastUpdateStatusReason": "",
    "LastUpdateStatusReasonCode": "",
}


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Make the transition before the update is answered, rather than in a thread after it."""
    service = Part("ministack.services.lambda_svc", "_functions", "_schedule_state_transition")

    def at_once(func_name: str, _delay: float) -> None:
        service["_functions"][func_name]["config"].update(_READY)

    service["_schedule_state_transition"] = at_once
