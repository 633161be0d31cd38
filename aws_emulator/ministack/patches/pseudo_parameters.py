"""Resolve pseudo parameters in conditions.

Gap: `!Equals [!Ref AWS::Region, us-east-1]` compares the text "AWS::Region", so a condition on the
Region is always false.
Seen in: ministack 1.5.33, cloudformation/engine.py, _evaluate_conditions reads the template's
parameters only.
Delete when: _evaluate_conditions resolves pseudo parameters as _resolve_refs does.
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Add the pseudo parameters to the parameters of a condition."""
    responses = Symbols("ministack.core.responses", "get_region", "get_account_id")

    def with_pseudo_parameters(evaluate: Callable[..., Any]) -> Callable[..., Any]:
        def evaluate_conditions(template: dict[str, Any], params: dict[str, Any]) -> Any:
            pseudo = {
                "AWS::Region": responses["get_region"](),
                "AWS::AccountId": responses["get_account_id"](),
                "AWS::Partition": "aws",
                "AWS::URLSuffix": "amazonaws.com",
            }
            pseudo_values = {name: {"Value": value} for name, value in pseudo.items()}
            return evaluate(template, {**pseudo_values, **params})

        return evaluate_conditions

    # Most callers have imported the function itself; the provisioner of nested stacks reads it from
    # the engine at each call.
    for module in ("engine", "handlers", "changesets", "stacks"):
        Symbols(f"{_CLOUDFORMATION}.{module}", "_evaluate_conditions").wrap(
            "_evaluate_conditions", with_pseudo_parameters
        )
