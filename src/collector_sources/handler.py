"""Handle a change of the sources, or the custom resource that publishes those of a deployment.

A request is `{"action": ..., "id": <source>, "settings": <JSON object or its text>}`, or
`{"action": "suppress" | "release", "person": <userId or anonymousId>}`. The API sends its JSON text
as `request`, beside `groups`; an operator invokes the function with the request alone
(tools/operations).
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from collector_sources import aws_clients, registry
from collector_sources.errors import InvalidRequestError
from custom_resource.response import CustomResourceError, respond, send_response
from signed_snapshot.changes import EFFECTIVE_WITHIN_S, check_staff, publisher_of
from signed_snapshot.keyed import keyed_fingerprint

#: The collector's ids have at most 512 characters (clickstream.event).
MAX_PERSON_CHARS: Final = 512
#: Random bytes of a write key.
_KEY_BYTES: Final = 24
_OF_PERSONS: Final = ("suppress", "release")
_OF_SOURCES: Final = (
    *("create", "configure", "enable", "disable", "rotate", "retire", "remove"),
    "list",
)


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, object]:
    """Return `{"status": <HTTP status>, "body": {...}}`, or a custom resource's response.

    A response to the API also has the body as JSON, `text`.

    Raises:
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
    """
    if "RequestType" in event:
        return respond(event, _publish_deployed, send_response, context)
    is_api = "groups" in event
    body: dict[str, Any]
    action = None
    try:
        if is_api:
            check_staff(str(event["groups"]), "see and change sources")
        # API Gateway has validated the JSON text of the API's request.
        request = json.loads(event["request"]) if is_api else event
        action = _validate(request)
        status, body = 200, _apply(action, request)
    except CustomResourceError as error:
        # The publisher's errors have no status: the previous snapshot stays.
        status = getattr(error, "status", 503)
        body = {"code": error.code, "detail": str(error)}
    # No id of a person and no write key.
    print(json.dumps({"action": action, "status": status, "code": body.get("code")}))
    result: dict[str, object] = {"status": status, "body": body}
    return result | {"text": json.dumps(body)} if is_api else result


def _publish_deployed(event: Mapping[str, Any]) -> dict[str, object]:
    """Publish the sources of the parameter CollectorSources, signed with the present key.

    Raises:
        InvalidRequestError: A source of the deployment is invalid.
        ConflictError: The settings of all sources are too large.
        SnapshotStoreError: S3 or KMS refused a call.
        SnapshotConflictError: Other changes were faster.
    """
    publisher = publisher_of("sources")
    if event["RequestType"] == "Delete":
        # CloudFormation can't delete the bucket of a failed first deployment with objects in it. A
        # list that requests have changed stays in the bucket, which the stack retains.
        if not registry.has_changes(publisher.read()):
            publisher.delete()
        return {}
    try:
        deployed = json.loads(event["ResourceProperties"]["Sources"])
    except ValueError as error:
        raise InvalidRequestError(f"CollectorSources isn't valid JSON: {error}.") from error
    if not isinstance(deployed, list) or not all(isinstance(one, dict) for one in deployed):
        raise InvalidRequestError("CollectorSources must be a JSON list of objects.")
    publisher.update(lambda content: registry.merge_deployed(content, deployed), int(time.time()))
    return {"PhysicalResourceId": "sources"}


def _apply(action: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a valid request. Return the response's body.

    Raises:
        SourcesError: The registry refuses the change, or the key can't be read.
        SnapshotStoreError: S3 or KMS refused a call.
        SnapshotConflictError: Other changes were faster.
    """
    if action == "list":
        return registry.summary(publisher_of("sources").read())
    write_key = secrets.token_urlsafe(_KEY_BYTES) if action in ("create", "rotate") else ""
    change = _change_of(action, request, write_key)
    content = publisher_of("sources").update(change, int(time.time()))
    body = {"effectiveWithinSeconds": EFFECTIVE_WITHIN_S, **registry.summary(content)}
    # Only fingerprints are stored, so this is the only response with the key.
    return body | {"writeKey": write_key} if write_key else body


def _change_of(
    action: str, request: Mapping[str, Any], write_key: str
) -> Callable[[registry.Content], registry.Content]:
    if action in _OF_PERSONS:
        person = keyed_fingerprint(aws_clients.suppression_key(), request["person"])
        apply = registry.suppress if action == "suppress" else registry.release
        return lambda content: apply(content, person)
    name, settings = request["id"], _settings_of(request)
    changes: dict[str, Callable[[registry.Content], registry.Content]] = {
        "create": lambda content: registry.create(content, name, settings, write_key),
        "configure": lambda content: registry.configure(content, name, settings),
        "enable": lambda content: registry.enable(content, name, enabled=True),
        "disable": lambda content: registry.enable(content, name, enabled=False),
        "rotate": lambda content: registry.rotate(content, name, write_key),
        "retire": lambda content: registry.retire(content, name),
        "remove": lambda content: registry.remove(content, name),
    }
    return changes[action]


def _validate(request: Mapping[str, Any]) -> str:
    """Return the action of a request.

    Raises:
        InvalidRequestError: The action is unknown, or its value is missing or too long.
    """
    action = request.get("action")
    if action not in (*_OF_SOURCES, *_OF_PERSONS):
        raise InvalidRequestError(f"action must be one of {', '.join(_OF_SOURCES + _OF_PERSONS)}.")
    person = request.get("person")
    if action in _OF_PERSONS and not (
        isinstance(person, str) and 0 < len(person) <= MAX_PERSON_CHARS
    ):
        raise InvalidRequestError(
            f"person must be a userId or an anonymousId, at most {MAX_PERSON_CHARS} characters."
        )
    if action in _OF_SOURCES and action != "list" and not isinstance(request.get("id"), str):
        raise InvalidRequestError("id must be the id of a source.")
    return str(action)


def _settings_of(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings, an object or its JSON text.

    Raises:
        InvalidRequestError: They aren't a JSON object.
    """
    settings = request.get("settings") or {}
    if isinstance(settings, str):
        try:
            settings = json.loads(settings)
        except ValueError as error:
            raise InvalidRequestError(f"settings isn't valid JSON: {error}.") from error
    if not isinstance(settings, dict):
        raise InvalidRequestError("settings must be a JSON object.")
    return settings
