"""Handle Cognito's event before it issues tokens: add claims to the access token.

`courses` has the courses that a student bought. With a limit of sign-ins, `replaced_until` is a
time: the token belongs to a replaced sign-in if its `auth_time` isn't later. Cognito's event has no
session and no `auth_time`, but each refreshed token has both.

Cognito waits five seconds for a trigger and issues no token without its answer (developer guide,
"Customizing user pool workflows with Lambda triggers"). A table that can't be read therefore leaves
the claims out: students still sign in, and the next refresh has them.
"""

import json
import os
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: The claim that path rules of edge_auth name.
CLAIM: Final = "courses"
#: The claim that edge_auth compares with `auth_time`.
REPLACED: Final = "replaced_until"
_REFRESH: Final = "TokenGeneration_RefreshTokens"


@cache
def _dynamodb() -> "DynamoDBClient":
    import boto3
    from botocore.config import Config

    # Two attempts end well before Cognito's five seconds.
    config = Config(
        connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2}
    )
    return boto3.client("dynamodb", config=config)


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the event with the claims for the access token (version V2_0)."""
    subject = event.get("request", {}).get("userAttributes", {}).get("sub", "")
    claims: dict[str, object] = {}
    if subject:
        if courses := _courses(subject):
            claims[CLAIM] = courses
        if until := _replaced_until(subject, event["triggerSource"]):
            claims[REPLACED] = until
    if claims:
        access = {"claimsToAddOrOverride": claims}
        event["response"] = {"claimsAndScopeOverrideDetails": {"accessTokenGeneration": access}}
    return event


def _replaced_until(subject: str, source: str) -> int:
    """Return until when the student's sign-ins are replaced; 0 for none, or without the table."""
    limit = int(os.environ.get("SIGN_IN_SESSIONS", "0"))
    if not limit:
        return 0
    from botocore.exceptions import BotoCoreError, ClientError

    from entitlements import sign_in_table

    sign_in_at = None if source == _REFRESH else int(time.time())
    try:
        return sign_in_table.replaced_until(_dynamodb(), subject, limit, sign_in_at)
    except (BotoCoreError, ClientError) as error:
        print(json.dumps({"level": "ERROR", "message": "sign-ins left out", "code": _code(error)}))
        return 0


def _courses(subject: str) -> list[str]:
    """Return the ids of the courses, sorted; none if the table can't be read.

    The read is consistent, so that a refresh after a grant has the course.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        page = _dynamodb().get_item(
            TableName=os.environ["OFFICE_TABLE"],
            Key={"pk": {"S": f"STUDENT#{subject}"}, "sk": {"S": "COURSES"}},
            ConsistentRead=True,
            ProjectionExpression="pk, sk, courses",
        )
    except (BotoCoreError, ClientError) as error:
        # The class only: the text could name the student.
        print(json.dumps({"level": "ERROR", "message": "courses left out", "code": _code(error)}))
        return []
    item: Mapping[str, Any] = page.get("Item", {})
    return sorted(item.get("courses", {}).get("SS", []))


def _code(error: Exception) -> str:
    response: Mapping[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", type(error).__name__))
