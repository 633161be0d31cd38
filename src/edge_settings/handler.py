"""Custom resource handler: one CloudFormation request in, exactly one response out.

A schedule invokes it too, and checks that the collector's streams have consumers.
"""

from collections.abc import Mapping
from typing import Any

from custom_resource.response import respond, send_response
from edge_settings import aws_clients
from edge_settings.consumers import (
    Streams,
    find_consumed,
    parse_stream_arns,
    require_all,
    require_one,
    stream_arns,
)
from edge_settings.errors import InvalidSettingsError, UnknownResourceError
from edge_settings.package import add_settings
from edge_settings.resource_properties import (
    parse_app_client,
    parse_edge_version,
    validate_settings,
)


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, object]:
    """Handle Create, Update and Delete of Custom::EdgeVersion and Custom::AppClientSettings.

    An invocation by EventBridge Scheduler checks the streams of the event's `StreamArns`; its error
    raises the alarm StreamWithoutConsumer.

    Raises:
        MissingPropertyError: The schedule's input has no stream ARNs.
        OSError: CloudFormation's URL doesn't accept the response. Lambda then retries the event.
        UnconsumedStreamError: In a run of the schedule, a stream has no consumer.
    """
    if "RequestType" not in event:
        streams = find_consumed(parse_stream_arns(event), aws_clients.has_consumer)
        return {"Regions": require_all(streams).regions}
    return respond(event, _handle, send_response, context)


def _handle(event: Mapping[str, Any]) -> dict[str, object]:
    """Apply one request. Return the response's PhysicalResourceId and Data.

    Raises:
        UnknownResourceError: The resource has another type.
        EdgeSettingsError: A property is invalid, or a service call failed; the class names the
            cause.
        InvalidSettingsError: Settings of edge_auth have no `jwks_uri`, or the parser rejects the
            settings.
        UnconsumedStreamError: No stream of the collector has a consumer.
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
    if version.suppression_key_name:
        # Another key would make the list of suppressed persons useless, so it has one generation.
        key = aws_clients.secret(version.suppression_key_name, "1")
        settings = settings | {"suppression_key": key}
    validate_settings(version, settings)
    data: dict[str, object] = {}
    if version.component == "edge_ingest":
        streams = _streams_with_consumers(version.built_version, settings)
        settings = settings | {"regions": streams.regions}
        data = {
            "Regions": ",".join(streams.regions),
            "SkippedRegions": streams.skipped_summary,
            "StreamArns": ",".join(streams.consumed),
        }
    package = add_settings(aws_clients.download_package(version.built_version), settings)
    arn = aws_clients.publish(version.built_version, package)
    # The physical ID never changes, so CloudFormation doesn't send a Delete for the old version
    # while the distribution still uses it.
    return {
        "PhysicalResourceId": f"{version.component}-version",
        "Data": data | {"VersionArn": arn},
    }


def _streams_with_consumers(function_arn: str, settings: Mapping[str, Any]) -> Streams:
    """Return the streams of validated collector settings, sorted by whether they have a consumer.

    Raises:
        UnconsumedStreamError: None has one.
    """
    arns = stream_arns(function_arn, settings["stream"], settings["regions"])
    return require_one(find_consumed(arns, aws_clients.has_consumer))
