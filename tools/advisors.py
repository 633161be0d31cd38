"""Register an advisor, as an operator does: students can book only registered ones."""

import json
from collections.abc import Mapping
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.stack import StackTarget, client

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: An availability with each half hour of the coming year, for tests, measurements and game days.
ALWAYS_AVAILABLE: Final[dict[str, Any]] = {
    "name": "Asha Menon",
    "subject": "computing",
    "timeZone": "UTC",
    "hours": dict.fromkeys(DAYS, "00:00-24:00"),
    "slotMinutes": 30,
    "noticeHours": 0,
    "cancelHours": 0,
    "bookAheadDays": 365,
    "maxBookings": 50,
}


def register_advisor(
    target: StackTarget, advisor: str, availability: Mapping[str, Any] = ALWAYS_AVAILABLE
) -> None:
    """Set an advisor's availability with the function of the bookings.

    Raises:
        CommandError: The function refused it.
    """
    name = f"meridian-{target.stage}-bookings"
    event = {"action": "set", "advisorId": advisor, "request": json.dumps(availability)}
    response = client("lambda", target).invoke(
        FunctionName=name, Payload=json.dumps(event).encode()
    )
    result = json.loads(response["Payload"].read() or b"{}")
    if result.get("status") != 200:
        raise CommandError(f"Can't register the advisor {advisor}. Read the log of {name}.")
