"""Resource types that are accepted by name, recorded and not emulated.

Gap: one type without a provisioner makes MiniStack refuse the whole template.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS.
Delete when: MiniStack provisions the type; a test fails as soon as it does.

Nothing is accepted that is not listed here. Each use is shown by GET /_local/accepted.
"""

import hashlib
from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

#: Type -> what does not happen locally.
ACCEPTED_TYPES: dict[str, str] = {}


def install(_settings: Settings, control: Control, _application: Any) -> None:
    """Register a provisioner for each listed type that MiniStack does not have."""
    handlers = Part("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    responses = Part("ministack.core.responses", "get_account_id", "get_region")
    used = USED
    for resource_type, missing in ACCEPTED_TYPES.items():
        handlers["_RESOURCE_HANDLERS"].setdefault(
            resource_type, _provisioner(used, resource_type, missing, responses)
        )
    control.add("GET", "/_local/accepted", lambda _: used.listed())


class _Used:
    """The resources that were accepted and still exist, by physical id."""

    def __init__(self) -> None:
        self._by_id: dict[str, dict[str, str]] = {}

    def record(self, physical_id: str, use: dict[str, str]) -> None:
        self._by_id[physical_id] = use

    def forget(self, physical_id: str) -> None:
        self._by_id.pop(physical_id, None)

    def listed(self) -> list[dict[str, str]]:
        return sorted(self._by_id.values(), key=lambda use: tuple(use.values()))


#: What `GET /_local/accepted` lists; accepted_properties.py adds to it.
USED = _Used()


def _provisioner(used: _Used, resource_type: str, missing: str, responses: Part) -> dict[str, Any]:
    service, kind = resource_type.split("::")[1:]

    def attributes(physical_id: str) -> dict[str, str]:
        region, account = responses["get_region"](), responses["get_account_id"]()
        arn = f"arn:aws:{service.lower()}:{region}:{account}:{kind.lower()}/{physical_id}"
        return {"Arn": arn, "Id": physical_id}

    def create(logical_id: str, _props: Any, stack_name: str) -> tuple[str, dict[str, str]]:
        region = responses["get_region"]()
        digest = hashlib.sha256(f"{region}/{stack_name}/{logical_id}".encode()).hexdigest()
        physical_id = f"{logical_id}-{digest[:12]}"
        used.record(
            physical_id,
            {
                "type": resource_type,
                "logical_id": logical_id,
                "stack": stack_name,
                "region": region,
                "missing": missing,
            },
        )
        return physical_id, attributes(physical_id)

    def update(physical_id: str, _old: Any, _new: Any, _stack: str) -> tuple[str, dict[str, str]]:
        return physical_id, attributes(physical_id)

    def delete(physical_id: str, _props: Any) -> None:
        used.forget(physical_id)

    return {"create": create, "update": update, "delete": delete}
