"""Custom resource handler: one CloudFormation request in, exactly one response out."""

import json
from collections.abc import Mapping
from typing import Any, Final

from edge_settings import aws_clients
from edge_settings.errors import EdgeSettingsError, InvalidSettingsError, UnknownResourceError
from edge_settings.package import add_settings
from edge_settings.resource_properties import (
    parse_app_client,
    parse_edge_version,
    validate_settings,
)

#: CloudFormation limits a response body to 4 KB ("Custom resource response objects").
MAX_REASON_CHARS: Final = 1_000


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, object]:
    """Handle Create, Update and Delete of Custom::EdgeVersion and Custom::AppClientSettings.

    Every request gets a response at ResponseURL; without one, CloudFormation waits for the service
    timeout. The log contains no setting's value.

    Raises:
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
    """
    response: dict[str, object] = {
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
    }
    try:
        response |= {"Status": "SUCCESS", **_handle(event)}
    except EdgeSettingsError as error:
        response |= {"Status": "FAILED", "Reason": f"[{error.code}] {error}"[:MAX_REASON_CHARS]}
    except Exception as error:  # noqa: BLE001 - without a response, the deployment would wait
        response |= {"Status": "FAILED", "Reason": f"[unexpected] {type(error).__name__}"}
    _log(event, response)
    aws_clients.send_response(event["ResponseURL"], response)
    return response


def _handle(event: Mapping[str, Any]) -> dict[str, object]:
    """Apply one request. Return the response's PhysicalResourceId and Data.

    Raises:
        UnknownResourceError: The resource has another type.
        EdgeSettingsError: A property is invalid, or a service call failed; the class names the
            cause.
        InvalidSettingsError: Settings of edge_auth have no `jwks_uri`, or the parser rejects the
            settings.
    """
    resource_type, properties = event["ResourceType"], event["ResourceProperties"]
    if event["RequestType"] == "Delete":
        # CloudFront removes the replicas of an edge function hours after the distribution, and a
        # version with replicas can't be deleted. An operator deletes old versions later. Types of
        # earlier templates are deleted too, so the type isn't checked.
        return {}
    if resource_type not in {"Custom::EdgeVersion", "Custom::AppClientSettings"}:
        raise UnknownResourceError(f"Resource type {resource_type} isn't supported.")
    if resource_type == "Custom::AppClientSettings":
        client = parse_app_client(properties)
        aws_clients.update_app_client(client)
        return {"PhysicalResourceId": f"{client.client_id}-settings"}
    version = parse_edge_version(properties)
    settings = version.settings
    if version.component == "edge_auth":
        uri = settings.get("jwks_uri")
        if not isinstance(uri, str):
            raise InvalidSettingsError("Settings of edge_auth: jwks_uri is missing.")
        settings = settings | {"jwks": aws_clients.download_jwks(uri)}
    validate_settings(version.component, settings)
    package = add_settings(aws_clients.download_package(version.built_version), settings)
    arn = aws_clients.publish(version.built_version, package)
    # The physical ID never changes, so CloudFormation doesn't send a Delete for the old version
    # while the distribution still uses it.
    return {"PhysicalResourceId": f"{version.component}-version", "Data": {"VersionArn": arn}}


def _log(event: Mapping[str, Any], response: Mapping[str, object]) -> None:
    line = {
        "request": event["RequestType"],
        "resource": event["LogicalResourceId"],
        "status": response["Status"],
        "reason": response.get("Reason"),
        "data": response.get("Data"),
    }
    print(json.dumps(line))
