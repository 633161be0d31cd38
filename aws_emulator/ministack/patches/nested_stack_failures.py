"""Report the failure of a nested stack as CloudFormation does.

Gap: the event of a parent repeats the reason of the resource that failed in the nested stack, and
lacks the nested stack's ARN.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _cfn_nested_stack_deploy raises the
error of the resource.
Delete when: the event has the ARN as PhysicalResourceId, and the reason "Embedded stack <ARN> was
not successfully created: The following resource(s) failed to create: [<logical ID>]."

A nested stack that CloudFormation can't start, for example because it can't read the template, has
no ARN and its own reason.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"
_NESTED: Final = "AWS::CloudFormation::Stack"
_EMBEDDED: Final = re.compile(r"Embedded stack (arn:\S+) was not successfully ")


class _Failures:
    """Describe the failures of nested stacks."""

    def __init__(self) -> None:
        self._package = Symbols(_CLOUDFORMATION, "_stacks", "_stack_events")
        self._stacks = Symbols(f"{_CLOUDFORMATION}.stacks", "_add_event")

    @property
    def stacks(self) -> dict[str, Any]:
        """All stacks of the request's account and Region by name."""
        stacks: dict[str, Any] = self._package["_stacks"]
        return stacks

    def of_creation(self, name: str, error: Exception) -> str:
        """Add the event of the failure to the nested stack; return the reason for its parent."""
        stack = self.stacks[name]
        reason = self._reason(stack, error, before=())
        self._event(stack, "CREATE_FAILED", reason)
        return f"Embedded stack {stack['StackId']} was not successfully created: {reason}"

    def of_update(self, name: str, error: Exception, before: frozenset[str]) -> str:
        """Do the same for an update. `before` names the resources that the stack had."""
        stack = self.stacks[name]
        reason = self._reason(stack, error, before)
        status = "UPDATE_ROLLBACK_IN_PROGRESS"
        self._event(stack, status, reason)
        return (
            f"Embedded stack {stack['StackId']} was not successfully updated. Currently in "
            f"{status} with reason: {reason}"
        )

    def _reason(
        self, stack: dict[str, Any], error: Exception, before: frozenset[str] | tuple[()]
    ) -> str:
        events = self._package["_stack_events"].get(stack["StackId"], [])
        newest = events[-1] if events else {}
        logical_id = newest.get("LogicalResourceId")
        if not newest.get("ResourceStatus", "").endswith("_FAILED") or (
            logical_id == stack["StackName"]
        ):
            return str(error)
        verb = "update" if logical_id in before else "create"
        return f"The following resource(s) failed to {verb}: [{logical_id}]."

    def _event(self, stack: dict[str, Any], status: str, reason: str) -> None:
        name, arn = stack["StackName"], stack["StackId"]
        self._stacks["_add_event"](arn, name, name, _NESTED, status, reason, arn)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Replace the reasons that the provisioner of nested stacks raises."""
    failures = _Failures()
    provisioners = Symbols(
        f"{_CLOUDFORMATION}.provisioners", "_RESOURCE_HANDLERS", "_nested_stack_lookup_name"
    )
    handlers = provisioners["_RESOURCE_HANDLERS"][_NESTED]
    lookup = provisioners["_nested_stack_lookup_name"]
    handlers |= {
        "create": _creating(handlers["create"], failures),
        "update": _updating(handlers["update"], failures, lookup),
    }
    Symbols(f"{_CLOUDFORMATION}.stacks", "_add_event").wrap("_add_event", _with_arn)


def _creating(original: Callable[..., Any], failures: _Failures) -> Callable[..., Any]:
    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        before = set(failures.stacks)
        try:
            return original(logical_id, props, stack_name)
        except Exception as error:
            for name in set(failures.stacks) - before:
                if failures.stacks[name].get("_parent_stack_name") == stack_name:
                    raise ValueError(failures.of_creation(name, error)) from error
            raise

    return create


def _updating(
    original: Callable[..., Any], failures: _Failures, lookup: Callable[[str], str]
) -> Callable[..., Any]:
    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Any:
        name = lookup(physical_id)
        stack = failures.stacks.get(name) or {}
        before = frozenset(stack.get("_resources", {}))
        try:
            return original(physical_id, old, new, stack_name)
        except Exception as error:
            # The provisioner replaces the record when it starts the update.
            if name in failures.stacks and failures.stacks[name] is not stack:
                raise ValueError(failures.of_update(name, error, before)) from error
            raise

    return update


def _with_arn(add_event: Callable[..., None]) -> Callable[..., None]:
    """Let the parent's event of a nested stack that failed name the stack."""

    def add(
        stack_id: str,
        stack_name: str,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed_status: str = "",
    ) -> None:
        embedded = _EMBEDDED.match(reason)
        if embedded and resource_type == _NESTED and not physical_id:
            physical_id = embedded[1]
        add_event(
            stack_id,
            stack_name,
            logical_id,
            resource_type,
            status,
            reason,
            physical_id,
            detailed_status,
        )

    return add
