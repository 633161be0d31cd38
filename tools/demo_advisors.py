"""Advisors for a demo, with their availability."""

import json
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.stack import StackTarget, client

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RULES: Final[dict[str, Any]] = {
    "slotMinutes": 30,
    "noticeHours": 2,
    "cancelHours": 4,
    "bookAheadDays": 60,
    "maxBookings": 3,
}
#: Id → name, subject, time zone, hours of each day.
DEMO_ADVISORS: Final = {
    "asha-menon": ("Asha Menon", "computing", "Asia/Kolkata", "09:00-13:00 14:00-18:00"),
    "grace-okoro": ("Grace Okoro", "mathematics", "Europe/London", "08:00-12:00 13:00-16:00"),
    "linh-tran": ("Linh Trần", "languages", "Asia/Ho_Chi_Minh", "08:00-11:30 13:00-20:00"),
}


def create_demo_advisors(target: StackTarget) -> None:
    """Set the availability of the demo advisors, as an operator does.

    Raises:
        CommandError: The function refused a request.
    """
    functions = client("lambda", target)
    name = f"meridian-{target.stage}-bookings"
    for advisor, (full_name, subject, zone, hours) in DEMO_ADVISORS.items():
        settings = _RULES | {
            "name": full_name,
            "subject": subject,
            "timeZone": zone,
            "hours": dict.fromkeys(_DAYS, hours),
        }
        request = {"action": "set", "advisorId": advisor, "request": json.dumps(settings)}
        response = functions.invoke(FunctionName=name, Payload=json.dumps(request).encode())
        result = json.loads(response["Payload"].read() or b"{}")
        if result.get("status") != 200:
            raise CommandError(f"Can't create the demo advisor {advisor}. Read the log of {name}.")
