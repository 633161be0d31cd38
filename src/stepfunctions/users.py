"""Cognito: one user for one account, made and unmade as often as the workflow asks."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from stepfunctions import aws
from stepfunctions.errors import TransientError
from stepfunctions.rules import Person

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

#: The standard attribute that says whose user this is. The pool's users are named by their
#: address, so the username cannot say it.
OWNER = "preferred_username"


class Users:
    """The pool. Raises TransientError and RefusedError where Cognito does not answer."""

    def __init__(
        self, pool_id: str, cognito: "CognitoIdentityProviderClient | None" = None
    ) -> None:
        self._pool = pool_id
        self._given = cognito

    @property
    def _cognito(self) -> "CognitoIdentityProviderClient":
        return self._given or client()

    def create(self, account_id: str, person: Person, email: str) -> str | None:
        """Return the `sub` of the account's user, new or there before; None: another account's.

        AdminCreateUser is not idempotent: who asks twice reads whose user it is.
        """
        made = aws.unless(
            "UsernameExistsException",
            "Cognito",
            lambda: self._cognito.admin_create_user(
                UserPoolId=self._pool,
                Username=email,
                UserAttributes=_attributes(account_id, person, email),
                # The notifier writes to the student, in their language.
                MessageAction="SUPPRESS",
            ),
        )
        if made is not None:
            return _attribute(made["User"]["Attributes"], "sub")
        attributes = self._find(email)
        if attributes is None:
            raise TransientError("Cognito knows the user and does not show it.")
        return _attribute(attributes, "sub") if _is_of(account_id, attributes) else None

    def delete(self, account_id: str, email: str) -> None:
        """Delete the account's user if there is one; never another account's."""
        attributes = self._find(email)
        if attributes is None or not _is_of(account_id, attributes):
            return
        aws.unless(
            "UserNotFoundException",
            "Cognito",
            lambda: self._cognito.admin_delete_user(UserPoolId=self._pool, Username=email),
        )

    def _find(self, email: str) -> Sequence[Mapping[str, Any]] | None:
        found = aws.unless(
            "UserNotFoundException",
            "Cognito",
            lambda: self._cognito.admin_get_user(UserPoolId=self._pool, Username=email),
        )
        return None if found is None else found["UserAttributes"]


def _attributes(account_id: str, person: Person, email: str) -> Any:
    given = {
        "email": email,
        # The school sends mail to it before anyone signs in: the code in that mail is the proof.
        "email_verified": "true",
        "name": person.name,
        "locale": person.locale,
        "birthdate": person.date_of_birth,
        OWNER: account_id,
    }
    return [{"Name": name, "Value": value} for name, value in given.items() if value]


def _attribute(attributes: Sequence[Mapping[str, Any]], name: str) -> str:
    return next((str(it.get("Value", "")) for it in attributes if it["Name"] == name), "")


def _is_of(account_id: str, attributes: Sequence[Mapping[str, Any]]) -> bool:
    return _attribute(attributes, OWNER) == account_id


@cache
def client() -> "CognitoIdentityProviderClient":
    """The client of this process, made at its first use."""
    client_of: CognitoIdentityProviderClient = aws.client("cognito-idp")
    return client_of
