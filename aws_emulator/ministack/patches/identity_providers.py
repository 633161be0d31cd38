"""Provision OIDC identity providers of IAM.

Gap: there is no resource type AWS::IAM::OIDCProvider.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS.
Delete when: a stack can create an AWS::IAM::OIDCProvider.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TYPE: Final = "AWS::IAM::OIDCProvider"
TYPES: Final = frozenset({_TYPE})


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Register a provisioner that calls IAM's operations."""
    iam = Symbols("ministack.services.iam", "_create_oidc_provider", "_oidc_providers")
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        known = set(iam["_oidc_providers"])
        checked(iam["_create_oidc_provider"](_parameters(props)))
        (arn,) = set(iam["_oidc_providers"]) - known
        return arn, {"Arn": arn}

    def update(arn: str, _old: Any, props: dict[str, Any], _stack: str) -> Any:
        provider = iam["_oidc_providers"][arn]
        provider["ClientIDList"] = list(props.get("ClientIdList", []))
        provider["ThumbprintList"] = list(props.get("ThumbprintList", []))
        return arn, {"Arn": arn}

    def delete(arn: str, _props: Any) -> None:
        iam["_oidc_providers"].pop(arn, None)

    provisioner = {"create": create, "update": update, "delete": delete}
    handlers["_RESOURCE_HANDLERS"].setdefault(_TYPE, provisioner)


def _parameters(props: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of CreateOpenIDConnectProvider in the query protocol."""
    parameters = {"Url": str(props["Url"])}
    for name, key in (("ClientIdList", "ClientIDList"), ("ThumbprintList", "ThumbprintList")):
        for number, value in enumerate(props.get(name, []), 1):
            parameters[f"{key}.member.{number}"] = str(value)
    return parameters
