"""The outbox of the appointments' emails: actions of the transaction that changes an appointment.

The items are in the accounts table, whose stream the relay reads (stepfunctions/relay.py). So the
email of a change can't be lost, and without the change there is no email. The item of a slot has
the newest change; the relay reads each of its versions from the stream.
"""

from typing import Any, Final

from bookings.model import Appointment, Origin
from bookings.waiting_notices import DELETED, PARTITION

#: Until then the notifier reads the item: 30 days after the change or the start.
KEPT_S: Final = 30 * 86_400


class Outbox:
    """A table, by its name, and the Region that publishes its items.

    It is the accounts table, or with `is_waiting` the appointments table (waiting_notices.py).
    """

    def __init__(self, table: str, region: str, *, is_waiting: bool = False) -> None:
        self._table = table
        self._region = region
        self._is_waiting = is_waiting

    def changed(
        self, taken: Appointment, freed: Appointment | None, now_ms: int, origin: Origin
    ) -> list[dict[str, Any]]:
        """Return the actions of a booked appointment, or of one that moved from a freed slot."""
        notice = "moved" if freed is not None else "booked"
        actions = [self._put(taken, notice, taken.calendar_revision, now_ms, origin, taken.reason)]
        if freed is not None:
            actions.append(self._delete(freed, now_ms))
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
            **self._key(appointment),
            "notice": {"S": notice},
            "status": {"S": "ready"},
            "origin_region": self._origin(),
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

    def _delete(self, freed: Appointment, now_ms: int) -> dict[str, Any]:
        if not self._is_waiting:
            return {"Delete": {"TableName": self._table, "Key": self._key(freed)}}
        item = {
            **self._key(freed),
            "notice": {"S": DELETED},
            "origin_region": self._origin(),
            "updated_at": {"N": str(now_ms)},
            "expires_at": {"N": str(max(now_ms // 1000, freed.slot.time) + KEPT_S)},
        }
        return {"Put": {"TableName": self._table, "Item": item}}

    def _origin(self) -> dict[str, Any]:
        # No Region exports a waiting notice to its lake.
        return {"S": "none" if self._is_waiting else self._region}

    def _key(self, appointment: Appointment) -> dict[str, Any]:
        owner = f"STUDENT#{appointment.student}"
        name = f"OUTBOX#APPOINTMENT#{appointment.slot.text}"
        if self._is_waiting:
            return {"pk": {"S": PARTITION}, "sk": {"S": f"{owner}/{name}"}}
        return {"pk": {"S": owner}, "sk": {"S": name}}
