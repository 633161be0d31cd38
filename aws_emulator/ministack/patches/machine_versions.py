"""A template publishes a version of a state machine and points an alias at it.

Gap: AWS::StepFunctions::StateMachineVersion and AWS::StepFunctions::StateMachineAlias, which SAM
makes of AutoPublishAlias, have no provisioner, though the service knows both.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS.
Delete when: MiniStack provisions both types.

Left out: an alias with two versions is started at the heavier one, as MiniStack does.
"""

import json
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

_VERSION = "AWS::StepFunctions::StateMachineVersion"
_ALIAS = "AWS::StepFunctions::StateMachineAlias"


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Provision both through the service's own operations."""
    handlers = Part("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    service = Part(
        "ministack.services.stepfunctions",
        "_publish_state_machine_version",
        "_delete_state_machine_version",
        "_create_state_machine_alias",
        "_update_state_machine_alias",
        "_delete_state_machine_alias",
    )

    def ask(operation: str, data: dict[str, Any]) -> dict[str, Any]:
        status, _, body = service[operation](data)
        if status >= 400:
            raise ValueError(f"{operation.strip('_')}: {body!r}")
        answer: dict[str, Any] = json.loads(body or "{}")
        return answer

    def publish(_name: str, props: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
        wanted = {"stateMachineArn": props["StateMachineArn"]}
        wanted["description"] = props.get("Description", "")
        arn = ask("_publish_state_machine_version", wanted)["stateMachineVersionArn"]
        return arn, {"Arn": arn}

    def keep(arn: str, _old: Any, _new: Any, _stack: str) -> tuple[str, dict[str, str]]:
        return arn, {"Arn": arn}

    def unpublish(arn: str, _props: Any) -> None:
        ask("_delete_state_machine_version", {"stateMachineVersionArn": arn})

    def point(_name: str, props: dict[str, Any], _stack: str) -> tuple[str, dict[str, str]]:
        wanted = {"name": props["Name"], "routingConfiguration": _routing(props)}
        arn = ask("_create_state_machine_alias", wanted)["stateMachineAliasArn"]
        return arn, {"Arn": arn}

    def repoint(arn: str, _old: Any, new: Any, _stack: str) -> tuple[str, dict[str, str]]:
        wanted = {"stateMachineAliasArn": arn, "routingConfiguration": _routing(new)}
        ask("_update_state_machine_alias", wanted)
        return arn, {"Arn": arn}

    def unpoint(arn: str, _props: Any) -> None:
        ask("_delete_state_machine_alias", {"stateMachineAliasArn": arn})

    table = handlers["_RESOURCE_HANDLERS"]
    table.setdefault(_VERSION, {"create": publish, "update": keep, "delete": unpublish})
    table.setdefault(_ALIAS, {"create": point, "update": repoint, "delete": unpoint})


def _routing(props: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alias's versions; a DeploymentPreference of any kind ends at its version."""
    if "DeploymentPreference" in props:
        version = props["DeploymentPreference"]["StateMachineVersionArn"]
        return [{"stateMachineVersionArn": version, "weight": 100}]
    return [
        {"stateMachineVersionArn": it["StateMachineVersionArn"], "weight": int(it["Weight"])}
        for it in props["RoutingConfiguration"]
    ]
