"""Custom resource handler: one CloudFormation request in, exactly one response out."""

from collections.abc import Mapping
from typing import Any

from custom_resource.response import respond, send_response
from edge_settings import aws_clients
from edge_settings.errors import InvalidSettingsError, UnknownResourceError
from edge_settings.package import add_settings
from edge_settings.resource_properties import (
    parse_app_client,
    parse_edge_version,
    validate_settings,
)


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, object]:
    """Handle Create, Update and Delete of Custom::EdgeVersion and Custom::AppClientSettings.

    Raises:
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
    """
    return respond(event, _handle, send_response)


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
        if properties.get("SecretName"):
            aws_clients.delete_secret(str(properties["SecretName"]))
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
        keys, time_s = aws_clients.download_jwks(uri)
        settings = settings | {"jwks": keys, "jwks_time": time_s}
    if version.secret_name:
        salt = aws_clients.secret(version.secret_name, version.secret_generation)
        settings = settings | {"salt": salt}
    validate_settings(version, settings)
    package = add_settings(aws_clients.download_package(version.built_version), settings)
    arn = aws_clients.publish(version.built_version, package)
    # The physical ID never changes, so CloudFormation doesn't send a Delete for the old version
    # while the distribution still uses it.
    return {"PhysicalResourceId": f"{version.component}-version", "Data": {"VersionArn": arn}}
