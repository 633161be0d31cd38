"""Check the permissions of Glue's calls on the table or the database that they name.

Gap: a call about a table is checked on its database, and one about a database on a table.
Seen in: ministack 1.5.33, core/iam_actions.py, extract_resource_arn.
Delete when: a role with permissions on one table of a database can't read another one.
"""

import json
from collections.abc import Callable
from typing import Any

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Name the table or the database of a request."""
    actions = Symbols("ministack.core.iam_actions", "extract_resource_arn")

    def wrapper(original: Callable[..., str]) -> Callable[..., str]:
        def resource(service: str, *request: Any, **named: Any) -> str:
            arn = original(service, *request, **named)
            if service != "glue" or not arn.rpartition(":")[2].startswith(("database/", "table/")):
                return arn
            body = next((it for it in request if isinstance(it, bytes)), b"{}")
            return f"{arn.rpartition(':')[0]}:{_path(json.loads(body or b'{}'))}"

        return resource

    actions.wrap("extract_resource_arn", wrapper)


def _path(request: dict[str, Any]) -> str:
    database = request.get("DatabaseName")
    if database is None:
        return f"database/{request.get('Name')}"
    table = request.get("Name") or request.get("TableInput", {}).get("Name")
    return f"table/{database}/{table}" if table else f"database/{database}"
