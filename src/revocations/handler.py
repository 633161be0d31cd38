"""Handle a revocation, or the custom resource that publishes the first deny-list.

A revocation is `{"user": <email address or sub>}`, `{"session": <origin_jti>}` or
`{"everyone": true}`. The API sends its JSON text as `request`, beside `groups`; an operator
invokes the function with the revocation alone (tools/operations). The trigger of src/entitlements
sends `{"sign_ins": {"user": <sub>, "until": <time>}}` after a sign-in that replaced others.
"""

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from custom_resource.response import CustomResourceError, respond, send_response
from revocations import aws_clients, deny_list
from revocations.errors import InvalidRequestError
from signed_snapshot.changes import EFFECTIVE_WITHIN_S, check_staff, publisher_of

_USER: Final = re.compile(r"[!-~]{1,254}")
_SESSION: Final = re.compile(r"[0-9a-f-]{36}")
_KINDS: Final = ("user", "session", "everyone")


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, object]:
    """Return `{"status": <HTTP status>, "body": {...}}`, or a custom resource's response.

    Raises:
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
    """
    if "RequestType" in event:
        return respond(event, _publish_first, send_response, context)
    if "sign_ins" in event:
        return _replace_sign_ins(event["sign_ins"])
    is_api = "groups" in event
    # API Gateway has validated the JSON text of the API's request.
    request = json.loads(event["request"]) if is_api else event
    try:
        if is_api:
            check_staff(str(event["groups"]), "revoke tokens")
        status, body = 200, _revoke(request)
    except CustomResourceError as error:
        # The publisher's errors have no status: the previous list stays.
        status = getattr(error, "status", 503)
        body = {"code": error.code, "detail": str(error)}
    # No address and no identifier of a person.
    kinds = [kind for kind in _KINDS if kind in request]
    print(json.dumps({"revocation": kinds, "status": status, "code": body.get("code")}))
    return {"status": status, "body": body}


def _replace_sign_ins(replaced: Mapping[str, Any]) -> dict[str, object]:
    """Publish the deny-list with the replaced sign-ins of a user.

    Raises:
        ListFullError: The list is full. The tokens end within an hour.
        SnapshotStoreError: S3 or KMS refused a call. Lambda repeats the invocation.
        SnapshotConflictError: Other changes were faster. Lambda repeats the invocation.
    """
    now, user, until = int(time.time()), str(replaced["user"]), int(replaced["until"])

    def change(content: deny_list.Content) -> deny_list.Content:
        return deny_list.replace_sign_ins(content, user, until, now)

    content = publisher_of("revocations").update(change, now)
    return {"status": 200, "body": {"entries": deny_list.count(content)}}


def _publish_first(event: Mapping[str, Any]) -> dict[str, object]:
    """Publish the deny-list, signed with the present key. Return the key set as an attribute.

    Raises:
        SnapshotStoreError: S3 or KMS refused a call.
        SnapshotConflictError: Other changes were faster.
    """
    publisher = publisher_of("revocations")
    if event["RequestType"] == "Delete":
        # CloudFormation can't delete the bucket of a failed first deployment with objects in it.
        publisher.delete()
        return {}
    now = int(time.time())
    publisher.update(lambda content: deny_list.prune(content, now), now)
    return {
        "PhysicalResourceId": "revocations",
        "Data": {"KeySet": json.dumps(publisher.public_keys(), separators=(",", ":"))},
    }


def _revoke(request: Mapping[str, Any]) -> dict[str, object]:
    """Apply a revocation, and return the response's body.

    Raises:
        RevocationError: The request is invalid, the user is unknown, or the list is full.
        SnapshotStoreError: S3 or KMS refused a call.
        SnapshotConflictError: Other changes were faster.
    """
    kind = _validate(request)
    subject = aws_clients.sign_out_everywhere(request["user"]) if kind == "user" else ""
    # After the global sign-out: a refresh before it returned tokens that are older than this.
    now = int(time.time())

    def change(content: deny_list.Content) -> deny_list.Content:
        if kind == "user":
            return deny_list.revoke_user(content, subject, now)
        if kind == "session":
            return deny_list.revoke_session(content, request["session"], now)
        return deny_list.revoke_everyone(content, now)

    content = publisher_of("revocations").update(change, now)
    return {
        "revoked": kind,
        "effective_within_seconds": EFFECTIVE_WITHIN_S,
        "entries": deny_list.count(content),
    }


def _validate(request: Mapping[str, Any]) -> str:
    """Return the kind of a revocation: "user", "session" or "everyone".

    Raises:
        InvalidRequestError: The request has no kind, several, or a malformed value.
    """
    kinds = [kind for kind in _KINDS if kind in request]
    if len(kinds) != 1:
        raise InvalidRequestError("Name exactly one of user, session and everyone.")
    kind, value = kinds[0], request[kinds[0]]
    pattern = {"user": _USER, "session": _SESSION}.get(kind)
    is_valid = isinstance(value, str) and pattern.fullmatch(value) if pattern else value is True
    if not is_valid:
        raise InvalidRequestError(
            "user must be an email address or a sub, session an origin_jti, and everyone true."
        )
    return kind
