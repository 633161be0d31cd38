"""Extend MiniStack's CloudFormation provisioners. Used by the patches."""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.symbols import Symbols

type Attributes = dict[str, Any]
#: Called with (physical id, properties, attributes) after a resource is created or updated.
#: Fn::GetAtt returns the attributes that it adds; an exception fails the resource.
type After = Callable[[str, dict[str, Any], Attributes], None]
#: Called with (physical id, properties) before a resource is deleted.
type Before = Callable[[str, dict[str, Any]], None]

_PROVISIONERS: Final = "ministack.services.cloudformation.provisioners"


def extend(resource_type: str, after: After, before_delete: Before | None = None) -> None:
    """Call `after` to apply properties that MiniStack's provisioner of the type ignores.

    Raises:
        MissingSymbolError: MiniStack lacks the table of provisioners.
        KeyError: MiniStack has no provisioner for the type.
    """
    handlers = Symbols(_PROVISIONERS, "_RESOURCE_HANDLERS")["_RESOURCE_HANDLERS"]
    provisioner = handlers[resource_type]
    create, update, delete = provisioner["create"], provisioner["update"], provisioner["delete"]

    def created(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        physical_id, attributes = create(logical_id, props, stack_name)
        attributes = dict(attributes)
        after(physical_id, props, attributes)
        return physical_id, attributes

    def updated(physical_id: str, old: Any, new: dict[str, Any], *rest: Any) -> Any:
        new_id, attributes = update(physical_id, old, new, *rest)
        attributes = dict(attributes)
        after(new_id, new, attributes)
        return new_id, attributes

    def deleted(physical_id: str, props: dict[str, Any], *rest: Any) -> Any:
        if before_delete:
            before_delete(physical_id, props)
        return delete(physical_id, props, *rest)

    handlers[resource_type] = {
        **provisioner,
        "create": created,
        "update": updated,
        "delete": deleted,
    }


def checked(response: tuple[int, Any, Any]) -> None:
    """Check the response of the operation for a property.

    Raises:
        ValueError: The operation failed, which fails the resource.
    """
    status, _headers, body = response
    if status >= 400:
        raise ValueError(f"the service rejected the property: {body!r}")
