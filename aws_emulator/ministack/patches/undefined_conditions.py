"""Refuse a template that uses a condition without defining it.

Gap: Fn::If takes its second value, and a resource is created, if their condition is undefined.
Seen in: ministack 1.5.33, cloudformation/engine.py, which looks conditions up with a default.
Delete when: a template whose Fn::If names an undefined condition is refused.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Look for undefined conditions wherever a template's conditions are evaluated."""

    def refusing(evaluate: Callable[..., Any]) -> Callable[..., Any]:
        def evaluate_conditions(template: dict[str, Any], params: dict[str, Any]) -> Any:
            refuse_undefined(template)
            return evaluate(template, params)

        return evaluate_conditions

    # As in pseudo_parameters.py, most callers have imported the function itself. The provisioning
    # evaluates the conditions of a template again that one of these has accepted.
    for module in ("engine", "handlers", "changesets"):
        Symbols(f"{_CLOUDFORMATION}.{module}", "_evaluate_conditions").wrap(
            "_evaluate_conditions", refusing
        )


def refuse_undefined(template: dict[str, Any]) -> None:
    """Refuse a template in which a resource, an output or Fn::If names an undefined condition.

    Raises:
        ValueError: With CloudFormation's message.
    """
    defined = template.get("Conditions") or {}
    for section in ("Resources", "Outputs"):
        for name, entry in (template.get(section) or {}).items():
            condition = entry.get("Condition") if isinstance(entry, dict) else None
            if isinstance(condition, str) and condition not in defined:
                raise ValueError(
                    f"Template format error: Unresolved condition dependency {condition} in the "
                    f"{section} block of the template [{name}]"
                )
    for condition in _alternatives(template):
        if condition not in defined:
            raise ValueError(
                f"Template error: unresolved condition dependency {condition} in Fn::If"
            )


def _alternatives(value: Any) -> Iterator[str]:
    """Yield the condition of each Fn::If."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            arguments = item.get("Fn::If")
            if isinstance(arguments, list) and arguments and isinstance(arguments[0], str):
                yield arguments[0]
            pending += item.values()
        elif isinstance(item, list):
            pending += item
