"""Provision identity providers of user pools.

Gap: there is no resource type AWS::Cognito::UserPoolIdentityProvider.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS.
Delete when: a stack can create an AWS::Cognito::UserPoolIdentityProvider.

Source of the refusals: Amazon Cognito API reference, CreateIdentityProvider.
"""

import re
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TYPE: Final = "AWS::Cognito::UserPoolIdentityProvider"
TYPES: Final = frozenset({_TYPE})
#: ProviderName: from 3 to 32 characters, which begin and end with another character than "_".
_NAME: Final = re.compile(r"[^_\W][\w.-]{1,30}[^_\W]")
#: A social provider has the name of its type.
_SOCIAL: Final = frozenset({"Facebook", "Google", "LoginWithAmazon", "SignInWithApple"})
#: ProviderType -> the details that it needs; OIDC and SAML have alternatives, too.
_REQUIRED: Final = {
    "Google": {"client_id", "client_secret", "authorize_scopes"},
    "OIDC": {"client_id", "oidc_issuer", "authorize_scopes", "attributes_request_method"},
}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Register a provisioner that calls Cognito's operations."""
    service = Symbols(
        "ministack.services.cognito",
        "_create_identity_provider",
        "_delete_identity_provider",
        "_update_identity_provider",
    )
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        _check(props)
        checked(service["_create_identity_provider"](props))
        return str(props["ProviderName"]), {}

    def update(name: str, _old: Any, props: dict[str, Any], _stack: str) -> Any:
        _check(props)
        checked(service["_update_identity_provider"](props))
        return name, {}

    def delete(_name: str, props: Any) -> None:
        service["_delete_identity_provider"](props)

    provisioner = {"create": create, "update": update, "delete": delete}
    handlers["_RESOURCE_HANDLERS"].setdefault(_TYPE, provisioner)


def _check(props: dict[str, Any]) -> None:
    """Check a provider as Cognito does.

    Raises:
        ValueError: Cognito refuses the name or the details.
    """
    name, kind = str(props.get("ProviderName", "")), str(props.get("ProviderType", ""))
    if not _NAME.fullmatch(name):
        raise ValueError(f"InvalidParameterException: {name!r} isn't a name of a provider.")
    if (kind in _SOCIAL or name in _SOCIAL) and name != kind:
        raise ValueError(f"InvalidParameterException: {name} isn't the name of the type {kind}.")
    details = props.get("ProviderDetails") or {}
    if missing := _REQUIRED.get(kind, set()) - {key for key, value in details.items() if value}:
        raise ValueError(f"InvalidParameterException: {', '.join(sorted(missing))} is missing.")
    if kind == "SAML" and bool(details.get("MetadataURL")) == bool(details.get("MetadataFile")):
        raise ValueError("InvalidParameterException: SAML needs MetadataURL or MetadataFile.")
