"""A user pool has the attributes of its issuer.

Gap: `!GetAtt UserPool.ProviderURL` does not resolve.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, the user pool's provisioner.
Delete when: ProviderURL and ProviderName are among the attributes it returns.
"""

from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Add the two attributes as AWS writes them."""
    responses = Part("ministack.core.responses", "get_region")

    def add(pool_id: str, _props: dict[str, Any], attributes: dict[str, Any]) -> None:
        provider = f"cognito-idp.{responses['get_region']()}.amazonaws.com/{pool_id}"
        attributes["ProviderName"] = provider
        attributes["ProviderURL"] = f"https://{provider}"

    extend("AWS::Cognito::UserPool", add)
