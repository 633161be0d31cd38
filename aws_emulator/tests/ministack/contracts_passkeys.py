"""Contract of the patch that adds passkeys to user pools. Chromium runs it in tests/system."""

import json
from typing import Any

import httpx

from aws_emulator.tests.ministack.contracts_cognito import authorization, claims
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.software_authenticator import SoftwareAuthenticator
from aws_emulator.tests.ministack.user_pools import FACTORS, Pool, refused

#: Settings of a pool whose pages have passkeys.
PASSKEYS: dict[str, Any] = {"WebAuthnUserVerification": "required"}


def passkey_pool(
    emulator: Emulator, relying_party: str = "", *, version: int = 2, **properties: Any
) -> Pool:
    """Return a pool with a domain and passkeys; the default relying party is that domain."""
    prefix = unique("passkeys")
    party = relying_party or f"{prefix}.auth.us-east-1.amazoncognito.com"
    domain = {"UserPoolId": {"Ref": "Pool"}, "Domain": prefix, "ManagedLoginVersion": version}
    branding = {
        "UserPoolId": {"Ref": "Pool"},
        "ClientId": {"Ref": "Client"},
        "UseCognitoProvidedValues": True,
    }
    resources = {
        "Domain": {"Type": "AWS::Cognito::UserPoolDomain", "Properties": domain},
        "Branding": {"Type": "AWS::Cognito::ManagedLoginBranding", "Properties": branding},
    }
    settings = PASSKEYS | {"WebAuthnRelyingPartyID": party} | properties
    return Pool(emulator, [*FACTORS, "WEB_AUTHN"], resources=resources, **settings)


def signed_in(pool: Pool, email: str) -> str:
    """Create a user, and return an access token."""
    pool.create(email)
    pool.set_password(email)
    return str(pool.sign_in(email)["AuthenticationResult"]["AccessToken"])


def user_pool_passkeys(emulator: Emulator) -> None:
    """The API and the pages offer a ceremony, and take only the answer to it."""
    pool = passkey_pool(emulator)
    token = {"AccessToken": signed_in(pool, "keys@app.example")}
    options = pool.api.start_web_authn_registration(**token)["CredentialCreationOptions"]
    assert options["rp"]["id"] == "localhost"
    assert options["user"]["name"] == "keys@app.example"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    with refused("InvalidParameterException"):
        pool.api.complete_web_authn_registration(**token, Credential={"id": "x"})
    assert pool.api.list_web_authn_credentials(**token)["Credentials"] == []

    with httpx.Client(base_url=pool.endpoint) as browser:
        page = browser.get("/passkeys/add", params=authorization(pool.client))
        assert page.status_code == 200
        form = {**authorization(pool.client), "username": "keys@app.example"}
        answer = browser.post("/login", data={**form, "auth_flow": "USER_AUTH"})
        assert 'value="WEB_AUTHN"' in answer.text


def sign_in_with_passkey(emulator: Emulator) -> None:
    """A registered passkey signs its user in; nothing else answers a challenge."""
    pool, email, other = passkey_pool(emulator), "keys@app.example", "other@app.example"
    token = {"AccessToken": signed_in(pool, email)}
    device, strange = SoftwareAuthenticator(), SoftwareAuthenticator()

    def options() -> dict[str, Any]:
        answer = pool.api.start_web_authn_registration(**token)["CredentialCreationOptions"]
        return dict(answer)

    for problem, credential in (
        ("WebAuthnOriginNotAllowed", device.create(options(), "https://evil.example")),
        ("WebAuthnChallengeNotFound", device.create({"challenge": "b2xk"})),
    ):
        if problem == "WebAuthnChallengeNotFound":
            options()
        with refused(f"{problem}Exception"):
            pool.api.complete_web_authn_registration(**token, Credential=credential)
    passkey = device.create(options())
    pool.api.complete_web_authn_registration(**token, Credential=passkey)
    with refused("WebAuthnChallengeNotFoundException"):
        pool.api.complete_web_authn_registration(**token, Credential=passkey)
    (listed,) = pool.api.list_web_authn_credentials(**token)["Credentials"]
    assert listed["CredentialId"] == passkey["id"]

    def challenge(user: str) -> tuple[str, dict[str, Any]]:
        started = pool.start(user, PREFERRED_CHALLENGE="WEB_AUTHN")
        assert started["ChallengeName"] == "WEB_AUTHN"
        wanted = started["ChallengeParameters"]["CREDENTIAL_REQUEST_OPTIONS"]
        return started["Session"], json.loads(wanted)

    def answer(user: str, session: str, credential: dict[str, Any]) -> dict[str, Any]:
        return pool.respond("WEB_AUTHN", session, USERNAME=user, CREDENTIAL=json.dumps(credential))

    assert "WEB_AUTHN" in pool.start(email)["AvailableChallenges"]
    session, wanted = challenge(email)
    assert [it["id"] for it in wanted["allowCredentials"]] == [passkey["id"]]
    tokens = answer(email, session, device.get(wanted))["AuthenticationResult"]
    assert claims(tokens["AccessToken"])["token_use"] == "access"
    with refused("NotAuthorizedException", "Invalid session"):
        answer(email, session, device.get(wanted))

    pool.create(other)
    for user, credential_of in (
        (email, strange.get),
        (other, device.get),
        (email, lambda it: device.get(it, "https://evil.example")),
        (email, lambda it: device.get(it, verified=False)),
        (email, lambda it: device.get({**it, "challenge": "b2xk"})),
    ):
        session, wanted = challenge(user)
        with refused("NotAuthorizedException", "Incorrect username or passkey"):
            answer(user, session, credential_of(wanted))
    pool.api.delete_web_authn_credential(**token, CredentialId=passkey["id"])
    session, wanted = challenge(email)
    with refused("NotAuthorizedException"):
        answer(email, session, device.get(wanted))


def refused_passkeys(emulator: Emulator) -> None:
    """Cognito refuses passkeys that a pool doesn't allow, and answers without a challenge."""
    pool, email = Pool(emulator, FACTORS), "keys@app.example"
    token = {"AccessToken": signed_in(pool, email)}
    with refused("WebAuthnNotEnabledException"):
        pool.api.start_web_authn_registration(**token)
    pool = Pool(emulator, [*FACTORS, "WEB_AUTHN"])
    token = {"AccessToken": signed_in(pool, email)}
    with refused("WebAuthnConfigurationMissingException"):
        pool.api.start_web_authn_registration(**token)
    with refused("WebAuthnChallengeNotFoundException"):
        pool.api.complete_web_authn_registration(**token, Credential={"id": "x"})
    with refused("ResourceNotFoundException"):
        pool.api.delete_web_authn_credential(**token, CredentialId="x")


def refused_relying_party(emulator: Emulator) -> None:
    """No page makes a passkey for another host than its own, and no page of the classic ones."""
    for pool, problem in (
        (passkey_pool(emulator, "app.example"), "app.example"),
        (passkey_pool(emulator, version=1), "classic"),
    ):
        with httpx.Client(base_url=pool.endpoint) as browser:
            page = browser.get("/passkeys/add", params=authorization(pool.client))
        assert page.status_code == 400
        assert problem in page.text
