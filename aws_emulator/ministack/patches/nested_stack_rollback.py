"""Delete the resources of a nested stack whose creation failed.

Gap: when the creation of a nested stack fails, the resources that it has created remain outside any
stack. The next deployment fails at the first that has a name ("already exists").
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _cfn_nested_stack_create.
Delete when: a nested stack is rolled back with its parent.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Delete the resources of a failed nested stack, unless DisableRollback is set."""
    provisioners = Symbols(
        f"{_CLOUDFORMATION}.provisioners", "_RESOURCE_HANDLERS", "_cfn_nested_stack_delete"
    )
    package = Symbols(_CLOUDFORMATION, "_stacks")
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
