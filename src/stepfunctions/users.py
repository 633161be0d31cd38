"""Cognito adapter: create and delete the user of an account, both idempotent."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from stepfunctions import aws
from stepfunctions.errors import TransientError
from stepfunctions.validation_rules import Person

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

#: The standard attribute that holds the account id. The username can't hold it, because the pool
#: uses the email address as username.
OWNER_ATTRIBUTE: Final = "preferred_username"


class Users:
    """The user pool."""

    def __init__(
        self, pool_id: str, cognito: "CognitoIdentityProviderClient | None" = None
    ) -> None:
        self._pool = pool_id
        self._injected = cognito

    @property
    def _cognito(self) -> "CognitoIdentityProviderClient":
        return self._injected or client()

    def create(self, account_id: str, person: Person, email: str) -> str | None:
        """Return the `sub` of the account's user, or None if another account owns the address.

        AdminCreateUser isn't idempotent: if the user exists, the method reads its owner.

        Raises:
            TransientError: Cognito failed temporarily, or reported an existing user and returned
                none.
            PermanentError: Cognito rejected the request.
        """
        created = aws.ignore_error(
            "UsernameExistsException",
            "Cognito",
            lambda: self._cognito.admin_create_user(
                UserPoolId=self._pool,
                Username=email,
                UserAttributes=_attributes(account_id, person, email),
                # NotifyFunction sends the welcome email in the student's language.
                MessageAction="SUPPRESS",
            ),
        )
        if created is not None:
            return _attribute(created["User"]["Attributes"], "sub")
        attributes = self._find(email)
        if attributes is None:
            raise TransientError("Cognito reported an existing user but returned none.")
        return _attribute(attributes, "sub") if _is_owned_by(account_id, attributes) else None

    def delete(self, account_id: str, email: str) -> None:
        """Delete the account's user if it exists; never a user of another account.

        Raises:
            TransientError: Cognito failed temporarily.
            PermanentError: Cognito rejected the request.
        """
        attributes = self._find(email)
        if attributes is None or not _is_owned_by(account_id, attributes):
            return
        aws.ignore_error(
            "UserNotFoundException",
            "Cognito",
            lambda: self._cognito.admin_delete_user(UserPoolId=self._pool, Username=email),
        )

    def _find(self, email: str) -> Sequence[Mapping[str, Any]] | None:
        user = aws.ignore_error(
            "UserNotFoundException",
            "Cognito",
            lambda: self._cognito.admin_get_user(UserPoolId=self._pool, Username=email),
        )
        return None if user is None else user["UserAttributes"]


def _attributes(account_id: str, person: Person, email: str) -> Any:
    values = {
        "email": email,
        # The first sign-in needs a code that Cognito sends to the address: that proves ownership.
        "email_verified": "true",
        "name": person.name,
        "locale": person.locale,
        "birthdate": person.date_of_birth,
        OWNER_ATTRIBUTE: account_id,
    }
    return [{"Name": name, "Value": value} for name, value in values.items() if value]


def _attribute(attributes: Sequence[Mapping[str, Any]], name: str) -> str:
    return next((str(it.get("Value", "")) for it in attributes if it["Name"] == name), "")


def _is_owned_by(account_id: str, attributes: Sequence[Mapping[str, Any]]) -> bool:
    return _attribute(attributes, OWNER_ATTRIBUTE) == account_id


@cache
def client() -> "CognitoIdentityProviderClient":
    """Return the process's Cognito client, created on the first call."""
    cognito: CognitoIdentityProviderClient = aws.client("cognito-idp")
    return cognito
