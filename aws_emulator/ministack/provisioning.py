"""Extend MiniStack's CloudFormation provisioners. Used by the patches."""

from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.symbols import Symbols

type Attributes = dict[str, Any]
#: Called with (physical id, properties, attributes) after a resource is created or updated.
#: Fn::GetAtt returns the attributes that it adds; an exception fails the resource.
type After = Callable[[str, dict[str, Any], Attributes], None]
#: Called with (properties) before a resource is created; an exception fails the resource.
type BeforeCreate = Callable[[dict[str, Any]], None]
#: Called with (physical id, properties) before a resource is deleted; an exception keeps it.
type BeforeDelete = Callable[[str, dict[str, Any]], None]

_PROVISIONERS: Final = "ministack.services.cloudformation.provisioners"


def extend(
    resource_type: str,
    after: After | None = None,
    before_delete: BeforeDelete | None = None,
    before_create: BeforeCreate | None = None,
) -> None:
    """Extend MiniStack's provisioner of a type.

    Args:
        resource_type: The CloudFormation type.
        after: Applies properties that the provisioner ignores.
        before_delete: Checks or prepares the deletion.
        before_create: Checks the properties of a new resource.

    Raises:
        MissingSymbolError: MiniStack lacks the table of provisioners.
        KeyError: MiniStack has no provisioner for the type.
    """
    handlers = Symbols(_PROVISIONERS, "_RESOURCE_HANDLERS")["_RESOURCE_HANDLERS"]
    provisioner = handlers[resource_type]
    create, update, delete = provisioner["create"], provisioner["update"], provisioner["delete"]

    def created(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        if before_create:
            before_create(props)
        physical_id, attributes = create(logical_id, props, stack_name)
        return physical_id, applied(physical_id, props, attributes)

    def updated(physical_id: str, old: Any, new: dict[str, Any], *rest: Any) -> Any:
        new_id, attributes = update(physical_id, old, new, *rest)
        return new_id, applied(new_id, new, attributes)

    def applied(physical_id: str, props: dict[str, Any], attributes: Attributes) -> Attributes:
        attributes = dict(attributes)
        if after:
            after(physical_id, props, attributes)
        return attributes

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
