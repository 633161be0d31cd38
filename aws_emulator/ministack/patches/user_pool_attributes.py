"""Return the issuer of a user pool with Fn::GetAtt, and keep its configuration.

Gap: `!GetAtt UserPool.ProviderURL` does not resolve. IssuerConfiguration is dropped.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, the user pool's provisioner.
Delete when: the provisioner returns ProviderURL and ProviderName, and keeps IssuerConfiguration.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_ISSUER: Final = "IssuerConfiguration"

PROPERTIES: Final = {"AWS::Cognito::UserPool": {_ISSUER}}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Add the two attributes in AWS's format, and store the issuer's type."""
    responses = Symbols("ministack.core.responses", "get_region")
    service = Symbols("ministack.services.cognito", "_user_pools")

    def add(pool_id: str, props: dict[str, Any], attributes: dict[str, Any]) -> None:
        issuer_type = (props.get(_ISSUER) or {}).get("Type", "ORIGINAL")
        if issuer_type not in ("ORIGINAL", "UPDATED"):
            raise ValueError(f"InvalidParameterException: {issuer_type} isn't a type of issuers.")
        service["_user_pools"][pool_id][_ISSUER] = {"Type": issuer_type}
        provider = f"cognito-idp.{responses['get_region']()}.amazonaws.com/{pool_id}"
        attributes["ProviderName"] = provider
        attributes["ProviderURL"] = f"https://{provider}"

    extend("AWS::Cognito::UserPool", add)
