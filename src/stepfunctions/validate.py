"""ValidateFunction: check the submitted form and whether its email address is available."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from stepfunctions import email_address, email_proofs, function_log, validation_rules
from stepfunctions.accounts import Accounts
from stepfunctions.settings import settings
from stepfunctions.validation_rules import Person, is_minor, merged


@cache
def accounts() -> Accounts:
    """Return the process's accounts table.

    Raises:
        SettingsError: ACCOUNTS_TABLE is missing.
    """
    return Accounts(settings().require("accounts_table"))


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Take {"accountId", "correlationId"}; return valid, free, reasons, emailKey and status.

    With `proof`, the result also has a new `token` for the email that asks for the proof: random
    characters and, if `prove` may create the account, `emailKey`. Only Express workflows ask for
    it, because Standard workflows keep results for 90 days. For a minor, whose token has no key, it
    also has `guardianKey`, the key of the guardian's address, and a `guardianToken`.

    `valid`: the form breaks no rule. `free`: no other account owns the address; only the condition
    of the Create state guarantees this. `status`: the account's status, "" before Create, or
    `undone` after a complete compensation. With `trusted`, for a row of a roster, the result has
    `changedAccount`: the active account of the address, if the row changes its student. Input and
    output contain no personal data.

    Raises:
        TransientError: DynamoDB failed temporarily.
        PermanentError: DynamoDB rejected the request.
        SettingsError: ACCOUNTS_TABLE is missing.
    """
    account_id = str(event["accountId"])
    account, person = accounts().account_and_person(account_id)
    status = "" if account is None else account.status
    if status == "withdrawn" and person is None:
        status = "undone"
    result = {"valid": True, "free": True, "emailKey": "", "status": status}
    today, trusted = datetime.now(UTC).date(), bool(event.get("trusted"))
    if person is None:
        reasons = [validation_rules.EXPIRED]
    else:
        reasons = validation_rules.validate_person(person, today, trusted=trusted)
    normalized = None if person is None else email_address.normalize(person.email)
    if reasons or normalized is None:
        result["valid"] = False
    else:
        email_key = email_address.email_key(normalized, accounts().email_secret())
        result["emailKey"] = email_key
        owner = accounts().email_owner(email_key)
        result["free"] = owner in {None, account_id}
        reasons = [] if result["free"] else [validation_rules.TAKEN]
        if owner and reasons and trusted and _changes(owner, person):
            result["changedAccount"] = owner
    if event.get("proof"):
        email_key = str(result["emailKey"]) if result["free"] else ""
        result |= _tokens(person if result["valid"] else None, today, email_key)
    codes = [reason.code for reason in reasons]
    correlation_id = event.get("correlationId")
    function_log.info("validated", correlation_id, account_id=account_id, reasons=codes)
    return {**result, "reasons": [reason.document() for reason in reasons]}


def _tokens(person: Person | None, today: date, email_key: str) -> dict[str, str]:
    """Return the token for the student's email and, for a minor, key and token of the guardian's.

    `person` is None for an invalid form, and `email_key` is "" unless the address is free.
    """
    token = email_proofs.new_token()
    if person is None or not is_minor(person, today):
        return {"token": token + email_key}
    guardian = email_address.normalize(person.guardian_email or "") or ""
    return {
        "token": token,
        "guardianKey": email_address.email_key(guardian, accounts().email_secret()),
        "guardianToken": email_proofs.new_token(),
    }


def _changes(account_id: str, listed: Person | None) -> bool:
    account, stored = accounts().account_and_person(account_id)
    active = account is not None and account.status == "active"
    return bool(active and stored and listed and merged(stored, listed) != stored)
