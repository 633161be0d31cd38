"""Resolve dynamic references in nested stacks.

Gap: `{{resolve:secretsmanager:...}}` stays as text in the resources of a nested stack.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _cfn_nested_stack_deploy, which doesn't
call _resolve_dynamic_references as stacks.py does.
Delete when: a resource of a nested stack has the value of a secret.

CloudFormation resolves a reference to a secret again only if the resource changes ("Get a secret or
secret value from Secrets Manager"), which is what the comparison of the unresolved properties does.
"""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CLOUDFORMATION: Final = "ministack.services.cloudformation"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Resolve the properties before a resource is created or updated."""
    engine = Symbols(f"{_CLOUDFORMATION}.engine", "_resolve_dynamic_references")
    # stacks.py imported the originals, and resolves the references itself.
    Symbols(f"{_CLOUDFORMATION}.stacks", "_provision_resource", "_update_resource")
    provisioners = Symbols(
        f"{_CLOUDFORMATION}.provisioners", "_provision_resource", "_update_resource"
    )

    def resolved(properties: Any, previous: Any = None) -> tuple[Any, dict[str, str]]:
        values: tuple[Any, dict[str, str]] = engine["_resolve_dynamic_references"](
            properties, previous, reuse_ssm=True, reuse_secrets=True
        )
        return values

    def creating(create: Callable[..., Any]) -> Callable[..., Any]:
        def provision_resource(
            resource_type: str, logical_id: str, props: Any, stack_name: str, *rest: Any
        ) -> Any:
            return create(resource_type, logical_id, resolved(props)[0], stack_name, *rest)

        return provision_resource

    def updating(update: Callable[..., Any]) -> Callable[..., Any]:
        def update_resource(
            resource_type: str, physical_id: str, old_props: Any, new_props: Any, *rest: Any
        ) -> Any:
            if old_props != new_props:
                new_props, values = resolved(new_props)
                # The old value may no longer exist. A reference that the new properties have, too,
                # didn't change; another one differs as text.
                old_props = _substitute(old_props, values)
            return update(resource_type, physical_id, old_props, new_props, *rest)

        return update_resource

    provisioners.wrap("_provision_resource", creating)
    provisioners.wrap("_update_resource", updating)


def _substitute(node: Any, values: dict[str, str]) -> Any:
    if isinstance(node, str):
        for reference, value in values.items():
            node = node.replace(reference, value)
        return node
    if isinstance(node, list):
        return [_substitute(it, values) for it in node]
    if isinstance(node, dict):
        return {name: _substitute(it, values) for name, it in node.items()}
    return node
