"""Refuse to delete a table or user pool that has deletion protection.

Gap: CloudFormation deletes protected tables and user pools, and DeleteUserPool deletes a protected
user pool. (DeleteTable refuses.)
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _ddb_delete and
_cognito_user_pool_delete; services/cognito.py, _delete_user_pool.
Delete when: deleting a stack with a protected table or user pool ends in DELETE_FAILED.

"When this setting is enabled, ... the table cannot be deleted" (DynamoDB, "Using deletion
protection"); "your user pool can't be deleted" (Amazon Cognito, "User pool deletion protection").
"""

from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.refusing import refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TABLES: Final = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
_POOL_MESSAGE: Final = (
    "The user pool cannot be deleted because deletion protection is activated. Deletion protection "
    "must be inactivated first."
)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the protection before each deletion."""
    tables = Symbols("ministack.services.dynamodb", "_tables")
    pools = Symbols(
        "ministack.services.cognito", "_user_pools", "_delete_user_pool", "error_response_json"
    )

    def check_table(name: str, _properties: dict[str, Any]) -> None:
        if (tables["_tables"].get(name) or {}).get("DeletionProtectionEnabled"):
            raise ValueError(
                f"Table {name} is protected against deletion. To delete the table, disable "
                "deletion protection."
            )

    def protected(pool_id: str) -> bool:
        return (pools["_user_pools"].get(pool_id) or {}).get("DeletionProtection") == "ACTIVE"

    def check_pool(pool_id: str, _properties: dict[str, Any]) -> None:
        if protected(pool_id):
            raise ValueError(_POOL_MESSAGE)

    def error(request: dict[str, Any]) -> tuple[str, str] | None:
        is_refused = protected(str(request.get("UserPoolId")))
        return ("InvalidParameterException", _POOL_MESSAGE) if is_refused else None

    for resource_type in _TABLES:
        extend(resource_type, before_delete=check_table)
    extend("AWS::Cognito::UserPool", before_delete=check_pool)
    refuse(pools, "_delete_user_pool", error)
