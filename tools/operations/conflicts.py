"""`make conflicts`: list the slots that two students have, and settle them with RESOLVE=1.

Two Regions can accept the same slot if the home moves while the old one doesn't answer. The slot's
item keeps the later booking. The earlier one stays in the outbox of its email, which has a key for
each student: an appointment there whose slot another student has is a conflict.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from aws_emulator.errors import CommandError
from tools.cli import exit_code, reason_of
from tools.operations.failover import Homes, UnreachableError, aws_homes, local_homes
from tools.paths import STATE

_PREFIX: Final = "OUTBOX#APPOINTMENT#"
#: In the email to the student and to the advisor, and in the item.
REASON: Final = (
    "While one of our data centers failed, another student got the same time. "
    "Please choose another time."
)


@dataclass(frozen=True)
class Conflict:
    """A slot that a student was promised and another one has."""

    slot: str
    student: str
    #: Who has the slot; "" if nobody has it any more.
    holder: str
    #: The item of the outbox, as it was read.
    notice: Mapping[str, Any]


@dataclass(frozen=True)
class Tables:
    """The tables of a stage. `clients` makes a DynamoDB client of a Region."""

    stage: str
    accounts_region: str
    home_region: str
    clients: Callable[[str], Any]

    def conflicts(self) -> list[Conflict]:
        """Return the conflicts in the order of their start.

        Raises:
            ClientError: DynamoDB refused a call.
        """
        conflicts = []
        for item in self._promised():
            student = item["pk"]["S"].removeprefix("STUDENT#")
            slot = item["sk"]["S"].removeprefix(_PREFIX)
            holder = self._holder(slot)
            if holder != student and self._is_unchanged(item):
                conflicts.append(Conflict(slot, student, holder, item))
        return sorted(conflicts, key=lambda it: (it.slot, it.student))

    def settle(self, conflict: Conflict) -> bool:
        """Give up the student's promise, which sends the emails; return whether it was there still.

        Raises:
            ClientError: DynamoDB refused a call.
        """
        self._forget(conflict)
        self._confirm(conflict)
        item = conflict.notice
        try:
            self.clients(self.accounts_region).update_item(
                TableName=self._accounts,
                Key={"pk": item["pk"], "sk": item["sk"]},
                UpdateExpression=(
                    "SET notice = :conflict, reason = :reason, calendar_revision = :next"
                ),
                ConditionExpression="notice = :seen AND updated_at = :updated",
                ExpressionAttributeValues={
                    ":conflict": {"S": "conflict"},
                    ":reason": {"S": REASON},
                    ":next": {"N": str(int(item["calendar_revision"]["N"]) + 1)},
                    ":seen": item["notice"],
                    ":updated": item["updated_at"],
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    @property
    def _accounts(self) -> str:
        return f"meridian-{self.stage}-accounts"

    @property
    def _appointments(self) -> str:
        return f"meridian-{self.stage}-appointments"

    def _promised(self) -> Iterator[dict[str, Any]]:
        pages = (
            self.clients(self.accounts_region)
            .get_paginator("scan")
            .paginate(
                TableName=self._accounts,
                ConsistentRead=True,
                FilterExpression=(
                    "begins_with(sk, :prefix) AND notice IN (:booked, :kept, :moved)"
                ),
                ExpressionAttributeValues={
                    ":prefix": {"S": _PREFIX},
                    ":booked": {"S": "booked"},
                    ":kept": {"S": "kept"},
                    ":moved": {"S": "moved"},
                },
            )
        )
        for page in pages:
            yield from page["Items"]

    def _holder(self, slot: str) -> str:
        start, _, advisor = slot.partition("/")
        key = {"pk": {"S": f"ADVISOR#{advisor}"}, "sk": {"S": f"SLOT#{start}"}}
        item = self._get(self.home_region, self._appointments, key)
        return str(item.get("student", {}).get("S", ""))

    def _is_unchanged(self, item: Mapping[str, Any]) -> bool:
        """Return whether an item of the outbox is still the newest change of its appointment."""
        key = {"pk": item["pk"], "sk": item["sk"]}
        if self._get(self.accounts_region, self._accounts, key) != item:
            return False
        name = f"{item['pk']['S']}/{item['sk']['S']}"
        waiting = {"pk": {"S": "NOTICES"}, "sk": {"S": name}}
        return not self._get(self.home_region, self._appointments, waiting)

    def _get(self, region: str, table: str, key: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.clients(region).get_item(TableName=table, Key=key, ConsistentRead=True)
        return dict(answer.get("Item", {}))

    def _confirm(self, conflict: Conflict) -> None:
        """Tell the student who has the slot, once.

        Raises:
            ClientError: DynamoDB refused the call.
        """
        if not conflict.holder:
            return
        key = {"pk": {"S": f"STUDENT#{conflict.holder}"}, "sk": conflict.notice["sk"]}
        try:
            self.clients(self.accounts_region).update_item(
                TableName=self._accounts,
                Key=key,
                UpdateExpression="SET notice = :kept",
                ConditionExpression="notice = :booked OR notice = :moved",
                ExpressionAttributeValues={
                    ":kept": {"S": "kept"},
                    ":booked": {"S": "booked"},
                    ":moved": {"S": "moved"},
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def _forget(self, conflict: Conflict) -> None:
        """Let the slot count no more for the student's maximum.

        Raises:
            ClientError: DynamoDB refused the call.
        """
        try:
            self.clients(self.home_region).update_item(
                TableName=self._appointments,
                Key={"pk": {"S": f"STUDENT#{conflict.student}"}, "sk": {"S": "BOOKED"}},
                UpdateExpression="SET version = version + :one DELETE slots :slots",
                ConditionExpression="contains(slots, :slot)",
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":slots": {"SS": [conflict.slot]},
                    ":slot": {"S": conflict.slot},
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise


def run(tables: Tables, *, resolves: bool, say: Callable[[str], None] = print) -> int:
    """List the conflicts, and settle them; return the exit code: 1 if any is left.

    Raises:
        ClientError: DynamoDB refused a call.
    """
    conflicts = tables.conflicts()
    left = 0
    for conflict in conflicts:
        student = conflict.student
        text = f"{conflict.slot}: {conflict.holder or 'nobody'} has it, {student} was promised it"
        if resolves and tables.settle(conflict):
            say(f"{text}: both students and the advisor get an email")
        else:
            left += 1
            say(text)
    if not conflicts:
        say("No slot was promised to two students.")
    elif left:
        say(f"{left} to settle: repeat the command with RESOLVE=1.")
    return 1 if left else 0


def main(environment: Mapping[str, str] = os.environ, directory: Path = STATE / "up") -> int:
    """List the conflicts of the stage PLACE on AWS, or else of the system of `make up`.

    Raises:
        CommandError: A Region doesn't answer, or changes wait in one.
    """
    name = environment.get("PLACE", "")
    homes = aws_homes(name) if name else local_homes(directory)
    tables = tables_of(homes)
    resolves = environment.get("RESOLVE", "") not in ("", "0")
    try:
        return run(tables, resolves=resolves)
    except (ClientError, BotoCoreError) as error:
        raise CommandError(
            f"DynamoDB doesn't answer: {reason_of(error)}. Check your credentials."
        ) from error


def tables_of(homes: Homes) -> Tables:
    """Return the tables of a stage.

    Raises:
        CommandError: A Region doesn't answer or knows another home, or the home is moving.
    """
    return Tables(
        homes.stage,
        homes.regions[0],
        current_home(homes),
        lambda region: homes.clients("dynamodb", region),
    )


def current_home(homes: Homes) -> str:
    """Return the home; all Regions must know it, and no changes may wait.

    Raises:
        CommandError: A Region doesn't answer or knows another home, or the home is moving.
    """
    try:
        records = {homes.record(region) for region in homes.regions}
        waiting = sum(int(homes.ask(it, "deliver")["delivered"]) for it in homes.regions[1:])
    except UnreachableError as error:
        raise CommandError(
            f"A Region doesn't answer: {error}. Repeat the command when all Regions have returned."
        ) from error
    if len(records) > 1 or waiting or next(iter(records)).is_moving:
        raise CommandError(
            "The Regions don't have the same state yet. Repeat the command in a moment."
        )
    return next(iter(records)).home


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
