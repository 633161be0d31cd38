"""The values that the service and the table exchange. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

#: Length of an appointment that an earlier version booked with an advisor without an availability.
EARLIER_MINUTES: Final = 30


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """An advisor and a start time, `2026-12-01T09:30:00Z`."""

    start: str
    advisor: str

    @property
    def time(self) -> int:
        """The start in epoch seconds."""
        return int(datetime.fromisoformat(self.start).timestamp())

    @property
    def text(self) -> str:
        """The slot as one text: the start, a slash, the advisor."""
        return f"{self.start}/{self.advisor}"


def slot_of_text(text: str) -> Slot:
    """Return the slot of `Slot.text`."""
    start, _, advisor = text.partition("/")
    return Slot(start, advisor)


def time_text(time: int) -> str:
    """Return epoch seconds in the format of the API."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class StoredAvailability:
    """An advisor's document, and the number of its changes."""

    document: dict[str, Any]
    revision: int
    #: The advisor's address for notices, which students don't see; "" for none.
    email: str = ""


@dataclass(frozen=True, slots=True)
class Appointment:
    """A booked slot. `cancel_until` is in epoch milliseconds.

    None is no limit: an earlier version booked it with an advisor without an availability.
    """

    slot: Slot
    student: str
    note: str = ""
    minutes: int = EARLIER_MINUTES
    cancel_until: int | None = None
    #: The text of the slot from which the appointment was moved here.
    moved_from: str = ""
    #: Why the office moved the appointment here.
    reason: str = ""
    #: The same for all times of the appointment, in the calendars of student and advisor. "" if an
    #: earlier version booked it.
    calendar_id: str = ""
    #: How often the appointment has moved.
    calendar_revision: int = 0

    @property
    def end(self) -> int:
        """The end in epoch seconds."""
        return self.slot.time + self.minutes * 60


@dataclass(frozen=True, slots=True)
class StudentSlots:
    """The texts of a student's slots, and the number of changes.

    Without the slots that earlier versions booked with advisors without an availability.
    """

    slots: frozenset[str] = frozenset()
    version: int = 0


@dataclass(frozen=True, slots=True)
class AdvisorDay:
    """A date in an advisor's time zone: its appointments, and the free slots in epoch seconds."""

    time_zone: str
    appointments: list[Appointment]
    free: list[int]


@dataclass(frozen=True, slots=True)
class Changes:
    """A transaction: all of it is written if every condition holds."""

    student: str
    #: Condition: no student has the slot.
    take: Appointment | None = None
    #: Condition: the revision of the availability of the taken slot's advisor.
    revision: int = 0
    #: Condition: the student of the appointment still has the slot.
    free: Appointment | None = None
    #: The student's slots afterwards, and the version before as a condition; None: unchanged.
    slots: StudentSlots | None = None
    #: Why the office freed the slot, or moved the appointment.
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """The ids of a request, which its changes keep."""

    request_id: str = ""
    correlation_id: str = ""
