"""The adapter of the appointments table.

| pk | sk | item |
|---|---|---|
| `ADVISOR#<id>` | `SLOT#<start>` | an appointment; without `student` it is free again |
| `ADVISORS` | `ADVISOR#<id>` | an advisor's availability |
| `STUDENT#<sub>` | `BOOKED` | a student's coming slots |
| `HOME#<part>` | `HOME` | the home, which each transaction checks (home_table.py) |

The lake has the first kind only: `origin_region` of the others names no Region, so the stream
processor of no Region exports them.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from bookings import dynamodb_calls
from bookings.home_table import HomeTable
from bookings.model import (
    EARLIER_MINUTES,
    Appointment,
    Changes,
    Origin,
    Slot,
    StoredAvailability,
    StudentSlots,
    time_text,
)
from bookings.outbox import Outbox

NOT_EXPORTED: Final = "none"
_COUNTED: Final = {
    "version": "if_not_exists(version, :none) + :one",
    "origin_region": ":region",
    "updated_at": ":now",
    "request_id": ":request",
    "correlation_id": ":correlation",
    "home_epoch": ":epoch",
}


class AppointmentsTable:
    """The table, with a low-level DynamoDB client. Writes are refused unless this is the home."""

    def __init__(self, dynamodb: Any, name: str, home: HomeTable, outbox: Outbox) -> None:
        self._dynamodb = dynamodb
        self._name = name
        self._home = home
        self._outbox = outbox

    def availability(self, advisor: str) -> StoredAvailability | None:
        """Return the availability of an advisor, or None.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        item = self._get(_advisor_key(advisor))
        if item is None:
            return None
        return StoredAvailability(
            json.loads(item["document"]["S"]),
            int(item["revision"]["N"]),
            item.get("email", {}).get("S", ""),
        )

    def booked(self, advisor: str, start: int, end: int) -> list[Appointment]:
        """Return the booked appointments with `start` ≤ start time ≤ `end`, in epoch seconds.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": {
                ":pk": {"S": f"ADVISOR#{advisor}"},
                ":first": {"S": f"SLOT#{time_text(start)}"},
                ":last": {"S": f"SLOT#{time_text(end)}"},
            },
            "ConsistentRead": True,
        }
        appointments: list[Appointment] = []
        while True:
            page = dynamodb_calls.call(lambda: self._dynamodb.query(**request))
            appointments += [_appointment(item) for item in page["Items"] if "student" in item]
            if "LastEvaluatedKey" not in page:
                return appointments
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def student_slots(self, student: str) -> StudentSlots:
        """Return the slots that a student has.

        Raises:
            UnavailableError: DynamoDB failed.
        """
        item = self._get(_student_key(student)) or {}
        slots = frozenset(item.get("slots", {}).get("SS", ()))
        return StudentSlots(slots, int(item.get("version", {"N": "0"})["N"]))

    def write(self, changes: Changes, now_ms: int, origin: Origin) -> None:
        """Write a transaction.

        Raises:
            ConflictError: A condition failed.
            NotHomeError: This Region isn't the home.
            UnavailableError: DynamoDB failed.
        """
        actions: list[dict[str, Any]] = []
        if changes.take is not None:
            actions += self._take(changes.take, changes.revision, now_ms, origin)
        if changes.free is not None:
            freed = self._update(
                changes.free.slot, now_ms, origin, "student = :student", None, changes.reason
            )
            freed["ExpressionAttributeValues"][":student"] = {"S": changes.free.student}
            actions.append({"Update": freed})
        if changes.slots is not None:
            actions.append({"Update": self._student_update(changes, now_ms)})
        if changes.take is not None:
            actions += self._outbox.changed(changes.take, changes.free, now_ms, origin)
        elif changes.free is not None:
            actions += self._outbox.cancelled(changes.free, now_ms, origin, changes.reason)
        touched = [it.slot.advisor for it in (changes.take, changes.free) if it is not None]
        self._transact(touched, actions)

    def _take(
        self, taken: Appointment, revision: int, now_ms: int, origin: Origin
    ) -> list[dict[str, Any]]:
        """Return the actions that take a slot, and check its advisor's availability."""
        guard = {
            "TableName": self._name,
            "Key": _advisor_key(taken.slot.advisor),
            "ConditionExpression": "revision = :revision",
            "ExpressionAttributeValues": {":revision": {"N": str(revision)}},
        }
        update = self._update(taken.slot, now_ms, origin, "attribute_not_exists(student)", taken)
        return [{"ConditionCheck": guard}, {"Update": update}]

    def rename(self, appointment: Appointment, now_ms: int, origin: Origin) -> None:
        """Write the note of an appointment.

        Raises:
            ConflictError: The student doesn't have the slot any more.
            NotHomeError: This Region isn't the home.
            UnavailableError: DynamoDB failed.
        """
        update = self._update(appointment.slot, now_ms, origin, "student = :student", appointment)
        self._transact([appointment.slot.advisor], [{"Update": update}])

    def put_availability(
        self,
        advisor: str,
        stored: StoredAvailability,
        seen: int | None,
        now_ms: int,
        origin: Origin,
    ) -> None:
        """Write an availability.

        Raises:
            ConflictError: The stored revision isn't `seen`.
            NotHomeError: This Region isn't the home.
            UnavailableError: DynamoDB failed.
        """
        request: dict[str, Any] = {
            "TableName": self._name,
            "Item": {
                **_advisor_key(advisor),
                "document": {"S": json.dumps(stored.document, ensure_ascii=False)},
                "revision": {"N": str(stored.revision)},
                "origin_region": {"S": NOT_EXPORTED},
                "updated_at": {"N": str(now_ms)},
                "request_id": {"S": origin.request_id},
            },
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        if stored.email:
            request["Item"]["email"] = {"S": stored.email}
        if seen is not None:
            request["ConditionExpression"] = "revision = :seen"
            request["ExpressionAttributeValues"] = {":seen": {"N": str(seen)}}
        self._transact([advisor], [{"Put": request}])

    def _transact(self, advisors: Iterable[str], actions: list[dict[str, Any]]) -> None:
        """Write a transaction after the conditions on the record of the home."""
        guards = self._home.guards(advisors)
        dynamodb_calls.call(
            lambda: self._dynamodb.transact_write_items(TransactItems=[*guards, *actions]),
            guards=len(guards),
        )

    def _update(
        self,
        slot: Slot,
        now_ms: int,
        origin: Origin,
        condition: str,
        held: Appointment | None,
        reason: str = "",
    ) -> dict[str, Any]:
        """Return the update of a slot's item: it is held as the appointment, or free."""
        values = {
            ":none": {"N": "0"},
            ":one": {"N": "1"},
            ":region": {"S": self._home.region},
            ":epoch": {"N": str(self._home.current().epoch)},
            ":now": {"N": str(now_ms)},
            ":request": {"S": origin.request_id},
            ":correlation": {"S": origin.correlation_id},
        }
        attributes: dict[str, dict[str, str]] = {"reason": {"S": reason}} if reason else {}
        if held is not None:
            values[":student"] = {"S": held.student}
            attributes = _attributes(held)
        names = [name for name in _OPTIONAL if name not in attributes]
        values |= {f":{name}": value for name, value in attributes.items()}
        assigned = _COUNTED | {name: f":{name}" for name in attributes}
        removed = names if held is not None else [*names, "student"]
        if held is not None:
            assigned |= {"student": ":student"}
        expression = _set(assigned)
        if removed:
            expression += f" REMOVE {', '.join(removed)}"
        return {
            "TableName": self._name,
            "Key": {"pk": {"S": f"ADVISOR#{slot.advisor}"}, "sk": {"S": f"SLOT#{slot.start}"}},
            "ConditionExpression": condition,
            "UpdateExpression": expression,
            "ExpressionAttributeValues": values,
        }

    def _student_update(self, changes: Changes, now_ms: int) -> dict[str, Any]:
        after = changes.slots
        assert after is not None
        values: dict[str, Any] = {
            ":seen": {"N": str(after.version)},
            ":next": {"N": str(after.version + 1)},
            ":region": {"S": NOT_EXPORTED},
            ":now": {"N": str(now_ms)},
        }
        assigned = {"version": ":next", "origin_region": ":region", "updated_at": ":now"}
        # "An attribute value can't be an empty set" (DynamoDB, naming rules and data types).
        if after.slots:
            values[":slots"] = {"SS": sorted(after.slots)}
            assigned["slots"] = ":slots"
        condition = "version = :seen"
        if not after.version:
            condition = "attribute_not_exists(version)"
            del values[":seen"]
        return {
            "TableName": self._name,
            "Key": _student_key(changes.student),
            "ConditionExpression": condition,
            "UpdateExpression": _set(assigned) + ("" if after.slots else " REMOVE slots"),
            "ExpressionAttributeValues": values,
        }

    def _get(self, key: dict[str, Any]) -> dict[str, Any] | None:
        answer = dynamodb_calls.call(
            lambda: self._dynamodb.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        )
        item: dict[str, Any] | None = answer.get("Item")
        return item


_OPTIONAL: Final = (
    *("note", "minutes", "cancel_until", "moved_from", "reason"),
    *("calendar_id", "calendar_revision"),
)


def _set(assigned: Mapping[str, str]) -> str:
    """Return the SET clause of an update expression."""
    return f"SET {', '.join(f'{name} = {value}' for name, value in assigned.items())}"


def _attributes(held: Appointment) -> dict[str, dict[str, str]]:
    """Return the attributes of an appointment that have a value."""
    attributes = {"minutes": {"N": str(held.minutes)}}
    if held.cancel_until is None:
        # As earlier versions stored it.
        del attributes["minutes"]
    else:
        attributes["cancel_until"] = {"N": str(held.cancel_until)}
    if held.note:
        attributes["note"] = {"S": held.note}
    if held.moved_from:
        attributes["moved_from"] = {"S": held.moved_from}
    if held.reason:
        attributes["reason"] = {"S": held.reason}
    if held.calendar_id:
        attributes["calendar_id"] = {"S": held.calendar_id}
        attributes["calendar_revision"] = {"N": str(held.calendar_revision)}
    return attributes


def _appointment(item: dict[str, Any]) -> Appointment:
    slot = Slot(item["sk"]["S"].removeprefix("SLOT#"), item["pk"]["S"].removeprefix("ADVISOR#"))
    limit = item.get("cancel_until")
    return Appointment(
        slot,
        item["student"]["S"],
        item.get("note", {}).get("S", ""),
        int(item.get("minutes", {"N": EARLIER_MINUTES})["N"]),
        None if limit is None else int(limit["N"]),
        item.get("moved_from", {}).get("S", ""),
        item.get("reason", {}).get("S", ""),
        item.get("calendar_id", {}).get("S", ""),
        int(item.get("calendar_revision", {"N": "0"})["N"]),
    )


def _advisor_key(advisor: str) -> dict[str, Any]:
    return {"pk": {"S": "ADVISORS"}, "sk": {"S": f"ADVISOR#{advisor}"}}


def _student_key(student: str) -> dict[str, Any]:
    return {"pk": {"S": f"STUDENT#{student}"}, "sk": {"S": "BOOKED"}}
