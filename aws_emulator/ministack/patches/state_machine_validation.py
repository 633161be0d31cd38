"""Refuse names and definitions of state machines that Step Functions refuses.

Gap: a state machine can have any name and any definition. An invalid definition fails later, in an
execution that reaches the invalid state.
Seen in: ministack 1.5.33, stepfunctions.py, _create_state_machine and _update_state_machine, and
cloudformation/provisioners.py.
Delete when: CreateStateMachine refuses a transition to a missing state, from a template, too.
"""

import json
from typing import Any

from aws_emulator.ministack import state_machine_rules
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the arguments of both operations, and the resource of a template."""
    service = Symbols(
        "ministack.services.stepfunctions",
        *("_create_state_machine", "_update_state_machine", "_state_machines"),
        "error_response_json",
    )

    def after(physical_id: str, _props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        machine = service["_state_machines"].get(physical_id)
        error = (
            _error({it: machine.get(it) for it in ("name", "definition", "type")})
            if machine
            else None
        )
        if error is not None:
            raise ValueError(f"{error[0]}: {error[1]}")

    refuse(service, "_create_state_machine", _error)
    refuse(service, "_update_state_machine", _error)
    extend("AWS::StepFunctions::StateMachine", after)


def _error(data: dict[str, Any]) -> tuple[str, str] | None:
    """Return the error code and the message for a state machine that is refused, or None."""
    name, text = data.get("name"), data.get("definition")
    if name is not None and not state_machine_rules.is_valid_name(name):
        return "InvalidName", f"Invalid Name: '{name}'"
    if text is None:
        return None
    if len(text.encode()) > state_machine_rules.MAX_DEFINITION_BYTES:
        return "InvalidDefinition", "Invalid State Machine Definition: the definition is too large"
    try:
        definition = json.loads(text)
    except ValueError as error:
        return "InvalidDefinition", f"Invalid State Machine Definition: '{error}'"
    kind = str(data.get("type") or "STANDARD")
    problem = next(state_machine_rules.problems(definition, kind), None)
    return (
        ("InvalidDefinition", f"Invalid State Machine Definition: '{problem}'") if problem else None
    )
