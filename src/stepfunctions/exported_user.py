"""Cognito adapter of the user, for an export."""

from typing import Any

from stepfunctions import aws


class ExportedUser:
    """The user pool."""

    def __init__(self, pool_id: str, cognito: Any) -> None:
        self._pool = pool_id
        self._cognito = cognito

    def read(self, student: str) -> dict[str, Any] | None:
        """Return a user's attributes and groups, by `sub`; None if there is no such user.

        Raises:
            TransientError: Cognito failed temporarily.
            PermanentError: Cognito rejected the request.
        """
        user = aws.ignore_error(
            "UserNotFoundException",
            "Cognito",
            lambda: self._cognito.admin_get_user(UserPoolId=self._pool, Username=student),
        )
        if user is None:
            return None
        with aws.translate_errors("Cognito"):
            # A user is in a few of the pool's groups.
            groups = self._cognito.admin_list_groups_for_user(
                UserPoolId=self._pool, Username=student, Limit=60
            )["Groups"]
        attributes = {it["Name"]: it.get("Value", "") for it in user["UserAttributes"]}
        return {
            "attributes": attributes,
            "createdAt": f"{user['UserCreateDate']:%Y-%m-%dT%H:%M:%SZ}",
            "groups": sorted(str(it["GroupName"]) for it in groups),
        }
