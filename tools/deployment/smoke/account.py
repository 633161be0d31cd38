"""Request an account through the API, send the proof, wait for the account, and delete it.

The proof comes from the table: no one reads the mailbox simulator's emails.
"""

import hashlib
import json
import time
import uuid
from typing import Any, Final

from tools.deployment.smoke.target import Target
from tools.replay.http_client import ConnectionLostError, HttpClient

#: The workflow takes seconds; its retries of a throttled service take longer.
CREATED_WITHIN_S: Final = 120.0
_POLL_S: Final = 1.0
#: Amazon SES accepts and discards emails to this address, also with a label (Amazon SES Developer
#: Guide, "Using the mailbox simulator").
_MAILBOX: Final = "success+{label}@simulator.amazonses.com"


def check_account(target: Target, timeout_s: float = CREATED_WITHIN_S) -> list[str]:
    """Return the problems of an account request; an empty list if the account is created.

    Args:
        target: The deployed system.
        timeout_s: How long to wait for the workflow, in seconds.

    Raises:
        ClientError: Cognito or DynamoDB refused to delete the account.
    """
    request_id = str(uuid.uuid4())
    email = _MAILBOX.format(label=request_id)
    client = HttpClient(target.url)
    try:
        problem, status = _request(client, target, request_id, email, timeout_s)
    except ConnectionLostError as error:
        return [f"{target.url}/api/accounts got no answer: {error}"]
    finally:
        client.close()
        _delete(target, email)
    if problem:
        return [problem]
    return [] if status == "created" else [f"the request {request_id} ended as {status}"]


def _request(
    client: HttpClient, target: Target, request_id: str, email: str, timeout_s: float
) -> tuple[str, str]:
    body = {"requestId": request_id, "email": email, "name": "Smoke test"}
    problem = _post(client, target, "/api/accounts", body)
    if problem:
        return problem, ""
    token = _proof(target, request_id).removeprefix(f"{request_id}.")
    problem = _post(
        client, target, "/api/accounts/proofs", {"requestId": request_id, "token": token}
    )
    if problem:
        return problem, ""
    link = f"/api/accounts/requests/{request_id}"
    deadline = time.monotonic() + timeout_s
    while True:
        status = str(json.loads(client.request("GET", link, {}).body)["status"])
        if status != "pending":
            return "", status
        if time.monotonic() > deadline:
            problem = (
                f"the request {request_id} is still pending after {timeout_s:.0f} s. Read the log "
                f"group /aws/vendedlogs/states/meridian-{target.stage}-prove, and the request's "
                f"execution of the state machine meridian-{target.stage}-account"
            )
            return problem, status
        time.sleep(_POLL_S)


def _post(client: HttpClient, target: Target, path: str, body: dict[str, str]) -> str:
    """Send a request; return the problem, "" if the API accepts it."""
    headers = {"Content-Type": "application/json"}
    answer = client.request("POST", path, headers, json.dumps(body).encode())
    if answer.status == 202:
        return ""
    text = answer.body[:200].decode(errors="replace")
    return f"POST {target.url}{path} answered {answer.status}: {text}"


def _proof(target: Target, request_id: str) -> str:
    """Return the proof in the email of a request, "" if the request has none."""
    account_id = hashlib.sha256(f"account/{request_id}".encode()).hexdigest()[:32]
    item = (
        target.client("dynamodb")
        .get_item(
            TableName=f"meridian-{target.stage}-accounts",
            Key={"pk": {"S": f"ACCOUNT#{account_id}"}, "sk": {"S": "OUTBOX#ProofRequested"}},
            ConsistentRead=True,
        )
        .get("Item", {})
    )
    return str(item.get("proof", {}).get("S", ""))


def _delete(target: Target, email: str) -> None:
    """Delete the user, and the account's items except the request, which has no personal data."""
    cognito, dynamodb = target.client("cognito-idp"), target.client("dynamodb")
    pool = target.stack.outputs["UserPoolId"]
    users = cognito.list_users(UserPoolId=pool, Filter=f'email = "{email}"')["Users"]
    table = f"meridian-{target.stage}-accounts"
    for user in users:
        attributes = {it["Name"]: it["Value"] for it in user["Attributes"]}
        account_id = attributes.get("preferred_username", "")
        cognito.admin_delete_user(UserPoolId=pool, Username=user["Username"])
        for item in _items(dynamodb, table, f"ACCOUNT#{account_id}"):
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})


def _items(dynamodb: Any, table: str, pk: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": pk}},
        ProjectionExpression="pk, sk",
    )["Items"]
    return items
