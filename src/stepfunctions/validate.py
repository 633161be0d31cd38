"""The first state: may this request become an account?"""

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
    """Take {"accountId"}; return {"valid", "reasons", "emailKey"}: no personal data either way.

    Raises TransientError and RefusedError where the table does not answer.
    """
    person = accounts().person(str(event["accountId"]))
    if person is None:
        return {"valid": False, "reasons": [rules.EXPIRED.document()], "emailKey": ""}
    reasons = rules.check(person, datetime.now(UTC).date())
    canonical = address.canonical(person.email)
    return {
        "valid": not reasons,
        "reasons": [reason.document() for reason in reasons],
        "emailKey": address.key(canonical, secret()) if canonical and not reasons else "",
    }
