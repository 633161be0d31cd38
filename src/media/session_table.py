"""The adapter of the item `SESSIONS` of a student, in the office's table."""

import functools
import time
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from media.aws_clients import CONFIG
from media.errors import UnavailableError
from media.sessions import Sessions, admit

#: A session ends with its refresh token, at the latest (stacks/edge-client.yaml).
KEPT_S: Final = 30 * 86_400
#: Of one student at the same moment: another session can win.
ATTEMPTS: Final = 4


@functools.cache
def dynamodb() -> Any:
    """Return the client of Amazon DynamoDB."""
    return boto3.client("dynamodb", config=CONFIG)


def admit_session(table: str, student: str, session: str, most: int) -> None:
    """Record that a session of a student plays media, unless newer ones replaced it.

    Raises:
        SessionReplacedError: Newer sessions have replaced this one.
        UnavailableError: DynamoDB refused a call, or other sessions were faster each time.
    """
    key = {"pk": {"S": f"STUDENT#{student}"}, "sk": {"S": "SESSIONS"}}
    try:
        for _ in range(ATTEMPTS):
            page = dynamodb().get_item(TableName=table, Key=key, ConsistentRead=True)
            known = _sessions(page.get("Item", {}))
            admitted = admit(known, session, most)
            if admitted is known or _put(table, key, admitted):
                return
    except (BotoCoreError, ClientError) as error:
        raise UnavailableError(f"Can't read the sessions: {type(error).__name__}.") from error
    raise UnavailableError("Other sessions of the member changed the list.")


def _sessions(item: dict[str, Any]) -> Sessions:
    playing, replaced = (
        tuple(it["S"] for it in item.get(name, {}).get("L", [])) for name in ("playing", "replaced")
    )
    return Sessions(playing, replaced, int(item.get("version", {"N": "0"})["N"]))


def _put(table: str, key: dict[str, Any], sessions: Sessions) -> bool:
    """Store the sessions; False if another session changed them meanwhile.

    Raises:
        ClientError: DynamoDB refused the call for another reason.
    """
    item = key | {
        "playing": {"L": [{"S": it} for it in sessions.playing]},
        "replaced": {"L": [{"S": it} for it in sessions.replaced]},
        "version": {"N": str(sessions.version)},
        "expires_at": {"N": str(int(time.time()) + KEPT_S)},
    }
    try:
        dynamodb().put_item(
            TableName=table,
            Item=item,
            ConditionExpression="attribute_not_exists(pk) OR version = :before",
            ExpressionAttributeValues={":before": {"N": str(sessions.version - 1)}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True
