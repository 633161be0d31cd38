"""Contracts of the patches for Cognito, and helpers that sign in through its pages."""

import base64
import hashlib
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.templates import stack

CALLBACK = "https://app.example/auth/callback"
SIGNED_OUT = "https://app.example/"
VERIFIER = "v" * 64
PASSWORD = "correct horse battery"


def user_pool_client(emulator: Emulator, grace_s: int = 60) -> tuple[str, str]:
    """Create a pool with a user in a group and a public app client; return the ids of both."""
    template = stack(
        Pool={
            "Type": "AWS::Cognito::UserPool",
            "Properties": {
                "UsernameAttributes": ["email"],
                "Policies": {
                    "PasswordPolicy": {
                        "MinimumLength": 12,
                        "RequireLowercase": False,
                        "RequireUppercase": False,
                        "RequireNumbers": False,
                        "RequireSymbols": False,
                    }
                },
            },
        },
        Members={
            "Type": "AWS::Cognito::UserPoolGroup",
            "Properties": {"UserPoolId": {"Ref": "Pool"}, "GroupName": "members"},
        },
        Client={
            "Type": "AWS::Cognito::UserPoolClient",
            "Properties": {
                "UserPoolId": {"Ref": "Pool"},
                "ClientName": "app",
                "AllowedOAuthFlowsUserPoolClient": True,
                "AllowedOAuthFlows": ["code"],
                "AllowedOAuthScopes": ["openid", "email"],
                "SupportedIdentityProviders": ["COGNITO"],
                "CallbackURLs": [CALLBACK],
                "LogoutURLs": [SIGNED_OUT],
                "EnableTokenRevocation": True,
                "AccessTokenValidity": 45,
                "TokenValidityUnits": {"AccessToken": "minutes"},
                "RefreshTokenRotation": {
                    "Feature": "ENABLED",
                    "RetryGracePeriodSeconds": grace_s,
                },
            },
        },
    )
    template["Outputs"] = {
        "Pool": {"Value": {"Ref": "Pool"}},
        "Client": {"Value": {"Ref": "Client"}},
    }
    outputs = emulator.deploy(template, unique("app"))
    pool, client = outputs["Pool"], outputs["Client"]
    users, name = emulator.client("cognito-idp"), "user@app.example"
    users.admin_create_user(
        UserPoolId=pool,
        Username=name,
        MessageAction="SUPPRESS",
        UserAttributes=[
            {"Name": "email", "Value": name},
            {"Name": "email_verified", "Value": "true"},
        ],
    )
    users.admin_set_user_password(UserPoolId=pool, Username=name, Password=PASSWORD, Permanent=True)
    users.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName="members")
    return pool, client


def authorization(client: str, **other: str) -> dict[str, str]:
    """Return the query parameters of an authorization request with PKCE."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    return {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": CALLBACK,
        "scope": "openid email",
        "state": "st&te=1",
        "nonce": "n once",
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
        **other,
    }


def sign_in(browser: httpx.Client, client: str) -> dict[str, str]:
    """Sign in through the hosted pages; return the query parameters of the callback."""
    asked = authorization(client)
    page = browser.get("/oauth2/authorize", params=asked)
    assert page.status_code == 200
    assert 'action="/login"' in page.text
    form = {**asked, "username": "user@app.example", "password": PASSWORD}
    answer = browser.post("/login", data=form)
    assert answer.status_code == 302, answer.text
    where = urlsplit(answer.headers["location"])
    assert where._replace(query="").geturl() == CALLBACK
    return {name: values[0] for name, values in parse_qs(where.query).items()}


def token(browser: httpx.Client, client: str, **form: str) -> httpx.Response:
    """Post a form to the token endpoint."""
    return browser.post("/oauth2/token", data={"client_id": client, **form})


def redeem(browser: httpx.Client, client: str) -> dict[str, Any]:
    """Sign in and exchange the code for tokens."""
    answer = token(
        browser,
        client,
        grant_type="authorization_code",
        code=sign_in(browser, client)["code"],
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def claims(text: str) -> dict[str, Any]:
    """Return a token's claims without verification."""
    payload = text.split(".")[1]
    document: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return document


def user_pool_clients(emulator: Emulator) -> None:
    """A client keeps its rotation, and a complete update changes only the changed property."""
    pool, client = user_pool_client(emulator)
    users = emulator.client("cognito-idp")
    before = users.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    rotation = before.get("RefreshTokenRotation")
    assert rotation == {"Feature": "ENABLED", "RetryGracePeriodSeconds": 60}

    sent = {
        name: value
        for name, value in before.items()
        if name not in {"LastModifiedDate", "CreationDate"} and value != ""
    }
    users.update_user_pool_client(**{**sent, "LogoutURLs": ["https://app.example/bye"]})
    after = users.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"LastModifiedDate", "LogoutURLs"}

    users.update_user_pool_client(UserPoolId=pool, ClientId=client)
    bare = users.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    assert (bare["ClientName"], bare["CallbackURLs"]) == ("app", [])
    assert "RefreshTokenRotation" not in bare


def token_endpoint(emulator: Emulator) -> None:
    """A refresh keeps groups and rotates, a grace period applies, revocation ends all tokens."""
    _, client = user_pool_client(emulator, grace_s=1)
    with httpx.Client(base_url=emulator.endpoint) as browser:
        tokens = redeem(browser, client)
        first = tokens["refresh_token"]

        def refresh(presented: str) -> httpx.Response:
            return token(browser, client, grant_type="refresh_token", refresh_token=presented)

        refreshed = refresh(first).json()
        for kind in ("id_token", "access_token"):
            assert claims(refreshed[kind]).get("cognito:groups") == ["members"]
        second = refreshed["refresh_token"]
        assert second != first
        assert refresh(first).status_code == 200
        time.sleep(1.1)
        assert refresh(first).json()["error"] == "invalid_grant"
        # More than a second later: the sign-in keeps its time.
        later = claims(refresh(second).json()["access_token"])
        assert later["auth_time"] == claims(tokens["access_token"])["auth_time"] < later["iat"]

        def revoke(**form: str) -> httpx.Response:
            return browser.post("/oauth2/revoke", data=form)

        assert revoke(client_id=client).json()["error"] == "invalid_request"
        assert revoke(client_id="unknown", token=second).status_code == 401
        wrong = revoke(client_id=client, token=refreshed["access_token"])
        assert wrong.json()["error"] == "unsupported_token_type"
        revoked = revoke(client_id=client, token=second)
        assert (revoked.status_code, revoked.content) == (200, b"")
        assert refresh(second).json()["error"] == "invalid_grant"


def user_pool_lookups(emulator: Emulator) -> None:
    """A lookup reads the attributes of the users that have the value, not of all users."""
    users = emulator.client("cognito-idp")
    full = users.create_user_pool(PoolName=unique("many"), UsernameAttributes=["email"])[
        "UserPool"
    ]["Id"]
    for number in range(50):
        created_user = users.admin_create_user(
            UserPoolId=full,
            Username=f"user-{number}@app.example",
            MessageAction="SUPPRESS",
        )["User"]
    with (
        emulator.calls("ministack.services.cognito") as calls,
        pytest.raises(users.exceptions.UserNotFoundException),
    ):
        users.admin_get_user(UserPoolId=full, Username="unknown@app.example")
    # Without the patch the service reads the attributes of all 50 users, twice.
    assert calls["ministack.services.cognito._attr_list_to_dict"] < 10
    # A renamed user is found by the new address only, a deleted user by none.
    last = "user-49@app.example"
    changed = {"Name": "email", "Value": "renamed@app.example"}
    users.admin_update_user_attributes(
        UserPoolId=full, Username=created_user["Username"], UserAttributes=[changed]
    )
    renamed_user = users.admin_get_user(UserPoolId=full, Username="renamed@app.example")
    assert renamed_user["Username"] == created_user["Username"]
    users.admin_delete_user(UserPoolId=full, Username="user-0@app.example")
    for gone in ("user-0@app.example", last):
        with pytest.raises(users.exceptions.UserNotFoundException):
            users.admin_get_user(UserPoolId=full, Username=gone)
