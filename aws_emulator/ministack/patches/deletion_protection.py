"""Refuse to delete a table or user pool that has deletion protection.

Gap: CloudFormation deletes protected tables and user pools, and DeleteUserPool deletes a protected
user pool. (DeleteTable refuses.)
Seen in: ministack 1.5.33, cloudformation/provisioners.py, _ddb_delete and
_cognito_user_pool_delete; services/cognito.py, _delete_user_pool.
Delete when: deleting a stack with a protected table or user pool ends in DELETE_FAILED.

"When this setting is enabled, ... the table cannot be deleted" (DynamoDB, "Using deletion
protection"); "your user pool can't be deleted" (Amazon Cognito, "User pool deletion protection").
"""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TABLES: Final = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
_USER_POOL: Final = "AWS::Cognito::UserPool"
_POOL_MESSAGE: Final = (
    "The user pool cannot be deleted because deletion protection is activated. Deletion protection "
    "must be inactivated first."
)


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the protection before each deletion."""
    handlers = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")[
        "_RESOURCE_HANDLERS"
    ]
    tables = Symbols("ministack.services.dynamodb", "_tables")
    pools = Symbols("ministack.services.cognito", "_user_pools", "_delete_user_pool")

    def check_table(name: str) -> None:
        if (tables["_tables"].get(name) or {}).get("DeletionProtectionEnabled"):
            raise ValueError(
                f"Table {name} is protected against deletion. To delete the table, disable "
                "deletion protection."
            )

    def protected(pool_id: str) -> bool:
        return (pools["_user_pools"].get(pool_id) or {}).get("DeletionProtection") == "ACTIVE"

    def check_pool(pool_id: str) -> None:
        if protected(pool_id):
            raise ValueError(_POOL_MESSAGE)

    for resource_type in _TABLES:
        _guard(handlers[resource_type], check_table)
    _guard(handlers[_USER_POOL], check_pool)

    def guarded(original: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def delete_user_pool(data: dict[str, Any]) -> Any:
            if protected(str(data.get("UserPoolId"))):
                body = {"__type": "InvalidParameterException", "message": _POOL_MESSAGE}
                return (
                    400,
                    {"Content-Type": "application/x-amz-json-1.1"},
                    json.dumps(body).encode(),
                )
            return original(data)

        return delete_user_pool

    pools.wrap("_delete_user_pool", guarded)


def _guard(handler: dict[str, Any], check: Callable[[str], None]) -> None:
    """Call `check` with the physical ID before the deletion."""
    original = handler["delete"]

    def delete(physical_id: str, *rest: Any) -> Any:
        check(physical_id)
        return original(physical_id, *rest)

    handler["delete"] = delete
