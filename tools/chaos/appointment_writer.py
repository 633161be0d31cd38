"""Write random changes to the appointments table, and record what the lake must contain of them."""

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from aws_emulator.errors import CommandError
from tools.chaos.plan import Plan
from tools.cli import reason_of

#: Few items, so that each one changes often.
ITEMS: Final = 60
EXPIRING_ITEMS: Final = 5
EXPIRY_TIMEOUT_S: Final = 15.0
#: The values of `origin_region`: this Region, another one, or none (a table without replicas).
ORIGIN_REGIONS: Final = ("us-east-1", "us-east-1", "us-east-1", "eu-west-2", None)

type Attribute = dict[str, Any]
type Item = dict[str, Attribute]


@dataclass(frozen=True, order=True)
class Change:
    """One expected row of the lake. For a REMOVE, `version` is that of the removed item."""

    pk: str
    sk: str
    op: str
    version: int


@dataclass
class WrittenChanges:
    """The changes of this Region, the number from another Region, and the number of TTL removals.

    The TTL removals are included in `own`.
    """

    own: list[Change] = field(default_factory=list)
    foreign: int = 0
    expired: int = 0


class AppointmentWriter:
    """Write the plan's changes: call `start`, `finish`, `expire_items`, then `write_reserved`."""

    def __init__(self, plan: Plan, dynamodb: Any, table: str, region: str) -> None:
        self.written = WrittenChanges()
        self._plan = plan
        self._dynamodb = dynamodb
        self._table = table
        self._region = region
        self._rng = random.Random(plan.seed)  # noqa: S311 - not a secret
        self._versions: dict[int, int] = {}
        self._reserved = round(plan.changes * plan.reserved_share)
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="appointment-writer", daemon=True)

    def start(self) -> None:
        """Start writing in the background, spread over the plan's duration."""
        self._thread.start()

    def finish(self) -> None:
        """Wait for all changes but the reserved ones.

        Raises:
            CommandError: A write failed.
        """
        self._thread.join()
        if self._failure is not None:
            raise CommandError(
                f"Can't write to {self._table}: {reason_of(self._failure)}."
            ) from self._failure

    def write_reserved(self) -> None:
        """Write the reserved changes."""
        for version in range(self._plan.changes - self._reserved, self._plan.changes):
            self._change(version + 1)

    def expire_items(self) -> None:
        """Write expired items and wait until DynamoDB deletes them.

        Raises:
            CommandError: A write failed, or DynamoDB didn't delete the items in time.
        """
        keys = [item_key(self._plan, ITEMS + number) for number in range(EXPIRING_ITEMS)]
        for key in keys:
            expiry = {"expires_at": {"N": str(int(time.time()) - 1)}, "version": {"N": "1"}}
            self._dynamodb.put_item(TableName=self._table, Item=key | expiry)
        deadline = time.monotonic() + EXPIRY_TIMEOUT_S
        while any("Item" in self._dynamodb.get_item(TableName=self._table, Key=it) for it in keys):
            if time.monotonic() > deadline:
                raise CommandError(
                    f"DynamoDB didn't delete expired items within {EXPIRY_TIMEOUT_S:.0f} s."
                )
            time.sleep(0.2)
        for key in keys:
            pk, sk = key["pk"]["S"], key["sk"]["S"]
            self.written.own += [Change(pk, sk, "INSERT", 1), Change(pk, sk, "REMOVE", 1)]
            self.written.expired += 1

    def _work(self) -> None:
        pause = self._plan.seconds / max(self._plan.changes, 1)
        try:
            for version in range(self._plan.changes - self._reserved):
                began = time.monotonic()
                self._change(version + 1)
                time.sleep(max(0.0, pause - (time.monotonic() - began)))
        except Exception as error:  # noqa: BLE001 - `finish` raises it in the main thread
            self._failure = error

    def _change(self, version: int) -> None:
        number = self._rng.randrange(ITEMS)
        key = item_key(self._plan, number)
        origin = ORIGIN_REGIONS[number % len(ORIGIN_REGIONS)]
        before = self._versions.get(number)
        if before is not None and self._rng.random() < 0.25:
            self._dynamodb.delete_item(TableName=self._table, Key=key)
            op, row_version = "REMOVE", before
            del self._versions[number]
        else:
            item = key | _attributes(self._rng, version, origin)
            self._dynamodb.put_item(TableName=self._table, Item=item)
            op, row_version = "INSERT" if before is None else "MODIFY", version
            self._versions[number] = version
        if origin in (None, self._region):
            self.written.own.append(Change(key["pk"]["S"], key["sk"]["S"], op, row_version))
        else:
            self.written.foreign += 1


def item_key(plan: Plan, number: int) -> Item:
    """Return the key of one of the run's items."""
    return {"pk": {"S": f"advisor#{plan.run}"}, "sk": {"S": f"2026-12-01T08:{number:02d}"}}


def _attributes(rng: random.Random, version: int, origin: str | None) -> Item:
    item: Item = {
        "version": {"N": str(version)},
        "student": {"S": f"student-{rng.randrange(40)}"},
        "price": {"N": f"{rng.randrange(1, 9999)}.5"},
        "topics": {"SS": rng.sample(["वाक्य", "grammar", "O'Brien", "日本語"], rng.randint(1, 4))},
        "attachment": {"B": rng.randbytes(rng.randrange(1, 40))},
        "notes": {
            "L": [{"S": "a\tb"}, {"NULL": True}, {"M": {"paid": {"BOOL": rng.random() < 0.5}}}]
        },
    }
    return item if origin is None else item | {"origin_region": {"S": origin}}
