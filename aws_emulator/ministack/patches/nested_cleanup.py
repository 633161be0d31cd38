"""A nested stack whose creation failed leaves nothing behind.

Gap: when a nested stack fails while it is created, the resources that it had already made stay, in
no stack: the next deployment fails at the first of them that has a name ("already exists").
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _cfn_nested_stack_create.
Delete when: a nested stack is rolled back with its parent.
"""

from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

_CLOUDFORMATION = "ministack.services.cloudformation"


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Delete what a failed nested stack made, unless its parent is not to be rolled back."""
    provisioners = Part(
        f"{_CLOUDFORMATION}.provisioners", "_RESOURCE_HANDLERS", "_cfn_nested_stack_delete"
    )
    package = Part(_CLOUDFORMATION, "_stacks")
    handlers = provisioners["_RESOURCE_HANDLERS"]["AWS::CloudFormation::Stack"]
    original = handlers["create"]

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        before = set(package["_stacks"])
        try:
            return original(logical_id, props, stack_name)
        except Exception:
            stacks = package["_stacks"]
            if not (stacks.get(stack_name) or {}).get("DisableRollback"):
                for name in set(stacks) - before:
                    if stacks[name].get("_parent_stack_name") == stack_name:
                        provisioners["_cfn_nested_stack_delete"](name, {})
            raise

    handlers["create"] = create
