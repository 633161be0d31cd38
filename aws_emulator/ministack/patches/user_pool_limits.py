"""Refuse domains, app clients and password policies that Amazon Cognito refuses.

Gap: a domain can contain a reserved word; an app client can have any token validity, any redirect
URL, and a refresh flow beside the rotation of refresh tokens; a password can have any length.
Seen in: ministack 1.5.33, cognito.py, _create_user_pool_domain, _create_user_pool_client,
_update_user_pool_client, _create_user_pool and _update_user_pool.
Delete when: each operation refuses the requests of tests/refusals/test_user_pools.py.
"""

from typing import Any, Final

from aws_emulator.ministack import user_pool_rules as rules
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.refusing import Check, refuse
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_CHECKS: Final[dict[str, Check]] = {
    "_create_user_pool_domain": rules.domain,
    "_create_user_pool_client": rules.client,
    "_update_user_pool_client": rules.client,
    "_create_user_pool": rules.password_policy,
    "_update_user_pool": rules.password_policy,
}


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Check the requests of the APIs and of templates, which use the same operations."""
    service = Symbols("ministack.services.cognito", *_CHECKS, "error_response_json")
    for operation, check in _CHECKS.items():
        refuse(service, operation, check)
