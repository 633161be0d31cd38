"""Cognito adapter: create and delete the user of an account, both idempotent."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from stepfunctions import aws
from stepfunctions.errors import PermanentError, TransientError
from stepfunctions.validation_rules import Person

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

#: Bytes of the password that a user in FORCE_CHANGE_PASSWORD gets, which is not stored.
RANDOM_PASSWORD_BYTES: Final = 96
#: The end of a password: a character of each class that a pool's policy can require
#: (PasswordPolicyType).
REQUIRED_CLASSES_SUFFIX: Final = "Aa1!"
#: The standard attribute that holds the account id. The username can't hold it, because the pool
#: uses the email address as username.
OWNER_ATTRIBUTE: Final = "preferred_username"


def random_password() -> str:
    """Return a password that the policy of any pool accepts, and that no one can guess."""
    return secrets.token_urlsafe(RANDOM_PASSWORD_BYTES) + REQUIRED_CLASSES_SUFFIX


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

        The user can sign in with an emailed code. AdminCreateUser isn't idempotent: if the user
        exists, the method reads its owner.

        Raises:
            TransientError: Cognito failed temporarily, or reported an existing user and returned
                none.
            PermanentError: Cognito rejected the request.
        """
        user = self._create(account_id, person, email) or self._find(email)
        if user is None:
            raise TransientError("Cognito reported an existing user but returned none.")
        if not _is_owned_by(account_id, user.attributes):
            return None
        if user.status == "FORCE_CHANGE_PASSWORD":
            self._confirm(email)
        return _attribute(user.attributes, "sub")

    def _create(self, account_id: str, person: Person, email: str) -> "_User | None":
        """Create a user without a password; return None if the address has a user.

        "If you don't specify a value, Amazon Cognito generates one for you unless you have
        passwordless options active for your user pool" (AdminCreateUser, TemporaryPassword).
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
        if created is None:
            return None
        user = created["User"]
        return _User(user["Attributes"], user["UserStatus"])

    def _confirm(self, email: str) -> None:
        """Leave FORCE_CHANGE_PASSWORD, in which a user can't sign in or reset the password.

        AWS doesn't document the status of a user without a password. "If you set a permanent
        password, their status becomes Confirmed" (AdminSetUserPassword).
        """
        password = random_password()
        with aws.translate_errors("Cognito"):
            self._cognito.admin_set_user_password(
                UserPoolId=self._pool, Username=email, Password=password, Permanent=True
            )

    def update(self, account_id: str, person: Person, email: str) -> None:
        """Set the attributes of the account's user; never of a user of another account.

        Raises:
            TransientError: Cognito failed temporarily.
            PermanentError: Cognito rejected the request, or has no user of the account.
        """
        user = self._find(email)
        if user is None or not _is_owned_by(account_id, user.attributes):
            raise PermanentError("The account has no user in the user pool.")
        with aws.translate_errors("Cognito"):
            self._cognito.admin_update_user_attributes(
                UserPoolId=self._pool,
                Username=email,
                UserAttributes=_attribute_list(_student_attributes(person)),
            )

    def change_email(self, sub: str, account_id: str, email: str) -> bool:
        """Change the address of the account's user; False if that isn't possible.

        The account has no such user any more, or another user has the address. Can be repeated.

        Raises:
            TransientError: Cognito failed temporarily.
            PermanentError: Cognito rejected the request.
        """
        user = self._find(sub)
        if user is None or not _is_owned_by(account_id, user.attributes):
            return False
        # "AliasExistsException: … an account with this email or phone already exists in the user
        # pool" (AdminUpdateUserAttributes). Unless it is set, email_verified becomes false.
        changed = {"email": email, "email_verified": "true"}
        answer = aws.ignore_error(
            "AliasExistsException",
            "Cognito",
            lambda: self._cognito.admin_update_user_attributes(
                UserPoolId=self._pool, Username=sub, UserAttributes=_attribute_list(changed)
            ),
        )
        return answer is not None

    def delete(self, account_id: str, email: str) -> None:
        """Delete the account's user if it exists; never a user of another account.

        Raises:
            TransientError: Cognito failed temporarily.
            PermanentError: Cognito rejected the request.
        """
        user = self._find(email)
        if user is None or not _is_owned_by(account_id, user.attributes):
            return
        aws.ignore_error(
            "UserNotFoundException",
            "Cognito",
            lambda: self._cognito.admin_delete_user(UserPoolId=self._pool, Username=email),
        )

    def _find(self, email: str) -> "_User | None":
        user = aws.ignore_error(
            "UserNotFoundException",
            "Cognito",
            lambda: self._cognito.admin_get_user(UserPoolId=self._pool, Username=email),
        )
        return None if user is None else _User(user["UserAttributes"], user["UserStatus"])


def attributes_by_sub(pool_id: str, sub: str) -> dict[str, str] | None:
    """Return the attributes of a user, or None if the pool has no user with this `sub`.

    Raises:
        TransientError: Cognito failed temporarily.
        PermanentError: Cognito rejected the request.
    """
    user = aws.ignore_error(
        "UserNotFoundException",
        "Cognito",
        lambda: client().admin_get_user(UserPoolId=pool_id, Username=sub),
    )
    if user is None:
        return None
    return {it["Name"]: it.get("Value", "") for it in user["UserAttributes"]}


@dataclass(frozen=True, slots=True)
class _User:
    """A user of the pool. `status` is Cognito's UserStatus."""

    attributes: Sequence[Mapping[str, Any]]
    status: str


def _attributes(account_id: str, person: Person, email: str) -> Any:
    values = {
        "email": email,
        # The student sent the proof from an email to the address, or the office listed the address.
        "email_verified": "true",
        OWNER_ATTRIBUTE: account_id,
    }
    return _attribute_list({**values, **_student_attributes(person)})


def _student_attributes(person: Person) -> dict[str, str | None]:
    return {"name": person.name, "locale": person.locale, "birthdate": person.date_of_birth}


def _attribute_list(values: Mapping[str, str | None]) -> Any:
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
