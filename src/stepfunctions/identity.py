"""IdentityFunction: create the account's Cognito user, or delete it as compensation."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from stepfunctions import email_address, function_log
from stepfunctions.accounts import Accounts
from stepfunctions.errors import IdentityTakenError, PersonNotFoundError
from stepfunctions.settings import settings
from stepfunctions.users import Users


@cache
def accounts() -> Accounts:
    """Return the process's accounts table.

    Raises:
        SettingsError: ACCOUNTS_TABLE is missing.
    """
    return Accounts(settings().require("accounts_table"))


@cache
def users() -> Users:
    """Return the process's user pool.

    Raises:
        SettingsError: USER_POOL_ID is missing.
    """
    return Users(settings().require("user_pool_id"))


def lambda_handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Create or delete the account's Cognito user; return {"sub"}, "" after a deletion.

    The event is {"accountId", "action": "create" | "delete", "correlationId"}.

    Raises:
        IdentityTakenError: Another user has the address.
        PersonNotFoundError: The account to create has no submitted form.
        TransientError: DynamoDB or Cognito failed temporarily.
        PermanentError: DynamoDB or Cognito rejected the request.
        SettingsError: An environment variable is missing.
    """
    account_id = str(event["accountId"])
    person = accounts().person(account_id)
    email = None if person is None else email_address.normalize(person.email)
    if event["action"] == "delete":
        # The form is stored before the user exists and deleted after it: without a form, no user.
        if email is not None:
            users().delete(account_id, email)
        _log("identity deleted", event)
        return {"sub": ""}
    if person is None or email is None:
        raise PersonNotFoundError("The account has no submitted form with a valid address.")
    sub = users().create(account_id, person, email)
    if sub is None:
        raise IdentityTakenError("The address belongs to a user of another account.")
    _log("identity created", event)
    return {"sub": sub}


def _log(message: str, event: Mapping[str, Any]) -> None:
    function_log.info(message, event.get("correlationId"), account_id=event["accountId"])
