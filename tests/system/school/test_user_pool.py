"""Users of the deployed pool exist, change and leave only through the account workflow."""

import json
import uuid
from typing import Any

import httpx
import pytest
from botocore.session import get_session

from tests.system.school.school_client import SchoolClient, unique_email
from tools.dev.system import SENDER

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"
MODEL = get_session().get_service_model("cognito-idp")
#: Operations that need no IAM credentials: a browser can call them with the app client's ID.
PUBLIC = sorted(
    name
    for name in MODEL.operation_names
    if "smithy.api#noAuth" in (MODEL.operation_model(name).auth or [])
    or MODEL.operation_model(name).auth_type == "none"
)


def call(school: SchoolClient, operation: str, **body: Any) -> httpx.Response:
    """Call an operation of the user pools API without credentials."""
    return httpx.post(
        school.running.target.endpoint,
        headers={
            "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
        },
        content=json.dumps(body),
    )


@pytest.fixture(scope="module")
def tokens(school: SchoolClient) -> dict[str, str]:
    """Tokens of a student whom the workflow created, with every scope of the API."""
    email = unique_email()
    assert school.wait_for_outcome(school.request_account(email))["status"] == "created"
    user = {"UserPoolId": school.user_pool_id, "Username": email}
    school.cognito.admin_set_user_password(**user, Password=PASSWORD, Permanent=True)
    answer = school.cognito.admin_initiate_auth(
        UserPoolId=school.user_pool_id,
        ClientId=school.running.deployed.outputs["UserPoolClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
    )["AuthenticationResult"]
    return {"email": email, "AccessToken": answer["AccessToken"]}


def test_botocore_lists_public_operations() -> None:
    assert {"SignUp", "InitiateAuth", "DeleteUser", "UpdateUserAttributes"} <= set(PUBLIC)
    assert not [name for name in PUBLIC if name.startswith("Admin")]


#: Public operations that MiniStack doesn't have. tests/unit/stacks checks that the patterns of the
#: web ACL match every public operation.
NOT_EMULATED = {
    "ConfirmDevice",
    "DeleteUserAttributes",
    "ForgetDevice",
    "GetDevice",
    "GetUserAttributeVerificationCode",
    "GetUserAuthFactors",
    "ListDevices",
    "SetUserSettings",
    "UpdateDeviceStatus",
    "VerifyUserAttribute",
}


@pytest.mark.parametrize("operation", [it for it in PUBLIC if it not in NOT_EMULATED])
def test_public_operation_is_blocked(
    school: SchoolClient, tokens: dict[str, str], operation: str
) -> None:
    client = school.running.deployed.outputs["UserPoolClientId"]
    answer = call(school, operation, ClientId=client, AccessToken=tokens["AccessToken"])
    assert (answer.status_code, answer.json()["__type"]) == (403, "ForbiddenException")
    assert school.users_with(tokens["email"])


def test_taken_address_cannot_be_reserved_by_sign_up(school: SchoolClient) -> None:
    """A stranger can't take an address before its owner, nor set the owner attribute."""
    email, client = unique_email(), school.running.deployed.outputs["UserPoolClientId"]
    attributes = [{"Name": "preferred_username", "Value": uuid.uuid4().hex}]
    call(
        school,
        "SignUp",
        ClientId=client,
        Username=email,
        Password=PASSWORD,
        UserAttributes=attributes,
    )
    assert school.users_with(email) == []
    assert school.wait_for_outcome(school.request_account(email))["status"] == "created"


def test_pool_stays_closed_without_web_acl(school: SchoolClient) -> None:
    """The pool and the client stay closed if an operator removes the web ACL."""
    pool = school.cognito.describe_user_pool(UserPoolId=school.user_pool_id)["UserPool"]
    client = school.cognito.describe_user_pool_client(
        UserPoolId=school.user_pool_id,
        ClientId=school.running.deployed.outputs["UserPoolClientId"],
    )["UserPoolClient"]
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"]
    assert pool["UserPoolTier"] == "ESSENTIALS"
    assert pool["EmailConfiguration"]["EmailSendingAccount"] == "DEVELOPER"
    assert pool["EmailConfiguration"]["SourceArn"].endswith(f":identity/{SENDER}")
    assert client["WriteAttributes"] == ["zoneinfo"]
    assert "aws.cognito.signin.user.admin" not in client["AllowedOAuthScopes"]
    assert client["PreventUserExistenceErrors"] == "ENABLED"
