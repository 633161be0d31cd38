"""Two demo students in the emulator's user pool: one in the paying group, one outside it."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from tools.stack import StackTarget, client

#: The group that may read /premium/ (stacks/foundation.yaml).
PAYING_GROUP: Final = "paying"


@dataclass(frozen=True)
class DemoStudent:
    """A demo user. `token` is an access token of the user pool."""

    email: str
    password: str = field(repr=False)
    paying: bool
    token: str = field(repr=False)


def create_demo_students(target: StackTarget, outputs: dict[str, str]) -> list[DemoStudent]:
    """Create a paying and a non-paying student, and sign both in."""
    cognito = client("cognito-idp", target)
    pool, app_client = outputs["UserPoolId"], outputs["UserPoolClientId"]
    students = []
    for name, paying in (("paying.student", True), ("new.student", False)):
        email, password = f"{name}@example.com", secrets.token_urlsafe(12)
        cognito.admin_create_user(
            UserPoolId=pool,
            Username=email,
            MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
        )
        cognito.admin_set_user_password(
            UserPoolId=pool, Username=email, Password=password, Permanent=True
        )
        if paying:
            cognito.admin_add_user_to_group(UserPoolId=pool, Username=email, GroupName=PAYING_GROUP)
        response = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=app_client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        token = response["AuthenticationResult"]["AccessToken"]
        students.append(DemoStudent(email, password, paying, token))
    return students
