"""The appointments table in memory, with the conditions of its transactions."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bookings.errors import ConflictError
from bookings.model import Appointment, Changes, Origin, Slot, StoredAvailability, StudentSlots


@dataclass
class FakeTable:
    """`before_write` runs between the reads of an operation and its write."""

    availabilities: dict[str, StoredAvailability] = field(default_factory=dict)
    appointments: dict[Slot, Appointment] = field(default_factory=dict)
    students: dict[str, StudentSlots] = field(default_factory=dict)
    before_write: list[Callable[[], object]] = field(default_factory=list)

    def availability(self, advisor: str) -> StoredAvailability | None:
        return self.availabilities.get(advisor)

    def booked(self, advisor: str, start: int, end: int) -> list[Appointment]:
        return [
            it
            for slot, it in sorted(self.appointments.items())
            if slot.advisor == advisor and start <= slot.time <= end
        ]

    def student_slots(self, student: str) -> StudentSlots:
        return self.students.get(student, StudentSlots())

    def write(self, changes: Changes, now_ms: int, origin: Origin) -> None:
        self._interrupt()
        take, free, after = changes.take, changes.free, changes.slots
        holds = (
            (take is None or self._can_take(take.slot, changes.revision))
            and (free is None or self._holder(free.slot) == free.student)
            and (after is None or self.student_slots(changes.student).version == after.version)
        )
        if not holds:
            raise ConflictError
        if free is not None:
            del self.appointments[free.slot]
        if take is not None:
            self.appointments[take.slot] = take
        if after is not None:
            self.students[changes.student] = StudentSlots(after.slots, after.version + 1)

    def _can_take(self, slot: Slot, revision: int) -> bool:
        stored = self.availabilities.get(slot.advisor)
        return slot not in self.appointments and stored is not None and revision == stored.revision

    def rename(self, appointment: Appointment, now_ms: int, origin: Origin) -> None:
        self._interrupt()
        if self._holder(appointment.slot) != appointment.student:
            raise ConflictError
        self.appointments[appointment.slot] = appointment

    def put_availability(
        self,
        advisor: str,
        stored: StoredAvailability,
        seen: int | None,
        now_ms: int,
        origin: Origin,
    ) -> None:
        self._interrupt()
        present = self.availabilities.get(advisor)
        if (None if present is None else present.revision) != seen:
            raise ConflictError
        self.availabilities[advisor] = stored

    def _holder(self, slot: Slot) -> str | None:
        held = self.appointments.get(slot)
        return None if held is None else held.student

    def _interrupt(self) -> None:
        if self.before_write:
            self.before_write.pop(0)()
