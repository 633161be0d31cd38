"""Keep the access log setting of an API Gateway stage.

Gap: AccessLogSetting of a stage in a template is dropped, so GetStage doesn't return it.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _apigw_stage_create.
Delete when: GetStage returns the accessLogSettings of a stage in a template.

`aws_emulator.rest_api` writes the log.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

PROPERTIES: Final = {"AWS::ApiGateway::Stage": {"AccessLogSetting"}}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Set the access log with UpdateStage."""
    service = Symbols("ministack.services.apigateway_v1", "_update_stage")

    def apply(name: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        setting = props.get("AccessLogSetting") or {}
        operations = [
            {"op": "replace", "path": f"/accessLogSettings/{key}", "value": setting.get(property_)}
            for key, property_ in (("destinationArn", "DestinationArn"), ("format", "Format"))
        ]
        checked(service["_update_stage"](props["RestApiId"], name, {"patchOperations": operations}))

    extend("AWS::ApiGateway::Stage", apply)
