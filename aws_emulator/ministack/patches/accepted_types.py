"""Accept resource types that MiniStack does not emulate, and list each use.

Gap: MiniStack rejects a whole template if it has no provisioner for one of its types.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _RESOURCE_HANDLERS.
Delete when: MiniStack provisions the type; a test fails as soon as it does.

Only the types in ACCEPTED_TYPES are accepted. GET /_local/accepted lists the accepted resources.
"""

import hashlib
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

#: Type -> what the emulator does not do.
ACCEPTED_TYPES: Final[dict[str, str]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": "no capacity changes",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "no capacity changes",
    "AWS::Budgets::Budget": "costs aren't counted, and no message is sent",
    "AWS::CloudTrail::Trail": "no event is recorded",
    "AWS::CodeDeploy::Application": "an alias points to a new version at once",
    "AWS::CodeDeploy::DeploymentGroup": "an alias points to a new version at once, without alarms",
    "AWS::Cognito::LogDeliveryConfiguration": "no log is written",
    "AWS::EC2::FlowLog": "no traffic is logged",
    "AWS::ElastiCache::ServerlessCache": "its address doesn't resolve",
    "AWS::Logs::Delivery": "no log is delivered",
    "AWS::Logs::DeliveryDestination": "no log is delivered",
    "AWS::Logs::DeliverySource": "no log is delivered",
    "AWS::Logs::QueryDefinition": "CloudWatch Logs Insights has no saved queries",
    "AWS::RDS::GlobalCluster": "its clusters don't replicate",
    "AWS::WAFv2::LoggingConfiguration": "no request is logged",
}
#: Type -> attributes besides the ARN and the ID, with the physical ID and the Region in braces.
ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "AWS::ElastiCache::ServerlessCache": {
        "ARN": "arn:aws:elasticache:{region}:000000000000:serverlesscache:{id}",
        "Endpoint.Address": "{id}.serverless.{region}.cache.invalid",
        "Endpoint.Port": "6379",
    },
}


def install(_settings: Settings, control: ControlApi, _application: Any) -> None:
    """Register a provisioner for each listed type that MiniStack does not have."""
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    responses = Symbols("ministack.core.responses", "get_account_id", "get_region")
    for resource_type, missing in ACCEPTED_TYPES.items():
        handlers["_RESOURCE_HANDLERS"].setdefault(
            resource_type, provisioner(ACCEPTED, resource_type, missing, responses)
        )
    control.add("GET", "/_local/accepted", lambda _: ACCEPTED.listed())


class _AcceptedResources:
    """The accepted resources that exist, by physical id."""

    def __init__(self) -> None:
        self._by_id: dict[str, dict[str, str]] = {}

    def record(self, physical_id: str, use: dict[str, str]) -> None:
        self._by_id[physical_id] = use

    def forget(self, physical_id: str) -> None:
        self._by_id.pop(physical_id, None)

    def __contains__(self, physical_id: str) -> bool:
        return physical_id in self._by_id

    def listed(self) -> list[dict[str, str]]:
        return sorted(self._by_id.values(), key=lambda use: tuple(use.values()))


#: The content of GET /_local/accepted. accepted_properties.py adds to it.
ACCEPTED: Final = _AcceptedResources()


def provisioner(
    used: _AcceptedResources, resource_type: str, missing: str, responses: Symbols
) -> dict[str, Any]:
    """Return the handlers create, update and delete of a type that is only recorded in `used`."""
    service, kind = resource_type.split("::")[1:]

    def attributes(physical_id: str) -> dict[str, str]:
        region, account = responses["get_region"](), responses["get_account_id"]()
        arn = f"arn:aws:{service.lower()}:{region}:{account}:{kind.lower()}/{physical_id}"
        more = ATTRIBUTES.get(resource_type, {})
        values = {name: it.format(id=physical_id, region=region) for name, it in more.items()}
        return {"Arn": arn, "Id": physical_id, **values}

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
