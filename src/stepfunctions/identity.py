"""IdentityFunction: create the account's Cognito user, or delete it as compensation.

It also changes the user's address, and starts erasures and exports; address_change.py,
erasure_request.py and export_request.py have these actions.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from stepfunctions import (
    address_change,
    email_address,
    erasure_request,
    export_request,
    function_log,
)
from stepfunctions.accounts import Accounts
from stepfunctions.errors import IdentityTakenError, PersonNotFoundError
from stepfunctions.settings import settings
from stepfunctions.users import Users
from stepfunctions.validation_rules import merged

#: Actions of other modules. The API names its own in the mapping template.
FURTHER_ACTIONS: Final = {
    "request-address": address_change.request,
    "prove-address": address_change.prove,
    "change-address": address_change.change_address,
    "request-erasure": erasure_request.request,
    "prove-erasure": erasure_request.prove,
    "order-erasure": erasure_request.order,
    "request-export": export_request.request,
    "prove-export": export_request.prove,
}


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
    """Create, delete or update an account's Cognito user; return {"sub"}, "" unless created.

    The event is {"accountId", "action": "create" | "delete" | "update", "correlationId"}. An update
    copies the form of `accountId`, a row of a roster, to the student of `changedAccount`.
    FURTHER_ACTIONS have their own events and results.

    Raises:
        IdentityTakenError: Another user has the address.
        PersonNotFoundError: The account has no submitted form, or the one to change isn't active.
        TransientError: DynamoDB or Cognito failed temporarily.
        PermanentError: DynamoDB or Cognito rejected the request.
        SettingsError: An environment variable is missing.
    """
    if event["action"] in FURTHER_ACTIONS:
        return FURTHER_ACTIONS[event["action"]](event)
    account_id = str(event["accountId"])
    if event["action"] == "update":
        _update(account_id, str(event["changedAccount"]))
        _log("identity updated", event)
        return {"sub": ""}
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


def _update(listed_id: str, account_id: str) -> None:
    listed = accounts().person(listed_id)
    account, stored = accounts().account_and_person(account_id)
    email = None if stored is None else email_address.normalize(stored.email)
    if not (listed and stored and email and account and account.status == "active"):
        raise PersonNotFoundError("The row or the account that it changes doesn't exist any more.")
    person = merged(stored, listed)
    users().update(account_id, person, email)
    # Last: a repetition after a failure finds the row changed, and updates the user again.
    accounts().update_person(account_id, person)


def _log(message: str, event: Mapping[str, Any]) -> None:
    function_log.info(message, event.get("correlationId"), account_id=event["accountId"])
