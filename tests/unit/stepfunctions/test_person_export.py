"""The steps of an export: whatever fails, the file has everything once, and one email goes out."""

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepfunctions import erasure, person_export
from stepfunctions.erasure_table import Recipient
from stepfunctions.errors import TransientError
from stepfunctions.export_files import FILE, PAGE, ExportFiles
from stepfunctions.export_table import READY, Export, ExportTable
from stepfunctions.exported_items import SECTIONS, ExportedItems
from stepfunctions.exported_user import ExportedUser
from stepfunctions.person_items import Tables
from tests.support.examples import at_most
from tests.unit.stepfunctions.accounts_store import AccountsStore
from tests.unit.stepfunctions.fakes import client_error

SUB: Final = "0b0e7a94-3c9c-4f6e-9a3e-0d4a2c7b9f10"
EMAIL: Final = "asha@example.com"
NOW: Final = 1_795_780_000
KEY: Final = "5f" * 32
EVENT: Final = {"exportId": KEY, "requestId": "r1", "correlationId": "cf-1"}
WORK: Final = {"student": SUB, "account": "a1", "email": EMAIL}


@dataclass
class World:
    """The data about one student, and what fails."""

    failures: list[bool] = field(default_factory=list)
    pages: int = 1
    slices: int = 1
    user: bool = True
    objects: dict[str, bytes] = field(default_factory=dict)

    def fail(self) -> None:
        if self.failures and self.failures.pop():
            raise TransientError("A service failed.")


class Items:
    """Each section has one document on each of some pages."""

    def __init__(self, world: World) -> None:
        self.world = world

    def page(self, section: str, student: str, account: str, start: Any) -> tuple[Any, Any]:
        assert (student, account) == (SUB, "a1")
        self.world.fail()
        number = 0 if start is None else int(start["page"]["N"])
        following = {"page": {"N": str(number + 1)}} if number + 1 < self.world.pages else None
        return [{"section": section, "page": number}], following


class Rosters:
    def __init__(self, world: World) -> None:
        self.world = world

    def rows(self, email: str, after: str) -> tuple[list[dict[str, Any]], str]:
        assert email == EMAIL
        self.world.fail()
        number = int(after or "0")
        return [{"list": number}], str(number + 1) if number + 1 < self.world.pages else ""


class User:
    def __init__(self, world: World) -> None:
        self.world = world

    def read(self, _student: str) -> dict[str, Any] | None:
        self.world.fail()
        return {"email": EMAIL} if self.world.user else None


class Calls:
    def __init__(self, world: World) -> None:
        self.world = world

    def lake(self, region: str, event: Mapping[str, Any]) -> dict[str, Any]:
        self.world.fail()
        assert event["ids"][:2] == [SUB, EMAIL]
        if event["action"] == "find":
            return {"visitors": ["v1", "v2"], "shared": ["v2"], "position": None}
        # A browser that others use isn't the student's alone.
        assert (event["action"], event["visitors"]) == ("export", ["v1"])
        number = 0 if event["position"] is None else int(event["position"][1])
        line = json.dumps({"region": region, "slice": number}).encode() + b"\n"
        following = ["events", str(number + 1)] if number + 1 < self.world.slices else None
        rows = base64.b64encode(gzip.compress(line, mtime=0)).decode()
        return {"position": following, "rows": rows}


class Bucket:
    """An S3 client with objects in memory."""

    def __init__(self, world: World) -> None:
        self.world = world

    def put_object(self, **request: Any) -> None:
        self.world.fail()
        body = request["Body"]
        self.world.objects[request["Key"]] = body if isinstance(body, bytes) else body.read()

    def list_objects_v2(self, **request: Any) -> Any:
        self.world.fail()
        after = request.get("ContinuationToken", "")
        keys = sorted(self.world.objects)
        keys = [it for it in keys if it.startswith(request["Prefix"]) and it > after]
        page = keys[: min(3, request.get("MaxKeys", 3))]
        more = {"IsTruncated": True, "NextContinuationToken": page[-1]} if keys[3:] else {}
        return {"Contents": [{"Key": it} for it in page], **more}

    def get_object(self, **request: Any) -> Any:
        self.world.fail()
        return {"Body": io.BytesIO(self.world.objects[request["Key"]])}

    def delete_object(self, **request: Any) -> None:
        self.world.objects.pop(request["Key"], None)


def begun(world: World) -> tuple[AccountsStore, ExportTable, person_export.Services]:
    store: Any = AccountsStore()
    table = ExportTable("accounts", "us-east-1", store)
    export = Export(key=KEY, request_id="r1", by="student", started_at=NOW, work=WORK)
    assert table.begin(export, Recipient(EMAIL, "Asha"))
    adapters: dict[str, Any] = {
        "items": Items(world),
        "rosters": Rosters(world),
        "user": User(world),
        "files": ExportFiles("bucket", Bucket(world)),
        "calls": Calls(world),
    }
    regions = ("us-east-1", "eu-west-2")
    use = person_export.Services(table=table, regions=regions, now=lambda: NOW, **adapters)
    store.before = world.fail
    return store, table, use


def run(monkeypatch: pytest.MonkeyPatch, use: person_export.Services) -> list[str]:
    """Run an export as the workflow does; return the phases."""
    monkeypatch.setattr(person_export, "services", lambda: use)
    phases: list[str] = []
    for _ in range(1_000):
        try:
            result = erasure.lambda_handler(EVENT, None)
        except TransientError:
            continue
        phases.append(result["phase"])
        if result["done"]:
            return phases
    raise AssertionError("The export doesn't end.")


def members(world: World) -> dict[str, list[Any]]:
    """Return the documents of each member of the file."""
    with zipfile.ZipFile(io.BytesIO(world.objects[f"exports/{KEY}/r1/{FILE}"])) as archive:
        return {
            it: [json.loads(line) for line in archive.read(it).splitlines()]
            for it in archive.namelist()
        }


@settings(deadline=None, max_examples=at_most(30), suppress_health_check=[HealthCheck.too_slow])
@given(
    failures=st.lists(st.booleans(), max_size=60),
    pages=st.integers(1, 3),
    slices=st.integers(1, 3),
)
def test_export_after_any_failures_has_each_document_once(
    failures: list[bool], pages: int, slices: int
) -> None:
    world = World([*failures], pages, slices)
    with pytest.MonkeyPatch.context() as monkeypatch:
        store, table, use = begun(world)
        run(monkeypatch, use)
    world.failures.clear()
    documents = members(world)
    assert documents.pop("user.jsonl") == [{"email": EMAIL}]
    assert documents.pop("lists.jsonl") == [{"list": it} for it in range(pages)]
    assert documents.pop("visits.jsonl") == [
        {"region": region, "slice": it}
        for region in ("us-east-1", "eu-west-2")
        for it in range(slices)
    ]
    assert documents == {
        f"{section}.jsonl": [{"section": section, "page": it} for it in range(pages)]
        for section in SECTIONS
    }
    last = table.read(KEY)
    assert last is not None
    assert (last.status, last.work, last.proof_expires_at) == (READY, {}, NOW + 7 * 86_400)
    (message,) = [it for key, it in store.items.items() if key[1] == "OUTBOX#ExportReady-r1"]
    assert message["proof"]["S"].startswith(f"{KEY}.")


def test_each_step_reads_one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step grows with the student's data; only the last one reads what the others wrote."""
    _, _, use = begun(World(pages=2, slices=2))
    phases = run(monkeypatch, use)
    assert phases.count("tables") == 2 * len(SECTIONS)
    assert phases.count("lake") == 2 * 2
    assert phases[-2:] == ["file", "end"]


@pytest.mark.parametrize("change", ["deleted", "replaced", "ready"])
def test_export_that_was_deleted_or_replaced_writes_nothing_more(
    monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    world = World()
    store, table, use = begun(world)
    if change == "deleted":
        table.delete(KEY)
    elif change == "replaced":
        store.items[f"EXPORT#{KEY}", "EXPORT"]["request_id"] = {"S": "r2"}
    else:
        export = table.read(KEY)
        assert export is not None
        table.finish(export, "t", NOW, "")
    assert run(monkeypatch, use) == ["end"]
    assert world.objects == {}


def test_export_of_an_erased_user_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(user=False)
    _, _, use = begun(world)
    assert run(monkeypatch, use) == ["end"]
    assert world.objects == {}


def test_second_invocation_of_a_version_changes_nothing() -> None:
    _, table, _ = begun(World())
    export = table.read(KEY)
    assert export is not None
    table.save(export, {**WORK, "phase": "tables"})
    with pytest.raises(TransientError, match="Another invocation"):
        table.save(export, WORK)
    with pytest.raises(TransientError, match="Another invocation"):
        table.finish(export, "t", NOW, "")
    assert table.read(KEY) == replace(export, version=1, work={**WORK, "phase": "tables"})


@pytest.mark.parametrize(("after_s", "begins"), [(0, False), (3_600, False), (3_601, True)])
def test_exports_begin_an_hour_apart(after_s: int, begins: bool) -> None:
    _, table, _ = begun(World())
    second = Export(key=KEY, request_id="r2", by="staff", started_at=NOW + after_s, work=WORK)
    assert table.begin(second, Recipient(EMAIL, "Asha")) is begins
    export = table.read(KEY)
    assert export is not None
    assert export.request_id == ("r2" if begins else "r1")


def test_files_are_deleted_page_by_page() -> None:
    world = World(objects={f"exports/{KEY}/r1/{it}": b"" for it in range(5)})
    files, deleted = ExportFiles("bucket", Bucket(world)), []
    while count := files.delete(f"exports/{KEY}/"):
        deleted.append(count)
    assert (sum(deleted), world.objects) == (5, {})
    assert max(deleted) <= PAGE


class Dynamo:
    """Records the queries of ExportedItems."""

    def __init__(self) -> None:
        self.queries: list[dict[str, Any]] = []

    def query(self, **request: Any) -> Any:
        self.queries.append(request)
        item = {"pk": {"S": "x"}, "proof": {"S": "secret"}, "old": {"M": {"n": {"N": "1.5"}}}}
        return {"Items": [item], "LastEvaluatedKey": {"pk": {"S": "x"}}}


def test_sections_are_read_in_pages_without_secrets() -> None:
    dynamo = Dynamo()
    items = ExportedItems(Tables("accounts", "appointments", "profiles", "office"), dynamo)
    for section in SECTIONS:
        documents, following = items.page(section, SUB, "a1", None)
        assert documents == [{"pk": "x", "old": {"n": 1.5}}]
        items.page(section, SUB, "a1", following)
        first, second = dynamo.queries[-2:]
        assert second == {**first, "ExclusiveStartKey": following}
        assert first["Limit"] > 0
        assert SUB in str(first) or ":pk': {'S': 'ACCOUNT#a1'" in str(first)
    assert {it["TableName"] for it in dynamo.queries} == {
        *("accounts", "appointments", "profiles", "office"),
    }


class Cognito:
    def __init__(self, known: bool) -> None:
        self.known = known

    def admin_get_user(self, **_: Any) -> Any:
        if not self.known:
            raise client_error("UserNotFoundException")
        attributes = [{"Name": "email", "Value": EMAIL}]
        return {"UserAttributes": attributes, "UserCreateDate": datetime(2026, 11, 28, tzinfo=UTC)}

    def admin_list_groups_for_user(self, **_: Any) -> Any:
        return {"Groups": [{"GroupName": "paid"}]}


def test_user_has_attributes_and_groups() -> None:
    assert ExportedUser("pool", Cognito(known=False)).read(SUB) is None
    assert ExportedUser("pool", Cognito(known=True)).read(SUB) == {
        "attributes": {"email": EMAIL},
        "createdAt": "2026-11-28T00:00:00Z",
        "groups": ["paid"],
    }
