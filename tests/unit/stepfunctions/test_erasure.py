"""The steps of an erasure: whatever fails, the same phases end with nothing left."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepfunctions import erasure
from stepfunctions.accounts import Accounts
from stepfunctions.email_address import email_key
from stepfunctions.erasure_table import RUNNING, Erasure, ErasureTable, Recipient
from stepfunctions.errors import PermanentError, TransientError
from stepfunctions.lake_erasure import ids_of
from stepfunctions.person_rosters import Page, Position
from tests.support.examples import at_most
from tests.unit.stepfunctions.accounts_store import AccountsStore

SUB: Final = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
EMAIL: Final = "asha@example.com"
SECRET: Final = "1b" * 32
NOW: Final = 1_795_780_000.0
WAIT_S: Final = 330


@dataclass
class World:
    """The tables, user, lists, functions and lakes of one student, and what fails."""

    failures: list[bool] = field(default_factory=list)
    late_items: int = 0
    importing: int = 0
    emailed: bool = True
    now: float = NOW
    user: str = "enabled"
    signed_out: bool = False
    coming: int = 2
    past: int = 3
    items: int = 250
    rosters: int = 1
    exports: int = 1
    files: int = 3
    queued_feedback: int = 1
    suppressed: set[str] = field(default_factory=set)
    lake_rows: dict[str, int] = field(default_factory=lambda: {"us-east-1": 4, "eu-west-2": 0})
    log: list[str] = field(default_factory=list)

    def fail(self, name: str = "") -> None:
        if self.failures and self.failures.pop():
            raise TransientError("A service failed.")
        if name:
            self.log.append(name)


class Items:
    def __init__(self, world: World) -> None:
        self.world = world

    def appointments(self, _student: str) -> list[Any]:
        self.world.fail()
        coming = [_slot("2099-01-01T09:00:00Z")] * self.world.coming
        return [*coming, *[_slot("2020-01-01T09:00:00Z")] * self.world.past]

    def forget(self, _student: str, _item: Any, _now_ms: int) -> bool:
        self.world.fail("forget")
        self.world.past -= 1
        return True

    def keys(self, _student: str, _account: str) -> list[Any]:
        self.world.fail()
        return [("accounts", {})] * self.world.items

    def delete(self, _key: Any) -> None:
        self.world.fail()
        self.world.log.append("delete")
        self.world.items -= 1


class Rosters:
    def __init__(self, world: World) -> None:
        self.world = world

    def erase(self, email: str, _now: Any, start: Position) -> Page:
        assert email == EMAIL
        self.world.fail()
        if start == Position():
            return Page(0, 0, Position("rosters/", "a", 0))
        assert start == Position("rosters/", "a", 0)
        if self.world.importing:
            self.world.importing -= 1
            return Page(0, 1, None)
        deleted, self.world.rosters = self.world.rosters, 0
        return Page(deleted, 0, None)


class Exports:
    def __init__(self, world: World) -> None:
        self.world = world

    def delete(self, _key: str) -> None:
        self.world.fail()
        self.world.exports = 0


class Files:
    def __init__(self, world: World) -> None:
        self.world = world

    def delete(self, folder: str) -> int:
        assert folder.startswith("exports/")
        self.world.fail()
        deleted, self.world.files = min(2, self.world.files), max(0, self.world.files - 2)
        return deleted


class User:
    def __init__(self, world: World) -> None:
        self.world = world

    def disable(self, student: str) -> None:
        assert student == SUB
        self.world.fail("disable")
        self.world.user = "disabled"

    def delete(self, _student: str) -> None:
        self.world.fail("user")
        self.world.user = "deleted"
        # A request of an access token that has not expired writes after the deletion.
        self.world.items += self.world.late_items
        self.world.late_items = 0


class Calls:
    def __init__(self, world: World) -> None:
        self.world = world

    def sign_out(self, _student: str) -> None:
        self.world.fail("sign-out")
        self.world.signed_out = True

    def cancel(self, _advisor: str, _start: str, _reason: str) -> bool:
        self.world.fail("cancel")
        self.world.coming -= 1
        return True

    def suppress(self, person: str) -> None:
        self.world.fail("suppress")
        self.world.suppressed.add(person)

    def open_inbox(self) -> None:
        self.world.fail("inbox")
        self.world.items += self.world.queued_feedback
        self.world.queued_feedback = 0

    def lake(self, region: str, event: Mapping[str, Any]) -> dict[str, Any]:
        self.world.fail(f"{event['action']} {region}")
        assert event["ids"][:2] == [SUB, EMAIL]
        if event["action"] == "find":
            return {"visitors": ["v1", "v2"], "shared": ["v2"], "position": None}
        erased = 0
        if event["action"] == "erase":
            erased, self.world.lake_rows[region] = self.world.lake_rows[region], 0
        report = {"rows": {"events": erased} if erased else {}, "objects": int(erased > 0)}
        report |= {"versions": 0, "objects_read": 5, "left": [], "waiting": 0}
        return {"position": None, "report": report | {"stream_expires": "soon"}}


def _slot(start: str) -> Any:
    return {"pk": {"S": "ADVISOR#a"}, "sk": {"S": f"SLOT#{start}"}}


def run(monkeypatch: pytest.MonkeyPatch, world: World) -> tuple[AccountsStore, Erasure, list[int]]:
    """Run an erasure as the workflow does; return the table, the erasure and the waits."""
    store: Any = AccountsStore()
    store.put("SECRET", "EMAIL", secret=SECRET)
    table = ErasureTable("accounts", "us-east-1", store)
    key = email_key(SUB, bytes.fromhex(SECRET))
    work = {"student": SUB, "account": "a1", "email": EMAIL, "staff": "s1", "reason": "a-call"}
    first = Erasure(key=key, request_id="r1", by="staff", work=work)
    assert table.order(first, Recipient(EMAIL, "Asha"), "k1", int(NOW))
    adapters: dict[str, Any] = {
        "items": Items(world),
        "rosters": Rosters(world),
        "user": User(world),
        "exports": Exports(world),
        "files": Files(world),
        "calls": Calls(world),
    }
    use = erasure.Services(
        accounts=Accounts("accounts", store),
        table=table,
        regions=("us-east-1", "eu-west-2"),
        wait_s=WAIT_S,
        now=lambda: world.now,
        **adapters,
    )
    monkeypatch.setattr(erasure, "services", lambda: use)
    store.before = world.fail
    waits = []
    for _ in range(1_000):
        if any(it[1].startswith("OUTBOX#AccountErased") for it in store.items) and world.emailed:
            store.items[f"ERASURE#{key}", "ERASURE"]["emailed"] = {"BOOL": True}
        try:
            result = erasure.lambda_handler({"erasureId": key, "correlationId": "cf-1"}, None)
        except TransientError:
            continue
        waits.append(result["waitSeconds"])
        world.now += result["waitSeconds"]
        if result["done"]:
            world.failures.clear()
            last = table.read(key)
            assert last is not None
            return store, last, waits
    raise AssertionError("The erasure doesn't end.")


@settings(deadline=None, max_examples=at_most(40), suppress_health_check=[HealthCheck.too_slow])
@given(
    failures=st.lists(st.booleans(), max_size=60),
    late_items=st.integers(0, 2),
    importing=st.integers(0, 2),
    emailed=st.booleans(),
)
def test_erasure_after_any_failures_leaves_nothing(
    failures: list[bool], late_items: int, importing: int, emailed: bool
) -> None:
    world = World([*failures], late_items, importing, emailed)
    with pytest.MonkeyPatch.context() as monkeypatch:
        store, last, waits = run(monkeypatch, world)
    left = (world.coming, world.past, world.items, world.rosters, world.queued_feedback)
    assert left == (0, 0, 0, 0, 0)
    assert (world.exports, world.files) == (0, 0)
    assert (world.user, world.signed_out) == ("deleted", True)
    assert not any(world.lake_rows.values())
    # The browser that others use isn't suppressed.
    assert world.suppressed == {SUB, *ids_of(EMAIL), "v1"}
    assert last.status == "erased"
    report = last.report
    # A step that ended before it was stored isn't counted.
    counts = [report["cancelledAppointments"], report["pastAppointments"], report["rosters"]]
    expected = [2, 3, 1, 251 + late_items]
    assert all(a <= b for a, b in zip([*counts, report["items"]], expected, strict=True))
    assert any(failures) or [*counts, report["items"]] == expected
    assert report["emailed"] == emailed
    assert [it["lake"] for it in report["lakes"]] == ["eu-west-2", "us-east-1"]
    # Nothing of the student is left in the item, in no attribute.
    for part in (SUB, EMAIL, "Asha", "a-call", "s1"):
        assert part not in str(store.items)
    assert waits.count(WAIT_S) >= 2
    assert len([it for it in store.items if it[1].startswith("OUTBOX#AccountErased")]) == 1


def test_sign_in_ends_before_the_first_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    run(monkeypatch, world)
    order = [world.log.index(it) for it in ("disable", "sign-out", "cancel", "suppress", "delete")]
    assert order == sorted(order)
    # The tables before the lake, which gets their changes; each Region until a pass finds nothing.
    assert world.log.index("user") < world.log.index("erase us-east-1")
    assert world.log.count("erase us-east-1") == 2
    assert world.log.count("erase eu-west-2") == 1


def test_second_invocation_of_a_version_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store: Any = AccountsStore()
    table = ErasureTable("accounts", "us-east-1", store)
    first = Erasure(key="k", request_id="r1", by="operator", work={"student": SUB})
    assert table.order(first, Recipient(EMAIL, "Asha"), "k1", int(NOW))
    running = table.read("k")
    assert running is not None
    assert running.status == RUNNING
    table.save(running, {"phase": "tables"})
    with pytest.raises(TransientError, match="Another invocation"):
        table.save(running, {"phase": "sign-out"})
    assert replace(running, version=1, work={"phase": "tables"}) == table.read("k")


def test_rejected_action_of_a_transaction_is_permanent() -> None:
    class Rejecting:
        def transact_write_items(self, **_: Any) -> None:
            from botocore.exceptions import ClientError

            response: Any = {"Error": {"Code": "TransactionCanceledException"}}
            response["CancellationReasons"] = [{"Code": "ValidationError"}]
            raise ClientError(response, "TransactWriteItems")

    database: Any = Rejecting()
    table = ErasureTable("accounts", "us-east-1", database)
    with pytest.raises(PermanentError):
        table.save(Erasure("k", "r1", "operator"), {})
