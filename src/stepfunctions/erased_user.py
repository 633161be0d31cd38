"""Cognito adapter for an erasure: end a user's sign-ins, then delete the user; both idempotent."""

from typing import Any, Final

from stepfunctions import aws

_MISSING: Final = "UserNotFoundException"


class ErasedUser:
    """The user pool."""

    def __init__(self, pool_id: str, cognito: Any) -> None:
        self._pool = pool_id
        self._cognito = cognito

    def disable(self, student: str) -> None:
        """Let the user sign in no more, by `sub`.

        Raises:
            TransientError: Cognito failed temporarily.
            PermanentError: Cognito rejected the request.
        """
        aws.ignore_error(
            _MISSING,
            "Cognito",
            lambda: self._cognito.admin_disable_user(UserPoolId=self._pool, Username=student),
        )

    def delete(self, student: str) -> None:
        """Delete the user, by `sub`.

        Raises:
            TransientError: Cognito failed temporarily.
            PermanentError: Cognito rejected the request.
        """
        aws.ignore_error(
            _MISSING,
            "Cognito",
            lambda: self._cognito.admin_delete_user(UserPoolId=self._pool, Username=student),
        )
