"""The start of a student's erasure: by the student, a minor's guardian, the office or an operator.

A student asks while signed in, and the link in an email starts the workflow. It goes to the
guardian of a minor. The office and operators start it at once. The API calls these actions through
IdentityFunction, which can't erase anything; the workflow's own function does (erasure.py).
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

from stepfunctions import email_address, email_proofs, function_log, users
from stepfunctions.accounts import Accounts
from stepfunctions.erasure_table import ERASED, WAITING, Erasure, ErasureTable, Recipient
from stepfunctions.settings import settings
from stepfunctions.users import OWNER_ATTRIBUTE
from stepfunctions.validation_rules import is_minor
from stepfunctions.workflow_start import starter

#: Code of a refusal → HTTP status and detail.
REFUSALS: Final = {
    "student_unknown": (404, "No student has this id."),
    "address_differs": (409, "The student has another email address. Enter it to confirm."),
    "erasure_proof_invalid": (404, "This proof is unknown or has expired. Ask for it again."),
}

type Event = Mapping[str, Any]
type Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """The tables, the user pool, and the start of the workflow `erase` with a name and input."""

    accounts: Accounts
    table: ErasureTable
    attributes: Callable[[str], Mapping[str, str] | None]
    start: Callable[[str, str], None]
    now: Callable[[], float] = time.time


@cache
def services() -> Services:
    """Return the process's services.

    Raises:
        SettingsError: An environment variable is missing.
    """
    named = settings()
    table, pool = named.require("accounts_table"), named.require("user_pool_id")
    return Services(
        Accounts(table),
        ErasureTable(table, named.region),
        lambda sub: users.attributes_by_sub(pool, sub),
        starter(named.require("erase_machine")),
    )


def request(event: Event) -> Answer:
    """Ask for the student's own erasure: {"student", "request", "correlationId"}.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    use, student = services(), str(event["student"])
    request_id, now = json.loads(event["request"])["requestId"], int(use.now())
    key = email_address.email_key(student, use.accounts.email_secret())
    earlier = use.table.read(key)
    if earlier is not None and (earlier.status != WAITING or earlier.request_id == request_id):
        return _answer(202, earlier)
    attributes = use.attributes(student)
    if attributes is None:
        return _refusal("student_unknown")
    today = datetime.fromtimestamp(now, UTC).date()
    by, recipient = recipient_of(use.accounts, attributes, today)
    token = email_proofs.new_token()
    erasure = Erasure(
        key=key,
        request_id=request_id,
        by=by,
        proof=email_proofs.digest(token),
        proof_expires_at=now + email_proofs.PROOF_S,
        work=work_of(student, attributes),
    )
    asked = use.table.ask(
        erasure,
        recipient,
        token,
        email_key=_email_key(use, recipient.email),
        now=now,
        day=f"{today:%Y-%m-%d}",
        correlation_id=str(event.get("correlationId", "")),
    )
    _log("erasure asked", event, key)
    # Without `asked`, a proof was faster. Also if the address has got its emails of this day, the
    # answer is equal.
    latest = erasure if asked else use.table.read(key)
    return _answer(202, latest or erasure)


def prove(event: Event) -> Answer:
    """Take the proof of a link: {"request", "correlationId"}; start the erasure.

    A repeated proof returns how far the erasure is, and at last its report.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    use, sent = services(), json.loads(event["request"])
    key = str(sent["erasureId"])
    erasure = use.table.read(key)
    if erasure is None or not hmac.compare_digest(
        erasure.proof, email_proofs.digest(sent["token"])
    ):
        return _refusal("erasure_proof_invalid")
    if erasure.status == WAITING:
        now = int(use.now())
        if erasure.proof_expires_at <= now:
            return _refusal("erasure_proof_invalid")
        use.table.begin(erasure, _email_key(use, str(erasure.work["email"])), now)
        erasure = use.table.read(key) or erasure
        _log("erasure proved", event, key)
    _start(use, event, erasure)
    return _answer(200, erasure)


def order(event: Event) -> Answer:
    """Start an erasure at once: {"staff", "student", "request", "correlationId"}.

    The office's function has checked the group of `staff`; an operator has none. A repeated request
    returns how far the erasure is, and at last its report, also after the user is deleted.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    use, student, sent = services(), str(event["student"]), json.loads(event["request"])
    key, now = email_address.email_key(student, use.accounts.email_secret()), int(use.now())
    earlier = use.table.read(key)
    if earlier is None or earlier.status == WAITING:
        attributes = use.attributes(student)
        # Cognito accepts an address in place of the `sub`.
        if attributes is None or attributes["sub"] != student:
            return _refusal("student_unknown")
        email = attributes.get("email", "")
        if email_address.normalize(sent["email"]) != email_address.normalize(email):
            return _refusal("address_differs")
        work = work_of(student, attributes)
        by = "operator"
        if "staff" in event:
            by = "staff"
            work |= {"staff": str(event["staff"]), "reason": " ".join(sent["reason"].split())}
        _, recipient = recipient_of(
            use.accounts, attributes, datetime.fromtimestamp(now, UTC).date()
        )
        erasure = Erasure(key=key, request_id=sent["requestId"], by=by, work=work)
        use.table.order(erasure, recipient, _email_key(use, email), now)
        earlier = use.table.read(key) or erasure
        _log("erasure ordered", event, key)
    _start(use, event, earlier)
    return _answer(202, earlier)


def _start(use: Services, event: Event, erasure: Erasure) -> None:
    """Start the workflow; also for a repeated request: an earlier one may have ended before."""
    if erasure.status == ERASED:
        return
    correlation = str(event.get("correlationId") or erasure.key)
    use.start(erasure.key, json.dumps({"erasureId": erasure.key, "correlationId": correlation}))


def recipient_of(
    accounts: Accounts, attributes: Mapping[str, str], today: date
) -> tuple[str, Recipient]:
    """Return who gets the emails about the data: "student", or "guardian" of a minor."""
    account = attributes.get(OWNER_ATTRIBUTE, "")
    person = accounts.person(account) if account else None
    name, locale = attributes.get("name", ""), attributes.get("locale", "")
    if person is not None and person.guardian_email and is_minor(person, today):
        return "guardian", Recipient(person.guardian_email, name, locale)
    return "student", Recipient(attributes.get("email", ""), name, locale)


def work_of(student: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return what a workflow knows about a student at its start."""
    return {
        "student": student,
        "account": attributes.get(OWNER_ATTRIBUTE, ""),
        "email": attributes.get("email", ""),
    }


def _email_key(use: Services, email: str) -> str:
    return email_address.email_key(
        email_address.normalize(email) or email, use.accounts.email_secret()
    )


def _answer(status: int, erasure: Erasure) -> Answer:
    body: dict[str, Any] = {"status": erasure.status, "confirmedBy": erasure.by}
    if erasure.status == ERASED:
        body |= {"erasedAt": erasure.erased_at, "report": erasure.report}
    return {"status": status, "body": body, "text": json.dumps(body)}


def _refusal(code: str) -> Answer:
    return email_proofs.refusal(REFUSALS, code)


def _log(message: str, event: Event, key: str) -> None:
    function_log.info(message, event.get("correlationId"), erasure_id=key)
