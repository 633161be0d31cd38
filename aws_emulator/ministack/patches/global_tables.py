"""Create the replicas of a global table, with the properties of each.

Gap: Replicas of an AWS::DynamoDB::GlobalTable are ignored, with their point-in-time recovery and
deletion protection. Time to live and encryption are dropped as for a table. Deleting the table
leaves replicas behind. An update may change several replicas, and delete a protected one.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _ddb_global_table_create.
Delete when: the replicas in a template exist, replicate, and are deleted with the table.
"""

from contextvars import ContextVar
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.patches.table_properties import table_settings
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

PROPERTIES: Final = {
    "AWS::DynamoDB::GlobalTable": {"Replicas", "SSESpecification", "TimeToLiveSpecification"}
}
#: Whether CloudFormation creates the table: only then, several replicas may be new.
_creates: ContextVar[bool] = ContextVar("creates", default=False)
# AWS CloudFormation Template Reference, AWS::DynamoDB::GlobalTable: a new table may have any number
# of replicas; an update may add or remove one.
_ONE_REPLICA: Final = "Only one replica can be added or removed in an update of a global table."
_PROTECTED: Final = (
    "Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
    "protection first."
)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Create the replicas with UpdateTable, which replicates in MiniStack."""
    tables = _GlobalTables()
    extend("AWS::DynamoDB::GlobalTable", tables.replicate, tables.remove, tables.begin_creation)


class _GlobalTables:
    def __init__(self) -> None:
        self._service = Symbols(
            "ministack.services.dynamodb",
            "_tables",
            "_replica_group",
            "_update_table",
            "_update_continuous_backups",
        )
        self._responses = Symbols(
            "ministack.core.responses", "get_account_id", "get_region", "request_scope"
        )
        self._settings_of = table_settings()

    def begin_creation(self, _props: dict[str, Any]) -> None:
        """Note that the next table is new."""
        _creates.set(True)

    def replicate(self, name: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        """Create and delete replicas as the properties of the table say.

        Raises:
            ValueError: An update changes several replicas, or deletes a protected one.
        """
        replicas = {replica["Region"]: replica for replica in props["Replicas"]}
        present = self._others(name)
        removed = present - replicas.keys()
        added = replicas.keys() - present - {self._responses["get_region"]()}
        if not _creates.get() and len(removed) + len(added) > 1:
            raise ValueError(_ONE_REPLICA)
        _creates.set(False)
        self._settings_of(name, props)
        for region in removed:
            self._require_deletable(name, region)
            self._update(name, "Delete", region)
        for region in sorted(added):
            self._update(name, "Create", region)
        for region, replica in replicas.items():
            with self._in_region(region):
                self._apply_to_replica(name, replica)

    def remove(self, name: str, _props: dict[str, Any]) -> None:
        """Delete the replicas of a table that is deleted."""
        for region in self._others(name):
            self._update(name, "Delete", region)

    def _update(self, name: str, action: str, region: str) -> None:
        change = {action: {"RegionName": region}}
        checked(self._service["_update_table"]({"TableName": name, "ReplicaUpdates": [change]}))

    def _others(self, name: str) -> set[str]:
        table = self._service["_tables"].get(name)
        group = self._service["_replica_group"](table) if table else ()
        return set(group) - {self._responses["get_region"]()}

    def _require_deletable(self, name: str, region: str) -> None:
        with self._in_region(region):
            if self._service["_tables"][name].get("DeletionProtectionEnabled"):
                raise ValueError(_PROTECTED)

    def _in_region(self, region: str) -> Any:
        return self._responses["request_scope"](self._responses["get_account_id"](), region)

    def _apply_to_replica(self, name: str, replica: dict[str, Any]) -> None:
        protected = bool(replica.get("DeletionProtectionEnabled", False))
        self._service["_tables"][name]["DeletionProtectionEnabled"] = protected
        recovery = replica.get("PointInTimeRecoverySpecification")
        if recovery:
            checked(
                self._service["_update_continuous_backups"](
                    {"TableName": name, "PointInTimeRecoverySpecification": recovery}
                )
            )
