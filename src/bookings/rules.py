"""The rules of a booking: a refusal, or no result. Pure."""

from collections.abc import Iterable
from typing import Final

from bookings import slots
from bookings.availability import Availability
from bookings.errors import (
    NoticeTooShortError,
    SlotNotOfferedError,
    SlotTakenError,
    TooLateToChangeError,
    TooManyBookingsError,
)
from bookings.model import Appointment, Slot, slot_of_text

HOUR_S: Final = 3600
DAY_S: Final = 86_400


def check_bookable(
    availability: Availability, slot: Slot, booked: Iterable[Appointment], now_ms: int
) -> None:
    """Check a slot that a student wants.

    Raises:
        SlotNotOfferedError: The availability has no such slot, or not yet.
        NoticeTooShortError: The slot starts too soon.
        SlotTakenError: An appointment overlaps the slot.
    """
    check_offered(availability, slot, booked)
    if slot.time * 1000 > now_ms + availability.book_ahead_days * DAY_S * 1000:
        raise SlotNotOfferedError(
            f"The advisor offers times of the next {availability.book_ahead_days} days."
        )
    if slot.time * 1000 < now_ms + availability.notice_hours * HOUR_S * 1000:
        raise NoticeTooShortError(f"The advisor needs {availability.notice_hours} hours of notice.")


def check_offered(availability: Availability, slot: Slot, booked: Iterable[Appointment]) -> None:
    """Check a slot against the availability and the appointments near it.

    Raises:
        SlotNotOfferedError: The availability has no such slot.
        SlotTakenError: An appointment overlaps the slot.
    """
    if not slots.is_offered(availability, slot.time):
        raise SlotNotOfferedError("The advisor doesn't offer this time.")
    end = slot.time + availability.slot_minutes * 60
    if any(overlaps(appointment, slot.time, end) for appointment in booked):
        raise SlotTakenError("This time is already booked.")


def check_number(
    availability: Availability, advisor: str, held: Iterable[str], now_ms: int
) -> None:
    """Check the number of a student's coming appointments; `held` are texts of slots.

    Raises:
        TooManyBookingsError: The student has the maximum with the advisor.
    """
    coming = [it for it in map(slot_of_text, held) if it.time * 1000 > now_ms]
    if sum(it.advisor == advisor for it in coming) >= availability.max_bookings:
        raise TooManyBookingsError(
            f"A student can have {availability.max_bookings} coming appointments with this advisor."
        )


def check_changeable(appointment: Appointment, now_ms: int) -> None:
    """Check that the student may still move an appointment.

    Raises:
        TooLateToChangeError: The time for it is over.
    """
    if appointment.cancel_until is not None and now_ms > appointment.cancel_until:
        raise TooLateToChangeError("It is too late to move or cancel this appointment.")


def cancel_until(availability: Availability, slot: Slot) -> int:
    """Return the last millisecond at which the student may cancel the slot."""
    return (slot.time - availability.cancel_hours * HOUR_S) * 1000


def overlaps(appointment: Appointment, start: int, end: int) -> bool:
    """Return whether an appointment takes a part of a time, in epoch seconds."""
    return appointment.slot.time < end and start < appointment.end


def free_starts(
    availability: Availability, booked: Iterable[Appointment], start: int, end: int, now_ms: int
) -> list[int]:
    """Return the starts of the slots that a student can book, in epoch seconds."""
    earliest = -(-now_ms // 1000) + availability.notice_hours * HOUR_S
    latest = now_ms // 1000 + availability.book_ahead_days * DAY_S
    return offered_starts(availability, booked, max(start, earliest), min(end, latest + 1))


def offered_starts(
    availability: Availability, booked: Iterable[Appointment], start: int, end: int
) -> list[int]:
    """Return the starts of the slots that the office can choose: `check_offered` accepts them."""
    taken = list(booked)
    length = availability.slot_minutes * 60
    return [
        slot
        for slot in slots.starts(availability, start, end)
        if not any(overlaps(appointment, slot, slot + length) for appointment in taken)
    ]
