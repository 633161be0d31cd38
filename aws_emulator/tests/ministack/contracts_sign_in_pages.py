"""Contracts of the patch that gives the pages of managed login their style."""

from typing import Any

import httpx
import pytest

from aws_emulator.tests.ministack.contracts_cognito import authorization
from aws_emulator.tests.ministack.running import Emulator, unique
from aws_emulator.tests.ministack.user_pools import Pool


def managed_login_branding(emulator: Emulator) -> None:
    """Managed login needs a branding style for the app client."""

    def domain() -> dict[str, Any]:
        return {
            "Type": "AWS::Cognito::UserPoolDomain",
            "Properties": {
                "UserPoolId": {"Ref": "Pool"},
                "Domain": unique("login"),
                "ManagedLoginVersion": 2,
            },
        }

    style = {
        "Type": "AWS::Cognito::ManagedLoginBranding",
        "Properties": {
            "UserPoolId": {"Ref": "Pool"},
            "ClientId": {"Ref": "Client"},
            "UseCognitoProvidedValues": True,
        },
    }
    plain = Pool(emulator, resources={"Domain": domain()})
    styled = Pool(emulator, resources={"Domain": domain(), "Style": style})
    with httpx.Client(base_url=emulator.endpoint) as browser:
        page = browser.get("/oauth2/authorize", params=authorization(styled.client))
        assert (page.status_code, 'action="/login"' in page.text) == (200, True)
        page = browser.get("/oauth2/authorize", params=authorization(plain.client))
        assert (page.status_code, "Login pages unavailable" in page.text) == (403, True)

    def branded(colour: str) -> Pool:
        settings = {"components": {"pageBackground": {"lightMode": {"color": colour}}}}
        properties = {
            "UserPoolId": {"Ref": "Pool"},
            "ClientId": {"Ref": "Client"},
            "Settings": settings,
        }
        own = {"Type": "AWS::Cognito::ManagedLoginBranding", "Properties": properties}
        return Pool(emulator, resources={"Domain": domain(), "Style": own})

    client = branded("0a1b2cff").client
    page = httpx.get(f"{emulator.endpoint}/oauth2/authorize", params=authorization(client))
    assert (page.status_code, "--page:#0a1b2cff" in page.text) == (200, True)
    with pytest.raises(AssertionError, match="eight hexadecimal digits"):
        branded("#abc")
