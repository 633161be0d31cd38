"""ErasureFunction: erase a student, one bounded step in each invocation.

The workflow `erase` invokes it until it is done, and the workflow `export` for the steps of
person_export.py. What it knows is in the erasure's item, so a step
that fails, or whose process is stopped, is repeated. The phases, in this order:

| phase | what is done |
|---|---|
| `sign-out` | the user is disabled, and all sessions end |
| `appointments` | coming ones are cancelled, and past ones lose the student |
| `suppress` | the collector refuses the student's events |
| `find` | the anonymous ids of the student's browsers are read from the lakes |
| `browsers` | the collector refuses these, too |
| `settle` | access tokens expire, and what was on its way arrives |
| `rosters` | lists with the student are deleted, a page in each step |
| `exports` | files about the student are deleted |
| `tables`, `user` | the items are deleted, then the user; the changes reach the lakes |
| `lake` | passes over each Region's lake, until one finds nothing |
| `check` | the tables are read again; with anything left, from `appointments` on |
| `confirm`, `emailed` | one email, whose address is deleted after it |
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from stepfunctions import (
    aws,
    email_address,
    export_files,
    function_log,
    lake_erasure,
    person_export,
)
from stepfunctions.accounts import Accounts
from stepfunctions.erased_user import ErasedUser
from stepfunctions.erasure_calls import Calls
from stepfunctions.erasure_table import ERASED, Erasure, ErasureTable
from stepfunctions.export_files import ExportFiles
from stepfunctions.export_table import ExportTable, folder_of
from stepfunctions.person_items import PersonItems, Tables
from stepfunctions.person_rosters import PersonRosters, Position
from stepfunctions.settings import settings

#: The reason in the emails about cancelled appointments.
REASON: Final = "The account is closed."
#: Items, or browsers, of one invocation.
BATCH: Final = 100
#: How long the workflow waits for the notification, which a full dead-letter queue can have.
MAX_EMAIL_S: Final = 6 * 3_600
#: A notification is mostly sent within this time; then the looks at it are as far apart.
SOON_S: Final = 120
#: Between two looks at an index, a list or the notification, in seconds.
PAUSE_S: Final = 5

type Work = dict[str, Any]
#: The next phase, and the seconds to wait before it.
type Next = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters. `wait_s`: until access tokens have expired and changes are in the lakes."""

    accounts: Accounts
    table: ErasureTable
    items: PersonItems
    rosters: PersonRosters
    user: ErasedUser
    calls: Calls
    exports: ExportTable
    files: ExportFiles
    regions: tuple[str, ...]
    wait_s: int
    now: Callable[[], float] = time.time


@cache
def services() -> Services:
    """Return the process's services.

    Raises:
        SettingsError: An environment variable is missing.
    """
    named = settings()
    table = named.require("accounts_table")
    tables = Tables.of(named)
    regions = tuple(filter(None, named.require("erasure_regions").split(",")))
    return Services(
        Accounts(table),
        ErasureTable(table, named.region),
        PersonItems(tables, named.region, aws.client("dynamodb")),
        PersonRosters(named.require("rosters_bucket"), aws.client("s3")),
        ErasedUser(named.require("user_pool_id"), aws.client("cognito-idp")),
        Calls(named.require("function_prefix"), named.region),
        ExportTable(table, named.region),
        ExportFiles(named.require("rosters_bucket"), export_files.client()),
        regions,
        int(named.require("erasure_wait_seconds")),
    )


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Do one step of {"erasureId", "correlationId"}; return {"phase", "waitSeconds", "done"}.

    With "exportId" it is a step of an export.

    Raises:
        TransientError: A service failed temporarily, or another invocation is doing the step.
        PermanentError: A service rejected a request.
        SettingsError: An environment variable is missing.
    """
    if "exportId" in event:
        return person_export.step(event)
    use, key = services(), str(event["erasureId"])
    erasure = use.table.read(key)
    if erasure is None or erasure.status == ERASED:
        return _result("end", 0, done=True)
    work = {"phase": "sign-out", "report": {}, **erasure.work}
    step = Step(use, erasure, work, str(event.get("correlationId", "")))
    before = work["phase"]
    phase, wait_s = step.run()
    function_log.info(f"erasure {before}", event.get("correlationId"), erasure_id=key, next=phase)
    if phase == "end":
        return _result("end", 0, done=True)
    if phase != "emailed" or before == "emailed":
        use.table.save(erasure, {**work, "phase": phase})
    return _result(phase, wait_s, done=False)


@dataclass(slots=True)
class Step:
    """One step of an erasure. It changes `work`, which the caller stores."""

    use: Services
    erasure: Erasure
    work: Work
    correlation: str

    def run(self) -> Next:
        """Do the phase of the work; return what follows."""
        return _PHASES[str(self.work["phase"])](self)

    @property
    def student(self) -> str:
        """The user's `sub`."""
        return str(self.work["student"])

    @property
    def ids(self) -> list[str]:
        """The ids by which events name the student; analytics SDKs send the hash of an address."""
        email = str(self.work["email"])
        return [self.student, *lake_erasure.ids_of(email)]

    def count(self, name: str, number: int) -> None:
        """Add to a number of the report."""
        self.work["report"][name] = self.work["report"].get(name, 0) + number

    def keys(self) -> list[Any]:
        """Return the keys of the student's items that are left."""
        return self.use.items.keys(self.student, str(self.work["account"]))


def _sign_out(step: Step) -> Next:
    step.use.user.disable(step.student)
    step.use.calls.sign_out(step.student)
    return "appointments", 0


def _appointments(step: Step) -> Next:
    now = step.use.now()
    moment = f"SLOT#{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}"
    items = step.use.items.appointments(step.student)
    for item in items:
        if item["sk"]["S"] > moment:
            advisor = item["pk"]["S"].removeprefix("ADVISOR#")
            start = item["sk"]["S"].removeprefix("SLOT#")
            step.count("cancelled", step.use.calls.cancel(advisor, start, REASON))
        else:
            step.count("past", step.use.items.forget(step.student, item, int(now * 1000)))
    return ("appointments", PAUSE_S) if items else ("suppress", 0)


def _suppress(step: Step) -> Next:
    for known in step.ids:
        step.use.calls.suppress(known)
    step.work["lake"] = lake_erasure.first(step.use.regions)
    return "find", 0


def _find(step: Step) -> Next:
    is_read = lake_erasure.find(step.work["lake"], step.ids, step.use.calls.lake)
    return "browsers" if is_read else "find", 0


def _browsers(step: Step) -> Next:
    lake = step.work["lake"]
    # The events of others who use such a browser are stored as before.
    own = sorted(set(lake["visitors"]) - set(lake["shared"]))
    done = int(step.work.get("suppressed", 0))
    for visitor in own[done : done + BATCH]:
        step.use.calls.suppress(visitor)
    step.work["suppressed"] = min(done + BATCH, len(own))
    return ("settle", step.use.wait_s) if done + BATCH >= len(own) else ("browsers", 0)


def _settle(step: Step) -> Next:
    # Feedback that the office hasn't opened yet is in queues; this moves it to the table.
    step.use.calls.open_inbox()
    return "rosters", 0


def _rosters(step: Step) -> Next:
    now = datetime.fromtimestamp(step.use.now(), UTC)
    email = email_address.normalize(str(step.work["email"])) or str(step.work["email"])
    start = Position(*step.work.pop("rosters", ()))
    page = step.use.rosters.erase(email, now, start)
    step.count("rosters", page.deleted)
    if page.following is not None:
        step.work["rosters"] = page.following
        return "rosters", 0
    return ("rosters", PAUSE_S * 12) if page.importing else ("exports", 0)


def _exports(step: Step) -> Next:
    return ("exports", 0) if _delete_exports(step) else ("tables", 0)


def _delete_exports(step: Step) -> bool:
    """Delete a page of the files about the student; return whether there were some.

    First the item: an export that is running ends with its next step.
    """
    step.use.exports.delete(step.erasure.key)
    return step.use.files.delete(folder_of(step.erasure.key)) > 0


def _tables(step: Step) -> Next:
    keys = step.keys()[:BATCH]
    for key in keys:
        step.use.items.delete(key)
    step.count("items", len(keys))
    return ("tables", 0) if keys else ("user", 0)


def _delete_user(step: Step) -> Next:
    step.use.user.delete(step.student)
    lake_erasure.begin(step.work["lake"])
    return "lake", step.use.wait_s


def _lake(step: Step) -> Next:
    outcome = lake_erasure.erase(step.work["lake"], step.ids, step.use.calls.lake)
    if outcome == "done":
        return "check", 0
    return "lake", step.use.wait_s if outcome == "wait" else 0


def _check(step: Step) -> Next:
    exported = _delete_exports(step)
    if exported or step.keys() or step.use.items.appointments(step.student):
        # A request of an access token that hadn't expired.
        return "appointments", 0
    return "confirm", 0


def _confirm(step: Step) -> Next:
    now = int(step.use.now())
    work = {**step.work, "phase": "emailed", "notified": now}
    step.use.table.notify(step.erasure, work, now, step.correlation)
    return "emailed", PAUSE_S


def _emailed(step: Step) -> Next:
    now = int(step.use.now())
    if not step.erasure.emailed and now < int(step.work["notified"]) + MAX_EMAIL_S:
        # Step by step, an execution's history would be full before the end.
        return "emailed", PAUSE_S if now < int(step.work["notified"]) + SOON_S else SOON_S
    at = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}"
    email = email_address.normalize(str(step.work["email"])) or str(step.work["email"])
    email_key = email_address.email_key(email, step.use.accounts.email_secret())
    report = {
        "cancelledAppointments": step.work["report"].get("cancelled", 0),
        "pastAppointments": step.work["report"].get("past", 0),
        "items": step.work["report"].get("items", 0),
        "rosters": step.work["report"].get("rosters", 0),
        "lakes": [
            {"lake": region, **_public(sums)}
            for region, sums in sorted(step.work["lake"]["reports"].items())
        ],
        "emailed": step.erasure.emailed,
    }
    step.use.table.finish(step.erasure, report, email_key, at, now)
    return "end", 0


_PHASES: Final[dict[str, Callable[[Step], Next]]] = {
    "sign-out": _sign_out,
    "appointments": _appointments,
    "suppress": _suppress,
    "find": _find,
    "browsers": _browsers,
    "settle": _settle,
    "rosters": _rosters,
    "exports": _exports,
    "tables": _tables,
    "user": _delete_user,
    "lake": _lake,
    "check": _check,
    "confirm": _confirm,
    "emailed": _emailed,
}


def _public(sums: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Region's part of the report: counts only."""
    return {
        "rows": sum(sums["rows"].values()),
        "objects": sums["objects"],
        "versions": sums["versions"],
        "objectsRead": sums["objects_read"],
        "streamExpires": sums["stream_expires"],
    }


def _result(phase: str, wait_s: int, *, done: bool) -> dict[str, Any]:
    return {"phase": phase, "waitSeconds": wait_s, "done": done}
