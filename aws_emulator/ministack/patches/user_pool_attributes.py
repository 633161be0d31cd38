"""Return the issuer of a user pool with Fn::GetAtt.

Gap: `!GetAtt UserPool.ProviderURL` does not resolve.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, the user pool's provisioner.
Delete when: the provisioner returns ProviderURL and ProviderName.
"""

from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Add the two attributes in AWS's format."""
    responses = Symbols("ministack.core.responses", "get_region")

    def add(pool_id: str, _props: dict[str, Any], attributes: dict[str, Any]) -> None:
        provider = f"cognito-idp.{responses['get_region']()}.amazonaws.com/{pool_id}"
        attributes["ProviderName"] = provider
        attributes["ProviderURL"] = f"https://{provider}"

    extend("AWS::Cognito::UserPool", add)
