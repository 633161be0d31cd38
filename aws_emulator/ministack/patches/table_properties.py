"""Apply time to live, point-in-time recovery and encryption of a DynamoDB table.

Gap: TimeToLiveSpecification, PointInTimeRecoverySpecification and SSESpecification of a table in a
template are dropped (SSESpecification on creation).
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _ddb_create and _ddb_update.
Delete when: describe_time_to_live, describe_continuous_backups and describe_table return the
template's values.
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import checked, extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

PROPERTIES: Final = {
    "AWS::DynamoDB::Table": {
        "PointInTimeRecoverySpecification",
        "SSESpecification",
        "TimeToLiveSpecification",
    }
}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Apply the three properties with the DynamoDB operations."""
    table = table_settings()
    extend("AWS::DynamoDB::Table", lambda name, props, _: table(name, props))


def table_settings() -> Any:
    """Return a function (table name, properties) that applies the three properties."""
    service = Symbols(
        "ministack.services.dynamodb",
        "_update_ttl",
        "_update_continuous_backups",
        "_update_table",
        "_ttl_settings",
    )

    def apply(name: str, props: dict[str, Any]) -> None:
        time_to_live = props.get("TimeToLiveSpecification")
        if time_to_live:
            checked(
                service["_update_ttl"]({"TableName": name, "TimeToLiveSpecification": time_to_live})
            )
        recovery = props.get("PointInTimeRecoverySpecification")
        if recovery:
            checked(
                service["_update_continuous_backups"](
                    {"TableName": name, "PointInTimeRecoverySpecification": recovery}
                )
            )
        encryption = props.get("SSESpecification")
        if encryption:
            # CloudFormation names it SSEEnabled, the API Enabled.
            enabled = {"Enabled": encryption["SSEEnabled"], **encryption}
            enabled.pop("SSEEnabled")
            checked(service["_update_table"]({"TableName": name, "SSESpecification": enabled}))

    return apply
