"""The export of everything about a student as a file, one bounded step in each invocation.

The workflow `export` invokes ErasureFunction, which can read all of it, until it is done. What it
knows is in the export's item, so a step that fails, or whose process is stopped, is repeated. The
phases, in this order:

| phase | what is done |
|---|---|
| `user` | the user's attributes and groups are read |
| `tables` | a page of a table's items in each step |
| `rosters` | a page of the lists, of which the student's rows are read |
| `find` | the anonymous ids of the student's browsers are read from the lakes |
| `lake` | a slice of a Region's lake in each step |
| `file` | the parts are put together, and the email with the link goes out |
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from stepfunctions import (
    aws,
    email_address,
    email_proofs,
    export_files,
    function_log,
    lake_erasure,
)
from stepfunctions.erasure_calls import Calls
from stepfunctions.export_files import ExportFiles
from stepfunctions.export_table import READY, Export, ExportTable
from stepfunctions.exported_items import SECTIONS, ExportedItems
from stepfunctions.exported_user import ExportedUser
from stepfunctions.person_items import Tables
from stepfunctions.person_rosters import PersonRosters
from stepfunctions.settings import settings

type Work = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters of an export."""

    table: ExportTable
    items: ExportedItems
    rosters: PersonRosters
    user: ExportedUser
    files: ExportFiles
    calls: Calls
    regions: tuple[str, ...]
    now: Callable[[], float] = time.time


@cache
def services() -> Services:
    """Return the process's services.

    Raises:
        SettingsError: An environment variable is missing.
    """
    named = settings()
    table, bucket = named.require("accounts_table"), named.require("rosters_bucket")
    tables = Tables.of(named)
    return Services(
        ExportTable(table, named.region),
        ExportedItems(tables, aws.client("dynamodb")),
        PersonRosters(bucket, aws.client("s3")),
        ExportedUser(named.require("user_pool_id"), aws.client("cognito-idp")),
        ExportFiles(bucket, export_files.client()),
        Calls(named.require("function_prefix"), named.region),
        tuple(filter(None, named.require("erasure_regions").split(","))),
    )


def step(event: Mapping[str, Any]) -> dict[str, Any]:
    """Do one step of {"exportId", "requestId", "correlationId"}.

    Returns {"phase", "waitSeconds", "done"}. An export whose item was deleted by an erasure, or
    replaced by a later request, is done.

    Raises:
        TransientError: A service failed temporarily, or another invocation is doing the step.
        PermanentError: A service rejected a request.
        SettingsError: An environment variable is missing.
    """
    use, key = services(), str(event["exportId"])
    export = use.table.read(key)
    if export is None or export.request_id != event["requestId"] or export.status == READY:
        return {"phase": "end", "waitSeconds": 0, "done": True}
    correlation = str(event.get("correlationId", ""))
    work = {"phase": "user", "parts": 0, **export.work}
    before = work["phase"]
    following = Step(use, export, work, correlation).run()
    function_log.info(f"export {before}", correlation, export_id=key, next=following)
    if following == "end":
        return {"phase": "end", "waitSeconds": 0, "done": True}
    use.table.save(export, {**work, "phase": following})
    return {"phase": following, "waitSeconds": 0, "done": False}


@dataclass(slots=True)
class Step:
    """One step of an export. It changes `work`, which the caller stores."""

    use: Services
    export: Export
    work: Work
    correlation: str

    def run(self) -> str:
        """Do the phase of the work; return the next one."""
        return _PHASES[str(self.work["phase"])](self)

    @property
    def ids(self) -> list[str]:
        """The ids by which events name the student."""
        return [str(self.work["student"]), *lake_erasure.ids_of(str(self.work["email"]))]

    def write(self, member: str, content: bytes) -> None:
        """Store a part of a member; a repetition of the step writes it again."""
        if content:
            self.use.files.put(self.export.folder, self.work["parts"], member, content)
            self.work["parts"] += 1


def _user(step: Step) -> str:
    user = step.use.user.read(str(step.work["student"]))
    if user is None:
        # An erasure was faster.
        return "end"
    step.write("user.jsonl", _lines([user]))
    return "tables"


def _tables(step: Step) -> str:
    section = SECTIONS[step.work.get("section", 0)]
    student, account = str(step.work["student"]), str(step.work["account"])
    documents, following = step.use.items.page(
        section, student, account, step.work.pop("after", None)
    )
    step.write(f"{section}.jsonl", _lines(documents))
    if following:
        step.work["after"] = following
        return "tables"
    step.work["section"] = step.work.get("section", 0) + 1
    return "tables" if step.work["section"] < len(SECTIONS) else "rosters"


def _rosters(step: Step) -> str:
    email = email_address.normalize(str(step.work["email"])) or str(step.work["email"])
    rows, following = step.use.rosters.rows(email, str(step.work.pop("list", "")))
    step.write("lists.jsonl", _lines(rows))
    if following:
        step.work["list"] = following
        return "rosters"
    step.work["lake"] = lake_erasure.first(step.use.regions)
    return "find"


def _find(step: Step) -> str:
    if not lake_erasure.find(step.work["lake"], step.ids, step.use.calls.lake):
        return "find"
    lake_erasure.begin(step.work["lake"])
    return "lake"


def _lake(step: Step) -> str:
    rows, is_read = lake_erasure.rows(step.work["lake"], step.ids, step.use.calls.lake)
    step.write("visits.jsonl", rows)
    return "file" if is_read else "lake"


def _file(step: Step) -> str:
    step.use.files.assemble(step.export.folder)
    now = int(step.use.now())
    step.use.table.finish(step.export, email_proofs.new_token(), now, step.correlation)
    return "end"


_PHASES: Final[dict[str, Callable[[Step], str]]] = {
    "user": _user,
    "tables": _tables,
    "rosters": _rosters,
    "find": _find,
    "lake": _lake,
    "file": _file,
}


def _lines(documents: Iterable[Mapping[str, Any]]) -> bytes:
    texts = (json.dumps(it, ensure_ascii=False) + "\n" for it in documents)
    # Half of a surrogate pair, which JSON can have, is no UTF-8.
    return "".join(texts).encode("utf-8", "replace")
