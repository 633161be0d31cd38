"""The change of a student's address: the request, the proofs of both addresses, and the change.

The API calls `request` and `prove`; the workflow `address` calls `change_address`, which can be
repeated after any failure.
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from stepfunctions import email_address, email_proofs, function_log, users
from stepfunctions.accounts import Accounts
from stepfunctions.address_table import (
    CHANGED,
    CHANGING,
    REFUSED,
    SIDES,
    WAITING,
    AddressChange,
    AddressTable,
)
from stepfunctions.errors import PermanentError
from stepfunctions.settings import settings
from stepfunctions.users import OWNER_ATTRIBUTE, Users
from stepfunctions.workflow_start import starter

#: A change that is replaced at the same time is read again.
MAX_READS: Final = 3
#: Code of a refusal → HTTP status and detail.
REFUSALS: Final = {
    "account_unknown": (409, "This user has no student's account. Ask the school."),
    "address_changing": (409, "An earlier change of the address is being made. Try again later."),
    "address_invalid": (400, "This isn't an email address."),
    "address_unchanged": (409, "The account has this address already."),
    "proof_invalid": (404, "This proof is unknown or has expired. Ask for the change again."),
    "request_id_used": (409, "The requestId belongs to another change."),
}

type Event = Mapping[str, Any]
type Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Services:
    """The tables, the user pool, and the start of the workflow `address` with a name and input."""

    accounts: Accounts
    table: AddressTable
    users: Users
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
        AddressTable(table, named.region),
        Users(pool),
        lambda sub: users.attributes_by_sub(pool, sub),
        starter(named.require("address_machine")),
    )


def request(event: Event) -> Answer:
    """Ask for a change: {"student", "request", "correlationId"}; send an email to each address.

    The answer doesn't tell whether the new address has an account: only its email does.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    use, asked, student = services(), json.loads(event["request"]), str(event["student"])
    account_id = (use.attributes(student) or {}).get(OWNER_ATTRIBUTE, "")
    account, person = use.accounts.account_and_person(account_id) if account_id else (None, None)
    stored = None if person is None else email_address.normalize(person.email)
    if account is None or account.status != "active" or stored is None:
        return _refusal("account_unknown")
    email = email_address.normalize(asked["email"])
    if email is None:
        return _refusal("address_invalid")
    secret = use.accounts.email_secret()
    new_key, old_key = (email_address.email_key(it, secret) for it in (email, stored))
    earlier = use.table.read(account_id)
    if earlier is not None and earlier.change_id == asked["requestId"]:
        same = earlier.new_key == new_key
        return _answer(202, earlier.status) if same else _refusal("request_id_used")
    if new_key == old_key:
        return _refusal("address_unchanged")
    now = int(use.now())
    tokens = {side: email_proofs.new_token() for side in SIDES}
    change = AddressChange(
        change_id=asked["requestId"],
        account_id=account_id,
        student=student,
        email=email,
        new_key=new_key,
        old_key=old_key,
        proofs={side: email_proofs.digest(token) for side, token in tokens.items()},
        proof_expires_at=now + email_proofs.PROOF_S,
    )
    outcome = use.table.ask(
        change,
        {side: f"{account_id}.{token}" for side, token in tokens.items()},
        taken=use.accounts.email_owner(new_key) not in {None, account_id},
        now=now,
        day=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}",
        correlation_id=str(event.get("correlationId", "")),
    )
    _log(f"address {outcome}", event, account_id)
    if outcome in {"changing", "closed"}:
        return _refusal("address_changing" if outcome == "changing" else "account_unknown")
    # Also if an address has got its emails of this day: like that of the form, the answer is equal.
    return _answer(202, WAITING)


def prove(event: Event) -> Answer:
    """Take a proof: {"request", "correlationId"}; start the change if both addresses are proved.

    A repeated proof has the same effect, and returns how far the change is.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected the request.
        SettingsError: An environment variable is missing.
    """
    use, sent = services(), json.loads(event["request"])
    account_id, digest = str(sent["accountId"]), email_proofs.digest(sent["token"])
    for _ in range(MAX_READS):
        change = use.table.read(account_id)
        side = None if change is None else _side(change, digest)
        if change is None or side is None:
            return _refusal("proof_invalid")
        if change.status != WAITING:
            return _answer(200, change.status)
        if change.proof_expires_at <= use.now():
            return _refusal("proof_invalid")
        proved = change if side in change.proved else use.table.prove(change, side)
        if proved is None:
            # Another request replaced the change, or it began: read it again.
            continue
        _log(f"{side} address proved", event, account_id)
        if not proved.is_proved:
            return _answer(200, WAITING)
        # Also for a repeated proof: an earlier one may have ended before the start.
        ids = {
            "accountId": account_id,
            "changeId": proved.change_id,
            "correlationId": str(event.get("correlationId") or account_id),
        }
        use.start(proved.change_id, json.dumps(ids))
        return _answer(200, CHANGING)
    return {"status": 503}


def change_address(event: Event) -> dict[str, str]:
    """Make a change: {"accountId", "changeId", "correlationId"}; return {"outcome", "sub"}.

    The order: reserve the new address, change the user, write the new address to the account. Each
    step can be repeated. The outcome is `changed` or `refused`; then nothing is changed.

    Raises:
        TransientError: A service failed temporarily.
        PermanentError: A service rejected a request, or an address isn't proved.
        SettingsError: An environment variable is missing.
    """
    use, account_id, change_id = services(), str(event["accountId"]), str(event["changeId"])
    change = use.table.read(account_id)
    if change is None or change.change_id != change_id or change.status == REFUSED:
        return _outcome(event, account_id, REFUSED)
    if change.status == CHANGED:
        return _outcome(event, account_id, CHANGED, change.student)
    if not change.is_proved:
        raise PermanentError("An address of the change isn't proved.")
    if (
        use.table.reserve(change)
        and use.users.change_email(change.student, account_id, change.email)
        and use.table.finish(change, int(use.now()), str(event.get("correlationId", "")))
    ):
        return _outcome(event, account_id, CHANGED, change.student)
    latest = use.table.read(account_id)
    if latest is not None and latest.change_id == change_id and latest.status == CHANGED:
        # An earlier attempt, which Step Functions took for lost, was faster.
        return _outcome(event, account_id, CHANGED, change.student)
    use.table.refuse(change, int(use.now()))
    return _outcome(event, account_id, REFUSED)


def _side(change: AddressChange, digest: str) -> str | None:
    """Return the address that a proof belongs to, None for another proof."""
    return next(
        (side for side, it in change.proofs.items() if hmac.compare_digest(it, digest)),
        None,
    )


def _answer(status: int, change: str) -> Answer:
    body = {"status": change}
    return {"status": status, "body": body, "text": json.dumps(body)}


def _refusal(code: str) -> Answer:
    return email_proofs.refusal(REFUSALS, code)


def _outcome(event: Event, account_id: str, outcome: str, sub: str = "") -> dict[str, str]:
    _log(f"address {outcome}", event, account_id)
    return {"outcome": outcome, "sub": sub}


def _log(message: str, event: Event, account_id: str) -> None:
    function_log.info(message, event.get("correlationId"), account_id=account_id)
