"""Keep the tumbling window, metrics, topics, pollers and tags of an event source mapping.

Gap: templates and API calls lose TumblingWindowInSeconds, MetricsConfig, Topics and
ProvisionedPollerConfig. A mapping that a template disables is shown as enabled. The API
refuses a cluster of Amazon MSK. Nothing reads it: there is no Kafka.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _lambda_esm_create, and lambda_svc.py,
_create_esm and _update_esm.
Delete when: get_event_source_mapping returns the requested values.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

type Response = tuple[int, dict[str, str], bytes]

#: Property -> its default.
_DROPPED: Final[dict[str, Any]] = {
    "TumblingWindowInSeconds": None,
    "MetricsConfig": None,
    "Topics": None,
    "ProvisionedPollerConfig": None,
}
PROPERTIES: Final = {"AWS::Lambda::EventSourceMapping": {*_DROPPED, "Tags"}}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Store the properties in the mapping's record."""
    service = Symbols(
        "ministack.services.lambda_svc",
        *("_esms", "_create_esm", "_update_esm", "_esm_response"),
        *("_validate_event_source_arn", "_parse_required_arn"),
    )

    def apply(mapping_id: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        mapping = service["_esms"][mapping_id]
        for name in _DROPPED:
            if props.get(name) is None:
                mapping.pop(name, None)
            else:
                mapping[name] = props[name]
        if tags := props.get("Tags"):
            mapping["Tags"] = {tag["Key"]: tag["Value"] for tag in tags}
        enabled = str(props.get("Enabled", True)).lower() == "true"
        mapping["Enabled"], mapping["State"] = enabled, "Enabled" if enabled else "Disabled"

    def kept(original: Callable[..., Response]) -> Callable[..., Response]:
        def save(*arguments: Any) -> Response:
            status, headers, body = original(*arguments)
            if status >= 400:
                return status, headers, body
            mapping = service["_esms"][json.loads(body)["UUID"]]
            request = arguments[-1]
            mapping.update({name: request[name] for name in _DROPPED if name in request})
            return status, headers, json.dumps(service["_esm_response"](mapping)).encode()

        return save

    def accepting_kafka(original: Callable[[str], Any]) -> Callable[[str], Any]:
        def validate(arn: str) -> Any:
            if arn.startswith("arn:") and ":kafka:" in arn:
                return service["_parse_required_arn"](arn, "eventSourceArn")
            return original(arn)

        return validate

    extend("AWS::Lambda::EventSourceMapping", apply)
    service.wrap("_validate_event_source_arn", accepting_kafka)
    service.wrap("_create_esm", kept)
    service.wrap("_update_esm", kept)
