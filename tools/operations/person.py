"""`make person`: export everything about a student as a file, or erase the student everywhere.

The steps of an erasure can be repeated: the user is deleted last, because the other steps find the
student's items by the user's `sub` and account. docs/deploying.md lists the data that stay.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.operations import erase as lake_erasure
from tools.operations.staff_functions import invoke
from tools.operations.stage import Stage, find_stage
from tools.paths import STATE

#: The attribute with the id of a user's account (src/stepfunctions/users.py).
_ACCOUNT: Final = "preferred_username"
#: The reason in the emails of cancelled appointments.
REASON: Final = "The account is closed."
#: Attributes of a slot's item that the student's appointment had.
_OF_APPOINTMENT: Final = (
    *("student", "note", "reason", "moved_from", "cancel_until"),
    *("calendar_id", "calendar_revision"),
)
#: The attributes that each change of an item sets.
_CHANGED: Final = {
    "version": "if_not_exists(version, :none) + :one",
    "origin_region": ":region",
    "updated_at": ":now",
}
#: Secrets of an item that an export leaves out.
_SECRET: Final = frozenset({"proof", "proof_digest", "digest", "new_proof", "old_proof"})

type Item = dict[str, Any]


@dataclass(frozen=True)
class Student:
    """A user of the pool."""

    pool: str
    sub: str
    account: str
    email: str
    attributes: Mapping[str, str]


def find(stage: Stage, email: str) -> Student:
    """Return the user with an address.

    Raises:
        CommandError: The pool has no such user.
        ClientError: A call failed.
    """
    cognito = stage.clients("cognito-idp")
    # The pool of the stage, or an existing one: the function that creates the users knows it.
    function = f"meridian-{stage.name}-identity"
    settings = stage.clients("lambda").get_function_configuration(FunctionName=function)
    pool = str(settings["Environment"]["Variables"]["USER_POOL_ID"])
    quoted = email.replace("\\", "\\\\").replace('"', '\\"')
    for user in cognito.list_users(UserPoolId=pool, Filter=f'email = "{quoted}"')["Users"]:
        attributes = {it["Name"]: it.get("Value", "") for it in user["Attributes"]}
        account = attributes.get(_ACCOUNT, "")
        return Student(pool, attributes["sub"], account, attributes["email"], attributes)
    raise CommandError(
        f"The user pool of the stage {stage.name} has no user with this address. Check the "
        "address, or the student is erased already."
    )


def export(stage: Stage, student: Student, now: datetime) -> dict[str, Any]:
    """Return all data of the tables and the user pool about a student.

    Raises:
        ClientError: A call failed.
    """
    groups = stage.clients("cognito-idp").admin_list_groups_for_user(
        UserPoolId=student.pool, Username=student.sub
    )["Groups"]
    account = _items(stage, "accounts", f"ACCOUNT#{student.account}") if student.account else []
    notices = _items(stage, "accounts", f"STUDENT#{student.sub}")
    return {
        "exportedAt": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "user": dict(student.attributes),
        "groups": sorted(str(it["GroupName"]) for it in groups),
        "account": [plain(it) for it in account],
        "appointments": [plain(it) for it in _appointments(stage, student)],
        "bookedSlots": [plain(it) for it in _items(stage, "appointments", _owner(student))],
        "emailsAboutAppointments": [plain(it) for it in notices],
        "preferences": [plain(it) for it in _profile(stage, student)],
        "paidAccess": [plain(it) for it in _items(stage, "office", _owner(student))],
        "feedback": [plain(it) for it in _feedback(stage, student)],
    }


def erase(stage: Stage, student: Student, now: datetime) -> list[str]:
    """Erase a student; return a line for each step.

    Raises:
        CommandError: A coming appointment can't be cancelled.
        ClientError: A call failed. Repeat the command to continue.
    """
    dynamodb = stage.clients("dynamodb")
    lines = []
    coming, past = by_time(_appointments(stage, student), now)
    for item in coming:
        advisor, start = _slot(item)
        request = json.dumps({"reason": REASON})
        event = {"action": "change", "advisorId": advisor, "start": start, "request": request}
        invoke(stage.clients("lambda"), f"meridian-{stage.name}-bookings", event)
    lines.append(f"Cancelled {len(coming)} coming appointments; their advisors get an email.")
    for item in past:
        dynamodb.update_item(**_without_student(stage, student, item, now))
    lines.append(f"Removed the student from {len(past)} past appointments.")
    keys: list[tuple[str, Item]] = [("profiles", {"pk": {"S": _owner(student)}})]
    keys += [("office", _key(it)) for it in _feedback(stage, student)]
    for table in ("appointments", "accounts", "office"):
        keys += [(table, _key(it)) for it in _items(stage, table, _owner(student))]
    if student.account:
        account = _items(stage, "accounts", f"ACCOUNT#{student.account}")
        # The key of the address first: only the account's item has it.
        owned = [it["email_key"]["S"] for it in account if "email_key" in it]
        # A change that has begun owns the new address, too (src/stepfunctions/address_table.py).
        owned += [
            it["new_key"]["S"]
            for it in account
            if it["sk"]["S"] == "ADDRESS" and it["status"]["S"] == "changing"
        ]
        keys += [("accounts", {"pk": {"S": f"EMAIL#{it}"}, "sk": {"S": "EMAIL"}}) for it in owned]
        keys += [("accounts", _key(it)) for it in account]
    for table, key in keys:
        dynamodb.delete_item(TableName=stage.table(table), Key=key)
    lines.append(f"Deleted {len(keys)} items of the tables.")
    cognito = stage.clients("cognito-idp")
    cognito.admin_user_global_sign_out(UserPoolId=student.pool, Username=student.sub)
    cognito.admin_delete_user(UserPoolId=student.pool, Username=student.sub)
    lines.append("Deleted the user. Access tokens are valid for up to 5 minutes: `make revoke`.")
    return lines


def _appointments(stage: Stage, student: Student) -> list[Item]:
    return list(
        _pages(
            stage,
            TableName=stage.table("appointments"),
            IndexName="by_student",
            KeyConditionExpression="student = :student",
            ExpressionAttributeValues={":student": {"S": student.sub}},
        )
    )


def _items(stage: Stage, table: str, pk: str) -> list[Item]:
    """Return the items of a partition, read consistently."""
    return list(
        _pages(
            stage,
            TableName=stage.table(table),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
    )


def _profile(stage: Stage, student: Student) -> list[Item]:
    return _items(stage, "profiles", _owner(student))


def _feedback(stage: Stage, student: Student) -> list[Item]:
    """Return the student's feedback in the office's inbox (src/office/feedback.py)."""
    return list(
        _pages(
            stage,
            TableName=stage.table("office"),
            KeyConditionExpression="pk = :pk",
            FilterExpression="student = :student",
            ExpressionAttributeValues={":pk": {"S": "FEEDBACK"}, ":student": {"S": student.sub}},
        )
    )


def _pages(stage: Stage, **query: Any) -> Iterator[Item]:
    pages = stage.clients("dynamodb").get_paginator("query").paginate(**query)
    return (item for page in pages for item in page["Items"])


def _owner(student: Student) -> str:
    return f"STUDENT#{student.sub}"


def _key(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def _slot(item: Item) -> tuple[str, str]:
    """Return the advisor and the start of an appointment's item."""
    return item["pk"]["S"].removeprefix("ADVISOR#"), item["sk"]["S"].removeprefix("SLOT#")


def by_time(items: list[Item], now: datetime) -> tuple[list[Item], list[Item]]:
    """Return the coming appointments and the past ones."""
    moment = f"SLOT#{now:%Y-%m-%dT%H:%M:%SZ}"
    coming = [it for it in items if it["sk"]["S"] > moment]
    return coming, [it for it in items if it["sk"]["S"] <= moment]


def _without_student(stage: Stage, student: Student, item: Item, now: datetime) -> dict[str, Any]:
    """Return the update of a past appointment; the lake gets it as a change of the home Region."""
    assigned = ", ".join(f"{name} = {value}" for name, value in _CHANGED.items())
    return {
        "TableName": stage.table("appointments"),
        "Key": _key(item),
        "ConditionExpression": "student = :student",
        "UpdateExpression": f"SET {assigned} REMOVE {', '.join(_OF_APPOINTMENT)}",
        "ExpressionAttributeValues": {
            ":student": {"S": student.sub},
            ":none": {"N": "0"},
            ":one": {"N": "1"},
            ":region": {"S": stage.region},
            ":now": {"N": str(int(now.timestamp() * 1000))},
        },
    }


def plain(item: Item) -> dict[str, Any]:
    """Return an item as JSON, without secrets."""
    return {name: _value(it) for name, it in sorted(item.items()) if name not in _SECRET}


def _value(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: _value(it) for name, it in content.items()}
    if kind == "L":
        return [_value(it) for it in content]
    if kind == "NULL":
        return None
    if kind == "N":
        return float(content) if "." in content else int(content)
    return content


def main(environment: Mapping[str, str] = os.environ, directory: Path = STATE / "up") -> int:
    """Export the student USER_NAME to the file EXPORT, or erase the student if ERASE is 1.

    An erasure ends with the report on the data lake, as JSON in the file REPORT. Returns 1 if
    something of the student is left there.

    Raises:
        CommandError: A variable is missing, no system is running, or a step failed.
    """
    email, file = environment.get("USER_NAME", ""), environment.get("EXPORT", "")
    erases = environment.get("ERASE") == "1"
    if not email or erases == bool(file):
        raise CommandError(
            "Run `make person USER=<email address>` with EXPORT=<file>, or with ERASE=1 "
            "CONFIRM=<email address>."
        )
    if erases and environment.get("CONFIRM") != email:
        raise CommandError(
            f"An erasure can't be undone. To confirm it, add CONFIRM={email} to the command."
        )
    stage, now = find_stage(environment), datetime.now(UTC)
    try:
        student = find(stage, email)
        if erases:
            print("\n".join(erase(stage, student, now)), flush=True)
        else:
            document = export(stage, student, now)
            # Only the operator may read the file.
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                json.dump(document, out, ensure_ascii=False, indent=2)
            print(f"Wrote everything about the student to {Path(file)}.")
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"A step failed: {reason_of(error)}. Run the command again to continue."
        ) from error
    return _erase_from_lake(environment, directory, student) if erases else 0


def _erase_from_lake(environment: Mapping[str, str], directory: Path, student: Student) -> int:
    """Erase a student whose user is deleted; the error tells how to continue without the user.

    Raises:
        CommandError: A Region failed.
    """
    try:
        return lake_erasure.run(environment, directory, student.sub, student.email)
    except CommandError as error:
        user = student.sub
        raise CommandError(
            f"The tables and the user are erased, but the data lake isn't: {error} Run "
            f"`make erase USER={user} CONFIRM={user} EMAIL={student.email}` to continue."
        ) from error


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
