"""Delay or hold the replication of global tables: POST /_local/replication.

Gap: MiniStack replicates a write at once, so two Regions never write the same item at a time, and
the second conditional write is always refused.
Seen in: ministack 1.5.33, dynamodb.py, _replicate_write.
Delete when: a write reaches the other Regions later. (A test control, not a repair.)

`seconds=` delays each write (0, the default, replicates at once), and `held=1` holds all writes
back until `held=0`, as a partition between the Regions does. GET returns both and the number of
writes that wait.

As on AWS, each Region evaluates conditions on its own items, an item is replicated alone even if a
transaction wrote it, and the last writer of an item wins ("How DynamoDB global tables work").
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aws_emulator.ministack.control_api import (
    Application,
    ControlApi,
    Message,
    Query,
    Receive,
    Send,
)
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Item = dict[str, Any]
#: Account, Region, table and the values of the key.
type Place = tuple[str, str, str, Any, Any]


@dataclass(frozen=True)
class Write:
    """A write that a replica doesn't have yet. `number` orders all writes by their time."""

    number: int
    due: float
    account: str
    region: str
    table: str
    old: Item | None
    new: Item | None


@dataclass
class Replication:
    """The delay, and what waits."""

    seconds: float = 0.0
    is_held: bool = False
    waiting: list[Write] = field(default_factory=list)
    #: The number of the last write of an item in a Region, while writes wait.
    written: dict[Place, int] = field(default_factory=dict)
    count: int = 0

    @property
    def is_immediate(self) -> bool:
        """Whether a write reaches the other Regions at once."""
        return not (self.seconds or self.is_held or self.waiting)

    def change(self, query: Query) -> None:
        """Take over the settings of a request.

        Raises:
            ValueError: The query is invalid.
        """
        seconds, held = float(query.get("seconds", self.seconds)), query.get("held")
        if seconds < 0 or held not in {None, "0", "1"}:
            raise ValueError("expected seconds=0 or more, and held=1 or held=0")
        self.seconds = seconds
        self.is_held = self.is_held if held is None else held == "1"

    def take_due(self, now: float) -> list[Write]:
        """Remove and return the writes that may reach their replica, in their order."""
        if self.is_held:
            return []
        until = now if self.seconds else float("inf")
        due = [it for it in self.waiting if it.due <= until]
        self.waiting = [it for it in self.waiting if it.due > until]
        return due

    def state(self) -> dict[str, object]:
        """Return the settings and the number of writes that wait."""
        return {"seconds": self.seconds, "held": self.is_held, "waiting": len(self.waiting)}


class _GlobalTables:
    """Queue the writes of global tables, and apply them to their replicas."""

    def __init__(self) -> None:
        self.replication = Replication()
        self.service = Symbols(
            "ministack.services.dynamodb",
            *("_emit_stream_event", "_extract_key_val", "_remove_item", "_replica_group"),
            *("_replicate_write", "_set_item", "_tables"),
        )
        self._responses = Symbols(
            "ministack.core.responses", "get_account_id", "get_region", "request_scope"
        )

    def queueing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a replication that queues a write for each other Region."""

        def replicate(table: Item, event: str, old: Item | None, new: Item | None) -> None:
            regions = self.service["_replica_group"](table)
            if self.replication.is_immediate or not regions:
                original(table, event, old, new)
            else:
                self._queue(table, regions, old, new)

        return replicate

    def _queue(self, table: Item, regions: list[str], old: Item | None, new: Item | None) -> None:
        state, name = self.replication, table["TableName"]
        account, home = self._responses["get_account_id"](), self._responses["get_region"]()
        state.count += 1
        state.written[account, home, name, *self._key_of(table, new or old or {})] = state.count
        due = time.monotonic() + state.seconds
        state.waiting += [
            Write(state.count, due, account, it, name, *copy.deepcopy((old, new)))
            for it in regions
            if it != home
        ]

    def apply_due(self) -> None:
        """Apply the writes that are due."""
        for write in self.replication.take_due(time.monotonic()):
            with self._responses["request_scope"](write.account, write.region):
                replica = self.service["_tables"].get(write.table)
                if replica is not None:
                    self._apply(replica, write)
        if self.replication.is_immediate:
            self.replication.written.clear()

    def _apply(self, replica: Item, write: Write) -> None:
        key = self._key_of(replica, write.new or write.old or {})
        address = (write.account, write.region, write.table, *key)
        if self.replication.written.get(address, 0) > write.number:
            return  # the last writer wins
        self.replication.written[address] = write.number
        previous = replica["items"].get(key[0], {}).get(key[1])
        if write.new is not None:
            self.service["_set_item"](replica, *key, copy.deepcopy(write.new))
            event = "MODIFY" if previous else "INSERT"
        elif previous is not None:
            self.service["_remove_item"](replica, *key)
            event = "REMOVE"
        else:
            return
        emit = self.service["_emit_stream_event"]
        emit(write.table, event, previous, copy.deepcopy(write.new), replicate=False)

    def _key_of(self, table: Item, item: Item) -> tuple[Any, Any]:
        value = self.service["_extract_key_val"]
        sort = value(item.get(table["sk_name"])) if table["sk_name"] else "__no_sort__"
        return value(item.get(table["pk_name"])), sort


def install(_settings: Settings, control: ControlApi, application: Application) -> Application:
    """Queue the writes of global tables, and apply those that are due before each request."""
    tables = _GlobalTables()
    replication = tables.replication

    def change(query: Query) -> dict[str, object]:
        replication.change(query)
        tables.apply_due()
        return replication.state()

    async def with_delay(scope: Message, receive: Receive, send: Send) -> None:
        if replication.waiting:
            tables.apply_due()
        await application(scope, receive, send)

    tables.service.wrap("_replicate_write", tables.queueing)
    control.add("POST", "/_local/replication", change)
    control.add("GET", "/_local/replication", lambda _query: replication.state())
    return with_delay
