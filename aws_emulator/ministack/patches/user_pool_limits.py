"""Refuse domains, app clients and password policies that Amazon Cognito refuses.

Gap: a domain can contain a reserved word; a pool can have several custom domains, with a
certificate of any Region and a parent domain without an A record; a pool with a domain can be
deleted; an app client can have any token validity, any redirect URL, any identity provider, and a
refresh flow beside the rotation of refresh tokens; a password can have any length.
Seen in: ministack 1.5.33, cognito.py, _create_user_pool_domain, _create_user_pool_client,
_update_user_pool_client, _create_user_pool and _update_user_pool.
Delete when: each operation refuses the requests of tests/refusals/test_user_pools.py.
"""

from typing import Any, Final

from aws_emulator.ministack import user_pool_rules as rules
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.refusing import Check, refuse
from aws_emulator.ministack.service_rules import Refused
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
    service = Symbols(
        "ministack.services.cognito",
        *_CHECKS,
        "_delete_user_pool",
        "_user_pools",
        "error_response_json",
    )
    for operation, check in _CHECKS.items():
        refuse(service, operation, check)
    zones = Symbols("ministack.services.route53", "_records")

    def is_address(name: str) -> bool:
        records = (it for listed in zones["_records"].values() for it in listed)
        return any((it["Name"], it["Type"]) == (f"{name}.", "A") for it in records)

    def custom_domain(request: dict[str, Any]) -> Refused:
        pool = service["_user_pools"].get(request.get("UserPoolId")) or {}
        return rules.custom_domain(request, pool.get("CustomDomain"), is_address)

    refuse(service, "_create_user_pool_domain", custom_domain)

    def client_providers(request: dict[str, Any]) -> Refused:
        pool = service["_user_pools"].get(request.get("UserPoolId")) or {}
        return rules.client_providers(request, pool.get("_identity_providers") or {})

    for operation in ("_create_user_pool_client", "_update_user_pool_client"):
        refuse(service, operation, client_providers)

    def deletion(request: dict[str, Any]) -> Refused:
        pool = service["_user_pools"].get(request.get("UserPoolId")) or {}
        return rules.deletion(pool.get("Domain") or pool.get("CustomDomain"))

    refuse(service, "_delete_user_pool", deletion)
