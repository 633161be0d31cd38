"""Make an updated function ready at once.

Gap: an updated function is "Pending" for 0.5 s, and the SDK's waiters poll once a second, so each
publication of a Lambda@Edge function takes an extra second.
Seen in: ministack 1.5.33, lambda_svc.py, _schedule_state_transition.
Delete when: the delay can be configured, or is gone. (The emulator does not detect code that
forgets to wait; nor does MiniStack, which accepts an update of a pending function.)
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_READY: Final = {
    "State": "Active",
    "StateReason": "",
    "StateReasonCode": "",
    "LastUpdateStatus": "Successful",
    "LastUpdateStatusReason": "",
    "LastUpdateStatusReasonCode": "",
}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Make the state transition before the response, instead of in a thread after it."""
    service = Symbols("ministack.services.lambda_svc", "_functions", "_schedule_state_transition")

    def at_once(func_name: str, _delay: float) -> None:
        service["_functions"][func_name]["config"].update(_READY)

    service["_schedule_state_transition"] = at_once
