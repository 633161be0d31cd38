"""`make person`: export everything about a student as a file, or erase the student everywhere.

The workflow `erase` does the erasure (src/stepfunctions/erasure.py). docs/deploying.md lists the
data that stay.
"""

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.operations.staff_functions import invoke
from tools.operations.stage import Stage, find_stage

#: The attribute with the id of a user's account (src/stepfunctions/users.py).
_ACCOUNT: Final = "preferred_username"
#: The status of an erasure at its end (src/stepfunctions/erasure_table.py).
ERASED: Final = "erased"
#: Between two looks at an erasure, in seconds.
POLL_S: Final = 2
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


def erase(
    stage: Stage, student: Student, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Erase a student by the workflow `erase`, and return its report.

    The workflow goes on if this command is interrupted.

    Raises:
        CommandError: The function can't be invoked, failed, or refused the request.
    """
    asked = json.dumps({"requestId": str(uuid.uuid4()), "email": student.email})
    event = {"action": "order-erasure", "student": student.sub, "request": asked}
    while True:
        body = invoke(stage.clients("lambda"), f"meridian-{stage.name}-identity", event, {202})
        if body["status"] == ERASED:
            return dict(body["report"]) | {"erasedAt": body["erasedAt"]}
        sleep(POLL_S)


def lines_of(report: Mapping[str, Any]) -> list[str]:
    """Return what the report of an erasure says."""
    coming, past = report["cancelledAppointments"], report["pastAppointments"]
    lines = [
        f"Cancelled {coming} coming appointments, and removed the student from {past} past ones.",
        f"Deleted the user, {report['items']} items of tables, and {report['rosters']} rosters.",
    ]
    lines += [
        f"{it['lake']}: erased {it['rows']:,} rows of {it['objects']:,} objects, and deleted "
        f"{it['versions']:,} older versions; the last pass found nothing. The stream's own records "
        f"expire until {it['streamExpires']}."
        for it in report["lakes"]
    ]
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


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Export the student USER_NAME to the file EXPORT, or erase the student if ERASE is 1.

    An erasure ends with its report, also as JSON in the file REPORT.

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
            print("The workflow erases the student; it goes on without this command.", flush=True)
            report = erase(stage, student)
            if target := environment.get("REPORT"):
                Path(target).write_text(json.dumps(report, indent=2))
            print("\n".join(lines_of(report)))
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
    return 0


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
