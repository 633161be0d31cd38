"""Properties that are accepted by name, recorded and have no effect here.

Gap: MiniStack drops a property that its provisioner does not know, and says nothing.
Seen in: ministack 1.5.33, cloudformation/provisioners.py.
Delete when: the provisioners apply them; tests/ministack/test_dropped_properties.py fails
for each dropped property that is neither applied by a shim nor listed here.
"""

from typing import Any

from aws_emulator.ministack.control import Control
from aws_emulator.ministack.patches.accepted_types import USED
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings

#: Type -> property -> what does not happen locally.
ACCEPTED_PROPERTIES: dict[str, dict[str, str]] = {
    "AWS::ApiGateway::RestApi": {"Parameters": "the endpoint type makes no difference"},
    "AWS::ApiGateway::Stage": {"AccessLogSetting": "no access log is written"},
    "AWS::StepFunctions::StateMachine": {"TracingConfiguration": "no trace is sent to X-Ray"},
}
PROPERTIES = {kind: set(names) for kind, names in ACCEPTED_PROPERTIES.items()}


def install(_settings: Settings, _control: Control, _application: Any) -> None:
    """Record each use of such a property when its resource is made or changed."""
    for kind, names in ACCEPTED_PROPERTIES.items():
        extend(kind, _recorder(kind, names), _forgetter(names))


def _recorder(kind: str, names: dict[str, str]) -> Any:
    def record(physical_id: str, props: dict[str, Any], _attributes: Any) -> None:
        for name, missing in names.items():
            if name in props:
                use = {"type": f"{kind}.{name}", "logical_id": physical_id, "missing": missing}
                USED.record(f"{physical_id}.{name}", use)

    return record


def _forgetter(names: dict[str, str]) -> Any:
    def forget(physical_id: str, _props: dict[str, Any]) -> None:
        for name in names:
            USED.forget(f"{physical_id}.{name}")

    return forget
