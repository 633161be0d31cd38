"""Create the replicas of a global table, with the properties of each.

Gap: Replicas of an AWS::DynamoDB::GlobalTable are ignored, with their point-in-time recovery and
deletion protection. Time to live and encryption are dropped as for a table. Deleting the table
leaves replicas behind.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _ddb_global_table_create.
Delete when: the replicas in a template exist, replicate, and are deleted with the table.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.patches.table_properties import table_settings
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

PROPERTIES: Final = {
    "AWS::DynamoDB::GlobalTable": {"Replicas", "SSESpecification", "TimeToLiveSpecification"}
}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Create the replicas with UpdateTable, which replicates in MiniStack."""
    service = Symbols(
        "ministack.services.dynamodb",
        "_tables",
        "_replica_group",
        "_update_table",
        "_update_continuous_backups",
    )
    responses = Symbols("ministack.core.responses", "get_account_id", "get_region", "request_scope")
    settings_of = table_settings()

    def update(name: str, action: str, region: str) -> None:
        change = {action: {"RegionName": region}}
        checked(service["_update_table"]({"TableName": name, "ReplicaUpdates": [change]}))

    def others(name: str) -> set[str]:
        table = service["_tables"].get(name)
        return set(service["_replica_group"](table) if table else ()) - {responses["get_region"]()}

    def replicate(name: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        home = responses["get_region"]()
        replicas = {replica["Region"]: replica for replica in props["Replicas"]}
        settings_of(name, props)
        for region in others(name) - replicas.keys():
            update(name, "Delete", region)
        for region in sorted(replicas.keys() - others(name) - {home}):
            update(name, "Create", region)
        for region, replica in replicas.items():
            with responses["request_scope"](responses["get_account_id"](), region):
                apply_to_replica(name, replica)

    def apply_to_replica(name: str, replica: dict[str, Any]) -> None:
        protected = bool(replica.get("DeletionProtectionEnabled", False))
        service["_tables"][name]["DeletionProtectionEnabled"] = protected
        recovery = replica.get("PointInTimeRecoverySpecification")
        if recovery:
            checked(
                service["_update_continuous_backups"](
                    {"TableName": name, "PointInTimeRecoverySpecification": recovery}
                )
            )

    def remove(name: str, _props: dict[str, Any]) -> None:
        for region in others(name):
            update(name, "Delete", region)

    extend("AWS::DynamoDB::GlobalTable", replicate, remove)
