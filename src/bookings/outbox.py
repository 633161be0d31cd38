"""The outbox of the appointments' emails: actions of the transaction that changes an appointment.

The items are in the accounts table, whose stream the relay reads (stepfunctions/relay.py). So the
email of a change can't be lost, and without the change there is no email. The item of a slot has
the newest change; the relay reads each of its versions from the stream.
"""

from typing import Any, Final

from bookings.model import Appointment, Origin, Slot

#: Until then the notifier reads the item: 30 days after the change or the start.
KEPT_S: Final = 30 * 86_400


class Outbox:
    """The accounts table, by its name, and the Region that publishes its items."""

    def __init__(self, table: str, region: str) -> None:
        self._table = table
        self._region = region

    def changed(
        self, taken: Appointment, freed: Appointment | None, now_ms: int, origin: Origin
    ) -> list[dict[str, Any]]:
        """Return the actions of a booked appointment, or of one that moved from a freed slot."""
        notice = "moved" if freed is not None else "booked"
        actions = [self._put(taken, notice, taken.calendar_revision, now_ms, origin, taken.reason)]
        if freed is not None:
            key = _key(freed.student, freed.slot)
            actions.append({"Delete": {"TableName": self._table, "Key": key}})
        return actions

    def cancelled(
        self, freed: Appointment, now_ms: int, origin: Origin, reason: str
    ) -> list[dict[str, Any]]:
        """Return the actions of an appointment that the office cancelled."""
        revision = freed.calendar_revision + 1
        return [self._put(freed, "cancelled", revision, now_ms, origin, reason)]

    def _put(
        self,
        appointment: Appointment,
        notice: str,
        revision: int,
        now_ms: int,
        origin: Origin,
        reason: str,
    ) -> dict[str, Any]:
        expires_at = max(now_ms // 1000, appointment.slot.time) + KEPT_S
        item = {
            **_key(appointment.student, appointment.slot),
            "notice": {"S": notice},
            "status": {"S": "ready"},
            "origin_region": {"S": self._region},
            "calendar_id": {"S": appointment.calendar_id},
            "calendar_revision": {"N": str(revision)},
            "minutes": {"N": str(appointment.minutes)},
            "moved_from": {"S": appointment.moved_from if notice == "moved" else ""},
            "reason": {"S": reason},
            "correlation_id": {"S": origin.correlation_id},
            "updated_at": {"N": str(now_ms)},
            "expires_at": {"N": str(expires_at)},
        }
        return {"Put": {"TableName": self._table, "Item": item}}


def _key(student: str, slot: Slot) -> dict[str, Any]:
    return {"pk": {"S": f"STUDENT#{student}"}, "sk": {"S": f"OUTBOX#APPOINTMENT#{slot.text}"}}
