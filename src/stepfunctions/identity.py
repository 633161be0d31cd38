"""The user of an account: created by the workflow, deleted by its compensation."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from stepfunctions import address
from stepfunctions.accounts import Accounts
from stepfunctions.errors import AbsentError, IdentityTakenError
from stepfunctions.settings import settings
from stepfunctions.users import Users


@cache
def accounts() -> Accounts:
    """The table of this process."""
    return Accounts(settings().need("accounts_table"))


@cache
def users() -> Users:
    """The pool of this process."""
    return Users(settings().need("user_pool_id"))


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Take {"accountId", "action": "create" | "delete"}; return {"sub"}, the user's id or "".

    Raises TransientError and RefusedError; IdentityTakenError where the address has a user of
    another account; AbsentError where nothing is known of the account to create a user for.
    """
    account_id = str(event["accountId"])
    person = accounts().person(account_id)
    email = None if person is None else address.canonical(person.email)
    if event["action"] == "delete":
        # Without the address there never was a user: it is written before and deleted after it.
        if email is not None:
            users().delete(account_id, email)
        return {"sub": ""}
    if person is None or email is None:
        raise AbsentError("Nothing is known of this account.")
    sub = users().create(account_id, person, email)
    if sub is None:
        raise IdentityTakenError("The address has a user already, and it is not this account's.")
    return {"sub": sub}
