"""Keep the attributes of unchanged resources when a nested stack is updated.

Gap: an update records nested resources with unchanged properties without attributes, so the second
deployment fails at the first `!GetAtt` of one.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _cfn_nested_stack_deploy calls
_update_resource without the resource's old attributes.
Delete when: that call passes them, as the one in stacks.py does.
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Take the old attributes from the stack's record."""
    # stacks.py imported the original and passes the attributes: it needs no patch.
    Symbols(f"{_CLOUDFORMATION}.stacks", "_update_resource")
    provisioners = Symbols(f"{_CLOUDFORMATION}.provisioners", "_update_resource")
    package = Symbols(_CLOUDFORMATION, "_stacks")

    def with_attributes(update: Callable[..., Any]) -> Callable[..., Any]:
        def update_resource(
            resource_type: str,
            physical_id: str,
            old_props: Any,
            new_props: Any,
            stack_name: str,
            logical_id: str | None = None,
            old_attrs: Any = None,
        ) -> Any:
            if old_attrs is None:
                stack = package["_stacks"].get(stack_name) or {}
                record = stack.get("_resources", {}).get(logical_id) or {}
                old_attrs = record.get("Attributes")
            return update(
                resource_type, physical_id, old_props, new_props, stack_name, logical_id, old_attrs
            )

        return update_resource

    provisioners.wrap("_update_resource", with_attributes)
