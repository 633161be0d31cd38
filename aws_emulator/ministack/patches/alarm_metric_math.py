"""Accept alarms on metric math without evaluating them, and list each.

Gap: MiniStack rejects a template with an alarm whose property Metrics has expressions.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, AWS::CloudWatch::Alarm.
Delete when: MiniStack evaluates metric math, anomaly detection bands included.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.patches.accepted_types import ACCEPTED, provisioner
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TYPE: Final = "AWS::CloudWatch::Alarm"
PROPERTIES: Final = {_TYPE: {"ThresholdMetricId"}}
_MISSING: Final = "alarms on metric math (Metrics) are never evaluated"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Record an alarm with the property Metrics instead of creating it."""
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    responses = Symbols("ministack.core.responses", "get_account_id", "get_region")
    original = dict(handlers["_RESOURCE_HANDLERS"][_TYPE])
    accepted = provisioner(ACCEPTED, _TYPE, _MISSING, responses)

    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        chosen = accepted if "Metrics" in props else original
        return chosen["create"](logical_id, props, stack_name)

    def update(physical_id: str, old: Any, new: Any, *context: Any) -> Any:
        chosen = accepted if physical_id in ACCEPTED else original
        return chosen["update"](physical_id, old, new, *context)

    def delete(physical_id: str, props: Any) -> None:
        chosen = accepted if physical_id in ACCEPTED else original
        chosen["delete"](physical_id, props)

    handlers["_RESOURCE_HANDLERS"][_TYPE] = original | {
        "create": create,
        "update": update,
        "delete": delete,
    }
