"""The first state: may this request become an account, and is its address free?"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from stepfunctions import address, rules
from stepfunctions.accounts import Accounts
from stepfunctions.rules import Reason
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
    """Take {"accountId"}; return {"valid", "free", "reasons", "emailKey"}.

    No personal data either way. `valid`: it breaks no rule; `free`: nobody else has the address,
    which is worth a look and no guarantee. Raises TransientError and RefusedError where the table
    does not answer.
    """
    account_id = str(event["accountId"])
    person = accounts().person(account_id)
    if person is None:
        return _verdict(valid=False, reasons=[rules.EXPIRED])
    reasons = rules.check(person, datetime.now(UTC).date())
    canonical = address.canonical(person.email)
    if reasons or canonical is None:
        return _verdict(valid=False, reasons=reasons)
    email_key = address.key(canonical, secret())
    free = accounts().owner(email_key) in {None, account_id}
    return _verdict(free=free, email_key=email_key, reasons=[] if free else [rules.TAKEN])


def _verdict(
    *, valid: bool = True, free: bool = True, email_key: str = "", reasons: Sequence[Reason]
) -> dict[str, Any]:
    return {
        "valid": valid,
        "free": free,
        "emailKey": email_key,
        "reasons": [reason.document() for reason in reasons],
    }
