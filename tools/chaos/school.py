"""A thousand random changes of the appointments table, and what the lake must hold of them."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from aws_emulator.errors import CommandError
from tools.chaos.plan import Plan

#: Items that a run works on: few, so that each is changed often.
ITEMS = 60
#: Items that expire, and so are deleted by DynamoDB itself; and until when they must be gone.
EXPIRING = 5
EXPIRED_WITHIN_S = 15.0
#: Whose write an item is: this region's, another's, or of a table with one region.
ORIGINS = ("us-east-1", "us-east-1", "us-east-1", "eu-west-2", None)

type Attribute = dict[str, Any]
type Item = dict[str, Attribute]


@dataclass(frozen=True, order=True)
class Change:
    """One write as a row of the lake must have it; `version` is the removed item's for a REMOVE."""

    pk: str
    sk: str
    op: str
    version: int


@dataclass
class Written:
    """What was written: this region's changes, and how many were another's.

    `expired` of the own are removals by DynamoDB itself.
    """

    own: list[Change] = field(default_factory=list)
    foreign: int = 0
    expired: int = 0


class School:
    """Writes the plan's changes within its seconds. `start`, `finish`, and `last` for the last."""

    def __init__(self, plan: Plan, dynamodb: Any, table: str, region: str) -> None:
        self.written = Written()
        self._plan = plan
        self._dynamodb = dynamodb
        self._table = table
        self._region = region
        self._draws = random.Random(plan.seed)  # noqa: S311 - no secret: it must be repeatable
        self._versions: dict[int, int] = {}
        self._kept_back = round(plan.changes * plan.last)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="school", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def finish(self) -> None:
        """Wait until all but the last is written. Raises CommandError where DynamoDB refused."""
        self._thread.join()
        if self._failure is not None:
            raise CommandError("The appointments could not be written.") from self._failure

    def last(self) -> None:
        """Write what was kept back."""
        for version in range(self._plan.changes - self._kept_back, self._plan.changes):
            self._change(version + 1)

    def expire(self) -> None:
        """Write items that have expired, and wait until DynamoDB has deleted them."""
        keys = [keys_of(self._plan, ITEMS + number) for number in range(EXPIRING)]
        for key in keys:
            expiry = {"expires_at": {"N": str(int(time.time()) - 1)}, "version": {"N": "1"}}
            self._dynamodb.put_item(TableName=self._table, Item=key | expiry)
        deadline = time.monotonic() + EXPIRED_WITHIN_S
        while any("Item" in self._dynamodb.get_item(TableName=self._table, Key=it) for it in keys):
            if time.monotonic() > deadline:
                raise CommandError(f"Expired items are there after {EXPIRED_WITHIN_S:.0f} s.")
            time.sleep(0.2)
        for key in keys:
            pk, sk = key["pk"]["S"], key["sk"]["S"]
            self.written.own += [Change(pk, sk, "INSERT", 1), Change(pk, sk, "REMOVE", 1)]
            self.written.expired += 1

    def _work(self) -> None:
        pause = self._plan.seconds / max(self._plan.changes, 1)
        try:
            for version in range(self._plan.changes - self._kept_back):
                began = time.monotonic()
                self._change(version + 1)
                time.sleep(max(0.0, pause - (time.monotonic() - began)))
        except Exception as error:  # noqa: BLE001 - whatever ends the thread ends the run, in `finish`
            self._failure = error

    def _change(self, version: int) -> None:
        number = self._draws.randrange(ITEMS)
        keys, origin = keys_of(self._plan, number), ORIGINS[number % len(ORIGINS)]
        before = self._versions.get(number)
        if before is not None and self._draws.random() < 0.25:
            self._dynamodb.delete_item(TableName=self._table, Key=keys)
            op, told = "REMOVE", before
            del self._versions[number]
        else:
            item = keys | _attributes(self._draws, version, origin)
            self._dynamodb.put_item(TableName=self._table, Item=item)
            op, told = "INSERT" if before is None else "MODIFY", version
            self._versions[number] = version
        if origin in (None, self._region):
            self.written.own.append(Change(keys["pk"]["S"], keys["sk"]["S"], op, told))
        else:
            self.written.foreign += 1


def keys_of(plan: Plan, number: int) -> Item:
    """The key of one of a run's items."""
    return {"pk": {"S": f"advisor#{plan.run}"}, "sk": {"S": f"2026-12-01T08:{number:02d}"}}


def _attributes(draws: random.Random, version: int, origin: str | None) -> Item:
    item: Item = {
        "version": {"N": str(version)},
        "student": {"S": f"student-{draws.randrange(40)}"},
        "price": {"N": f"{draws.randrange(1, 9999)}.5"},
        "topics": {
            "SS": draws.sample(["वाक्य", "grammar", "O'Brien", "日本語"], draws.randint(1, 4))
        },
        "attachment": {"B": draws.randbytes(draws.randrange(1, 40))},
        "notes": {
            "L": [{"S": "a\tb"}, {"NULL": True}, {"M": {"paid": {"BOOL": draws.random() < 0.5}}}]
        },
    }
    return item if origin is None else item | {"origin_region": {"S": origin}}
