"""Provision saved queries of Athena, and refuse those of a workgroup that doesn't exist.

Gap: there is no resource type AWS::Athena::NamedQuery. CreateNamedQuery accepts any workgroup.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS; services/athena.py.
Delete when: the type exists, and CreateNamedQuery refuses a workgroup that doesn't exist.

Source: Athena API reference, CreateNamedQuery; CloudFormation template reference.
"""

import json
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TYPE: Final = "AWS::Athena::NamedQuery"
TYPES: Final = frozenset({_TYPE})
_PROPERTIES: Final = ("Name", "Description", "Database", "QueryString", "WorkGroup")
#: The template reference's lengths.
_MAX_LENGTHS: Final = {"Name": 128, "Description": 1_024, "QueryString": 262_144, "Database": 255}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Register the type, and check each saved query."""
    athena = Symbols(
        "ministack.services.athena",
        *("_create_named_query", "_delete_named_query", "_ensure_default_workgroup"),
        *("_workgroups", "error_response_json"),
    )
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")

    def check(request: dict[str, Any]) -> tuple[str, str] | None:
        athena["_ensure_default_workgroup"]()
        if request.get("WorkGroup", "primary") not in athena["_workgroups"]:
            return "InvalidRequestException", "WorkGroup is not found."
        return None

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        for name in ("Database", "QueryString"):
            if not props.get(name):
                raise ValueError(f"Property validation failure: the property {name} is required")
        for name, most in _MAX_LENGTHS.items():
            if len(props.get(name, "")) > most:
                raise ValueError(f"Property validation failure: {name} has over {most} characters")
        values = {name: props[name] for name in _PROPERTIES if name in props}
        response = athena["_create_named_query"](values)
        checked(response)
        query_id = json.loads(response[2])["NamedQueryId"]
        return query_id, {"NamedQueryId": query_id}

    def delete(query_id: str, _props: dict[str, Any]) -> None:
        athena["_delete_named_query"]({"NamedQueryId": query_id})

    def update(query_id: str, _old: Any, props: dict[str, Any], stack: str) -> Any:
        # Each property's change replaces the query: the new one exists before the old one is gone.
        replacement = create("", props, stack)
        delete(query_id, {})
        return replacement

    refuse(athena, "_create_named_query", check)
    handlers["_RESOURCE_HANDLERS"].setdefault(
        _TYPE, {"create": create, "update": update, "delete": delete}
    )
