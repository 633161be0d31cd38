"""Requests that Amazon Cognito and Amazon SES refuse, one test each."""

from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from aws_emulator.tests.ministack import (
    contracts_emails,
    contracts_passkeys,
    contracts_user_pools,
)
from aws_emulator.tests.ministack.contracts_cognito import PASSWORD, redeem, user_pool_client
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.user_pools import FACTORS, Pool, refused


def address() -> str:
    return f"{unique('user')}@app.example"


@pytest.fixture(scope="module")
def pool(emulator: Emulator) -> Pool:
    """A pool without passwords whose app client writes one attribute and hides unknown users."""
    client = {"WriteAttributes": ["zoneinfo"], "PreventUserExistenceErrors": "ENABLED"}
    return Pool(emulator, FACTORS, client=client)


@pytest.fixture(scope="module")
def other_pool(emulator: Emulator) -> Pool:
    """A pool with passwords only, without sign-up and without USER_AUTH."""
    return Pool(
        emulator,
        client={"ExplicitAuthFlows": ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]},
        AdminCreateUserConfig={"AllowAdminCreateUserOnly": True},
    )


def test_cognito_refuses_reset_of_temporary_password(pool: Pool) -> None:
    user = address()
    pool.create(user, TemporaryPassword=PASSWORD)
    with refused("NotAuthorizedException", "User password cannot be reset in the current state"):
        pool.api.forgot_password(ClientId=pool.client, Username=user)
    pool.set_password(user)
    pool.api.forgot_password(ClientId=pool.client, Username=user)


def test_cognito_refuses_address_of_another_user(pool: Pool) -> None:
    user, other = address(), address()
    for email in (user, other):
        pool.create(email, TemporaryPassword=PASSWORD)
    attributes = [{"Name": "email", "Value": other}, {"Name": "email_verified", "Value": "true"}]
    with refused("AliasExistsException", "already exists"):
        pool.api.admin_update_user_attributes(
            UserPoolId=pool.id, Username=user, UserAttributes=attributes
        )


def test_cognito_refuses_reset_without_verified_address(pool: Pool) -> None:
    user = address()
    pool.create(user, verified=False, TemporaryPassword=PASSWORD)
    pool.set_password(user)
    with refused("InvalidParameterException", "no registered/verified email"):
        pool.api.forgot_password(ClientId=pool.client, Username=user)


def test_cognito_refuses_reset_that_only_administrators_may_do(emulator: Emulator) -> None:
    recovery = {"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]}
    strict, user = Pool(emulator, AccountRecoverySetting=recovery), address()
    strict.create(user, TemporaryPassword=PASSWORD)
    strict.set_password(user)
    with refused("NotAuthorizedException", "Contact administrator"):
        strict.api.forgot_password(ClientId=strict.client, Username=user)


def test_cognito_refuses_sign_up_if_only_administrators_create_users(other_pool: Pool) -> None:
    with refused("NotAuthorizedException", "SignUp is not permitted for this user pool"):
        other_pool.api.sign_up(ClientId=other_pool.client, Username=address(), Password=PASSWORD)


def test_cognito_refuses_password_of_user_without_one(pool: Pool) -> None:
    user = address()
    assert pool.create(user)["UserStatus"] == "CONFIRMED"
    with refused("NotAuthorizedException", "Incorrect username or password"):
        pool.sign_in(user)


def test_cognito_refuses_user_auth_without_its_flow(other_pool: Pool) -> None:
    with refused("InvalidParameterException", "USER_AUTH flow not enabled"):
        other_pool.start(address())


def test_cognito_refuses_new_password_without_session(pool: Pool) -> None:
    user = address()
    pool.create(user, TemporaryPassword=PASSWORD)
    assert pool.sign_in(user)["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    with refused("NotAuthorizedException", "Invalid session"):
        pool.respond("NEW_PASSWORD_REQUIRED", "-" * 32, USERNAME=user, NEW_PASSWORD=PASSWORD)


def test_cognito_refuses_attribute_that_client_may_not_write(pool: Pool) -> None:
    user = address()
    pool.create(user, TemporaryPassword=PASSWORD)
    pool.set_password(user)
    token = pool.sign_in(user)["AuthenticationResult"]["AccessToken"]

    def write(name: str) -> None:
        pool.api.update_user_attributes(
            AccessToken=token, UserAttributes=[{"Name": name, "Value": "x"}]
        )

    write("zoneinfo")
    for name in ("email", "email_verified", "preferred_username"):
        with refused("NotAuthorizedException", "unauthorized attribute"):
            write(name)


@pytest.mark.parametrize("operation", ["get_user", "delete_user", "update_user_attributes"])
def test_cognito_refuses_self_service_without_its_scope(emulator: Emulator, operation: str) -> None:
    """Tokens of the OAuth endpoints have the scopes of the request; those of the API have all."""
    _, client = user_pool_client(emulator)
    with httpx.Client(base_url=emulator.endpoint) as browser:
        token = redeem(browser, client)["access_token"]
    arguments: dict[str, Any] = {"AccessToken": token}
    if operation == "update_user_attributes":
        arguments["UserAttributes"] = [{"Name": "name", "Value": "x"}]
    with refused("NotAuthorizedException", "does not have required scopes"):
        getattr(emulator.client("cognito-idp"), operation)(**arguments)


def test_cognito_hides_unknown_users_of_client(pool: Pool) -> None:
    with refused("NotAuthorizedException", "Incorrect username or password"):
        pool.sign_in(address())
    answer = pool.api.forgot_password(ClientId=pool.client, Username=address())
    assert answer["CodeDeliveryDetails"]["DeliveryMedium"] == "EMAIL"


def test_cognito_refuses_user_auth_in_lite_tier(emulator: Emulator) -> None:
    lite = Pool(emulator, UserPoolTier="LITE")
    with refused("FeatureUnavailableInTierException"):
        lite.start(address())
    policies = {"SignInPolicy": {"AllowedFirstAuthFactors": FACTORS}}
    with refused("FeatureUnavailableInTierException"):
        lite.api.create_user_pool(PoolName=unique("pool"), UserPoolTier="LITE", Policies=policies)


@pytest.mark.parametrize("name", ["UsernameAttributes", "AliasAttributes"])
def test_cognito_refuses_update_of_sign_in_attributes(emulator: Emulator, name: str) -> None:
    def template(value: list[str]) -> dict[str, Any]:
        properties = {name: value} if value else {}
        pool = {"Type": "AWS::Cognito::UserPool", "Properties": properties}
        return {"Resources": {"Pool": pool}}

    stack = unique("pool")
    emulator.deploy(template(["email"]), stack)
    with pytest.raises(AssertionError, match="is set at CreateUserPool"):
        emulator.deploy(template(["phone_number"]), stack)


def test_ses_refuses_unverified_sender(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match=r"Email address is not verified\."):
        emulator.client("sesv2").send_email(
            FromEmailAddress=address(),
            Destination={"ToAddresses": [address()]},
            Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        )


def test_ses_refuses_unverified_recipient_in_sandbox(emulator: Emulator) -> None:
    ses, sender, recipient = emulator.client("sesv2", "eu-west-1"), address(), address()
    ses.create_email_identity(EmailIdentity=sender)

    def send() -> None:
        ses.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [recipient]},
            Content={"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}},
        )

    with refused("MessageRejected", recipient):
        send()
    ses.put_account_details(
        MailType="TRANSACTIONAL", WebsiteURL="https://app.example", ProductionAccessEnabled=True
    )
    send()


def test_cognito_refuses_invalid_filter_of_users(pool: Pool) -> None:
    name = 'name ^= "{}"'.format
    pool.api.list_users(UserPoolId=pool.id, Filter=name("x" * 246))
    pool.api.list_users(UserPoolId=pool.id, Limit=60)
    with refused("InvalidParameterException", "256"):
        pool.api.list_users(UserPoolId=pool.id, Filter=name("x" * 247))
    with refused("InvalidParameterException", "60"):
        pool.api.list_users(UserPoolId=pool.id, Limit=61)
    with refused("InvalidParameterException", "filter"):
        pool.api.list_users(UserPoolId=pool.id, Filter='birthdate = "2001-02-03"')


def test_ses_refuses_raw_email(emulator: Emulator) -> None:
    contracts_emails.ses_raw_emails(emulator)


def test_cognito_refuses_provider_with_another_name_or_without_a_detail(emulator: Emulator) -> None:
    contracts_user_pools.refused_providers(emulator)


def test_cognito_refuses_passkey_that_the_pool_does_not_allow(emulator: Emulator) -> None:
    contracts_passkeys.refused_passkeys(emulator)


def test_cognito_refuses_answers_that_the_passkey_did_not_give(emulator: Emulator) -> None:
    contracts_passkeys.sign_in_with_passkey(emulator)


def test_cognito_refuses_passkey_for_another_host(emulator: Emulator) -> None:
    contracts_passkeys.refused_relying_party(emulator)


@pytest.mark.parametrize(
    "settings", [{"WebAuthnUserVerification": "always"}, {"WebAuthnRelyingPartyID": "x" * 128}]
)
def test_cognito_refuses_settings_of_passkeys(emulator: Emulator, settings: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="WebAuthn"):
        contracts_passkeys.passkey_pool(emulator, **settings)


def test_cognito_issues_no_token_if_the_trigger_fails(emulator: Emulator) -> None:
    missing = "arn:aws:lambda:us-east-1:123456789012:function:missing"
    trigger = {"PreTokenGenerationConfig": {"LambdaArn": missing, "LambdaVersion": "V2_0"}}
    triggered, user = Pool(emulator, LambdaConfig=trigger), address()
    triggered.create(user)
    triggered.set_password(user)
    with pytest.raises(ClientError):
        triggered.sign_in(user)
