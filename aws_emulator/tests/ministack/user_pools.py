"""A user pool of the contracts, and the errors of its API."""

import json
import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from aws_emulator.tests.ministack.contracts_cognito import CALLBACK, PASSWORD
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack

FACTORS = ["PASSWORD", "EMAIL_OTP"]
POLICY = {
    "MinimumLength": 12,
    "RequireLowercase": False,
    "RequireUppercase": False,
    "RequireNumbers": False,
    "RequireSymbols": False,
}
#: Attributes of a user whom an administrator creates with a verified address.
VERIFIED = [{"Name": "email_verified", "Value": "true"}]


@contextmanager
def refused(code: str, message: str = "") -> Iterator[None]:
    """Expect an error of the AWS API, with a part of its message.

    Raises:
        AssertionError: The call succeeded, or failed with another error.
    """
    try:
        yield
    except ClientError as error:
        error_details = error.response["Error"]
        assert error_details["Code"] == code, error_details
        assert message in error_details["Message"]
    else:
        raise AssertionError(f"The call was not refused with {code}.")


class Pool:
    """A user pool with a public app client, deployed as a stack."""

    def __init__(
        self,
        emulator: Emulator,
        factors: list[str] | None = None,
        client: dict[str, Any] | None = None,
        resources: dict[str, Any] | None = None,
        **properties: Any,
    ) -> None:
        self.api = emulator.client("cognito-idp")
        self.endpoint = emulator.endpoint
        policies: dict[str, Any] = {"PasswordPolicy": POLICY}
        if factors:
            policies["SignInPolicy"] = {"AllowedFirstAuthFactors": factors}
        pool = {"UsernameAttributes": ["email"], "Policies": policies, **properties}
        app = {
            "UserPoolId": {"Ref": "Pool"},
            "ClientName": "app",
            "AllowedOAuthFlowsUserPoolClient": True,
            "AllowedOAuthFlows": ["code"],
            "AllowedOAuthScopes": ["openid", "email"],
            "SupportedIdentityProviders": ["COGNITO"],
            "CallbackURLs": [CALLBACK],
            "ExplicitAuthFlows": ["ALLOW_USER_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"],
            **(client or {}),
        }
        template = stack(
            Pool={"Type": "AWS::Cognito::UserPool", "Properties": pool},
            Client={"Type": "AWS::Cognito::UserPoolClient", "Properties": app},
            **(resources or {}),
        )
        template["Outputs"] = {name: {"Value": {"Ref": name}} for name in ("Pool", "Client")}
        outputs = emulator.deploy(template, unique("pool"))
        self.id, self.client = outputs["Pool"], outputs["Client"]

    def create(self, email: str, *, verified: bool = True, **attributes: str) -> dict[str, Any]:
        """Create a user as an administrator, without a message."""
        user: dict[str, Any] = self.api.admin_create_user(
            UserPoolId=self.id,
            Username=email,
            MessageAction="SUPPRESS",
            UserAttributes=VERIFIED if verified else [],
            **attributes,
        )["User"]
        return user

    def set_password(self, email: str, *, permanent: bool = True) -> None:
        self.api.admin_set_user_password(
            UserPoolId=self.id, Username=email, Password=PASSWORD, Permanent=permanent
        )

    def sign_in(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        """Sign in as an administrator, with the user's password."""
        answer: dict[str, Any] = self.api.admin_initiate_auth(
            UserPoolId=self.id,
            ClientId=self.client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        return answer

    def start(self, email: str, **parameters: str) -> dict[str, Any]:
        """Start choice-based authentication."""
        answer: dict[str, Any] = self.api.initiate_auth(
            ClientId=self.client,
            AuthFlow="USER_AUTH",
            AuthParameters={"USERNAME": email, **parameters},
        )
        return answer

    def respond(self, challenge: str, session: str, **responses: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.api.respond_to_auth_challenge(
            ClientId=self.client,
            ChallengeName=challenge,
            Session=session,
            ChallengeResponses=responses,
        )
        return answer

    def emails(self, recipient: str) -> list[dict[str, Any]]:
        """Return the messages that were sent to an address."""
        url = f"{self.endpoint}/_ministack/ses/messages"
        with urllib.request.urlopen(url, timeout=60) as answer:
            by_account = json.load(answer)["messages"]
        sent = [email for emails in by_account.values() for email in emails]
        return [email for email in sent if recipient in email["To"]]

    def code(self, recipient: str) -> str:
        """Return the code in the last message to an address."""
        match = re.search(r"\b\d{6,8}\b", self.emails(recipient)[-1]["BodyText"])
        assert match
        return match[0]
