"""Advisors for a demo, with their availability."""

from typing import Any, Final

from tools.advisors import DAYS, register_advisor
from tools.stack import StackTarget

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
    for advisor, (full_name, subject, zone, hours) in DEMO_ADVISORS.items():
        settings = _RULES | {
            "name": full_name,
            "subject": subject,
            "timeZone": zone,
            "hours": dict.fromkeys(DAYS, hours),
        }
        register_advisor(target, advisor, settings)
