"""Contracts of the patches that make user pools refuse what Cognito refuses."""

from typing import Any

import httpx
import pytest

from aws_emulator.tests.ministack.contracts_cognito import CALLBACK, PASSWORD, authorization, claims
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack
from aws_emulator.tests.ministack.user_pools import FACTORS, VERIFIED, Pool, refused

API = "AWSCognitoIdentityProviderService."


def user_pool_account_states(emulator: Emulator) -> None:
    """The state of an account decides whether it signs in, signs up or resets a password."""
    pool = Pool(emulator, FACTORS)
    assert pool.create("free@app.example")["UserStatus"] == "CONFIRMED"
    with refused("NotAuthorizedException", "Incorrect username or password"):
        pool.sign_in("free@app.example")
    state = "User password cannot be reset in the current state"
    with refused("NotAuthorizedException", state):
        pool.api.forgot_password(ClientId=pool.client, Username="free@app.example")

    invited = pool.create("invited@app.example", TemporaryPassword=PASSWORD)
    assert invited["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    with refused("NotAuthorizedException", state):
        pool.api.forgot_password(ClientId=pool.client, Username="invited@app.example")
    with refused("NotAuthorizedException", state):
        pool.api.admin_reset_user_password(UserPoolId=pool.id, Username="invited@app.example")

    pool.create("unverified@app.example", verified=False)
    pool.set_password("unverified@app.example")
    with refused("InvalidParameterException", "no registered/verified email"):
        pool.api.forgot_password(ClientId=pool.client, Username="unverified@app.example")

    pool.set_password("invited@app.example")
    pool.api.forgot_password(ClientId=pool.client, Username="invited@app.example")
    reset = {"ClientId": pool.client, "Username": "invited@app.example", "Password": PASSWORD * 2}
    pool.api.confirm_forgot_password(**reset, ConfirmationCode=pool.code("invited@app.example"))
    assert (
        "AccessToken" in pool.sign_in("invited@app.example", PASSWORD * 2)["AuthenticationResult"]
    )

    closed = Pool(emulator, AdminCreateUserConfig={"AllowAdminCreateUserOnly": True})
    assert closed.create("invited@app.example")["UserStatus"] == "FORCE_CHANGE_PASSWORD"
    with refused("NotAuthorizedException", "SignUp is not permitted for this user pool"):
        closed.api.sign_up(ClientId=closed.client, Username="x@app.example", Password=PASSWORD)


def user_pool_challenges(emulator: Emulator) -> None:
    """Users sign in with an emailed code or a password, and a session is good for one answer."""
    pool, email = Pool(emulator, FACTORS), "free@app.example"
    pool.create(email)
    offered = pool.start(email)
    assert (offered["ChallengeName"], offered["AvailableChallenges"]) == (
        "SELECT_CHALLENGE",
        ["EMAIL_OTP"],
    )
    assert pool.start("unknown@app.example")["AvailableChallenges"] == FACTORS
    chosen = pool.respond(
        "SELECT_CHALLENGE", offered["Session"], ANSWER="EMAIL_OTP", USERNAME=email
    )
    answer = {"EMAIL_OTP_CODE": pool.code(email), "USERNAME": email}
    tokens = pool.respond("EMAIL_OTP", chosen["Session"], **answer)["AuthenticationResult"]
    assert claims(tokens["AccessToken"])["scope"] == "aws.cognito.signin.user.admin"
    with refused("NotAuthorizedException", "Invalid session"):
        pool.respond("EMAIL_OTP", chosen["Session"], **answer)

    session = pool.start(email, PREFERRED_CHALLENGE="EMAIL_OTP")["Session"]
    wrong = "0" if pool.code(email)[0] != "0" else "1"
    for _ in range(3):
        with refused("CodeMismatchException"):
            pool.respond("EMAIL_OTP", session, EMAIL_OTP_CODE=wrong, USERNAME=email)
    with refused("NotAuthorizedException", "Invalid session"):
        pool.respond("EMAIL_OTP", session, EMAIL_OTP_CODE=pool.code(email), USERNAME=email)

    # A code is sent neither to an unknown nor to an unverified address.
    pool.create("unverified@app.example", verified=False)
    for silent in ("unverified@app.example", "unknown@app.example"):
        pool.start(silent, PREFERRED_CHALLENGE="EMAIL_OTP")
        assert pool.emails(silent) == []

    pool.set_password(email, permanent=False)
    first = pool.start(email, PREFERRED_CHALLENGE="PASSWORD", PASSWORD=PASSWORD)
    assert first["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    with refused("NotAuthorizedException", "Invalid session"):
        pool.respond("NEW_PASSWORD_REQUIRED", "-" * 32, USERNAME=email, NEW_PASSWORD=PASSWORD * 2)
    with refused("InvalidPasswordException"):
        pool.respond(
            "NEW_PASSWORD_REQUIRED", first["Session"], USERNAME=email, NEW_PASSWORD="short"
        )
    new = {"USERNAME": email, "NEW_PASSWORD": PASSWORD * 2}
    assert "AuthenticationResult" in pool.respond("NEW_PASSWORD_REQUIRED", first["Session"], **new)

    without = Pool(emulator, client={"ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]})
    with refused("InvalidParameterException", "USER_AUTH flow not enabled"):
        without.start(email)


def hosted_sign_in_with_code(emulator: Emulator) -> None:
    """The hosted pages sign a user in with a code, and end after three wrong ones."""
    pool, email = Pool(emulator, FACTORS), "free@app.example"
    pool.create(email)

    def request_code(browser: httpx.Client) -> str:
        form = {**authorization(pool.client), "username": email, "auth_flow": "USER_AUTH"}
        page = browser.post("/login", data=form).text
        token = page.partition('name="ua_token" value="')[2].partition('"')[0]
        browser.post("/login", data={"ua_token": token, "challenge": "EMAIL_OTP"})
        return token

    with httpx.Client(base_url=pool.endpoint) as browser:
        token = request_code(browser)
        redirect = browser.post("/login", data={"ua_token": token, "code": pool.code(email)})
        assert redirect.headers["location"].startswith(f"{CALLBACK}?code=")
        token = request_code(browser)
        for _ in range(3):
            assert browser.post("/login", data={"ua_token": token, "code": "1"}).status_code == 200
        late = browser.post("/login", data={"ua_token": token, "code": pool.code(email)})
        assert late.status_code == 400


def user_pool_attribute_permissions(emulator: Emulator) -> None:
    """An app client reads and writes only the attributes that it may."""
    permissions = {"WriteAttributes": ["zoneinfo"], "ReadAttributes": ["email"]}
    pool, email = Pool(emulator, client=permissions), "reader@app.example"
    pool.create(email, TemporaryPassword=PASSWORD)
    pool.set_password(email)
    tokens = pool.sign_in(email)["AuthenticationResult"]
    token = tokens["AccessToken"]

    def write(name: str, value: str) -> None:
        pool.api.update_user_attributes(
            AccessToken=token, UserAttributes=[{"Name": name, "Value": value}]
        )

    for name, value in (("email", "other@app.example"), ("email_verified", "true")):
        with refused("NotAuthorizedException", "unauthorized attribute"):
            write(name, value)
    write("zoneinfo", "Asia/Kathmandu")
    read = {it["Name"] for it in pool.api.get_user(AccessToken=token)["UserAttributes"]}
    assert read == {"email", "sub"}
    assert "zoneinfo" not in claims(tokens["IdToken"])
    with refused("NotAuthorizedException", "unauthorized attribute"):
        pool.api.sign_up(
            ClientId=pool.client,
            Username="new@app.example",
            Password=PASSWORD,
            UserAttributes=[{"Name": "preferred_username", "Value": "x"}],
        )

    open_pool = Pool(emulator)
    open_pool.create(email, TemporaryPassword=PASSWORD)
    open_pool.set_password(email)
    token = open_pool.sign_in(email)["AuthenticationResult"]["AccessToken"]
    changed = [{"Name": "email", "Value": "other@app.example"}]
    open_pool.api.update_user_attributes(AccessToken=token, UserAttributes=changed)
    user = open_pool.api.admin_get_user(UserPoolId=open_pool.id, Username="other@app.example")
    assert {"Name": "email_verified", "Value": "false"} in user["UserAttributes"]


def user_pool_email(emulator: Emulator) -> None:
    """Cognito sends 50 emails a day by itself, and others only from a verified identity."""
    pool, email = Pool(emulator, FACTORS), "free@app.example"
    pool.create(email)
    for _ in range(50):
        pool.start(email, PREFERRED_CHALLENGE="EMAIL_OTP")
    with refused("LimitExceededException", "Exceeded daily email limit"):
        pool.start(email, PREFERRED_CHALLENGE="EMAIL_OTP")

    sender, region = f"{unique('sender')}@app.example", "eu-central-1"
    cognito, ses = (emulator.client(name, region) for name in ("cognito-idp", "sesv2"))
    configuration = {
        "EmailSendingAccount": "DEVELOPER",
        "SourceArn": f"arn:aws:ses:{region}:000000000000:identity/{sender}",
    }
    settings = {
        "PoolName": unique("pool"),
        "UsernameAttributes": ["email"],
        "Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": FACTORS}},
        "EmailConfiguration": configuration,
    }
    with refused("InvalidEmailRoleAccessPolicyException"):
        cognito.create_user_pool(**settings)
    ses.create_email_identity(EmailIdentity=sender)
    pool_id = cognito.create_user_pool(**settings)["UserPool"]["Id"]
    client = cognito.create_user_pool_client(
        UserPoolId=pool_id, ClientName="app", ExplicitAuthFlows=["ALLOW_USER_AUTH"]
    )["UserPoolClient"]["ClientId"]
    student = f"{unique('student')}@app.example"
    cognito.admin_create_user(
        UserPoolId=pool_id, Username=student, MessageAction="SUPPRESS", UserAttributes=VERIFIED
    )
    start = {"USERNAME": student, "PREFERRED_CHALLENGE": "EMAIL_OTP"}
    with refused("CodeDeliveryFailureException", "Email address is not verified"):
        cognito.initiate_auth(ClientId=client, AuthFlow="USER_AUTH", AuthParameters=start)
    ses.create_email_identity(EmailIdentity=student)
    cognito.initiate_auth(ClientId=client, AuthFlow="USER_AUTH", AuthParameters=start)
    assert pool.emails(student)[-1]["Source"] == sender


def web_acl(*operations: str) -> dict[str, Any]:
    """Return a web ACL that blocks operations, and its association with the pool of a template."""
    visibility = {
        "CloudWatchMetricsEnabled": False,
        "SampledRequestsEnabled": False,
        "MetricName": "acl",
    }
    statement = {
        "RegexMatchStatement": {
            "RegexString": f"^{API.replace('.', chr(92) + '.')}({'|'.join(operations)})$",
            "FieldToMatch": {"SingleHeader": {"Name": "x-amz-target"}},
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        }
    }
    rule = {
        "Name": "blocked",
        "Priority": 0,
        "Action": {"Block": {}},
        "Statement": statement,
        "VisibilityConfig": visibility,
    }
    acl = {
        "Name": unique("acl"),
        "Scope": "REGIONAL",
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": visibility,
        "Rules": [rule],
    }
    return {
        "Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": acl},
        "Association": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Properties": {
                "ResourceArn": {"Fn::GetAtt": ["Pool", "Arn"]},
                "WebACLArn": {"Fn::GetAtt": ["Acl", "Arn"]},
            },
        },
    }


def user_pool_web_acls(emulator: Emulator) -> None:
    """A web ACL blocks the operations that it names, and a rule that needs more is refused."""
    pool = Pool(emulator, FACTORS, resources=web_acl("DeleteUser", "InitiateAuth"))
    email = "free@app.example"
    pool.create(email, TemporaryPassword=PASSWORD)
    pool.set_password(email)
    token = pool.sign_in(email)["AuthenticationResult"]["AccessToken"]
    for blocked in (lambda: pool.start(email), lambda: pool.api.delete_user(AccessToken=token)):
        with refused("ForbiddenException", "Request not allowed due to WAF block"):
            blocked()
    assert pool.api.get_user(AccessToken=token)["Username"]

    resources = web_acl("DeleteUser")
    limit = {"RateBasedStatement": {"AggregateKeyType": "IP", "Limit": 100}}
    resources["Acl"]["Properties"]["Rules"][0]["Statement"] = limit
    with pytest.raises(AssertionError, match="can't apply RateBasedStatement to a user pool"):
        Pool(emulator, resources=resources)


def providers(pool: str, **changes: Any) -> dict[str, Any]:
    """Return a template with an OpenID provider."""
    properties = {
        "UserPoolId": pool,
        "ProviderName": "corporate-login",
        "ProviderType": "OIDC",
        "ProviderDetails": {
            "client_id": "app",
            "oidc_issuer": "https://login.example",
            "authorize_scopes": "openid",
            "attributes_request_method": "GET",
        },
    } | changes
    provider = {"Type": "AWS::Cognito::UserPoolIdentityProvider", "Properties": properties}
    return stack(Provider=provider)


def user_pool_identity_providers(emulator: Emulator) -> None:
    """A stack creates, changes and deletes a provider."""
    pool, name = Pool(emulator), unique("providers")
    emulator.deploy(providers(pool.id), name)
    mapping = {"email": "email"}
    emulator.deploy(providers(pool.id, AttributeMapping=mapping), name)
    described = pool.api.describe_identity_provider(
        UserPoolId=pool.id, ProviderName="corporate-login"
    )
    assert described["IdentityProvider"]["AttributeMapping"] == mapping
    emulator.delete(name)
    assert pool.api.list_identity_providers(UserPoolId=pool.id)["Providers"] == []


def refused_providers(emulator: Emulator) -> None:
    """Cognito refuses a provider with another name, or without a detail."""
    pool = Pool(emulator)
    for changes, message in (
        ({"ProviderName": "ab"}, "isn't a name of a provider"),
        ({"ProviderType": "Google"}, "isn't the name of the type"),
        ({"ProviderDetails": {"client_id": "app"}}, "authorize_scopes"),
        ({"ProviderType": "SAML"}, "MetadataURL or MetadataFile"),
    ):
        with pytest.raises(AssertionError, match=message):
            emulator.deploy(providers(pool.id, **changes), unique("refused"))


def user_pool_filters(emulator: Emulator) -> None:
    """A filter's escaped quotation marks belong to its value; an invalid filter lists nobody."""
    pool = Pool(emulator)
    user = f"{unique('user')}@app.example"
    pool.create(user)
    name = [{"Name": "name", "Value": 'Asha "A" \\ Menon'}]
    pool.api.admin_update_user_attributes(UserPoolId=pool.id, Username=user, UserAttributes=name)

    def count(text: str) -> int:
        return len(pool.api.list_users(UserPoolId=pool.id, Filter=text)["Users"])

    assert count('name ^= "asha \\"A\\" \\\\"') == 1
    assert count('name ^= "asha \\"B"') == 0
    assert count(f'email = "{user}"') == 1
    for invalid in ("name", 'name ^= "a" or name ^= "b"', 'locale = "en"', 'name != "a"'):
        with refused("InvalidParameterException", "filter"):
            count(invalid)


def user_pool_aliases(emulator: Emulator) -> None:
    """A user gets an address that no other user has, and the former one is free."""
    pool = Pool(emulator)
    users = [f"{unique('user')}@app.example" for _ in range(2)]
    sub, _ = (
        next(it["Value"] for it in pool.create(user)["Attributes"] if it["Name"] == "sub")
        for user in users
    )

    def change(email: str) -> None:
        attributes = [
            {"Name": "email", "Value": email},
            {"Name": "email_verified", "Value": "true"},
        ]
        pool.api.admin_update_user_attributes(
            UserPoolId=pool.id, Username=sub, UserAttributes=attributes
        )

    with refused("AliasExistsException", "already exists"):
        change(users[1])
    new = f"{unique('user')}@app.example"
    for _ in range(2):
        change(new)
    assert pool.api.admin_get_user(UserPoolId=pool.id, Username=new)["Username"] == sub
    with refused("UserNotFoundException"):
        pool.api.admin_get_user(UserPoolId=pool.id, Username=users[0])


def user_pool_limits(emulator: Emulator) -> None:
    """A domain, an app client and a password policy are within the limits of Cognito."""
    pool = Pool(emulator, FACTORS)
    with refused("InvalidParameterException", "reserved word: cognito"):
        pool.api.create_user_pool_domain(UserPoolId=pool.id, Domain=unique("my-cognito"))
    with refused("InvalidParameterException", "valid redirect URL"):
        pool.api.create_user_pool_client(
            UserPoolId=pool.id, ClientName="other", CallbackURLs=["http://app.example/"]
        )
    policy = {"PasswordPolicy": {"MinimumLength": 100}}
    with refused("InvalidParameterException", "from 6 to 99"):
        pool.api.create_user_pool(PoolName=unique("pool"), Policies=policy)
