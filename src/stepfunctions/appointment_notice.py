"""Notices of changes of an appointment, from the stream record to the notifier. Pure; ids only.

The transaction that changes an appointment writes an item of the accounts table:

| pk | sk | attributes |
|---|---|---|
| STUDENT#<sub> | OUTBOX#APPOINTMENT#<start>/<advisor> | the newest change of it; expires |

A notice goes to the student, one to the advisor, and after a move to another advisor one to the
earlier advisor. Each has an outbox id of its own, so each email is sent once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stepfunctions.errors import OutboxError

OWNER_PREFIX: Final = "STUDENT#"
SORT_KEY_PREFIX: Final = "OUTBOX#APPOINTMENT#"
#: The attribute `notice` of the item → the kind of the message.
KINDS: Final = {
    "booked": "AppointmentBooked",
    "moved": "AppointmentMoved",
    "cancelled": "AppointmentCancelled",
    # Another student has the slot: both got it while the home moved (`make conflicts`).
    "conflict": "AppointmentCancelled",
    # The other student's item, then.
    "kept": "AppointmentKept",
}
CANCELLED: Final = KINDS["cancelled"]
REMINDER: Final = "AppointmentReminder"
#: The first words of a recipient's key; account ids begin with neither.
STUDENT: Final = "student-"
ADVISOR: Final = "advisor-"


@dataclass(frozen=True, slots=True)
class Notice:
    """A change of an appointment, for one recipient."""

    #: STUDENT and the `sub`, or ADVISOR and the advisor's id.
    recipient: str
    kind: str
    student: str
    #: The slot's start, such as 2026-12-01T09:30:00Z, and its advisor.
    start: str
    advisor: str
    #: The same for all changes of an appointment; "" if an earlier version booked it.
    calendar_id: str = ""
    #: The number of changes before this one.
    revision: int = 0
    minutes: int = 30
    #: The start before a move, "" otherwise.
    moved_from: str = ""

    @property
    def sort_key(self) -> str:
        """The sort key of the item with the newest change."""
        return f"{SORT_KEY_PREFIX}{self.start}/{self.advisor}"

    @property
    def outbox_id(self) -> str:
        """The id of the email. Without a calendar id, the start distinguishes appointments."""
        subject = self.calendar_id or f"{self.start}-{self.advisor}".replace(":", "-")
        return f"{self.recipient}/{subject}/{self.revision}/{self.kind}"

    def document(self) -> dict[str, str]:
        """Return the notice as the value `appointment` of a message, without its kind."""
        return {
            "student": self.student,
            "start": self.start,
            "advisor": self.advisor,
            "calendarId": self.calendar_id,
            "revision": str(self.revision),
            "minutes": str(self.minutes),
            "movedFrom": self.moved_from,
        }


@dataclass(frozen=True, slots=True)
class NewestChange:
    """What the item of an appointment says now. `reason` is the office's text, or ""."""

    notice: str
    calendar_id: str
    revision: int
    reason: str

    def is_of(self, notice: Notice) -> bool:
        """Return whether a notice is about this change."""
        return (self.calendar_id, self.revision) == (notice.calendar_id, notice.revision)


def newest_change(image: Mapping[str, Any]) -> NewestChange:
    """Return the change in an item."""
    revision = int(image.get("calendar_revision", {}).get("N", "0"))
    return NewestChange(
        _text(image, "notice"), _text(image, "calendar_id"), revision, _text(image, "reason")
    )


def from_image(student: str, slot: str, image: Mapping[str, Any]) -> list[Notice]:
    """Return the notices of an item's new image, `slot` being `<start>/<advisor>`.

    Raises:
        OutboxError: The image has an unknown change.
    """
    start, _, advisor = slot.partition("/")
    kind = KINDS.get(_text(image, "notice"))
    if kind is None:
        raise OutboxError("Can't parse a stream record: the change of the appointment is unknown.")
    moved_from, _, earlier = _text(image, "moved_from").partition("/")
    common: dict[str, Any] = {
        "student": student,
        "calendar_id": _text(image, "calendar_id"),
        "revision": int(image.get("calendar_revision", {}).get("N", "0")),
        "minutes": int(image.get("minutes", {}).get("N", "30")),
    }
    changed: dict[str, Any] = {
        "kind": kind,
        "start": start,
        "advisor": advisor,
        "moved_from": moved_from,
    }
    to_student = Notice(recipient=f"{STUDENT}{student}", **changed, **common)
    if not earlier or earlier == advisor:
        return [to_student, Notice(recipient=f"{ADVISOR}{advisor}", **changed, **common)]
    arrived: dict[str, Any] = {"kind": KINDS["booked"], "start": start, "advisor": advisor}
    left: dict[str, Any] = {"kind": CANCELLED, "start": moved_from, "advisor": earlier}
    return [
        to_student,
        Notice(recipient=f"{ADVISOR}{advisor}", **arrived, **common),
        Notice(recipient=f"{ADVISOR}{earlier}", **left, **common),
    ]


def from_document(recipient: str, kind: str, document: Mapping[str, Any]) -> Notice:
    """Parse the value `appointment` of a message.

    Raises:
        OutboxError: A value is missing or has another type.
    """
    try:
        return Notice(
            recipient,
            kind,
            str(document["student"]),
            str(document["start"]),
            str(document["advisor"]),
            str(document["calendarId"]),
            int(document["revision"]),
            int(document["minutes"]),
            str(document["movedFrom"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        name = type(error).__name__
        raise OutboxError(f"Can't parse a queue message: its appointment has a {name}.") from None


def _text(image: Mapping[str, Any], name: str) -> str:
    return str(image.get(name, {}).get("S", ""))
