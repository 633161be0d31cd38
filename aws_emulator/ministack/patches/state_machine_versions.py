"""Provision versions and aliases of state machines.

Gap: AWS::StepFunctions::StateMachineVersion and AWS::StepFunctions::StateMachineAlias, which SAM
generates for AutoPublishAlias, have no provisioner, although the service implements both.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS.
Delete when: MiniStack provisions both types.

Not covered: an alias with two versions starts the one with more weight, as MiniStack does.
"""

import json
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_VERSION: Final = "AWS::StepFunctions::StateMachineVersion"
_ALIAS: Final = "AWS::StepFunctions::StateMachineAlias"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Provision both with the service's operations."""
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    service = Symbols(
        "ministack.services.stepfunctions",
        "_publish_state_machine_version",
        "_delete_state_machine_version",
        "_create_state_machine_alias",
        "_update_state_machine_alias",
        "_delete_state_machine_alias",
    )

    def call(operation: str, data: dict[str, Any]) -> dict[str, Any]:
        status, _, body = service[operation](data)
        if status >= 400:
            raise ValueError(f"{operation.strip('_')}: {body!r}")
        answer: dict[str, Any] = json.loads(body or "{}")
        return answer

    def publish(_name: str, props: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
        request = {"stateMachineArn": props["StateMachineArn"]}
        request["description"] = props.get("Description", "")
        arn = call("_publish_state_machine_version", request)["stateMachineVersionArn"]
        return arn, {"Arn": arn}

    def keep(arn: str, _old: Any, _new: Any, _stack: str) -> tuple[str, dict[str, str]]:
        return arn, {"Arn": arn}

    def unpublish(arn: str, _props: Any) -> None:
        call("_delete_state_machine_version", {"stateMachineVersionArn": arn})

    def point(_name: str, props: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
        request = {"name": props["Name"], "routingConfiguration": _routing(props)}
        arn = call("_create_state_machine_alias", request)["stateMachineAliasArn"]
        return arn, {"Arn": arn}

    def repoint(arn: str, _old: Any, new: Any, _stack: str) -> tuple[str, dict[str, str]]:
        request = {"stateMachineAliasArn": arn, "routingConfiguration": _routing(new)}
        call("_update_state_machine_alias", request)
        return arn, {"Arn": arn}

    def unpoint(arn: str, _props: Any) -> None:
        call("_delete_state_machine_alias", {"stateMachineAliasArn": arn})

    table = handlers["_RESOURCE_HANDLERS"]
    table.setdefault(_VERSION, {"create": publish, "update": keep, "delete": unpublish})
    table.setdefault(_ALIAS, {"create": point, "update": repoint, "delete": unpoint})


def _routing(props: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alias's versions. A DeploymentPreference takes effect at once."""
    if "DeploymentPreference" in props:
        version = props["DeploymentPreference"]["StateMachineVersionArn"]
        return [{"stateMachineVersionArn": version, "weight": 100}]
    return [
        {"stateMachineVersionArn": it["StateMachineVersionArn"], "weight": int(it["Weight"])}
        for it in props["RoutingConfiguration"]
    ]
