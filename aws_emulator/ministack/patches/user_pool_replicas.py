"""Provision the replica of a user pool, and issue tokens of the pool's issuer type.

Gap: there is no resource type AWS::Cognito::UserPoolReplica. KeyConfiguration is dropped. Tokens
name the original issuer, whatever IssuerConfiguration says.
Seen in: ministack 1.5.33, cloudformation/provisioners.py, and cognito.py, _create_user_pool and
_signed_jwt.
Delete when: the type exists and is refused as by `aws_emulator.ministack.user_pool_replica_rules`,
and tokens have the issuer of IssuerConfiguration.

The replica is a record of its pool: no sign-in uses it.
"""

from collections.abc import Callable, MutableMapping
from typing import Any, Final

from aws_emulator.ministack import user_pool_replica_rules as rules
from aws_emulator.ministack.control_api import ControlApi
from aws_emulator.ministack.provisioning import extend
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_TYPE: Final = "AWS::Cognito::UserPoolReplica"
_POOL: Final = "AWS::Cognito::UserPool"
_KEY: Final = "KeyConfiguration"
_ISSUER: Final = "IssuerConfiguration"
TYPES: Final = frozenset({_TYPE})
PROPERTIES: Final = {_POOL: {_KEY}}
#: Key of a pool's record: Region -> status.
_REPLICAS: Final = "_replicas"


def install(_settings: Settings, _control: ControlApi, _application: Any) -> None:
    """Provision the type, keep the pool's key, and name its issuer in tokens."""
    responses = Symbols("ministack.core.responses", "get_region")
    service = Symbols("ministack.services.cognito", "_user_pools", "_signed_jwt")
    gateway = Symbols("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
    gateway["_RESOURCE_HANDLERS"].setdefault(_TYPE, _provisioner(service, responses))

    def keep(pool_id: str, props: dict[str, Any], _attributes: dict[str, Any]) -> None:
        configuration = props.get(_KEY) or {}
        error = rules.key(configuration, responses["get_region"]())
        if error:
            raise ValueError(f"InvalidParameterException: {error}")
        service["_user_pools"][pool_id][_KEY] = configuration

    extend(_POOL, keep)
    service.wrap("_signed_jwt", lambda original: _naming_issuer(service, original))


def _provisioner(service: Symbols, responses: Symbols) -> dict[str, Any]:
    def replicas(pool_id: str) -> MutableMapping[str, str]:
        pool = service["_user_pools"].get(pool_id)
        if pool is None:
            raise ValueError(f"ResourceNotFoundException: User pool {pool_id} does not exist.")
        present: MutableMapping[str, str] = pool.setdefault(_REPLICAS, {})
        return present

    def create(_logical_id: str, props: dict[str, Any], _stack: str) -> Any:
        pool_id, region = str(props["UserPoolId"]), str(props["RegionName"])
        present = replicas(pool_id)
        pool = service["_user_pools"][pool_id]
        refused = rules.creation(pool, responses["get_region"](), region, present)
        if refused:
            raise ValueError(": ".join(refused))
        present[region] = "INACTIVE"
        return f"{pool_id}|{region}", {}

    def delete(_physical_id: str, props: dict[str, Any]) -> None:
        pool = service["_user_pools"].get(props["UserPoolId"]) or {}
        pool.get(_REPLICAS, {}).pop(props["RegionName"], None)

    return {"create": create, "delete": delete}


def _naming_issuer(service: Symbols, original: Callable[..., str]) -> Callable[..., str]:
    def sign(claims: dict[str, Any], *arguments: Any, **options: Any) -> str:
        pool = service["_user_pools"].get(str(claims.get("iss", "")).rpartition("/")[2]) or {}
        if (pool.get(_ISSUER) or {}).get("Type") == "UPDATED":
            issuer = str(claims["iss"]).replace("//cognito-idp.", "//issuer-cognito-idp.", 1)
            claims = {**claims, "iss": issuer}
        return original(claims, *arguments, **options)

    return sign
