"""The start of a student's export, by the student, the office or an operator, and its file.

The file's link goes to the address of the student, or of a minor's guardian, who alone can open it.
The API calls these actions through IdentityFunction.
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from stepfunctions import email_address, email_proofs, erasure_request, export_files, function_log
from stepfunctions.accounts import Accounts
from stepfunctions.export_files import ExportFiles
from stepfunctions.export_table import READY, RUNNING, Export, ExportTable
from stepfunctions.settings import settings
from stepfunctions.users import attributes_by_sub
from stepfunctions.workflow_start import starter

#: Code of a refusal → HTTP status and detail.
REFUSALS: Final = {
    "student_unknown": (404, "No student has this id."),
    "export_proof_invalid": (404, "This link is unknown or has expired. Ask for the data again."),
}

type Event = Mapping[str, Any]
type Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """The tables, the user pool, the files, and the start of the workflow `export`."""

    accounts: Accounts
    table: ExportTable
    attributes: Callable[[str], Mapping[str, str] | None]
    start: Callable[[str, str], None]
    address: Callable[[str], str]
    now: Callable[[], float] = time.time


@cache
def services() -> Services:
    """Return the process's services.

    Raises:
        SettingsError: An environment variable is missing.
    """
    named = settings()
    table, pool = named.require("accounts_table"), named.require("user_pool_id")
    bucket = named.require("rosters_bucket")
    return Services(
        Accounts(table),
        ExportTable(table, named.region),
        lambda sub: attributes_by_sub(pool, sub),
        starter(named.require("export_machine")),
        lambda folder: ExportFiles(bucket, export_files.client()).address(folder),
    )


def request(event: Event) -> Answer:
    """Start an export: {"student", "request", "correlationId"}, with "staff" for the office.

    The office's function has checked the group of `staff`. A repeated request, and one less than an
    hour after another, returns how far the export is.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    use, student = services(), str(event["student"])
    now = int(use.now())
    # The name of an execution, of an email and of a folder: a client can repeat an id after hours.
    request_id = f"{now}-{json.loads(event['request'])['requestId']}"
    attributes = use.attributes(student)
    # Cognito accepts an address in place of the `sub`.
    if attributes is None or attributes["sub"] != student:
        return email_proofs.refusal(REFUSALS, "student_unknown")
    key = email_address.email_key(student, use.accounts.email_secret())
    work = erasure_request.work_of(student, attributes)
    by = str(event["by"]) if event.get("by") else "staff" if "staff" in event else "student"
    today = datetime.fromtimestamp(now, UTC).date()
    _, recipient = erasure_request.recipient_of(use.accounts, attributes, today)
    export = Export(key=key, request_id=request_id, by=by, started_at=now, work=work)
    use.table.begin(export, recipient)
    latest = use.table.read(key) or export
    if latest.status == RUNNING:
        # Also for a repeated request: an earlier one may have ended before.
        document = {"exportId": key, "requestId": latest.request_id}
        correlation = str(event.get("correlationId") or key)
        use.start(latest.request_id, json.dumps({**document, "correlationId": correlation}))
    function_log.info(f"export {latest.status}", event.get("correlationId"), export_id=key)
    return _answer(202, {"status": latest.status})


def prove(event: Event) -> Answer:
    """Take the proof of a link: {"request"}; return an address of the file.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    use, sent = services(), json.loads(event["request"])
    export = use.table.read(str(sent["exportId"]))
    if (
        export is None
        or export.status != READY
        or export.proof_expires_at <= use.now()
        or not hmac.compare_digest(export.proof, email_proofs.digest(sent["token"]))
    ):
        return email_proofs.refusal(REFUSALS, "export_proof_invalid")
    expires = datetime.fromtimestamp(export.proof_expires_at, UTC)
    function_log.info("export opened", event.get("correlationId"), export_id=export.key)
    body = {"address": use.address(export.folder), "expiresAt": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}
    return _answer(200, body)


def _answer(status: int, body: Mapping[str, str]) -> Answer:
    return {"status": status, "body": body, "text": json.dumps(body)}
