"""Access tokens of users of a running system."""

from tools.demo_students import access_token
from tools.dev.system import System
from tools.stack import client


def access_token_of(running: System, email: str, password: str) -> str:
    """Sign a user in, and return a new access token.

    Raises:
        ClientError: Cognito refused the sign-in.
    """
    outputs = running.deployed.outputs
    return access_token(
        client("cognito-idp", running.target),
        outputs["UserPoolId"],
        outputs["UserPoolClientId"],
        email,
        password,
    )
