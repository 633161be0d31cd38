"""List schedules in pages.

Gap: ListSchedules returns the first 100 schedules, and no NextToken for the others.
Seen in: ministack 1.5.33, scheduler.py, _list_schedules.
Delete when: a paginator of ListSchedules returns more than 100 schedules.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: The default and the maximum of MaxResults (EventBridge Scheduler, ListSchedules).
_PAGE: Final = 100
_ALL: Final = str(2**31)

type Response = tuple[int, dict[str, str], bytes]


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Add NextToken to the requests and responses of ListSchedules."""
    Symbols("ministack.services.scheduler", "_list_schedules").wrap("_list_schedules", _paged)


def _paged(original: Callable[[Mapping[str, str]], Response]) -> Callable[..., Response]:
    def list_schedules(query: Mapping[str, str]) -> Response:
        status, headers, body = original({**query, "MaxResults": _ALL})
        listed = sorted(json.loads(body)["Schedules"], key=_position)
        rest = [it for it in listed if _position(it) > query.get("NextToken", "")]
        size = min(int(query.get("MaxResults", _PAGE)), _PAGE)
        page: dict[str, Any] = {"Schedules": rest[:size]}
        if rest[size:]:
            page["NextToken"] = _position(rest[size - 1])
        return status, headers, json.dumps(page).encode()

    return list_schedules


def _position(schedule: Mapping[str, Any]) -> str:
    return f"{schedule['GroupName']}/{schedule['Name']}"
