"""Roll back and delete nested stacks as their resources' DeletionPolicy demands.

Gap: MiniStack deletes every resource of a nested stack, whatever its DeletionPolicy, and hides a
deletion that fails. A nested stack whose creation or update fails keeps what the operation created,
and a failed update of a nested stack in a nested stack keeps what it changed.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _cfn_nested_stack_create,
_cfn_nested_stack_update, _cfn_nested_stack_delete.
Delete when: a nested stack obeys DeletionPolicy in a rollback, a deletion and an update.

"RetainExceptOnCreate behaves like Retain for stack operations, except for the stack operation that
initially created the resource" (CloudFormation, "DeletionPolicy attribute"). AWS doesn't document
whether that operation includes the creation of a parent that fails after the nested stack is
complete. POST /_local/nested-rollback?outcome=retain (the default) or delete selects the result.
"""

import contextvars
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Outcome = Literal["retain", "delete"]

_CLOUDFORMATION: Final = "ministack.services.cloudformation"
_NESTED: Final = "AWS::CloudFormation::Stack"
_OUTCOMES: Final[tuple[Outcome, ...]] = ("retain", "delete")

#: Whether the operation is a rollback. MiniStack copies the context into the thread that deletes a
#: nested stack.
_ROLLING_BACK: Final[contextvars.ContextVar[bool]] = contextvars.ContextVar(
    "rolling_back", default=False
)


class NestedStacks:
    """Delete resources of nested stacks. `outcome` applies to a parent's rollback."""

    def __init__(self) -> None:
        self.outcome: Outcome = "retain"
        self._package = Symbols(_CLOUDFORMATION, "_stacks", "_exports")
        self._engine = Symbols(f"{_CLOUDFORMATION}.engine", "_topological_sort")
        self._policies = Symbols(f"{_CLOUDFORMATION}.stacks", "_resource_policy", "_add_event")
        self._provisioners = Symbols(
            f"{_CLOUDFORMATION}.provisioners", "_delete_resource", "_nested_stack_lookup_name"
        )

    @property
    def stacks(self) -> dict[str, Any]:
        """All stacks of the request's account and Region by name."""
        stacks: dict[str, Any] = self._package["_stacks"]
        return stacks

    def set_outcome(self, query: Query) -> dict[str, str]:
        """Set the outcome from a query.

        Raises:
            ValueError: The outcome is unknown.
        """
        for outcome in _OUTCOMES:
            if query.get("outcome") == outcome:
                self.outcome = outcome
                return {"outcome": outcome}
        raise ValueError(f"outcome must be one of {', '.join(_OUTCOMES)}")

    def rolls_back(self, name: str) -> bool:
        """Return whether the root of the stack `name` rolls back a failed operation."""
        stack = self.stacks.get(name) or {}
        while parent := self.stacks.get(stack.get("_parent_stack_name", "")):
            stack = parent
        return not stack.get("DisableRollback")

    def delete(self, physical_id: str, _properties: dict[str, Any]) -> None:
        """Delete a nested stack.

        Raises:
            ValueError: Resources remain that should be deleted.
        """
        name = self._provisioners["_nested_stack_lookup_name"](physical_id)
        stack = self.stacks.get(name)
        if not stack:
            return
        retained = {"Retain", "RetainExceptOnCreate"}
        if _ROLLING_BACK.get() and self.outcome == "delete":
            retained = {"Retain"}
        failed = self._delete_resources(name, stack, list(stack.get("_resources", {})), retained)
        if failed:
            reason = f"The following resource(s) failed to delete: [{', '.join(sorted(failed))}]."
            stack |= {"StackStatus": "DELETE_FAILED", "StackStatusReason": reason}
            raise ValueError(reason)
        for output in stack.get("Outputs", []):
            self._package["_exports"].pop(output.get("ExportName"), None)
        stack["StackStatus"] = "DELETE_COMPLETE"

    def roll_back_creation(self, name: str) -> None:
        """Delete what the failed creation of a nested stack created, except with Retain."""
        stack = self.stacks[name]
        token = _ROLLING_BACK.set(True)
        try:
            self._delete_resources(name, stack, list(stack.get("_resources", {})), {"Retain"})
        finally:
            _ROLLING_BACK.reset(token)
        # The parent's rollback then deletes the nested stack in a second operation, which retains
        # resources that the first one could not delete.
        stack["StackStatus"] = "DELETE_COMPLETE"

    def roll_back_update(self, name: str, before: Iterable[str]) -> None:
        """Delete the resources that the failed update of a nested stack created."""
        stack = self.stacks[name]
        created = [it for it in stack.get("_resources", {}) if it not in set(before)]
        self._delete_resources(name, stack, created, {"Retain"})

    def _delete_resources(
        self, name: str, stack: dict[str, Any], logical_ids: list[str], retained: set[str]
    ) -> list[str]:
        """Delete resources in reverse order of their dependencies; return those that failed."""
        template = stack.get("_template") or {}
        definitions = template.get("Resources", {})
        resources, conditions = stack.get("_resources", {}), stack.get("_conditions", {})
        failed = []
        for logical_id in reversed(self._ordered(definitions, conditions, logical_ids)):
            record = resources[logical_id]
            policy = self._policies["_resource_policy"](
                definitions.get(logical_id),
                "DeletionPolicy",
                resources,
                stack.get("_resolved_params", {}),
                conditions,
                template.get("Mappings", {}),
                name,
                stack["StackId"],
            )
            if policy in retained:
                self._event(stack, logical_id, "DELETE_SKIPPED")
                resources.pop(logical_id)
                continue
            try:
                self._provisioners["_delete_resource"](
                    record["ResourceType"],
                    record["PhysicalResourceId"],
                    record.get("Properties", {}),
                    name,
                    logical_id,
                )
            except Exception as error:  # noqa: BLE001 - a provisioner may raise anything
                self._event(stack, logical_id, "DELETE_FAILED", str(error))
                failed.append(logical_id)
                continue
            self._event(stack, logical_id, "DELETE_COMPLETE")
            resources.pop(logical_id)
        return failed

    def _ordered(
        self, definitions: dict[str, Any], conditions: dict[str, Any], logical_ids: list[str]
    ) -> list[str]:
        wanted = set(logical_ids)
        try:
            known = list(self._engine["_topological_sort"](definitions, conditions))
        except ValueError:
            known = []
        ordered = [it for it in known if it in wanted]
        return ordered + [it for it in logical_ids if it not in ordered]

    def _event(self, stack: dict[str, Any], logical_id: str, status: str, reason: str = "") -> None:
        record = stack["_resources"][logical_id]
        self._policies["_add_event"](
            stack["StackId"],
            stack["StackName"],
            logical_id,
            record["ResourceType"],
            status,
            reason,
            record["PhysicalResourceId"],
        )


def install(_settings: Settings, control: ControlApi, _application: Any) -> None:
    """Replace the provisioner of nested stacks, and mark rollbacks."""
    nested = NestedStacks()
    control.add("POST", "/_local/nested-rollback", nested.set_outcome)
    provisioners = Symbols(
        f"{_CLOUDFORMATION}.provisioners",
        "_RESOURCE_HANDLERS",
        "_cfn_nested_stack_delete",
        "_nested_stack_lookup_name",
    )
    provisioners["_cfn_nested_stack_delete"] = nested.delete
    handlers = provisioners["_RESOURCE_HANDLERS"][_NESTED]
    lookup = provisioners["_nested_stack_lookup_name"]
    handlers |= {
        "create": _creating(handlers["create"], nested),
        "update": _updating(handlers["update"], nested, lookup),
        "delete": nested.delete,
    }
    Symbols(f"{_CLOUDFORMATION}.stacks", "_roll_back_operation").wrap(
        "_roll_back_operation", _marked
    )


def _creating(original: Callable[..., Any], nested: NestedStacks) -> Callable[..., Any]:
    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        before = set(nested.stacks)
        try:
            return original(logical_id, props, stack_name)
        except Exception:
            if nested.rolls_back(stack_name):
                for name in set(nested.stacks) - before:
                    if nested.stacks[name].get("_parent_stack_name") == stack_name:
                        nested.roll_back_creation(name)
            raise

    return create


def _updating(
    original: Callable[..., Any], nested: NestedStacks, lookup: Callable[[str], str]
) -> Callable[..., Any]:
    def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> Any:
        name = lookup(physical_id)
        before = set((nested.stacks.get(name) or {}).get("_resources", {}))
        try:
            return original(physical_id, old, new, stack_name)
        except Exception:
            if name in nested.stacks:
                nested.roll_back_update(name, before)
                if nested.rolls_back(stack_name):
                    # MiniStack sends the failed child of the root back, but not the child's child.
                    original(physical_id, new, old, stack_name)
            raise

    return update


def _marked(original: Callable[..., Any]) -> Callable[..., Any]:
    async def roll_back(*arguments: Any, **options: Any) -> Any:
        token = _ROLLING_BACK.set(True)
        try:
            return await original(*arguments, **options)
        finally:
            _ROLLING_BACK.reset(token)

    return roll_back
