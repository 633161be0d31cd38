"""Accept properties that have no effect in the emulator, and list each use.

Gap: MiniStack silently drops properties that its provisioner does not read.
Seen in: ministack 1.5.33, cloudformation/provisioners.py.
Delete when: the provisioners apply the listed properties.

aws_emulator/ministack/dropped_properties.py finds the properties of a template that are dropped.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.patches.accepted_types import ACCEPTED
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings

#: Type -> property -> what the emulator does not do.
ACCEPTED_PROPERTIES: Final[dict[str, dict[str, str]]] = {
    "AWS::ApiGateway::RestApi": {"Parameters": "the endpoint type has no effect"},
    "AWS::ECS::Service": {"HealthCheckGracePeriodSeconds": "no task starts"},
    "AWS::ECS::TaskDefinition": {"RuntimePlatform": "no task starts"},
    "AWS::ElastiCache::User": {"AuthenticationMode": "there is no cache to sign in to"},
    "AWS::ElasticLoadBalancingV2::TargetGroup": {"Targets": "no request reaches a target"},
    "AWS::Kinesis::Stream": {"DesiredShardLevelMetrics": "no shard-level metrics are published"},
    "AWS::Lambda::Function": {"VpcConfig": "the function runs in the network of the emulator"},
    "AWS::RDS::DBCluster": {
        "EnableCloudwatchLogsExports": "there is no log",
        "MasterUserAuthenticationType": "there is no database to sign in to",
    },
    "AWS::StepFunctions::StateMachine": {"TracingConfiguration": "no trace is sent to X-Ray"},
}
PROPERTIES: Final = {kind: set(names) for kind, names in ACCEPTED_PROPERTIES.items()}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Record each use of a listed property when its resource is created or updated."""
    for kind, names in ACCEPTED_PROPERTIES.items():
        extend(kind, _recorder(kind, names), _forgetter(names))


def _recorder(kind: str, names: dict[str, str]) -> Any:
    def record(physical_id: str, props: dict[str, Any], _attributes: Any) -> None:
        for name, missing in names.items():
            if name in props:
                use = {"type": f"{kind}.{name}", "logical_id": physical_id, "missing": missing}
                ACCEPTED.record(f"{physical_id}.{name}", use)

    return record


def _forgetter(names: dict[str, str]) -> Any:
    def forget(physical_id: str, _props: dict[str, Any]) -> None:
        for name in names:
            ACCEPTED.forget(f"{physical_id}.{name}")

    return forget
