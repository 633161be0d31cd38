"""Let servers beside MiniStack assume roles that trust an AWS service.

Gap: a service that assumes a role (API Gateway for an integration's credentials) can't do so from
outside MiniStack: AssumeRole sees an account as the principal, and the role trusts a service.
Seen in: ministack 1.5.33, sts.py, AssumeRole.
Delete when: AssumeRole can be called on behalf of a service.

POST /_local/service-role?service=apigateway.amazonaws.com&role=<ARN> answers as AssumeRole does.
"""

import json
import secrets
import time
from typing import Any, Final

from aws_emulator.ministack.control_api import ControlApi, Query
from aws_emulator.ministack.settings import Settings
from aws_emulator.ministack.symbols import Symbols

_SESSION_S: Final = 3600


def install(settings: Settings, control: ControlApi, _application: Any) -> None:
    """Add the path to the control API."""

    def answer(query: Query) -> dict[str, Any]:
        credentials = assume(settings, query.get("service", ""), query.get("role", ""))
        return {"Credentials": credentials}

    control.add("POST", "/_local/service-role", answer)


def assume(settings: Settings, service: str, role_arn: str) -> dict[str, Any]:
    """Return the credentials of a role for a service, as AssumeRole does.

    Raises:
        ValueError: The role doesn't exist, or doesn't trust the service.
    """
    sts = Symbols("ministack.services.sts", "register_session", "_assumed_role_arn", "_role_id")
    iam = Symbols("ministack.services.iam", "_roles")
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
    expires = time.time() + _SESSION_S
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
    return {**key, "Expiration": int(expires)}


def _trusts(document: Any, service: str) -> bool:
    """Return whether a trust policy allows a service to assume the role."""
    policy = json.loads(document) if isinstance(document, str) else document
    for statement in policy["Statement"]:
        services = statement["Principal"].get("Service", [])
        allowed = statement["Effect"] == "Allow" and statement["Action"] == "sts:AssumeRole"
        if allowed and service in ([services] if isinstance(services, str) else services):
            return True
    return False
