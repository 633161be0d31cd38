"""Calls to Cognito."""

import functools
import os
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from revocations.errors import UnknownUserError, UserPoolError

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient


@functools.cache
def _cognito() -> "CognitoIdentityProviderClient":
    return boto3.client("cognito-idp")


def sign_out_everywhere(user: str) -> str:
    """Invalidate all refresh tokens of a user, and return the user's `sub`.

    `user` is an email address, a user name or a `sub`.

    Raises:
        UnknownUserError: The user pool has no such user.
        UserPoolError: Cognito refused a call.
    """
    pool = os.environ["USER_POOL_ID"]
    cognito = _cognito()
    try:
        account = cognito.admin_get_user(UserPoolId=pool, Username=user)
        cognito.admin_user_global_sign_out(UserPoolId=pool, Username=account["Username"])
    except cognito.exceptions.UserNotFoundException as error:
        raise UnknownUserError(
            "The user pool has no such user. Check the email address. The tokens of a deleted user "
            "end within an hour."
        ) from error
    except (ClientError, BotoCoreError) as error:
        raise UserPoolError(
            f"Can't sign the user out: {error}. Nothing was revoked. Try again."
        ) from error
    return next(it["Value"] for it in account["UserAttributes"] if it["Name"] == "sub")
