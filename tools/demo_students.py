"""Students in the emulator's user pool: create or change one, or create two for a demo."""

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from aws_emulator.errors import CommandError
from tools.cli import reason_of
from tools.stack import StackTarget, client

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

#: The group that may read /premium/ (stacks/foundation.yaml).
PAYING_GROUP: Final = "paying"
#: The group that may revoke tokens and see the verdicts of events.
STAFF_GROUP: Final = "staff"
#: The group that may open the operators' page, /app/operator.html.
OPERATORS_GROUP: Final = "operators"


@dataclass(frozen=True)
class DemoStudent:
    """A demo user. `token` is an access token of the user pool."""

    email: str
    password: str = field(repr=False)
    paying: bool
    token: str = field(repr=False)


def random_password() -> str:
    """Return a password that the policy of any pool accepts.

    A policy can require 99 characters, and one of each class (PasswordPolicyType).
    """
    return f"{secrets.token_urlsafe(96)}Aa1!"


def create_user(
    cognito: "CognitoIdentityProviderClient", pool: str, email: str, password: str
) -> None:
    """Create a user with a verified address, or change the password of an existing one.

    Raises:
        CommandError: Cognito refused the user.
    """
    try:
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=email,
            MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "UsernameExistsException":
            raise CommandError(
                f"Can't create {email}: {reason_of(error)}. Restart `make up`; on AWS, check that "
                "your credentials allow cognito-idp:AdminCreateUser."
            ) from error
    cognito.admin_set_user_password(
        UserPoolId=pool, Username=email, Password=password, Permanent=True
    )


def put_user(
    cognito: "CognitoIdentityProviderClient",
    pool: str,
    email: str,
    password: str,
    *,
    paying: bool,
    staff: bool = False,
    operator: bool = False,
) -> None:
    """Create a user with a verified address, or change an existing one.

    Raises:
        CommandError: Cognito refused the user.
    """
    create_user(cognito, pool, email, password)
    memberships = {PAYING_GROUP: paying, STAFF_GROUP: staff, OPERATORS_GROUP: operator}
    for group, member in memberships.items():
        change = cognito.admin_add_user_to_group
        if not member:
            change = cognito.admin_remove_user_from_group
        change(UserPoolId=pool, Username=email, GroupName=group)


def access_token(
    cognito: "CognitoIdentityProviderClient",
    pool: str,
    app_client: str,
    email: str,
    password: str,
) -> str:
    """Sign a user in as an administrator, and return an access token."""
    response = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=app_client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )
    return response["AuthenticationResult"]["AccessToken"]


def create_demo_operator(target: StackTarget, outputs: dict[str, str]) -> tuple[str, str]:
    """Create a member of the operators' group; return the email address and the password.

    Raises:
        CommandError: Cognito refused the user.
    """
    email, password = "operator@example.com", secrets.token_urlsafe(12)
    pool = outputs["UserPoolId"]
    put_user(client("cognito-idp", target), pool, email, password, paying=False, operator=True)
    return email, password


def create_demo_students(target: StackTarget, outputs: dict[str, str]) -> list[DemoStudent]:
    """Create a paying and a non-paying student, and sign both in.

    Raises:
        CommandError: Cognito refused a user.
    """
    cognito = client("cognito-idp", target)
    pool, app_client = outputs["UserPoolId"], outputs["UserPoolClientId"]
    students = []
    for name, paying in (("paying.student", True), ("new.student", False)):
        email, password = f"{name}@example.com", secrets.token_urlsafe(12)
        put_user(cognito, pool, email, password, paying=paying)
        token = access_token(cognito, pool, app_client, email, password)
        students.append(DemoStudent(email, password, paying, token))
    return students
