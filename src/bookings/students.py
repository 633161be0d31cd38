"""The adapter of the user pool: students' email addresses, which only the office sees."""

from typing import Any

from bookings.errors import UnavailableError


def email_address(cognito: Any, user_pool_id: str, student: str) -> str:
    """Return the address of a user by `sub`, or "" if the user doesn't exist any more.

    Raises:
        UnavailableError: Cognito failed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        user = cognito.admin_get_user(UserPoolId=user_pool_id, Username=student)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "UserNotFoundException":
            return ""
        raise UnavailableError("The appointments can't be listed. Try again.") from error
    except BotoCoreError as error:
        raise UnavailableError("The appointments can't be listed. Try again.") from error
    return next((it["Value"] for it in user["UserAttributes"] if it["Name"] == "email"), "")
