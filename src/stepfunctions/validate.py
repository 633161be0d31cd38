"""The first state: may this request become an account, and is its address free?"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from stepfunctions import address, rules
from stepfunctions.accounts import Accounts
from stepfunctions.settings import settings


@cache
def accounts() -> Accounts:
    """The table of this process."""
    return Accounts(settings().need("accounts_table"))


@cache
def secret() -> bytes:
    """The secret of the keys of addresses; it never changes."""
    return accounts().secret()


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Take {"accountId"}; return {"valid", "free", "reasons", "emailKey", "status"}.

    No personal data either way. `valid`: it breaks no rule; `free`: nobody else has the address,
    which is worth a look and no guarantee; `status`: the account's own, empty where there is none
    yet, `undone` where nothing but its fence is left. Raises TransientError and RefusedError where
    the table does not answer.
    """
    account_id = str(event["accountId"])
    account, person = accounts().whom(account_id)
    status = "" if account is None else account.status
    if status == "withdrawn" and person is None:
        status = "undone"
    verdict = {"valid": True, "free": True, "emailKey": "", "status": status}
    reasons = [rules.EXPIRED] if person is None else rules.check(person, datetime.now(UTC).date())
    canonical = None if person is None else address.canonical(person.email)
    if reasons or canonical is None:
        verdict["valid"] = False
    else:
        email_key = address.key(canonical, secret())
        verdict["emailKey"] = email_key
        verdict["free"] = accounts().owner(email_key) in {None, account_id}
        reasons = [] if verdict["free"] else [rules.TAKEN]
    return {**verdict, "reasons": [reason.document() for reason in reasons]}
