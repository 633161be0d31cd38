"""Find the stack of a resource by its physical ID.

Gap: DescribeStackResources ignores PhysicalResourceId and refuses the request without a stack name.
Seen in: ministack 1.5.33, cloudformation/handlers.py, _describe_stack_resources.
Delete when: DescribeStackResources with PhysicalResourceId returns the resources of the stack.

"If PhysicalResourceId is specified, all associated resources of the stack that the resource belongs
to are returned" (CloudFormation API reference, DescribeStackResources).
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"
_OPERATION: Final = "DescribeStackResources"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Look the physical ID up in all stacks of the account and Region."""
    package = Symbols(_CLOUDFORMATION, "_stacks", "_ACTION_HANDLERS")
    helpers = Symbols(f"{_CLOUDFORMATION}.helpers", "_error")
    imports = Symbols(f"{_CLOUDFORMATION}.changesets", "_import_ref")
    handlers: dict[str, Callable[..., Any]] = package["_ACTION_HANDLERS"]
    original = handlers[_OPERATION]

    def has(stack: dict[str, Any], physical_id: str) -> bool:
        return any(
            # The host of a queue's URL is the endpoint through which it was read.
            imports["_import_ref"](it["ResourceType"], physical_id)
            == imports["_import_ref"](it["ResourceType"], it["PhysicalResourceId"])
            for it in stack.get("_resources", {}).values()
            if it.get("PhysicalResourceId")
        )

    def describe(params: dict[str, Any]) -> Any:
        (physical_id,) = params.get("PhysicalResourceId", [""])
        if not physical_id:
            return original(params)
        for name, stack in package["_stacks"].items():
            if stack["StackStatus"] != "DELETE_COMPLETE" and has(stack, physical_id):
                return original({**params, "StackName": [name]})
        return helpers["_error"]("ValidationError", f"Stack for {physical_id} does not exist")

    handlers[_OPERATION] = describe
