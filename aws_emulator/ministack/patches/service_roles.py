"""A service of ours beside the emulator can act in a role that trusts it.

Gap: services that assume a role for themselves (API Gateway for an integration's credentials) have
no way to do so from outside: AssumeRole sees an account, and the role trusts a service.
Seen in: ministack 1.5.33, sts.py, AssumeRole.
Delete when: AssumeRole can be called in the name of a service.

POST /_local/service-role?service=apigateway.amazonaws.com&role=<ARN> answers as AssumeRole does.
"""

import json
import secrets
import time
from typing import Any

from aws_emulator.ministack.control import Control, Query
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Part

_SECONDS = 3600


def install(settings: Settings, control: Control, _application: Any) -> None:
    """Answer the path."""
    sts = Part("ministack.services.sts", "register_session", "_assumed_role_arn", "_role_id")
    iam = Part("ministack.services.iam", "_roles")

    def assume(query: Query) -> dict[str, Any]:
        service, role_arn = query.get("service", ""), query.get("role", "")
        arn, invalid = sts["_assumed_role_arn"](role_arn, service.partition(".")[0])
        role = None if invalid else iam["_roles"].get_scoped(
            role_arn.split(":")[4], None, role_arn.rpartition("/")[2]
        )  # fmt: skip
        if role is None or not _trusts(role["AssumeRolePolicyDocument"], service):
            raise ValueError(f"{role_arn} does not trust {service}")
        key = {
            "AccessKeyId": "ASIA" + secrets.token_hex(8).upper(),
            "SecretAccessKey": secrets.token_urlsafe(30),
            "SessionToken": secrets.token_urlsafe(60),
        }
        expires = time.time() + _SECONDS
        sts["register_session"](
            key["AccessKeyId"],
            {
                "Arn": arn,
                "UserId": f"{sts['_role_id'](role_arn)}:{service.partition('.')[0]}",
                "SecretAccessKey": key["SecretAccessKey"],
                "SessionToken": key["SessionToken"],
                "Expiration": expires,
                "AccountId": settings.account,
                "PrincipalType": "AssumedRole",
                "SourceAccessKeyId": None,
                "SourcePrincipalArn": arn,
                "SessionTags": [],
                "SessionPolicies": None,
            },
        )
        return {"Credentials": {**key, "Expiration": int(expires)}}

    control.add("POST", "/_local/service-role", assume)


def _trusts(document: Any, service: str) -> bool:
    """Tell whether a trust policy lets a service in."""
    policy = json.loads(document) if isinstance(document, str) else document
    for statement in policy["Statement"]:
        named = statement["Principal"].get("Service", [])
        allowed = statement["Effect"] == "Allow" and statement["Action"] == "sts:AssumeRole"
        if allowed and service in ([named] if isinstance(named, str) else named):
            return True
    return False
