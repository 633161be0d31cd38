"""The iCalendar object of an appointment's email (RFC 5545, RFC 5546). Pure.

Start and end are in UTC: a slot is an instant, each calendar shows it by its own clock, and an
object without a VTIMEZONE can't disagree with the time zone database of the reader.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from stepfunctions.appointment_notice import CANCELLED, Notice
from stepfunctions.email_templates import one_line

PRODUCT: Final = "-//Meridian School//Appointments//EN"


def method(notice: Notice) -> str:
    """Return the method of a notice's object: CANCEL or REQUEST (RFC 5546, 3.2)."""
    return "CANCEL" if notice.kind == CANCELLED else "REQUEST"


def render(notice: Notice, summary: str, organizer: str, attendee: str, now: datetime) -> bytes:
    """Return the object of a notice that has a calendar id.

    The UID is the same for all changes of the appointment, and the sequence number grows with each
    (RFC 5545, 3.8.4.7 and 3.8.7.4). Calendars replace an entry by a higher number only.

    Args:
        notice: The change.
        summary: The title of the entry.
        organizer: The school's address, whose domain is part of the UID.
        attendee: The recipient's address.
        now: When the object is created.
    """
    # An import of milliseconds, which other emails don't need.
    from icalendar import Calendar, Event, vCalAddress

    start = datetime.fromisoformat(notice.start).astimezone(UTC)
    event = Event()
    event.add("uid", f"{notice.calendar_id}@{organizer.rpartition('@')[2]}")
    event.add("sequence", notice.revision)
    event.add("dtstamp", now.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", start)
    event.add("dtend", start + timedelta(minutes=notice.minutes))
    event.add("summary", one_line(summary))
    event.add("status", "CANCELLED" if notice.kind == CANCELLED else "CONFIRMED")
    event.add("organizer", vCalAddress(f"mailto:{organizer}"))
    participant = vCalAddress(f"mailto:{attendee}")
    # The appointment is made: nobody is asked whether to come.
    participant.params["PARTSTAT"] = "ACCEPTED"
    participant.params["RSVP"] = "FALSE"
    event.add("attendee", participant)
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("method", method(notice))
    calendar.add_component(event)
    return bytes(calendar.to_ical())
