"""Book and move appointments, list free slots, and set an advisor's availability.

A change reads the advisor's availability and the appointments near the slot, decides by the rules,
and writes one transaction, with the condition that these items have not changed. If a
condition fails, it reads and decides again. The order of the reads matters: an appointment of an
earlier revision is visible once the new revision is, and two slots of one revision overlap only if
they are the same item.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from bookings import availability as availabilities
from bookings import rules
from bookings.availability import MAX_SLOT_MINUTES
from bookings.errors import (
    AvailabilityChangedError,
    BookingError,
    ConflictError,
    NotHomeError,
    UnavailableError,
    UnknownAdvisorError,
    UnknownAppointmentError,
)
from bookings.model import (
    AdvisorDay,
    Appointment,
    Changes,
    Origin,
    Slot,
    StoredAvailability,
    StudentSlots,
    slot_of_text,
)

#: Each attempt reads again, so a lost race ends with its refusal.
MAX_ATTEMPTS: Final = 6
#: Days of free slots in one response.
LISTED_DAYS: Final = 7
NOON: Final = time(12)
_BEFORE_S: Final = MAX_SLOT_MINUTES * 60


class Table(Protocol):
    """What the service needs of the appointments table. Reads are strongly consistent."""

    def availability(self, advisor: str) -> StoredAvailability | None:
        """Return the availability of an advisor, or None."""

    def booked(self, advisor: str, start: int, end: int) -> list[Appointment]:
        """Return the booked appointments with `start` ≤ start time ≤ `end`, in epoch seconds."""

    def student_slots(self, student: str) -> StudentSlots:
        """Return the slots that a student has."""

    def write(self, changes: Changes, now_ms: int, origin: Origin) -> None:
        """Write a transaction; raise ConflictError if a condition fails."""

    def rename(self, appointment: Appointment, now_ms: int, origin: Origin) -> None:
        """Write the note of an appointment; raise ConflictError if the student lost the slot."""

    def put_availability(
        self,
        advisor: str,
        stored: StoredAvailability,
        seen: int | None,
        now_ms: int,
        origin: Origin,
    ) -> None:
        """Write an availability; raise ConflictError unless `seen` is the stored revision."""


class Bookings:
    """The operations, for a table and a clock in epoch milliseconds."""

    def __init__(
        self, table: Table, clock_ms: Callable[[], int], pause: Callable[[int], None]
    ) -> None:
        """Create the operations. `pause` waits before an attempt with this number, from 1."""
        self._table = table
        self._clock_ms = clock_ms
        self._pause = pause

    def book(self, student: str, slot: Slot, note: str, origin: Origin) -> Appointment:
        """Book a slot. A repeated booking changes its note only.

        Raises:
            BookingError: A rule refuses the booking.
            UnavailableError: DynamoDB failed, or other changes were faster.
        """

        def attempt() -> Appointment:
            now_ms = self._clock_ms()
            stored, booked = self._read(slot)
            own = [it for it in booked if it.slot == slot and it.student == student]
            if own:
                renamed = replace(own[0], note=note)
                self._table.rename(renamed, now_ms, origin)
                return renamed
            wanted = Appointment(slot, student, note, calendar_id=_new_calendar_id())
            return self._take(wanted, stored, booked, now_ms, origin)

        def is_booked() -> bool:
            present = self._appointment(slot)
            return present is not None and present.student == student

        return self._repeated(attempt, is_booked)

    def move(self, student: str, old: Slot, new: Slot, origin: Origin) -> Appointment:
        """Move an appointment to another slot. A repeated move has the same result.

        Raises:
            BookingError: A rule refuses the move, or the student doesn't have the appointment.
            UnavailableError: DynamoDB failed, or other changes were faster.
        """

        def attempt() -> Appointment:
            now_ms = self._clock_ms()
            stored, booked = self._read(new)
            present = self._appointment(old)
            if present is None or present.student != student:
                if moved := self._moved(old, new, student):
                    return moved
                raise UnknownAppointmentError("You do not have this appointment.")
            if old == new:
                return present
            rules.check_changeable(present, now_ms)
            wanted = _at(present, new)
            return self._take(wanted, stored, booked, now_ms, origin, moved=present)

        return self._repeated(attempt, lambda: self._moved(old, new, student) is not None)

    def move_by_office(self, old: Slot, new: Slot, reason: str, origin: Origin) -> Appointment:
        """Move a student's appointment to any free slot, without notice, limits or maximum.

        Raises:
            BookingError: The slot isn't offered or is taken, or the appointment doesn't exist.
            UnavailableError: DynamoDB failed, or other changes were faster.
        """

        def attempt() -> Appointment:
            stored, booked = self._read(new)
            present = self._appointment(old)
            if present is None:
                if moved := self._moved(old, new):
                    return moved
                raise UnknownAppointmentError("This appointment doesn't exist.")
            if old == new:
                return present
            wanted = replace(_at(present, new), reason=reason)
            now_ms = self._clock_ms()
            return self._take(wanted, stored, booked, now_ms, origin, moved=present, by_office=True)

        return self._repeated(attempt, lambda: self._moved(old, new) is not None)

    def cancel(self, student: str, slot: Slot, origin: Origin) -> None:
        """Cancel an appointment of a student.

        Raises:
            BookingError: The student doesn't have the appointment, or it is too late.
            UnavailableError: DynamoDB failed, or other changes were faster.
        """

        def attempt() -> None:
            now_ms = self._clock_ms()
            present = self._appointment(slot)
            if present is None or present.student != student:
                raise UnknownAppointmentError("You do not have this appointment.")
            rules.check_changeable(present, now_ms)
            self._free(present, now_ms, origin)

        self._repeated(attempt)

    def cancel_by_office(self, slot: Slot, reason: str, origin: Origin) -> Appointment:
        """Cancel a student's appointment at any time. Return it.

        Raises:
            UnknownAppointmentError: No student has the appointment.
            UnavailableError: DynamoDB failed, or other changes were faster.
        """

        def attempt() -> Appointment:
            now_ms = self._clock_ms()
            present = self._appointment(slot)
            if present is None:
                raise UnknownAppointmentError("This appointment doesn't exist.")
            self._free(present, now_ms, origin, reason)
            return present

        return self._repeated(attempt)

    def day(self, advisor: str, day: date) -> AdvisorDay:
        """Return an advisor's appointments and free slots of a date in the advisor's time zone.

        Of an advisor without an availability, whom earlier versions booked, the zone is UTC, and
        no slot is free.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        stored = self._table.availability(advisor)
        name = "UTC" if stored is None else str(stored.document["timeZone"])
        noon = int(datetime.combine(day, NOON, UTC).timestamp())
        booked = self._table.booked(advisor, noon - 2 * rules.DAY_S, noon + 2 * rules.DAY_S)
        zone = ZoneInfo(name)

        def is_on(time: int) -> bool:
            return datetime.fromtimestamp(time, zone).date() == day

        free = []
        if stored is not None:
            first = max(noon - 2 * rules.DAY_S, -(-self._clock_ms() // 1000))
            parsed = availabilities.parse(stored.document)
            free = rules.offered_starts(parsed, booked, first, noon + 2 * rules.DAY_S)
        return AdvisorDay(
            name, [it for it in booked if is_on(it.slot.time)], [it for it in free if is_on(it)]
        )

    def free(self, advisor: str, start: int) -> tuple[StoredAvailability, list[int], int]:
        """Return the availability, the free slots of the next days, and the end of these days.

        Raises:
            UnknownAdvisorError: No availability is stored for the advisor.
            UnavailableError: DynamoDB failed.
        """
        now_ms = self._clock_ms()
        stored = self._table.availability(advisor)
        if stored is None:
            raise UnknownAdvisorError("No advisor has this id.")
        # A start of the API's format, because the end is the next list's `from`.
        now = now_ms // 1000
        first = max(start, now - now % (availabilities.GRID_MINUTES * 60))
        end = first + LISTED_DAYS * rules.DAY_S
        booked = self._table.booked(advisor, first - _BEFORE_S, end + _BEFORE_S)
        parsed = availabilities.parse(stored.document)
        return stored, rules.free_starts(parsed, booked, first, end, now_ms), end

    def set_availability(
        self,
        advisor: str,
        document: Mapping[str, Any],
        expected: int | None,
        origin: Origin,
        *,
        email: str | None = None,
    ) -> StoredAvailability:
        """Store an advisor's availability. Booked appointments stay.

        `email` is the advisor's address for notices: None keeps the present one, "" removes it.

        Raises:
            InvalidAvailabilityError: A part is invalid.
            AvailabilityChangedError: The stored revision isn't `expected`.
            UnavailableError: DynamoDB failed, or other changes were faster.
        """
        availabilities.parse(document)

        def attempt() -> StoredAvailability:
            present = self._table.availability(advisor)
            seen = None if present is None else present.revision
            if expected is not None and expected != (seen or 0):
                raise AvailabilityChangedError(
                    "Someone else has changed this availability. Load it again."
                )
            revision = (seen or 0) + 1
            content = {**document, "advisorId": advisor, "revision": revision}
            address = email
            if address is None:
                address = "" if present is None else present.email
            stored = StoredAvailability(content, revision, address)
            self._table.put_availability(advisor, stored, seen, self._clock_ms(), origin)
            return stored

        return self._repeated(attempt)

    def _repeated[T](
        self, attempt: Callable[[], T], is_done: Callable[[], bool] = lambda: False
    ) -> T:
        """Return the result of the first attempt that no other change interrupts.

        `is_done` tells whether an equal request has succeeded. Its write can come between the reads
        of an attempt, which would then refuse what is done.

        Raises:
            BookingError: A rule refuses the request, and no equal request has succeeded.
            NotHomeError: Another Region is the home; the next attempt wouldn't change that.
            UnavailableError: DynamoDB failed, or other changes were faster in each attempt.
        """
        for number in range(1, MAX_ATTEMPTS + 1):
            try:
                return attempt()
            except ConflictError:
                self._pause(number)
            except NotHomeError:
                raise
            except BookingError:
                if not is_done():
                    raise
        raise UnavailableError("Other changes were faster. Try again in a moment.")

    def _free(self, present: Appointment, now_ms: int, origin: Origin, reason: str = "") -> None:
        """Write that a student has an appointment no more."""
        text, read = present.slot.text, self._table.student_slots(present.student)
        slots = None
        if text in read.slots:
            held = _coming(set(read.slots) - {text}, now_ms)
            slots = StudentSlots(frozenset(held), read.version)
        changes = Changes(present.student, free=present, slots=slots, reason=reason)
        self._table.write(changes, now_ms, origin)

    def _read(self, slot: Slot) -> tuple[StoredAvailability | None, list[Appointment]]:
        """Return the availability, then the appointments that can overlap the slot."""
        stored = self._table.availability(slot.advisor)
        booked = self._table.booked(slot.advisor, slot.time - _BEFORE_S, slot.time + _BEFORE_S)
        return stored, booked

    def _appointment(self, slot: Slot) -> Appointment | None:
        booked = self._table.booked(slot.advisor, slot.time, slot.time)
        return booked[0] if booked else None

    def _moved(self, old: Slot, new: Slot, student: str | None = None) -> Appointment | None:
        """Return the appointment that a student moved, or None. Without a student, anybody's."""
        present, taken = self._appointment(old), self._appointment(new)
        if taken is None or taken.moved_from != old.text or student not in {None, taken.student}:
            return None
        return None if present is not None and present.student == taken.student else taken

    def _take(
        self,
        wanted: Appointment,
        stored: StoredAvailability | None,
        booked: list[Appointment],
        now_ms: int,
        origin: Origin,
        *,
        moved: Appointment | None = None,
        by_office: bool = False,
    ) -> Appointment:
        """Check a slot by the rules, and write the appointment, without the moved one.

        Raises:
            UnknownAdvisorError: The school has no such advisor.
            BookingError: A rule refuses the slot.
            ConflictError: Another change was faster.
            UnavailableError: DynamoDB failed.
        """
        if stored is None:
            raise UnknownAdvisorError("No advisor has this id.")
        slot, others = wanted.slot, [it for it in booked if moved is None or it.slot != moved.slot]
        read = self._table.student_slots(wanted.student)
        held = set(read.slots) - ({moved.slot.text} if moved else set())
        parsed = availabilities.parse(stored.document)
        if by_office:
            rules.check_offered(parsed, slot, others)
        else:
            rules.check_bookable(parsed, slot, others, now_ms)
            rules.check_number(parsed, slot.advisor, held, now_ms)
        wanted = replace(
            wanted,
            minutes=parsed.slot_minutes,
            cancel_until=rules.cancel_until(parsed, slot),
        )
        slots = StudentSlots(frozenset(_coming(held | {slot.text}, now_ms)), read.version)
        changes = Changes(
            wanted.student, wanted, stored.revision, moved, slots, wanted.reason if moved else ""
        )
        self._table.write(changes, now_ms, origin)
        return wanted


def _new_calendar_id() -> str:
    return uuid.uuid4().hex


def _at(present: Appointment, new: Slot) -> Appointment:
    """Return an appointment at another time, which is the same one in calendars."""
    return Appointment(
        new,
        present.student,
        present.note,
        moved_from=present.slot.text,
        calendar_id=present.calendar_id or _new_calendar_id(),
        calendar_revision=present.calendar_revision + 1 if present.calendar_id else 0,
    )


def _coming(held: set[str], now_ms: int) -> list[str]:
    return [text for text in held if slot_of_text(text).time * 1000 > now_ms]
